"""The embedded engine: equal to transformers, blind to its batch, exact in its prefixes."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.core.messages import Message, Reply, Request
from veriloop.models.embedded import Embedded
from veriloop.models.embedded.decoder import ROWS, Block
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.jobs import Job, Text
from veriloop.models.embedded.text import normalise, restore, spaced

FOLDER = Path(__file__).parents[2] / "models" / "embedded" / "sql"
PROMPTS = [
    "what is the capital of ohio",
    "How many people live in Denver?",
    "rivers in texas",
    "which states border utah",
    "How long is the Red River?",
    "what's the largest city in Maine",
    "name the lakes in michigan",
    "size of alaska",
    "how high is mount hood",
    "which state has the most rivers",
    "what is the density of new jersey",
    "where is reno",
    "states with more than 5 million people",
    "average population of cities in iowa",
    "highest point in nevada",
    "how many rivers run through states bordering kansas",
    "cities bigger than boston",
    "smallest state by area",
    "longest river in the largest state",
    "how many states are there",
    "what rivers do not run through idaho",
    "population of the capital of georgia",
    "which state is the least dense",
    "mountains higher than 5000 meters",
    "how many major cities are in florida",
    "states the colorado river flows through",
    "lowest elevation of california",
    "total area of the states next to missouri",
    "cities in springfield",
    "hello",
    "second largest state",
    "which rivers cross both iowa and illinois",
    "texas's neighbours",
    "how big is zorblatt",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    if not (FOLDER / "model.safetensors").is_file():
        pytest.skip("no trained weights in models/embedded/sql")
    return Engine.load(FOLDER)


def run(engine: Engine, *jobs: Job) -> list[Text]:
    return asyncio.run(engine.generate(jobs))


def reference(engine: Engine) -> Any:
    """The same weights in transformers."""
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: nothing to compare with")
    from safetensors.numpy import load_file

    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**config, bos_token_id=None, eos_token_id=0, pad_token_id=0)
    )
    tensors = {
        name: torch.from_numpy(tensor.astype(np.float32))
        for name, tensor in load_file(FOLDER / "model.safetensors").items()
    }
    missing = model.load_state_dict(tensors, strict=False)
    assert not missing.unexpected_keys
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    model.tie_weights()
    return model.eval()


def test_greedy_equals_transformers(engine: Engine) -> None:
    model = reference(engine)
    import torch

    texts = run(engine, *(Job(prompt, max_tokens=120) for prompt in PROMPTS))
    for prompt, text in zip(PROMPTS, texts, strict=True):
        opening = engine.vocabulary.opening(prompt, "")
        ids = torch.tensor([opening.ids])
        with torch.no_grad():
            out = model.generate(ids, max_new_tokens=120, do_sample=False, attention_mask=torch.ones_like(ids))
        expected = engine.vocabulary.text(out[0, ids.shape[1] :].tolist(), opening.slots)
        assert text.text == restore(expected)[1:], prompt


def test_logits_equal_transformers(engine: Engine) -> None:
    model = reference(engine)
    import torch

    ids = list(engine.vocabulary.opening(PROMPTS[0], "SELECT capital FROM state").ids)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    assert np.allclose(engine.decoder.prefill(ids).logits, expected[-1], atol=2e-4)
    block = Block(engine.decoder, 96)
    block.place(3, engine.decoder.prefill(ids[:5]))
    for at in range(5, len(ids)):
        logits = engine.decoder.step(block, np.full(ROWS, ids[at]))
        assert np.allclose(logits[3], expected[at], atol=2e-4)


def test_same_job_same_text_in_any_batch(engine: Engine) -> None:
    jobs = [
        Job(prompt, temperature=1.0 + at % 3 * 0.4, top_p=(1.0, 0.9)[at % 2], seed=at, max_tokens=40 + at % 5 * 30)
        for at, prompt in enumerate(PROMPTS[:24])
    ]
    together = run(engine, *jobs)
    backwards = run(engine, *reversed(jobs))[::-1]
    alone = [run(engine, job)[0] for job in jobs]
    assert together == backwards == alone


def test_same_seed_same_text_and_other_seeds_differ(engine: Engine) -> None:
    jobs = [Job("how many big places are near the long river", temperature=1.3, seed=seed) for seed in range(8)]
    assert run(engine, *jobs) == run(engine, *jobs)
    assert len({text.text for text in run(engine, *jobs)}) > 2
    assert len({text.text for text in run(engine, *(jobs[0] for _ in range(4)))}) == 1


def test_prefix_is_continued_exactly(engine: Engine) -> None:
    for prompt in PROMPTS[:6]:
        whole = run(engine, Job(prompt))[0].text
        cuts = list(range(0, len(whole), 5))
        rest = run(engine, *(Job(prompt, prefix=whole[:cut]) for cut in cuts))
        assert [whole[:cut] + text.text for cut, text in zip(cuts, rest, strict=True)] == [whole] * len(cuts)


def test_foreign_prefix_is_kept(engine: Engine) -> None:
    quoted = "SELECT city_name FROM city WHERE state_name = '"
    for prefix in ("SELECT", "SELECT ", "SELECT COUNT(", quoted, "SELECT xyz_unknown, ", "select é"):
        text = run(engine, Job("cities in texas", prefix=prefix, max_tokens=30))[0]
        assert text.completion_tokens > 0
        assert not text.text.startswith("SELECT SELECT")
    assert run(engine, Job("cities in texas", prefix=quoted))[0].text.startswith("texas'")


def test_tokens_join_to_the_text(engine: Engine) -> None:
    for text in run(engine, *(Job(prompt, temperature=1.0, seed=3) for prompt in PROMPTS[:10])):
        assert "".join(text.tokens) == text.text
        assert len(text.tokens) == len(text.token_logprobs) == text.completion_tokens
        assert text.logprob == pytest.approx(sum(text.token_logprobs))
        assert all(logprob <= 0 for logprob in text.token_logprobs)
        assert text.prompt_tokens > 2


def test_stop_strings_and_length(engine: Engine) -> None:
    whole = run(engine, Job("what is the capital of ohio"))[0]
    assert whole.finish == "stop"
    stopped = run(engine, Job("what is the capital of ohio", stop=(" WHERE", "zzz")))[0]
    assert stopped.text == whole.text[: whole.text.index(" WHERE")]
    assert (stopped.finish, "".join(stopped.tokens)) == ("stop", stopped.text)
    short = run(engine, Job("what is the capital of ohio", max_tokens=3))[0]
    assert (short.finish, short.completion_tokens) == ("length", 3)
    assert whole.text.startswith(short.text)


def test_no_room_is_an_error_for_its_caller_alone(engine: Engine) -> None:
    async def both() -> list[Any]:
        return await asyncio.gather(
            engine.generate([Job("word " * 500)]), engine.generate([Job("rivers in texas")]), return_exceptions=True
        )

    failed, fine = asyncio.run(both())
    assert isinstance(failed, ValueError)
    assert fine[0].text.startswith("SELECT")


def test_a_text_that_fills_the_context_ends_there(engine: Engine) -> None:
    (text,) = run(engine, Job("rivers in texas", prefix="SELECT river_name FROM river" + " WHERE length > 1" * 200))
    assert (text.text, text.finish, text.completion_tokens) == ("", "length", 0)
    assert text.prompt_tokens >= engine.decoder.limit


def test_what_prompts_share_is_read_once(engine: Engine) -> None:
    first = " ".join(f"name{number}" for number in range(90))
    whole = run(engine, Job(first, prefix="SELECT a FROM b"))
    before = engine.prefills
    again = run(engine, Job(first, prefix="SELECT a FROM b WHERE c = 1"))
    assert 1 <= engine.prefills - before <= 2
    assert engine.prefills > 3
    engine._read.clear()  # pyright: ignore[reportPrivateUsage]
    assert run(engine, Job(first, prefix="SELECT a FROM b WHERE c = 1")) == again
    assert run(engine, Job(first, prefix="SELECT a FROM b")) == whole


def test_concurrent_calls_share_batches_and_prefills(engine: Engine) -> None:
    async def many() -> list[list[Text]]:
        jobs = [Job("rivers in the state of nevada", temperature=1.0, seed=seed) for seed in range(20)]
        return await asyncio.gather(*(engine.generate([job]) for job in jobs))

    batches, prefills = engine.batches, engine.prefills
    texts = asyncio.run(many())
    assert len(texts) == 20
    assert engine.batches - batches < 20
    assert engine.prefills - prefills <= 1


async def begun(engine: Engine, jobs: list[Job]) -> asyncio.Task[list[Text]]:
    """A call that is under way."""
    before = engine.prefills + engine.steps
    task = asyncio.create_task(engine.generate(jobs))
    for _ in range(10_000):
        await asyncio.sleep(0.001)
        if engine.prefills + engine.steps > before:
            break
    return task


def test_a_call_joins_those_under_way(engine: Engine) -> None:
    async def main() -> bool:
        long = [Job("rivers in texas", temperature=3.0, seed=seed, max_tokens=360) for seed in range(64)]
        under_way = await begun(engine, long)
        await engine.generate([Job("what is the capital of ohio", max_tokens=2)])
        early = not under_way.done()
        await under_way
        return early

    assert asyncio.run(main())


def test_a_call_of_many_short_texts_keeps_nobody_waiting(engine: Engine) -> None:
    async def main() -> bool:
        many = [Job(f"{one} {other}", max_tokens=1) for one in PROMPTS[:20] for other in PROMPTS[:20]]
        under_way = await begun(engine, many)
        await engine.generate([Job("rivers in texas", prefix="SELECT a FROM b" + " WHERE c = 1" * 30, max_tokens=2)])
        early = not under_way.done()
        await under_way
        return early

    assert asyncio.run(main())


def test_several_loops_in_turn_and_at_once(engine: Engine) -> None:
    expected = run(engine, Job("rivers in texas"))
    assert [run(engine, Job("rivers in texas")) for _ in range(3)] == [expected] * 3
    found: list[list[Text]] = []
    threads = [threading.Thread(target=lambda: found.append(run(engine, Job("rivers in texas")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_cancelled_task_leaves_the_batch(engine: Engine) -> None:
    async def main() -> int:
        long = [Job(prompt, temperature=3.0, seed=seed, max_tokens=250) for seed in range(64) for prompt in PROMPTS[:4]]
        task = asyncio.create_task(engine.generate(long))
        await asyncio.sleep(0.05)
        before = engine.steps
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await engine.generate([Job("rivers in texas")])
        return engine.steps - before

    assert asyncio.run(main()) < 400


def test_question_text_is_plain() -> None:
    assert normalise("What's the size of St. Louis, in the U.S.?") == "what 's the size of st. louis in the us"
    assert normalise("half a million, or Texas' 2 thousand") == "500000 or texas 's 2000"
    assert normalise("cities > 1,500,000 or 2.5 million") == "cities 1500000 or 2500000"


def test_quoted_values_round_trip() -> None:
    for sql in ("SELECT a FROM b WHERE c = 'new york' AND d = 'x'", "SELECT 1", "x = 'bo", "x = '"):
        assert restore(spaced(sql))[1:] == sql


def test_unknown_words_are_copied_by_slots(engine: Engine) -> None:
    if not engine.vocabulary.words:
        pytest.skip("these weights know no slots")
    opening = engine.vocabulary.opening("cities over 1,234 people like Xyzzyplugh Grotto", "")
    assert list(opening.slots) == ["1234", "xyzzyplugh", "grotto"]
    text = run(engine, Job("how many people live in Xyzzyplugh Grotto"))[0].text
    assert text == "SELECT population FROM city WHERE city_name = 'xyzzyplugh grotto'"
    sql = "SELECT city_name FROM city WHERE city_name = 'xyzzyplugh grotto' AND population > 1234"
    ids = engine.vocabulary.write(sql, opening.slots)
    assert len(set(ids) & set(opening.slots.values())) == 3
    assert restore(engine.vocabulary.text(ids, opening.slots))[1:] == sql


def test_first_calls_at_once_load_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Path] = []
    load = Engine.load
    monkeypatch.setattr(Engine, "load", lambda folder: loaded.append(folder) or load(folder))
    model = Embedded("sql")

    async def main() -> list[Reply]:
        asked = Request(messages=(Message("user", "what is the capital of ohio?"),), temperature=0.0)
        return await asyncio.gather(*(model.generate(asked) for _ in range(12)))

    assert len({reply.samples[0].text for reply in asyncio.run(main())}) == 1
    assert len(loaded) == 1

"""Local models in company: loading at once, unequal calls, rows that break, and rows that a neighbour would change."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_client import until
from tiny_model import make_tokenizer, save, shared, sizes

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from veriloop.core.messages import Image, Message, Reply, Request, Text, ToolCall
from veriloop.models.conformance import RED_SQUARE
from veriloop.models.local import Transformers
from veriloop.models.local import folder as files


def ask(text: str = "Say hello.", **fields: Any) -> Request:
    return Request(messages=(Message("user", text),), **{"temperature": 0.0, "max_tokens": 12, **fields})


def model() -> Transformers:
    return Transformers(str(shared("text")), device="cpu")


async def told(work: Any) -> Any:
    return (await asyncio.gather(work, return_exceptions=True))[0]


def test_models_that_load_at_once_do_not_disturb_each_other():
    async def main() -> list[Reply]:
        return await asyncio.gather(*(model().generate(ask()) for _ in range(4)))

    for _ in range(2):
        texts = [reply.samples[0].text for reply in asyncio.run(main())]
        assert len(set(texts)) == 1
        assert texts[0].startswith("Hello, my dear")


def test_a_large_call_keeps_no_small_one_off():
    one = model()

    async def main() -> bool:
        await one.generate(ask())
        many = asyncio.create_task(one.generate(ask("Tell a long story.", seeds=tuple(range(400)), temperature=1.0)))
        await asyncio.sleep(0.05)
        await one.generate(ask(max_tokens=2))
        early = not many.done()
        many.cancel()
        await told(many)
        return early

    assert asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MemoryError(), TransientModelError, "ran out of memory: ask for fewer samples"),
        (RuntimeError("odd " * 500), ModelError, "cannot answer this: odd odd"),
    ],
)
def test_a_step_that_breaks_is_told_in_short_and_the_next_call_works(error: Exception, kind: type, words: str):
    one = model()

    async def main() -> Any:
        await one.generate(ask())
        batch = one._engine.loaded.batch  # type: ignore[union-attr]
        step = batch.step

        def breaks(tokens: Any) -> None:
            batch.step = step
            raise error

        batch.step = breaks
        failed = await told(one.generate(ask()))
        assert (await one.generate(ask())).samples[0].text.startswith("Hello")
        return failed

    failed = asyncio.run(main())
    assert type(failed) is kind
    assert words in str(failed)
    assert len(str(failed)) < 500


def test_a_worker_that_has_died_is_replaced():
    one = model()

    async def main() -> Reply:
        await one.generate(ask())
        dead = threading.Thread(target=lambda: None)
        dead.start()
        dead.join()
        with one._engine._wake:
            one._engine._closing.set()
            one._engine._wake.notify_all()
        await until(lambda: not any(thread.name == one.name for thread in threading.enumerate()))
        one._engine._closing.clear()
        one._engine._threads[:] = [dead]
        return await asyncio.wait_for(one.generate(ask()), 20)

    assert asyncio.run(main()).samples[0].text.startswith("Hello")


def test_a_picture_for_a_model_that_turns_out_to_have_no_eyes_is_refused(monkeypatch: pytest.MonkeyPatch):
    one = model()
    monkeypatch.setattr("veriloop.models.local.locate", lambda name: None)  # as of a hub id that is not here yet
    assert one.capabilities.images
    seen = replace(ask(), messages=(Message("user", (Text("Say hello."), Image(RED_SQUARE))),))
    with pytest.raises(CapabilityError, match="does not offer images"):
        asyncio.run(one.generate(seen))


def test_positions_that_stretch_with_the_longest_row_are_not_shared(tmp_path: Path):
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(3)
    rope: dict[str, Any] = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    rope |= {"rope_theta": 10000.0, "original_max_position_embeddings": 32}
    config = Phi3Config(
        **{**sizes(tokenizer), "num_key_value_heads": 4},
        max_position_embeddings=512,
        original_max_position_embeddings=32,
        rope_parameters=rope,
        initializer_range=0.5,
    )
    one = Transformers(str(save(tmp_path, Phi3ForCausalLM(config), tokenizer)), device="cpu")
    short, long = ask("Say", max_tokens=8), ask("Say hello. " * 12, max_tokens=8)

    async def main() -> tuple[str, str]:
        alone = await one.generate(short)
        together = await asyncio.gather(one.generate(long), one.generate(short))
        return alone.samples[0].text, together[1].samples[0].text

    alone, together = asyncio.run(main())
    assert alone == together


def test_results_go_back_under_the_names_of_their_own_calls():
    one = model()

    async def main() -> Any:
        await one.generate(ask())
        return one._engine.loaded.prompts  # type: ignore[union-attr]

    prompts = asyncio.run(main())
    turns: list[Message] = [Message("user", "Go.")]
    for name in ("first", "second"):
        turns.append(Message("assistant", "", "reply", tool_calls=(ToolCall(name, {}, "call_0"),)))
        turns.append(Message("tool", name, "tool", tool_call_id="call_0"))
    named = [prompts._turn(turn, turns[:at])["name"] for at, turn in enumerate(turns) if turn.role == "tool"]
    assert named == ["first", "second"]


def test_files_that_are_odd_are_no_surprise(tmp_path: Path):
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff tools")
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert files.takes_tools(tmp_path)
    assert files.read_json(tmp_path / "config.json") == {}
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": ["x"]}}')
    assert "is missing" in files.missing(tmp_path)


def test_a_request_for_nothing_is_refused():
    with pytest.raises(UsageError, match="one at least"):
        ask(seeds=())

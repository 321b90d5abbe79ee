"""The parts of local models: rows of many architectures in one cache, draws, spelling, tool calls."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import CALL, LESSONS, make_tokenizer, marks, save, sizes

from veriloop.core.messages import Message, Request, ToolCall
from veriloop.models.local import Transformers
from veriloop.models.local.calls import plain


def architecture(name: str, tokenizer: Any) -> Any:
    """The config of a tiny model whose cache is of another kind."""
    import transformers

    shape = {**sizes(tokenizer), "num_hidden_layers": 4, "max_position_embeddings": 512, "initializer_range": 0.3}
    state = {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16}
    layers = ["conv", "conv", "full_attention", "conv"]
    configs: dict[str, Any] = {
        "sliding window": lambda: transformers.Gemma3TextConfig(**shape, head_dim=16, sliding_window=16),
        "short convolutions": lambda: transformers.Lfm2Config(**shape, layer_types=layers),
        "a state beside attention": lambda: transformers.FalconH1Config(**shape, **state),
        "no attention": lambda: transformers.MambaConfig(
            vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, initializer_range=0.3, **marks(tokenizer)
        ),
    }
    return configs[name]()


SLOW = pytest.mark.slow
KINDS = [
    "sliding window",
    "short convolutions",
    pytest.param("a state beside attention", marks=SLOW),
    pytest.param("no attention", marks=SLOW),
]


@pytest.mark.filterwarnings("ignore")  # what these architectures say about kernels that are not installed
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_length_share_a_cache(kind: str, tmp_path: Path):
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    save(tmp_path, AutoModelForCausalLM.from_config(architecture(kind, tokenizer)), tokenizer)
    model = Transformers(str(tmp_path), device="cpu")
    requests = [
        Request(
            messages=(Message("user", " ".join(["fox", "owl", "hello"] * (1 + 4 * number))),),
            seeds=(number, 100 + number),
            temperature=float(number % 2),
            max_tokens=8 + 7 * (5 - number),
        )
        for number in range(6)
    ]

    async def staggered() -> list[Any]:
        async def later(number: int, request: Request) -> Any:
            await asyncio.sleep(0.02 * number)
            return await model.generate(request)

        return await asyncio.gather(*(later(number, request) for number, request in enumerate(requests)))

    together = [reply.samples for reply in asyncio.run(staggered())]
    for number, request in enumerate(requests):
        alone = asyncio.run(model.generate(request)).samples
        assert [sample.text for sample in alone] == [sample.text for sample in together[number]]
        if number % 2 == 0:
            assert {sample.text for sample in alone} == {greedy(model, request)}


def greedy(model: Transformers, request: Request) -> str:
    import torch

    loaded: Any = model._engine.loaded
    ids = torch.tensor([loaded.prompts.make(request, ()).ids])
    with torch.no_grad():
        out = loaded.model.generate(ids, do_sample=False, max_new_tokens=request.max_tokens)
    return loaded.spelling.write(out[0, ids.shape[1] :].tolist())


def draws(logits: list[float], temperature: float, top_p: float, count: int = 6000) -> Counter[int]:
    import torch

    from veriloop.models.local.sampling import Choice, Dice, choose

    choices = [Choice(Dice(seed, "cpu"), temperature, top_p) for seed in range(count)]
    return Counter(choose(torch.tensor([logits] * count), choices)[0])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_distribution(temperature: float):
    import torch

    logits = [0.0, 1.0, 2.0, -1.0, 0.5]
    expected = (torch.tensor(logits) / temperature).softmax(-1).tolist()
    found = draws(logits, temperature, 1.0)
    for token, probability in enumerate(expected):
        error = (6000 * probability * (1 - probability)) ** 0.5
        assert abs(found[token] - 6000 * probability) < 4 * error


def test_top_p_leaves_only_the_nucleus():
    def nucleus(top_p: float) -> set[int]:
        return set(draws([3.0, 2.0, 1.0, 0.0], 1.0, top_p, 1000))  # 64 %, 24 %, 9 %, 3 %

    assert nucleus(0.6) == {0}
    assert nucleus(0.8) == {0, 1}
    assert nucleus(0.95) == {0, 1, 2}
    assert nucleus(1.0) == {0, 1, 2, 3}


def test_only_allowed_tokens_are_chosen_and_share_the_probability():
    import torch

    from veriloop.models.local.sampling import Choice, Dice, choose

    logits = torch.tensor([[5.0, 1.0, 1.0, 0.0], [5.0, 1.0, 2.0, 0.0]])
    choices = [Choice(Dice(1, "cpu"), 1.0, 1.0, [1]), Choice(None, 0.0, 1.0, [1, 2])]
    tokens, logprobs = choose(logits, choices)
    assert tokens == [1, 2]
    assert logprobs == pytest.approx([0.0, -0.3133], abs=1e-3)


@cache
def spelling() -> Any:
    from veriloop.models.local.text import Spelling

    tokenizer = make_tokenizer()
    return Spelling(tokenizer, len(tokenizer))


WORDS = st.text(st.sampled_from("abe hlo,.!?é👋\n{}\"'"), max_size=24)


@settings(max_examples=150, deadline=None)
@given(WORDS)
def test_a_prefix_is_taken_back_and_spelled_again(prefix: str):
    opening = spelling().opening(prefix)
    assert spelling().write(opening.kept) + opening.pending == prefix
    pending, first = opening.pending, not opening.kept
    while pending:
        fitting = spelling().fitting(pending, first)
        spelled = [spelling().write([token]) for token in fitting]
        assert spelled
        assert all(text.startswith(pending) or pending.startswith(text) for text in spelled)
        pending, first = spelling().rest(pending, fitting[0], first), False


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS, st.lists(WORDS, max_size=2))
def test_what_is_written_is_the_text_up_to_a_stop(prefix: str, rest: str, stops: list[str]):
    from veriloop.models.local.text import Opening, Writing

    tokens = spelling().read(prefix)
    writing = Writing(spelling(), Opening(tuple(tokens)), prefix, tuple(stops))
    pieces: list[str] = []
    for token in spelling().read(rest):
        if not writing.stopped:
            writing.add(token)
            pieces.append(writing.piece())
    writing.end()
    pieces.append(writing.piece(last=True))
    there = [stop for stop in stops if stop and stop in rest]
    assert not any(stop in writing.text for stop in there)
    assert rest.startswith(writing.text)
    after = rest[len(writing.text) :]
    assert any(map(after.startswith, there)) if there else not after
    assert "".join(pieces) == writing.text


def calls_in(text: str) -> tuple[str, list[Any]]:
    return plain(text, {"get_weather"})


def test_tool_calls_are_json_in_tags_or_bare():
    body = json.loads(CALL.removeprefix("<tool_call>").removesuffix("</tool_call>"))
    assert calls_in(f"Let me see.{CALL}") == ("Let me see.", [body])
    assert calls_in(f"{CALL}\n{CALL}")[1] == [body, body]
    assert calls_in(CALL.removesuffix("</tool_call>"))[1] == [body]
    assert calls_in(json.dumps(body)) == ("", [body])
    assert calls_in(json.dumps([body, body])) == ("", [body, body])
    parameters = {"name": "get_weather", "parameters": {"city": "Paris"}}
    assert calls_in(json.dumps(parameters)) == ("", [parameters])


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "null", '{"name": "rm"}', "<tool_call>{</tool_call>", "[[1]]"])
def test_what_is_no_call_stays_text(text: str):
    from veriloop.models.local.calls import Calls

    class Undeclared:
        response_template = None
        config = type("Config", (), {"model_type": "llama"})

    found = Calls(Undeclared(), Undeclared()).find(text, [], [], ())
    assert found == (text, ())


def test_the_arguments_of_a_call_are_an_object():
    from veriloop.models.local.calls import _call

    assert _call({"name": "f", "arguments": '{"a": 1}'}, 2) == ToolCall("f", {"a": 1}, "call_2")
    assert _call({"function": {"name": "f", "arguments": None}}, 0) == ToolCall("f", {}, "call_0")
    assert _call({"name": "f", "arguments": [1]}, 0) == ToolCall("f", {"invalid_json": [1]}, "call_0")
    assert _call({"name": "f", "arguments": "{"}, 0) == ToolCall("f", {}, "call_0")
    assert _call({"name": ""}, 0) is None
    assert _call(["name"], 0) is None


def test_lessons_are_of_one_tokenizer():
    tokenizer = make_tokenizer()
    assert all(tokenizer.decode(tokenizer.encode(reply)) == reply for _, reply in LESSONS)

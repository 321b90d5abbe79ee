"""The scripted model, and the conformance suite that it passes and that catches models which lie."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError
from veriloop.core.messages import Capabilities, Message, Reply, Request, Sample, ToolCall
from veriloop.core.protocols import Model
from veriloop.models import named
from veriloop.models.conformance import check
from veriloop.models.scripted import Scripted, echo


def request(text: str = "one two", **fields: Any) -> Request:
    return Request(messages=(Message("user", text),), **fields)


def generate(model: Model, asked: Request) -> Reply:
    return asyncio.run(model.generate(asked))


def texts(reply: Reply) -> list[str]:
    return [sample.text for sample in reply.samples]


def test_a_list_is_used_up_in_order_and_then_says_so():
    model = Scripted(["a", Sample("b", logprob=-1.0), "c"])
    assert texts(generate(model, request(seeds=(5, 6)))) == ["a", "b"]
    assert texts(generate(model, request())) == ["c"]
    with pytest.raises(ModelError, match="script of 3 replies is used up"):
        generate(model, request())


def test_an_exception_is_raised_in_its_turn():
    model = Scripted([TransientModelError("busy", 1.0), "a"])
    with pytest.raises(TransientModelError, match="busy"):
        generate(model, request())
    assert texts(generate(model, request())) == ["a"]


def test_a_function_answers_by_seed():
    model = Scripted(lambda asked, seed: f"{asked.messages[0].text} {seed}")
    assert texts(generate(model, request(seeds=(3, 1)))) == ["one two 3", "one two 1"]


def test_requests_are_kept_and_words_are_tokens():
    model = Scripted(["three little words"])
    reply = generate(model, request())
    assert model.requests == [request()]
    assert (reply.usage.tokens_in, reply.usage.tokens_out) == (2, 3)


def test_a_reply_ends_before_the_first_stop_text():
    assert texts(generate(Scripted(["a b c d"]), request(stop=("d", "c")))) == ["a b "]


def test_latency_is_waited_for_by_all_calls_at_once():
    async def run() -> float:
        model, start = Scripted(latency=0.1), time.monotonic()
        await asyncio.gather(*(model.generate(request()) for _ in range(50)))
        return time.monotonic() - start

    assert 0.09 < asyncio.run(run()) < 0.4


def test_an_undeclared_wish_is_refused_and_uses_up_nothing():
    model = Scripted(["a"], capabilities=Capabilities(stop=False))
    for asked in (request(stop=("x",)), request(seeds=(1, 2)), request(logprobs=True)):
        with pytest.raises(CapabilityError, match="scripted does not offer"):
            generate(model, asked)
    assert texts(generate(model, request())) == ["a"]


def test_it_is_a_model_by_name():
    model = named("veriloop.models.scripted:Scripted")
    assert texts(generate(model, request("hello", seeds=(4,)))) == ["hello [4]"]


def able(asked: Request, seed: int) -> str | Sample:
    if asked.tools:
        return Sample("", (ToolCall(asked.tools[0].name, {"city": "Paris"}, "call_1"),))
    if asked.schema:
        return json.dumps({"answer": 8})
    return echo(asked, seed)


def outcomes(model: Model) -> dict[str, str]:
    return {line.name: line.outcome for line in asyncio.run(check(model))}


def test_it_passes_the_conformance_suite():
    assert outcomes(Scripted(able, latency=0.03)) == {
        **dict.fromkeys(
            [
                "text",
                "n",
                "stop",
                "seed",
                "temperature",
                "schema",
                "tools",
                "prefix",
                "images",
                "streaming",
                "usage",
                "errors",
                "cancel",
            ],
            "works",
        ),
        "logprobs": "n/a",
    }


def test_what_is_not_declared_and_refused_is_not_held_against_a_model():
    found = outcomes(Scripted(able, capabilities=Capabilities(stop=False)))
    assert {name for name, outcome in found.items() if outcome == "n/a"} == {
        "n", "stop", "seed", "schema", "tools", "logprobs", "prefix", "images", "streaming",
    }  # fmt: skip


class Liar:
    """Declares nothing and everything in the wrong places, and never refuses."""

    name = "liar"

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities

    async def generate(self, request: Request) -> Reply:
        await asyncio.sleep(0.03)
        return Reply((Sample("1, 2, 3, 4, 5 " + str(time.monotonic())),))


def test_the_suite_catches_promises_that_are_not_kept():
    everything = Capabilities(images=True, n=True, seed=True, tools=True, schema=True, logprobs=True, prefix=True)
    found = outcomes(Liar(everything))
    kept = ["text", "n", "prefix", "images", "errors", "cancel"]  # the gateway asks for the samples that n left out
    assert [name for name, outcome in found.items() if outcome == "works"] == kept
    quiet = outcomes(Liar(replace(Capabilities(), stop=False)))
    assert [name for name, outcome in quiet.items() if outcome == "n/a"] == ["seed", "streaming"]
    assert {quiet[name] for name in ("n", "stop", "schema", "tools", "logprobs", "prefix", "images")} == {"fails"}


class Stubborn(Liar):
    """Cannot be cancelled."""

    async def generate(self, request: Request) -> Reply:
        try:
            return await super().generate(request)
        except asyncio.CancelledError:
            raise RuntimeError("not now") from None


def test_the_suite_catches_a_call_that_does_not_end_when_cancelled():
    assert outcomes(Stubborn(Capabilities()))["cancel"] == "fails"

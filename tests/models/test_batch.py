"""Batches, through the real SDKs, against a real server on loopback: replies, failures, runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic_server import fault
from batch_client import BOTH, QUICK, ask, model_of, receipts, request, texts
from batch_server import BatchServer, Fate, Made, obedient
from loopback import Raw
from loopback_chat import obedient as chat_obedient

import veriloop as vl
from veriloop.core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from veriloop.core.messages import Message, Reply, Request, ToolCall, ToolSpec
from veriloop.core.protocols import Model
from veriloop.models import named
from veriloop.models.batch import Batched, batched
from veriloop.models.conformance import check
from veriloop.models.openai import OpenAI
from veriloop.models.responses import Responses


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "OPENAI_"))]:
        monkeypatch.delenv(name)


def refusing(words: str, name: str) -> Callable[[dict[str, Any]], Fate]:
    """Answers 400 in these words to requests that have the parameter."""

    def fate(body: dict[str, Any]) -> Fate:
        return Raw(400, fault("invalid_request_error", words)) if name in body else obedient(body)

    return fate


# ---- requests and replies


@BOTH
def test_200_callers_share_one_batch_and_each_gets_its_own_reply(provider: str, tmp_path: Path):
    async def run() -> None:
        told: list[str] = []
        async with BatchServer() as server:
            model = model_of(provider, server, tmp_path, tell=told.append)
            asked = [f"question {i}\u2028" for i in range(200)]
            replies = await ask(model, *asked)
            assert texts(replies) == asked
            assert [len(made.bodies) for made in server.made] == [200]
            assert len({getattr(reply, "notes", ()) for reply in replies}) == 1
            assert f"{model.name}: submitted 200 requests as batch {server.made[0].id}" in told[0]
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_the_responses_protocol_has_batches_too(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(lambda body: [body["input"][-1]["content"]]) as server:
            model = Batched(Responses("m", base_url=server.openai_url), tmp_path, **QUICK)
            assert texts(await ask(model, "a", "b")) == ["a", "b"]
            assert server.made[0].endpoint == "/v1/responses"

    asyncio.run(run())


@BOTH
def test_it_is_the_model_at_half_the_price(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            model = model_of(provider, server, tmp_path)
            assert model.name == f"{provider}:m"
            assert (model.discount, model.unhurried, hasattr(model, "address")) == (0.5, True, False)
            assert not model.capabilities.streaming
            assert not model.capabilities.n
            assert isinstance(model, Model)
            (reply,) = await ask(model, "What is 2 + 2?")
            assert isinstance(reply, Reply)
            assert reply.usage.tokens_in > 0
            assert reply.notes == (f"{provider}:m: answered in batch {server.made[0].id}",)
            with pytest.raises(CapabilityError):
                await model.generate(request("x", seeds=(1, 2)))

    asyncio.run(run())


def test_it_keeps_the_promises_of_a_model(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(lambda body: chat_obedient(body), looks=1) as server:
            found = {line.name: line for line in await check(model_of("openai", server, tmp_path))}
            assert [line for line in found.values() if line.outcome == "fails"] == []
            assert {name for name, line in found.items() if line.outcome == "n/a"} == {"n", "prefix", "streaming"}

    asyncio.run(run())


def test_seeds_make_different_requests_and_equal_ones_share_a_line(tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            model = model_of("openai", server, tmp_path)
            asked = [request("x", seeds=(seed,)) for seed in (1, 2, 2)]
            replies = await asyncio.gather(*map(model.generate, asked))
            assert [reply.samples[0].text for reply in replies] == ["x [1]", "x [2]", "x [2]"]
            assert [len(made.bodies) for made in server.made] == [2]
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_a_full_collection_goes_at_once_and_a_late_request_into_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("veriloop.models.openai_batch.OpenAIBatches.most", 3)

    async def run() -> None:
        async with BatchServer() as server:
            model = model_of("openai", server, tmp_path)
            assert texts(await ask(model, *"abcdefg")) == list("abcdefg")
            assert sorted(len(made.bodies) for made in server.made) == [1, 3, 3]

    asyncio.run(run())


def test_a_collection_is_no_larger_than_the_provider_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("veriloop.models.anthropic_batch.AnthropicBatches.most_bytes", 1000)

    async def run() -> None:
        async with BatchServer() as server:
            model = model_of("anthropic", server, tmp_path)
            asked = [letter * 500 for letter in "abc"]
            assert texts(await ask(model, *asked)) == asked
            assert len(server.made) == 3

    asyncio.run(run())


# ---- failures


@BOTH
def test_a_failure_is_of_its_own_request(provider: str, tmp_path: Path):
    fates: dict[str, Fate] = {
        "late": "expired",
        "stopped": "cancelled",
        "lost": "lost",
        "bad": Raw(400, fault("invalid_request_error", "messages: too long")),
        "down": Raw(500, fault("api_error", "Internal error")),
    }

    def fate(body: dict[str, Any]) -> Fate:
        (said,) = obedient(body)
        return fates.get(said.removesuffix(" [0]"), [said])

    async def run() -> None:
        async with BatchServer(fate) as server:
            replies = await ask(model_of(provider, server, tmp_path), "good", *fates, "fine")
        assert (texts(replies)[0], texts(replies)[-1]) == ("good", "fine")
        kinds = [type(reply) for reply in replies[1:-1]]
        transient = TransientModelError
        assert kinds == [transient, ModelError, transient, ModelError, transient]
        assert all("\n" not in text for text in texts(replies))
        assert "too long" in texts(replies)[4]
        assert not any(error.unsettled for error in replies if isinstance(error, TransientModelError))
        assert receipts(tmp_path) == []  # what failed is not paid: who asks again asks anew

    asyncio.run(run())


def test_a_request_that_is_too_large_is_not_asked_again(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(lambda body: Raw(413, fault("request_too_large", "too large"))) as server:
            (error,) = await ask(model_of("anthropic", server, tmp_path), "a")
            assert type(error) is ModelError
            assert "refuses the request to anthropic:m (413): too large" in str(error)

    asyncio.run(run())


@BOTH
def test_a_request_that_failed_goes_into_a_new_batch_when_it_is_asked_again(provider: str, tmp_path: Path):
    def fate(body: dict[str, Any]) -> Fate:
        return obedient(body) if len(server.made) > 1 else "expired"

    server = BatchServer(fate)

    async def run() -> None:
        async with server:
            model = model_of(provider, server, tmp_path)
            (error,) = await ask(model, "x")
            assert isinstance(error, TransientModelError)
            assert texts(await ask(model, "x")) == ["x"]
            assert len(server.made) == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("provider", "words", "name"),
    [
        ("openai", "Unsupported parameter: 'temperature' is not supported with this model.", "temperature"),
        ("anthropic", "stop_sequences: Extra inputs are not permitted", "stop_sequences"),
    ],
)
def test_a_refused_parameter_is_left_out_in_the_next_batch_and_learned(
    provider: str, words: str, name: str, tmp_path: Path
):
    async def run() -> None:
        async with BatchServer(refusing(words, name)) as server:
            model = model_of(provider, server, tmp_path)
            replies = await ask(model, "a", "b", stop=("END",))
            assert texts(replies) == ["a", "b"]
            assert all(
                f"{provider}:m refuses {name}" in reply.notes[0] for reply in replies if isinstance(reply, Reply)
            )
            assert [name in next(iter(made.bodies.values())) for made in server.made] == [True, False]
            (again,) = await ask(model, "c", stop=("END",))
            assert isinstance(again, Reply)
            assert len(again.notes) == 2
            assert len(server.made) == 3
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_tools_that_are_refused_are_not_left_out(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(refusing("tools is not supported", "tools")) as server:
            tool = ToolSpec("add", "Adds.", {"type": "object", "properties": {}})
            (error,) = await ask(model_of("openai", server, tmp_path), "x", tools=(tool,))
            assert isinstance(error, CapabilityError)

    asyncio.run(run())


@BOTH
@pytest.mark.parametrize(
    ("answer", "words", "transient"),
    [
        (Raw(401, fault("authentication_error", "no")), "does not accept the key (401)", False),
        (Raw(404, fault("not_found_error", "no")), "has no batch interface (404): leave out batch (--batch)", False),
        (Raw(429, fault("rate_limit_error", "slow")), "asks to slow down (429)", True),
        (Raw(413, fault("request_too_large", "large")), "refuses the request", False),
    ],
)
def test_a_failed_submission_fails_its_callers_with_one_line(
    provider: str, answer: Raw, words: str, transient: bool, tmp_path: Path
):
    async def run() -> None:
        async with BatchServer() as server:
            server.faults = [answer]
            model = model_of(provider, server, tmp_path)
            errors = await ask(model, "a", "b")
            assert [type(error) for error in errors] == [TransientModelError if transient else ModelError] * 2
            assert words in str(errors[0])
            assert "\n" not in str(errors[0])
            assert receipts(tmp_path) == []
            assert texts(await ask(model, "a", "b")) == ["a", "b"]
            assert len(server.made) == 1

    asyncio.run(run())


def test_a_request_that_cannot_be_written_was_not_submitted(tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            call = Message("assistant", "", tool_calls=(ToolCall("add", {"x": float("nan")}, "1"),))
            asked = Request(messages=(Message("user", "a"), call, Message("tool", "b", tool_call_id="1")))
            with pytest.raises(UsageError) as caught:
                await model_of("anthropic", server, tmp_path).generate(asked)
            assert "the request to anthropic:m cannot be written" in str(caught.value)
            assert receipts(tmp_path) == []

    asyncio.run(run())


def test_a_server_that_is_not_there_fails_its_callers(tmp_path: Path):
    async def run() -> None:
        model = Batched(OpenAI("m", base_url="http://127.0.0.1:9/v1"), tmp_path, **QUICK)
        (error,) = await ask(model, "a")
        assert isinstance(error, TransientModelError)
        assert "is the server running?" in str(error)
        assert not error.unsettled
        assert receipts(tmp_path) == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "busy"), [("token_limit_exceeded", True), ("mismatched_model", False)], ids=["queue", "file"]
)
def test_a_batch_that_is_refused_as_a_whole_says_why(code: str, busy: bool, tmp_path: Path):
    def begin(made: Made) -> None:
        if len(server.made) == 1:
            made.status, made.errors = "failed", [{"code": code, "message": "Because.", "line": 3}]

    server = BatchServer()
    server.begin = begin

    async def run() -> None:
        async with server:
            model = model_of("openai", server, tmp_path)
            error, other = await ask(model, "a", "b")
            assert str(error) == f"{server.openai_url} refuses the batch (line 3): Because."
            assert str(other) == str(error)
            assert getattr(error, "busy", False) is busy
            assert texts(await ask(model, "a")) == ["a"]
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_a_batch_cancelled_at_the_provider_is_not_begun_again(tmp_path: Path):
    server = BatchServer(lambda body: "lost")
    server.begin = lambda made: setattr(made, "status", "cancelled")

    async def run() -> None:
        async with server:
            (error,) = await ask(model_of("openai", server, tmp_path), "a")
            assert type(error) is ModelError
            assert str(error) == "batch batch_0 of openai:m was cancelled at the provider"

    asyncio.run(run())


@BOTH
def test_trouble_while_waiting_loses_nothing(provider: str, tmp_path: Path):
    async def run() -> None:
        told: list[str] = []
        async with BatchServer(looks=3) as server:
            server.trouble = [Raw(503, fault("api_error", "down")), Raw(429, fault("rate_limit_error", "slow"))]
            model = model_of(provider, server, tmp_path, tell=told.append)
            replies = await ask(model, "a", "b")
            assert texts(replies) == ["a", "b"]
            assert len(server.made) == 1
            assert sum("trying again" in line for line in told) == 2

    asyncio.run(run())


@BOTH
def test_a_key_that_is_revoked_meanwhile_fails_the_callers_and_keeps_the_receipt(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            server.trouble = [Raw(401, fault("authentication_error", "revoked"))]
            model = model_of(provider, server, tmp_path)
            (error,) = await ask(model, "a")
            assert "does not accept the key" in str(error)
            assert [receipt["id"] for receipt in receipts(tmp_path)] == [server.made[0].id]
            assert texts(await ask(model, "a")) == ["a"]
            assert len(server.made) == 1

    asyncio.run(run())


@BOTH
@pytest.mark.parametrize("looks", range(3))
def test_a_batch_that_the_provider_does_not_know_for_a_while_is_not_paid_twice(
    provider: str, looks: int, tmp_path: Path
):
    async def run() -> None:
        async with BatchServer() as server:
            server.trouble = [*[None] * looks, Raw(404, fault("not_found_error", "gone"))]
            model = model_of(provider, server, tmp_path)
            (error,) = await ask(model, "a")
            assert type(error) is ModelError
            assert "does not know" in str(error)
            if looks < 2:  # the third is at the results
                file = tmp_path / f"{receipts(tmp_path)[0]['token']}.json"
                assert str(error).endswith(f"batch {server.made[0].id}: check the key, or remove {file}")
            assert texts(await ask(model, "a")) == ["a"]
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


@BOTH
def test_counts_that_are_none_are_no_progress(provider: str, tmp_path: Path):
    odd = {"completed": "many", "failed": None, "total": [], "processing": "x", "succeeded": {}}

    async def run() -> None:
        async with BatchServer() as server:
            server.trouble = [Raw(200, {"id": "batch_0", "request_counts": odd})]
            assert texts(await ask(model_of(provider, server, tmp_path), "a")) == ["a"]

    asyncio.run(run())


# ---- by name, and in a run


def test_a_model_without_batches_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        batched(named("embedded:sql"), tmp_path)
    assert str(caught.value) == "embedded:sql has no batch interface: leave out batch (--batch)"


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the folder"):
        batched(OpenAI("m", base_url="http://127.0.0.1:9/v1"), tmp_path / "file" / "batches")


def test_all_runs_of_a_process_share_a_model_and_its_batches(tmp_path: Path):
    model, told = OpenAI("m", base_url="http://127.0.0.1:9/v1"), []
    first = batched(model, tmp_path)
    assert batched(model, tmp_path, told.append) is first
    assert batched(first, tmp_path) is first
    assert batched(model, tmp_path / "other") is not first


@BOTH
def test_best_of_n_is_one_batch(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            model = model_of(provider, server, tmp_path)
            notices: list[str] = []

            def heard(event: Any) -> None:
                notices.append(getattr(event, "text", ""))

            result = await vl.asolve(
                "Say something.",
                model=model,
                strategy=vl.Strategy.of("best_of_n", n=6),
                verify=lambda answer: (len(answer) / 1000, "longer"),
                on_event=heard,
            )
            assert len(result.candidates) == 6
            assert [len(made.bodies) for made in server.made] == [6]
            assert f"{provider}:m: answered in batch {server.made[0].id}" in notices
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_the_blocking_entry_works_too(tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            model = model_of("openai", server, tmp_path)
            result = await asyncio.to_thread(vl.solve, "Say something.", model=model, verify=None)
            assert result.answer.startswith("Say something.")

    asyncio.run(run())

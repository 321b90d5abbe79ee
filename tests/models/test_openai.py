"""The Chat Completions backend, through the real SDK, against a real server on loopback."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, ChatServer, Drop, Raw, obedient, pick

from veriloop.core.budget import Budget
from veriloop.core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from veriloop.core.journal import RunLog
from veriloop.core.messages import Capabilities, Image, Message, Reply, Request, Text, ToolCall, ToolSpec
from veriloop.core.search import Spend
from veriloop.core.task import Limits
from veriloop.models.catalogue import catalogue
from veriloop.models.conformance import RED_SQUARE, check
from veriloop.models.endpoint import Endpoint, Incomplete
from veriloop.models.gateway import Gateway
from veriloop.models.openai import TRIES, OpenAI

CANARY = "sk-canary-0123456789"
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)


def request(text: str = "What is 2 + 2?", **fields: Any) -> Request:
    return Request(messages=(Message("user", text),), **fields)


def ask(
    asked: Request, reply: Callable[[dict[str, Any], int], Answer] = obedient, **settings: Any
) -> tuple[Reply, ChatServer]:
    async def run() -> tuple[Reply, ChatServer]:
        async with ChatServer(reply) as server:
            return await OpenAI("m", base_url=server.base_url, **settings).generate(asked), server

    return asyncio.run(run())


def failure(answer: Answer, **settings: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(request(), lambda body, index: answer, **settings)
    assert "\n" not in str(caught.value)
    return caught.value


def refusing(**messages: str) -> Callable[[dict[str, Any], int], Answer]:
    """A server that answers 400 to the named parameters, in these words."""

    def reply(body: dict[str, Any], index: int) -> Answer:
        for name, words in messages.items():
            if name in body:
                return Raw(400, {"error": {"message": words, "type": "invalid_request_error", "param": None}})
        return obedient(body, index)

    return reply


# ---- what goes out


def test_every_field_of_a_request_reaches_the_server():
    asked = request(seeds=(7, 8), temperature=0.3, top_p=0.9, max_tokens=55, stop=("END",), logprobs=True, tools=(ADD,))
    _, server = ask(asked)
    body = server.requests[0].body
    assert body["messages"] == [{"role": "user", "content": "What is 2 + 2?"}]
    wanted = {"model": "m", "n": 2, "seed": 7, "temperature": 0.3, "top_p": 0.9, "max_tokens": 55, "stop": ["END"]}
    assert body.items() >= (wanted | {"logprobs": True}).items()
    assert body["tools"][0] == {
        "type": "function",
        "function": {"name": "add", "description": "Adds.", "parameters": ADD.parameters},
    }


def test_what_is_not_asked_for_is_not_sent():
    _, server = ask(request())
    assert set(server.requests[0].body) == {"model", "messages", "temperature", "max_tokens", "seed"}


def test_a_seed_fits_every_servers_integer():
    _, server = ask(request(seeds=(2**62 + 5,)))
    assert server.requests[0].body["seed"] == 5


def test_a_seed_is_not_sent_to_a_server_without_seeds():
    _, server = ask(request(), capabilities=Capabilities(seed=False))
    assert "seed" not in server.requests[0].body


def test_a_picture_goes_as_a_data_url():
    message = Message("user", (Text("What colour?"), Image(RED_SQUARE)))
    _, server = ask(Request(messages=(message,)))
    parts = server.requests[0].body["messages"][0]["content"]
    assert parts[0] == {"type": "text", "text": "What colour?"}
    assert parts[1] == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{RED_SQUARE}"}}


def test_a_tool_call_makes_the_round_trip():
    reply, _ = ask(request(tools=(ADD,)))
    (call,) = reply.samples[0].tool_calls
    assert (call.name, dict(call.arguments), reply.samples[0].finish) == ("add", {"a": 1}, "tool_calls")
    turns = (
        *request().messages,
        Message("assistant", "", "reply", tool_calls=(call,)),
        Message("tool", "4", "tool", tool_call_id=call.id),
    )
    _, server = ask(Request(messages=turns, tools=(ADD,)))
    said, result = server.requests[0].body["messages"][1:]
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert said == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    assert result == {"role": "tool", "tool_call_id": call.id, "content": "4"}


def test_a_schema_is_strict_only_where_it_can_be():
    closed = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    for schema, strict in ((closed, True), (free, False)):
        reply, server = ask(request(schema=schema))
        sent = server.requests[0].body["response_format"]
        assert sent["json_schema"] == {"name": "output", "schema": schema, "strict": strict}
        assert isinstance(json.loads(reply.samples[0].text), dict)


def test_what_is_not_declared_is_refused_before_a_call():
    async def run() -> int:
        async with ChatServer() as server:
            model = OpenAI("m", base_url=server.base_url, capabilities=Capabilities())
            for asked in (request(seeds=(1, 2)), request(tools=(ADD,)), request(prefix="So"), request(schema={})):
                with pytest.raises(CapabilityError, match="openai:m does not offer"):
                    await model.generate(asked)
            return len(server.requests)

    assert asyncio.run(run()) == 0


# ---- what comes back


def test_usage_counts_cached_tokens():
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
    body = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    reply, _ = ask(request(), lambda *_: Raw(200, body))
    assert (reply.usage.tokens_in, reply.usage.tokens_out, reply.usage.cached) == (9, 4, 6)


@pytest.mark.parametrize(
    "usage", [None, {}, "x", {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": 9}, {"prompt_tokens": "9"}]
)
def test_a_server_that_reports_no_usage_is_not_free(usage: Any):
    message = Message("user", (Text("Why? " * 60), Image(RED_SQUARE)))
    asked = Request(messages=(message,), seeds=(1, 2), tools=(ADD,))
    choices = [{"message": {"content": "Ja, " * 30}}, {"message": {"content": "nö\ud800"}}]
    reply, _ = ask(asked, lambda *_: Raw(200, {"choices": choices, "usage": usage}))
    assert 1500 + 100 <= reply.usage.tokens_in <= 1500 + 160
    assert 40 <= reply.usage.tokens_out <= 60
    assert reply.notes == ("openai:m reports no usage: tokens are estimated",)


def test_a_budget_of_tokens_is_spent_by_a_server_that_reports_no_usage():
    _, spend, _ = through_gateway(request(), lambda *_: Raw(200, {"choices": [{"message": {"content": ""}}]}))
    assert spend.tokens_in > 0
    assert spend.tokens_out > 0


def test_log_probabilities_are_summed():
    reply, _ = ask(request("one two three", logprobs=True))
    assert reply.samples[0].logprob == pytest.approx(-2.0)


def test_a_reply_ends_before_a_stop_text_even_if_the_server_ignores_it():
    reply, _ = ask(request(stop=("END", "STOP")), lambda *_: ["so far STOP and END"])
    assert reply.samples[0].text == "so far "


def test_a_refusal_is_a_reply():
    refusal = {"message": {"content": None, "refusal": "I will not."}}
    reply, _ = ask(request(), lambda *_: [refusal])
    assert (reply.samples[0].text, reply.samples[0].finish) == ("I will not.", "refusal")


def test_broken_arguments_of_a_tool_call_are_kept_for_the_tool_to_complain_about():
    call = {"function": {"name": "add", "arguments": '{"a": '}}
    reply, _ = ask(request(tools=(ADD,)), lambda *_: [{"message": {"content": None, "tool_calls": [call]}}])
    assert reply.samples[0].tool_calls == (ToolCall("add", {"invalid_json": '{"a": '}, "call_0"),)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "no choice"),
        ([{"message": None}], "no choice"),
        ([{"message": {"content": 5}}], "no choice"),
        (Raw(200, {"choices": "x"}), "no choice"),
        (Raw(200, "[1]"), "not an object"),
        (Raw(200, "{", {"content-type": "application/json"}), "application/json that is not JSON"),
        (Raw(200, "<html>hello</html>", {"content-type": "text/html"}), "text/html that is not JSON"),
        (Raw(200, {"error": {"message": "upstream said no", "code": "bad"}}), "upstream said no"),
    ],
)
def test_a_broken_reply_is_an_error_of_one_line(answer: Answer, words: str):
    error = failure(answer)
    assert words in str(error)
    assert not isinstance(error, TransientModelError)


# ---- n


def test_a_server_that_gives_fewer_choices_is_asked_for_the_rest():
    reply, server = ask(request(seeds=(1, 2, 3, 4)), lambda body, index: obedient(body, index)[:2])
    assert [sample.text[-3:] for sample in reply.samples] == ["[1]", "[2]", "[3]", "[4]"]
    assert [(r.body.get("n"), r.body["seed"]) for r in server.requests] == [(4, 1), (None, 3), (None, 4)]
    assert reply.notes == ("openai:m left out 2 samples: they were asked for again",)
    assert reply.usage.tokens_out == 4 * 6


@pytest.mark.parametrize("how", ["ignored", "refused"])
def test_a_server_without_n_is_asked_one_by_one_and_remembered(how: str):
    def reply(body: dict[str, Any], index: int) -> Answer:
        if how == "refused" and "n" in body:
            return Raw(400, {"error": {"message": "'n' : number must be at most 1"}})
        return obedient(body, index)[:1]

    async def run() -> None:
        async with ChatServer(reply, latency=0.1) as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(2):
                start = time.monotonic()
                reply_ = await model.generate(request(seeds=(1, 2, 3, 4)))
                assert [sample.text[-3:] for sample in reply_.samples] == ["[1]", "[2]", "[3]", "[4]"]
                assert reply_.notes[0].endswith("n: the samples were asked for one by one")
            assert time.monotonic() - start < 0.19, "the four were not asked at once"
            assert [r.body.get("n") for r in server.requests].count(4) == 1

    asyncio.run(run())


def test_more_choices_than_asked_for_are_dropped():
    reply, _ = ask(request(), lambda *_: ["a", "b"])
    assert [sample.text for sample in reply.samples] == ["a"]


def failing(seed: int, times: int, answer: Answer) -> Callable[[dict[str, Any], int], Answer]:
    """A server that ignores n and fails, so many times, to give the sample of ``seed``."""
    left = [times]

    def reply(body: dict[str, Any], index: int) -> Answer:
        if body["seed"] == seed and left[0]:
            left[0] -= 1
            return answer
        return obedient(body, index)[:1]

    return reply


def through_gateway(
    asked: Request, reply: Callable[[dict[str, Any], int], Answer]
) -> tuple[Reply | ModelError, Spend, ChatServer]:
    """What comes of one call through the gateway: the reply or the failure, what was counted, the server."""

    async def run() -> tuple[Reply | ModelError, Spend, ChatServer]:
        async with ChatServer(reply) as server:
            model, budget = OpenAI("m", base_url=server.base_url), Budget(Limits())
            gateway = Gateway({"proposer": model}, RunLog("run"), budget, lambda line: None)
            try:
                return await gateway.call(model, asked), budget.spend, server
            except ModelError as error:
                return error, budget.spend, server

    return asyncio.run(run())


def test_one_failing_sample_is_asked_for_again_and_its_paid_siblings_are_kept():
    asked = request(seeds=tuple(range(1, 9)))
    reply, spend, server = through_gateway(asked, failing(5, 1, Raw(429, "slow down", {"retry-after": "0"})))
    assert isinstance(reply, Reply)
    assert [sample.text[-3:] for sample in reply.samples] == [f"[{seed}]" for seed in range(1, 9)]
    assert len(server.requests) == 9
    assert (spend.calls, spend.tokens_out) == (8, 8 * 6)
    assert any(note.startswith("asking for 1 samples again: ") and "429" in note for note in reply.notes)


def test_the_wait_before_a_sample_is_asked_for_again_is_the_servers():
    start = time.monotonic()
    ask(request(seeds=(1, 2)), failing(2, 1, Raw(503, "soon", {"retry-after-ms": "700"})))
    assert 0.7 <= time.monotonic() - start < 5


@pytest.mark.parametrize(("status", "requests"), [(503, 2 + TRIES), (404, 3)])
def test_what_came_is_counted_when_a_sample_stays_missing(status: int, requests: int):
    error, spend, server = through_gateway(
        request(seeds=(1, 2, 3)), failing(3, 99, Raw(status, "no", {"retry-after": "0"}))
    )
    assert isinstance(error, Incomplete)
    assert str(error).endswith("2 of 3 samples came and are paid")
    assert len(server.requests) == requests, "paid samples were asked for twice"
    assert (spend.calls, spend.tokens_out) == (2, 2 * 6)


def test_a_sample_that_is_never_answered_is_counted_as_unsettled():
    error, spend, _ = through_gateway(request(seeds=(1, 2)), failing(2, 99, Drop()))
    assert isinstance(error, Incomplete)
    assert (spend.calls, spend.unsettled) == (1, TRIES)


def test_when_nothing_came_the_gateway_may_try_again():
    async def run() -> int:
        async with ChatServer(lambda body, index: ["a"]) as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.generate(request(seeds=(1, 2)))
            server.reply, before = lambda body, index: 503, len(server.requests)
            with pytest.raises(TransientModelError, match="503"):
                await model.generate(request(seeds=(1, 2, 3)))
            return len(server.requests) - before

    assert asyncio.run(run()) == 3


# ---- learned refusals


def test_a_refused_limit_goes_under_its_other_name_and_is_remembered():
    words = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."

    async def run() -> None:
        async with ChatServer(refusing(max_tokens=words)) as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(2):
                reply = await model.generate(request(max_tokens=33))
                assert reply.notes == ("openai:m refuses max_tokens: max_completion_tokens was sent instead",)
            bodies = [r.body for r in server.requests]
            assert [body.get("max_tokens") for body in bodies] == [33, None, None]
            assert [body.get("max_completion_tokens") for body in bodies] == [None, 33, 33]

    asyncio.run(run())


def test_refusals_are_learned_one_after_the_other_and_all_at_once():
    words = {name: f"Unsupported value: '{name}' is not supported" for name in ("temperature", "top_p", "seed")}

    async def run() -> None:
        async with ChatServer(refusing(**words)) as server:
            model = OpenAI("m", base_url=server.base_url)
            asked = request(top_p=0.5)
            replies = await asyncio.gather(*(model.generate(asked) for _ in range(5)))
            assert all(len(reply.notes) == 3 for reply in replies)
            before = len(server.requests)
            assert len((await model.generate(asked)).notes) == 3
            assert len(server.requests) == before + 1

    asyncio.run(run())


def test_a_refused_schema_is_sent_in_words():
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    reply, server = ask(request(schema=schema), refusing(response_format="response_format is not supported"))
    assert "response_format" not in server.requests[1].body
    assert json.dumps(schema) in server.requests[1].body["messages"][-1]["content"]
    assert reply.notes == ("openai:m refuses response_format: the schema was sent in words",)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer"}},
        {"type": "integer"},
        {"anyOf": [{"type": "object"}, {"type": "null"}], "type": "object"},
        {"enum": ["a", "b"]},
    ],
)
def test_a_schema_of_no_object_goes_in_words_right_away(schema: dict[str, Any]):
    reply, server = ask(request(schema=schema), lambda *_: ["[1, 2]"])
    (sent,) = server.requests
    assert "response_format" not in sent.body
    assert json.dumps(schema) in sent.body["messages"][-1]["content"]
    assert reply.notes == ("openai:m takes schemas of objects only: the schema was sent in words",)


@pytest.mark.parametrize("param", ["response_format", "response_format.json_schema.schema", None])
def test_an_invalid_schema_is_sent_in_words_and_the_next_one_as_it_is(param: str | None):
    words = (
        "Invalid schema for response_format 'output': schema must be a JSON Schema of 'type: \"object\"', got 'None'."
    )
    odd = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}}

    def reply(body: dict[str, Any], index: int) -> Answer:
        if "response_format" in body and "$ref" in body["response_format"]["json_schema"]["schema"]:
            return Raw(400, {"error": {"message": words, "type": "invalid_request_error", "param": param}})
        return obedient(body, index)

    async def run() -> None:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            first = await model.generate(request(schema=odd))
            assert first.notes == ("openai:m refuses response_format: the schema was sent in words",)
            second = await model.generate(request(schema={"type": "object", "properties": {}}))
            assert second.notes == ()
            assert ["response_format" in r.body for r in server.requests] == [True, False, True]

    asyncio.run(run())


@pytest.mark.parametrize("name", ["tools", "logprobs"])
def test_a_refused_feature_is_no_knob_to_do_without(name: str):
    wanted = {"tools": (ADD,)} if name == "tools" else {"logprobs": True}
    with pytest.raises(CapabilityError, match=f"does not offer {name}"):
        ask(request(**wanted), refusing(**{name: f"{name} is not supported"}))


def test_fastapi_servers_refuse_in_their_own_form():
    detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
    reply, _ = ask(request(), lambda body, i: Raw(422, {"detail": detail}) if "seed" in body else ["fine"])
    assert reply.notes == ("openai:m refuses seed: it was left out",)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "max_tokens is too large: 1024. This model supports at most 512", "param": "max_tokens"},
        {"message": "temperature must be between 0 and 1", "param": None},
        {"message": "The context is 9000 tokens; lower max_tokens or the messages", "param": "messages"},
        {"message": "Something else is wrong", "param": None},
    ],
)
def test_a_400_about_a_value_is_an_error_and_nothing_is_left_out(error: dict[str, Any]):
    async def run() -> None:
        async with ChatServer(lambda body, index: Raw(400, {"error": error})) as server:
            with pytest.raises(ModelError, match="refuses the request to openai:m") as caught:
                await OpenAI("m", base_url=server.base_url).generate(request())
            assert not isinstance(caught.value, TransientModelError)
            assert len(server.requests) == 1

    asyncio.run(run())


def test_a_refusal_that_stays_is_raised_and_not_learned():
    async def run() -> None:
        async with ChatServer(lambda body, i: Raw(400, {"error": {"message": "seed is not supported"}})) as server:
            model = OpenAI("m", base_url=server.base_url)
            with pytest.raises(ModelError, match="seed is not supported"):
                await model.generate(request())
            server.reply = obedient
            assert (await model.generate(request())).notes == ()

    asyncio.run(run())


# ---- errors


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_transient(status: int):
    assert isinstance(failure(status), TransientModelError)


@pytest.mark.parametrize(
    ("status", "words"), [(400, "refuses"), (401, "OPENAI_API_KEY"), (403, "allow"), (404, "/v1"), (418, "refuses")]
)
def test_what_will_not_pass_says_what_to_do(status: int, words: str):
    error = failure(status)
    assert not isinstance(error, TransientModelError)
    assert words in str(error)
    assert "http://127.0.0.1:" in str(error)


def test_a_spent_quota_does_not_pass_by_waiting():
    error = failure(Raw(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}))
    assert not isinstance(error, TransientModelError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_wait_a_server_asks_for_is_passed_on(headers: dict[str, str], seconds: float | None):
    error = failure(Raw(429, "slow down", headers))
    assert isinstance(error, TransientModelError)
    assert error.retry_after == seconds


def unreached(base_url: str, **settings: Any) -> TransientModelError:
    with pytest.raises(TransientModelError) as caught:
        asyncio.run(OpenAI("m", base_url=base_url, **settings).generate(request()))
    return caught.value


def test_a_refused_connection_asks_whether_the_server_runs():
    error = unreached("http://127.0.0.1:9/v1")
    assert str(error) == "cannot reach http://127.0.0.1:9/v1: connection refused; is the server running?"


def test_an_unknown_host_is_named():
    error = ConnectionError("cannot connect")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    said = Endpoint("openai:m", "http://nowhere/v1", "KEY", "").unreachable(error, 5, 120)
    assert str(said) == "cannot reach http://nowhere/v1: unknown host; check the base url and the network"
    assert isinstance(said, TransientModelError)


def test_a_certificate_that_cannot_be_verified_does_not_pass():
    error = ssl.SSLCertVerificationError("self-signed certificate")
    said = Endpoint("openai:m", "https://here/v1", "KEY", "").unreachable(error, 5, 120)
    assert not isinstance(said, TransientModelError)


def test_a_silent_server_is_given_up():
    async def run() -> None:
        async with ChatServer(latency=5) as server:
            with pytest.raises(TransientModelError, match=r"gave no answer within 0\.1 s"):
                await OpenAI("m", base_url=server.base_url, total=0.1).generate(request())

    asyncio.run(run())


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"no http at all\r\n\r\n"])
def test_a_connection_that_breaks_is_transient(sent: bytes):
    assert isinstance(failure(Drop(sent)), TransientModelError)


def test_the_key_is_sent_and_never_shown():
    _, server = ask(request(), api_key=CANARY)
    assert server.requests[0].headers["Authorization"] == f"Bearer {CANARY}"
    words = "x" * 280 + f" wrong key {CANARY}"
    for status in (400, 401, 403, 404, 429, 500):
        error = failure(Raw(status, {"error": {"message": words}}), api_key=CANARY)
        assert "sk-can" not in str(error)
        assert "sk-can" not in "".join(traceback.format_exception(error))
    assert CANARY not in repr(OpenAI("m", api_key=CANARY))
    assert CANARY not in repr(Endpoint("m", "http://here/v1", "KEY", CANARY))


# ---- settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
        asyncio.run(OpenAI("m").generate(request()))
        assert server.requests[0].headers["Authorization"] == f"Bearer {CANARY}"


def test_a_missing_key_names_the_setting():
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        OpenAI("gpt-5").ready()


def test_another_server_needs_no_key():
    _, server = ask(request())
    assert server.requests[0].headers["Authorization"] == "Bearer none"


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "127.0.0.1:8000"},
        {"base_url": "http://me:secret@x/v1"},
        {"base_url": "me:secret@x/v1"},
        {"api_key": "sk-…"},
        {"api_key": "a\nb"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str]):
    with pytest.raises(UsageError) as caught:
        OpenAI("m", **settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://me:secret@x/v1", "the base url holds a user name or password: give a key in OPENAI_API_KEY instead"),
        ("me:secret@x/v1", "the base url holds a user name or password: give a key in OPENAI_API_KEY instead"),
        ("http://x/v1?key=secret", "ready: http://x/v1"),
        ("http://x:8000/v1", "ready: http://x:8000/v1"),
        ("", "OPENAI_API_KEY is not set: set it, or name another server in OPENAI_BASE_URL"),
    ],
)
def test_the_catalogue_tells_the_server_and_no_secret(url: str, status: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert [line.status for line in catalogue() if line.name == "openai:MODEL"] == [status]


# ---- connections


async def arrived(server: ChatServer, count: int) -> None:
    for _ in range(200):
        if len(server.requests) >= count:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{len(server.requests)} of {count} requests arrived")


def test_cancelling_closes_the_http_request():
    async def run() -> None:
        async with ChatServer(latency=5) as server:
            model = OpenAI("m", base_url=server.base_url)
            task = asyncio.create_task(model.generate(request()))
            await arrived(server, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.1)
            assert server.requests[0].outcome == "cancelled"

    asyncio.run(run())


def test_cancelling_a_call_cancels_its_top_ups():
    async def run() -> None:
        async with ChatServer(lambda body, index: ["one"]) as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.generate(request(seeds=(1, 2)))
            server.latency, before = 5, len(server.requests)
            task = asyncio.create_task(model.generate(request(seeds=(1, 2, 3))))
            await arrived(server, before + 3)
            task.cancel()
            await asyncio.wait([task])
            await asyncio.sleep(0.1)
            assert [r.outcome for r in server.requests[before:]] == ["cancelled"] * 3

    asyncio.run(run())


def test_one_model_serves_many_event_loops_and_leaves_nothing_open():
    with warnings.catch_warnings(record=True) as seen, ChatServer() as server:
        warnings.simplefilter("always")
        model = OpenAI("m", base_url=server.base_url)
        for _ in range(3):
            assert asyncio.run(model.generate(request())).samples
            gc.collect()
        OpenAI("m", base_url=server.base_url)
        del model
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


def test_a_closed_model_opens_again():
    async def run() -> None:
        async with ChatServer() as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.aclose()
            for _ in range(2):
                await model.generate(request())
                await model.aclose()

    asyncio.run(run())


def test_a_model_dropped_in_a_running_loop_closes_its_connections():
    def sessions() -> set[int]:
        gc.collect()
        return {id(o) for o in gc.get_objects() if type(o).__name__ == "ClientSession" and not o.closed}

    async def run() -> None:
        before = sessions()
        async with ChatServer() as server:
            await OpenAI("m", base_url=server.base_url).generate(request())
            gc.collect()
            await asyncio.sleep(0.05)
            assert sessions() <= before

    asyncio.run(run())


def test_many_calls_go_out_at_once():
    async def run() -> float:
        async with ChatServer(latency=0.2) as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.generate(request())
            start = time.monotonic()
            await asyncio.gather(*(model.generate(request()) for _ in range(64)))
            return time.monotonic() - start

    assert asyncio.run(run()) < 1.5


def test_it_keeps_every_promise_it_declares():
    async def run() -> dict[str, str]:
        async with ChatServer(latency=0.03) as server:
            return {line.name: line.outcome for line in await check(OpenAI("m", base_url=server.base_url))}

    outcomes = asyncio.run(run())
    assert outcomes.pop("prefix") == "n/a"
    assert set(outcomes.values()) == {"works"}


def test_a_server_that_reports_no_usage_breaks_a_promise():
    async def run() -> dict[str, str]:
        async with ChatServer(lambda *_: Raw(200, {"choices": [{"message": {"content": "x"}}]})) as server:
            return {line.name: line.detail for line in await check(OpenAI("m", base_url=server.base_url))}

    assert asyncio.run(run())["usage"] == "openai:m reports no usage: tokens are estimated"


def test_the_loopback_server_as_a_process_logs_what_it_settled(tmp_path: Path):
    port, log, script = tmp_path / "port", tmp_path / "log.jsonl", tmp_path / "script.json"
    script.write_text(json.dumps(["zero", "one", "two"]))
    server = Path(__file__).parents[1] / "loopback.py"
    options = ["--port-file", port, "--log", log, "--script", script, "--latency", "0.01"]
    with subprocess.Popen([sys.executable, str(server), *map(str, options)]) as process:
        while not port.exists():
            time.sleep(0.01)
        model = OpenAI("m", base_url=f"http://127.0.0.1:{port.read_text()}/v1")
        reply = asyncio.run(model.generate(request("Hi", seeds=(4, 5, 6))))
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert [sample.text for sample in reply.samples] == [pick(["zero", "one", "two"], 4 + i, "Hi") for i in range(3)]
    assert [json.loads(line)["body"]["n"] for line in log.read_text().splitlines()] == [3]

"""The Anthropic backend, through the real SDK, against a real server on loopback."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from anthropic_server import Answer, Cut, MessagesServer, fault, message, obedient
from loopback import Drop, Raw

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from veriloop.core.messages import Capabilities, Image, Message, Reply, Request, Text, ToolCall, ToolSpec
from veriloop.models import named
from veriloop.models.anthropic import Anthropic
from veriloop.models.catalogue import catalogue
from veriloop.models.conformance import INTEGER, RED_SQUARE, check

CANARY = "sk-ant-canary-0123456789"
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
THOUGHT = {"type": "thinking", "thinking": "2 + 2 …", "signature": "c2lnbmVk"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}, "caller": {"type": "direct"}}
REFUSAL = "{}: Extra inputs are not permitted"
HOW = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "API_KEY_FILE", "BASE_URL", "AUTH_TOKEN", "CUSTOM_HEADERS", "PROFILE"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)


def request(text: str = "What is 2 + 2?", **fields: Any) -> Request:
    return Request(messages=(Message("user", text),), **fields)


async def call(model: Anthropic, asked: Request, streamed: bool, heard: list[str] | None = None) -> Reply:
    pieces: list[str] = [] if heard is None else heard
    if not streamed:
        return await model.generate(asked)
    return await model.stream(asked, lambda sample, piece: pieces.append(piece))


def ask(
    asked: Request, reply: Callable[[dict[str, Any], int], Answer] = obedient, streamed: bool = False, **settings: Any
) -> tuple[Reply, MessagesServer]:
    async def run() -> tuple[Reply, MessagesServer]:
        async with MessagesServer(reply) as server:
            return await call(Anthropic("m", base_url=server.base_url, **settings), asked, streamed), server

    return asyncio.run(run())


def failure(answer: Answer, streamed: bool = False, **settings: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(request(), lambda body, index: answer, streamed, **settings)
    assert "\n" not in str(caught.value)
    return caught.value


def refusing(where: Callable[[dict[str, Any]], Any], words: str) -> Callable[[dict[str, Any], int], Answer]:
    """A server that answers 400 in these words to requests that have something."""

    def reply(body: dict[str, Any], index: int) -> Answer:
        return Raw(400, fault("invalid_request_error", words)) if where(body) else obedient(body, index)

    return reply


# ---- what goes out and comes back


@HOW
def test_a_request_reaches_the_server_and_its_reply_the_caller(streamed: bool):
    asked = request("one END two", max_tokens=55, stop=("END",))
    reply, server = ask(asked, streamed=streamed)
    body = server.requests[0].body
    assert body.pop("stream", False) is streamed
    assert {name: body[name] for name in body if name != "messages"} == {
        "model": "m",
        "max_tokens": 55,
        "stop_sequences": ["END"],
    }
    (sample,) = reply.samples
    assert (sample.text, sample.finish, reply.notes) == ("one ", "stop", ())
    assert reply.usage.tokens_in > 0
    assert reply.usage.tokens_out > 0


@HOW
def test_thinking_and_calls_make_the_round_trip(streamed: bool):
    blocks = [THOUGHT, {"type": "redacted_thinking", "data": "b3Bh"}, "I add.", CALL]

    def reply(body: dict[str, Any], index: int) -> Answer:
        return blocks if len(body["messages"]) == 1 else ["Done."]

    async def run() -> None:
        async with MessagesServer(reply) as server:
            model = Anthropic("m", base_url=server.base_url)
            asked = request(tools=(ADD,))
            sample = (await call(model, asked, streamed)).samples[0]
            assert (sample.text, sample.finish) == ("I add.", "tool_calls")
            assert sample.tool_calls == (ToolCall("add", {"a": 1}, "toolu_1"),)
            said = Message("assistant", sample.text, "reply", sample.tool_calls, state=sample.state)
            result = Message("tool", "1", "tool", tool_call_id="toolu_1")
            again = Request(messages=(*asked.messages, said, result), tools=(ADD,))
            assert (await call(model, again, streamed)).samples[0].text == "Done."
            sent = server.requests[1].body["messages"]
            assert sent[1]["content"] == [*blocks[:2], {"type": "text", "text": "I add.", "citations": None}, CALL]
            assert sent[2]["content"][0]["type"] == "tool_result"

    asyncio.run(run())


@HOW
def test_usage_counts_the_cache(streamed: bool):
    counts = {"input_tokens": 5, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20, "output_tokens": 3}
    usage = ask(request(), lambda *_: {"content": ["x"], "usage": counts}, streamed)[0].usage
    assert (usage.tokens_in, usage.cached, usage.stored, usage.tokens_out) == (95, 70, 20, 3)


@HOW
def test_a_server_that_reports_no_usage_is_not_free(streamed: bool):
    asked = Request(messages=(Message("user", (Text("Why? " * 60), Image(RED_SQUARE))),))
    reply, server = ask(asked, lambda *_: {"content": ["Ja, " * 30], "usage": None}, streamed)
    assert server.requests[0].body["messages"][0]["content"][1]["source"]["data"] == RED_SQUARE
    assert reply.usage.tokens_in > 1600
    assert reply.usage.tokens_out > 30
    assert reply.notes == ("anthropic:m reports no usage: tokens are estimated",)


def test_a_schema_without_a_form_of_its_own_goes_in_words_with_a_note():
    reply, server = ask(request(schema={"type": "object", "additionalProperties": {"type": "integer"}}))
    said = "anthropic:m takes schemas of objects with named fields only: the schema was sent in words"
    assert reply.notes == (said,)
    assert "output_config" not in server.requests[0].body


def test_a_reply_that_is_all_thinking_says_what_to_do():
    reply, _ = ask(request(max_tokens=9), lambda *_: {"content": [THOUGHT], "stop_reason": "max_tokens"})
    assert (reply.samples[0].text, reply.samples[0].finish) == ("", "length")
    assert reply.notes == ("anthropic:m thought for all of its 9 tokens: raise max_tokens",)


def test_a_long_reply_needs_no_stream():
    assert ask(request(max_tokens=128_000))[0].samples


@pytest.mark.parametrize(
    "asked", [request(seeds=(1, 2)), request(logprobs=True), request(prefix="So")], ids=["n", "logprobs", "prefix"]
)
def test_what_the_protocol_cannot_say_is_refused_before_a_call(asked: Request):
    can = Capabilities(n=True, logprobs=True, prefix=True, temperature=True)
    with pytest.raises(CapabilityError, match="anthropic:m does not offer"):
        ask(asked, lambda *_: 500, capabilities=can)


# ---- the stream


def test_text_is_heard_as_it_comes_and_everything_else_is_a_sign_of_life():
    async def run() -> None:
        heard: list[tuple[int, str, float]] = []
        async with MessagesServer(lambda *_: [THOUGHT, "one two three", CALL], pause=0.02) as server:
            model = Anthropic("m", base_url=server.base_url)
            reply = await model.stream(request(), lambda i, piece: heard.append((i, piece, time.monotonic())))
            assert "".join(piece for _, piece, _ in heard) == reply.samples[0].text == "one two three"
            assert {i for i, _, _ in heard} == {0}
            first = next(i for i, (_, piece, _) in enumerate(heard) if piece)
            # The start, a ping, and five events of thinking come before; so do the start of the text, and that is it.
            assert first == 9
            assert [piece for _, piece, _ in heard[first : first + 3]] == ["one t", "wo th", "ree"]
            assert len(heard) > 18
            assert heard[-1][2] - heard[0][2] > 0.02 * 15, "heard all at once"

    asyncio.run(run())


def test_a_stream_may_take_long_while_it_lives():
    async def run() -> None:
        async with MessagesServer(pause=0.05) as server:
            reply = await call(Anthropic("m", base_url=server.base_url, total=0.3), request(), True)
            assert reply.samples[0].text == "What is 2 + 2?"

    asyncio.run(run())


def test_a_connection_is_used_again_after_a_stream():
    async def run() -> None:
        async with MessagesServer() as server:
            model = Anthropic("m", base_url=server.base_url)
            for _ in range(3):
                await call(model, request(), True)
            assert len(server.connections) == 1

    asyncio.run(run())


@pytest.mark.parametrize("sent", range(1, 8))
@pytest.mark.parametrize("how", ["end", "drop", "reset"])
def test_a_stream_that_is_cut_is_unsettled(sent: int, how: Any):
    error = failure(Cut(["one two three"], sent, how), streamed=True)
    assert isinstance(error, TransientModelError)
    assert error.unsettled


@pytest.mark.parametrize("sent", [0, 5])
def test_an_error_in_a_stream_is_transient_and_unsettled(sent: int):
    error = failure(Cut(["one two three"], sent, "error"), streamed=True)
    assert isinstance(error, TransientModelError)
    assert error.unsettled
    assert error.busy
    assert "overloaded_error): Overloaded" in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (fault("invalid_request_error", "no such thing"), "refuses the request to anthropic:m (400): no such thing"),
        (fault("authentication_error", "bad key"), "ANTHROPIC_API_KEY"),
        (fault("billing_error", "pay first"), "quota"),
    ],
)
@HOW
def test_an_error_in_a_reply_of_status_200_that_will_not_pass(body: Any, words: str, streamed: bool):
    stream = {"content-type": "text/event-stream"}
    answer = Raw(200, f"event: error\ndata: {json.dumps(body)}\n\n", stream) if streamed else Raw(200, body)
    error = failure(answer, streamed)
    assert not isinstance(error, TransientModelError)
    assert words in str(error)


def test_an_error_in_a_reply_of_status_200_that_may_pass():
    error = failure(Raw(200, fault("api_error", "hiccup")))
    assert isinstance(error, TransientModelError)
    assert (error.unsettled, error.busy) == (True, False)


@pytest.mark.parametrize("words", [1.5, ["no"], {"a": 1}, True])
@pytest.mark.parametrize("status", [400, 401])
def test_words_that_are_no_text_are_told_all_the_same(words: Any, status: int):
    error = {"type": "error", "error": {"type": "x", "message": words}}
    assert f"({status}): {words}" in str(failure(Raw(status, error)))


@HOW
def test_a_request_that_has_no_form_as_json_is_the_callers_fault(streamed: bool):
    called = Message("assistant", "", "reply", (ToolCall("add", {"a": float("nan")}, "t1"),))
    for asked in (request("half \ud800"), Request(messages=(*request().messages, called), tools=(ADD,))):
        with pytest.raises(UsageError, match="the request to anthropic:m cannot be written as JSON"):
            ask(asked, streamed=streamed)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Cut(["x"], 3, "garbage"), "that is not a JSON object"),
        (Raw(200, "<html>", {"content-type": "text/html"}), "text/html that is not JSON"),
        (Raw(200, f"data: {'x' * 90}{CANARY}\n\n", {"content-type": "text/event-stream"}), "not a JSON object: xxx"),
        (Raw(200, "data: " + "[" * 10**5 + "\n\n", {"content-type": "text/event-stream"}), "not a JSON object"),
        (Raw(200, "[" * 10**5, {"content-type": "application/json"}), "application/json that is not JSON"),
        (Raw(200, '{"content": [', {"content-type": "application/json"}), "application/json that is not JSON"),
        (Raw(200, "event: x\ndata: [1]\n\n", {"content-type": "text/event-stream"}), "that is not a JSON object"),
    ],
)
def test_a_broken_stream_is_an_error_of_one_line(answer: Answer, words: str):
    error = failure(answer, streamed=True, api_key=CANARY)
    assert words in str(error)
    assert "sk-ant" not in str(error)
    assert "is the base url right (it ends before /v1/messages)?" in str(error)
    assert not isinstance(error, TransientModelError)


def test_a_server_that_does_not_stream_is_heard_all_the_same():
    heard: list[str] = []

    async def run() -> Reply:
        whole = Raw(200, message({"model": "m", "messages": []}, ["one two"]))
        async with MessagesServer(lambda *_: whole) as server:
            return await call(Anthropic("m", base_url=server.base_url), request(), True, heard)

    assert asyncio.run(run()).samples[0].text == "one two" == "".join(heard)


@pytest.mark.parametrize("sent", [0, 4])
def test_a_stream_that_falls_silent_is_given_up(sent: int):
    started = time.monotonic()
    error = failure(Cut(["one two three"], sent, "stall"), streamed=True, total=0.2)
    assert isinstance(error, TransientModelError)
    assert error.unsettled
    assert time.monotonic() - started < 5


def test_what_the_listener_raises_is_raised_and_the_request_closed():
    def heard(sample: int, piece: str) -> None:
        if piece:
            raise KeyboardInterrupt

    async def run() -> None:
        async with MessagesServer(pause=0.05) as server:
            with pytest.raises(KeyboardInterrupt):
                await Anthropic("m", base_url=server.base_url).stream(request(), heard)

    asyncio.run(run())


# ---- a whole reply that is broken


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Raw(200, {"content": None}), "no content"),
        (Raw(200, {"choices": []}), "no content"),
        (Raw(200, "[1]"), "not an object"),
        (Raw(200, '{"content": [', {"content-type": "application/json"}), "application/json that is not JSON"),
        (Raw(200, "<html>hello</html>", {"content-type": "text/html"}), "text/html that is not JSON"),
    ],
)
def test_a_broken_reply_is_an_error_of_one_line(answer: Answer, words: str):
    error = failure(answer)
    assert words in str(error)
    assert not isinstance(error, TransientModelError)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"no http at all\r\n\r\n"])
@HOW
def test_a_connection_that_breaks_is_transient(sent: bytes, streamed: bool):
    assert isinstance(failure(Drop(sent), streamed), TransientModelError)


# ---- learned refusals


@pytest.mark.parametrize(
    ("name", "has", "note"),
    [
        ("output_config", lambda body: "output_config" in body, "the schema was sent in words"),
        ("stop_sequences", lambda body: "stop_sequences" in body, "the reply was cut afterwards"),
        ("cache_control", lambda body: "cache_control" in json.dumps(body), "nothing was put into the cache"),
        ("tool_choice", lambda body: "tool_choice" in body, "it was left out"),
    ],
)
@HOW
def test_a_refused_parameter_is_left_out_reported_and_remembered(name: str, has: Any, note: str, streamed: bool):
    asked = request("one END two", stop=("END",), schema=INTEGER, tools=(ADD,), tool_choice="none")

    async def run() -> None:
        async with MessagesServer(refusing(has, REFUSAL.format(name))) as server:
            model = Anthropic("m", base_url=server.base_url)
            for _ in range(2):
                reply = await call(model, asked, streamed)
                assert reply.notes == (f"anthropic:m refuses {name}: {note}",)
            assert [bool(has(r.body)) for r in server.requests] == [True, False, False]
            assert "END" not in reply.samples[0].text
            assert (await call(model, request(), streamed)).notes == (() if name != "cache_control" else reply.notes)

    asyncio.run(run())


def test_a_schema_is_sent_in_words_once():
    has_form = refusing(lambda body: "output_config" in body, REFUSAL.format("output_config"))

    async def run() -> None:
        async with MessagesServer(has_form) as server:
            model = Anthropic("m", base_url=server.base_url)
            for schema in (INTEGER, {"type": "object"}):
                await model.generate(request(schema=schema))
                assert len(server.requests[-1].body["messages"][0]["content"]) == 2

    asyncio.run(run())


def test_a_schema_that_is_refused_is_sent_in_words_and_the_next_one_is_tried():
    odd = {**INTEGER, "title": "odd"}
    words = "output_config.format.schema: too odd a schema"
    has_odd = refusing(lambda body: "odd" in json.dumps(body.get("output_config")), words)

    async def run() -> None:
        async with MessagesServer(has_odd) as server:
            model = Anthropic("m", base_url=server.base_url)
            first = await model.generate(request(schema=odd))
            assert first.notes == ("anthropic:m refuses output_config: the schema was sent in words",)
            assert "JSON schema" in server.requests[1].body["messages"][0]["content"][-1]["text"]
            assert (await model.generate(request(schema=INTEGER))).notes == ()
            assert ["output_config" in r.body for r in server.requests] == [True, False, True]

    asyncio.run(run())


def test_thinking_that_an_endpoint_no_longer_accepts_is_left_out_once():
    words = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to another conversation."
    said = Message("assistant", "Four.", "reply", state=(THOUGHT, {"type": "text", "text": "Four."}))
    asked = Request(messages=(*request().messages, said, Message("user", "Sure?", "instruction")))
    reply, server = ask(asked, refusing(lambda body: "signature" in json.dumps(body), words))
    assert reply.notes == ("anthropic:m refuses thinking: earlier thinking was left out",)
    assert server.requests[1].body["messages"][1]["content"] == [{"type": "text", "text": "Four."}]


def test_a_server_without_tools_says_so():
    with pytest.raises(CapabilityError, match="anthropic:m does not offer tools: 'm' does not support tools"):
        ask(request(tools=(ADD,)), refusing(lambda body: True, "'m' does not support tools"))


@pytest.mark.parametrize("words", ["messages: roles must alternate", "max_tokens: 9 > 8", "stop_sequences is bad"])
def test_a_400_about_something_else_is_an_error(words: str):
    async def run() -> None:
        async with MessagesServer(refusing(lambda body: True, words)) as server:
            with pytest.raises(ModelError, match="refuses the request to anthropic:m") as caught:
                await Anthropic("m", base_url=server.base_url).generate(request())
            assert not isinstance(caught.value, TransientModelError)
            assert len(server.requests) == 1

    asyncio.run(run())


def test_a_refusal_that_stays_is_raised_and_not_learned():
    async def run() -> None:
        async with MessagesServer(refusing(lambda body: True, "stop_sequences is not supported")) as server:
            model = Anthropic("m", base_url=server.base_url)
            with pytest.raises(ModelError, match="stop_sequences is not supported"):
                await model.generate(request(stop=("END",)))
            assert len(server.requests) == 2
            server.reply = obedient
            assert (await model.generate(request(stop=("END",)))).notes == ()

    asyncio.run(run())


# ---- errors


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
@HOW
def test_what_may_pass_is_transient(status: int, streamed: bool):
    error = failure(status, streamed)
    assert isinstance(error, TransientModelError)
    assert error.busy == (status in (429, 529))
    assert not error.unsettled


def test_nothing_is_tried_again():
    async def run() -> int:
        async with MessagesServer(lambda *_: 529) as server:
            with pytest.raises(TransientModelError):
                await Anthropic("m", base_url=server.base_url).generate(request())
            return len(server.requests)

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "refuses"), (401, "ANTHROPIC_API_KEY"), (403, "allow"), (404, "before /v1/messages"), (413, "refuses")],
)
@HOW
def test_what_will_not_pass_says_what_to_do(status: int, words: str, streamed: bool):
    error = failure(status, streamed)
    assert not isinstance(error, TransientModelError)
    assert words in str(error)
    assert "http://127.0.0.1:" in str(error)


def test_spent_credit_does_not_pass_by_waiting():
    words = "Your credit balance is too low to access the Anthropic API."
    error = failure(Raw(400, fault("invalid_request_error", words)))
    assert "says that the quota is spent" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry-after": "3"}, 3.0), ({"retry-after-ms": "250"}, 0.25), ({}, None)]
)
def test_the_wait_a_server_asks_for_is_passed_on(headers: dict[str, str], seconds: float | None):
    error = failure(Raw(429, fault("rate_limit_error", "slow down"), headers))
    assert isinstance(error, TransientModelError)
    assert error.retry_after == seconds


@HOW
def test_a_refused_connection_asks_whether_the_server_runs(streamed: bool):
    with pytest.raises(TransientModelError, match="connection refused; is the server running") as caught:
        asyncio.run(call(Anthropic("m", base_url="http://127.0.0.1:9"), request(), streamed))
    assert not caught.value.unsettled


def test_a_silent_server_is_given_up():
    async def run() -> None:
        async with MessagesServer(latency=5) as server:
            with pytest.raises(TransientModelError, match=r"gave no answer within 0\.1 s") as caught:
                await Anthropic("m", base_url=server.base_url, total=0.1).generate(request())
            assert caught.value.unsettled

    asyncio.run(run())


def test_the_key_is_sent_and_never_shown():
    _, server = ask(request(), api_key=CANARY)
    assert CANARY in json.dumps(dict(server.requests[0].headers))
    words = "x" * 280 + f" wrong key {CANARY}"
    for status in (200, 400, 401, 403, 404, 429, 500):
        error = failure(Raw(status, fault("api_error", words)), api_key=CANARY)
        assert "sk-ant-can" not in "".join(traceback.format_exception(error))
    assert CANARY not in repr(Anthropic("m", api_key=CANARY))


# ---- settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    with MessagesServer() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
        model = named("anthropic:claude-x")
        assert asyncio.run(model.generate(request())).samples
        headers = json.dumps(dict(server.requests[0].headers))
        assert CANARY in headers
        assert "another" not in headers
        assert server.requests[0].body["model"] == "claude-x"


def test_a_missing_key_names_the_setting():
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY is not set"):
        Anthropic("claude-opus-5-5").ready()


def test_another_server_needs_no_key_and_its_url_may_have_the_path():
    async def run() -> None:
        async with MessagesServer() as server:
            for path in ("", "/", "/v1", "/v1/", "/v1/messages"):
                model = Anthropic("m", base_url=f"{server.base_url}{path}")
                assert model.address == server.base_url
                await model.generate(request())

    asyncio.run(run())


def test_a_missing_sdk_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "anthropic", raising=False)
    monkeypatch.setattr("veriloop.models.anthropic.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'veriloop\[anthropic\]'") as caught:
        asyncio.run(Anthropic("m", base_url="http://127.0.0.1:9").generate(request(schema=INTEGER)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "127.0.0.1:8000"},
        {"base_url": "http://me:secret@x"},
        {"api_key": "sk-secret-…"},
        {"api_key": "a\nsecret"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str]):
    with pytest.raises(UsageError) as caught:
        Anthropic("m", **settings)
    assert "secret" not in str(caught.value)


SECRET_URL = "the base url holds a user name, a password or a query: leave it out, give a key in ANTHROPIC_API_KEY"


@pytest.mark.parametrize(
    ("url", "key", "status"),
    [
        ("", "", "ANTHROPIC_API_KEY is not set: set it, or name another server in ANTHROPIC_BASE_URL"),
        ("", CANARY, "ready: Anthropic"),
        ("http://x/v1", "", "ready: http://x"),
        (
            "http://x/v1?key=secret",
            "",
            SECRET_URL,
        ),
        (
            "http://me:secret@x",
            "",
            SECRET_URL,
        ),
    ],
)
def test_the_catalogue_tells_the_server_and_no_secret(url: str, key: str, status: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    assert [line.status for line in catalogue() if line.name == "anthropic:MODEL"] == [status]


# ---- connections


@pytest.mark.parametrize(("latency", "pause"), [(5.0, 0.0), (0.0, 0.3)], ids=["before the reply", "in the reply"])
@HOW
def test_cancelling_closes_the_request_at_the_server(latency: float, pause: float, streamed: bool):
    if pause and not streamed:
        latency = 5.0

    async def run() -> None:
        async with MessagesServer(latency=latency, pause=pause) as server:
            task = asyncio.create_task(call(Anthropic("m", base_url=server.base_url), request(), streamed))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.4)
            assert [r.outcome for r in server.requests] == ["cancelled"]

    asyncio.run(run())


def test_one_model_serves_many_event_loops_and_leaves_nothing_open():
    with warnings.catch_warnings(record=True) as seen, MessagesServer() as server:
        warnings.simplefilter("always")
        model = Anthropic("m", base_url=server.base_url)
        for streamed in (False, True, False):
            assert asyncio.run(call(model, request(), streamed)).samples
            gc.collect()
        del model
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


def test_a_closed_model_opens_again():
    async def run() -> None:
        async with MessagesServer() as server:
            model = Anthropic("m", base_url=server.base_url)
            for _ in range(2):
                await model.generate(request())
                await model.aclose()

    asyncio.run(run())


@HOW
def test_many_calls_go_out_at_once(streamed: bool):
    async def run() -> float:
        async with MessagesServer(latency=0.2) as server:
            model = Anthropic("m", base_url=server.base_url)
            await call(model, request(), streamed)
            start = time.monotonic()
            await asyncio.gather(*(call(model, request(), streamed) for _ in range(64)))
            return time.monotonic() - start

    assert asyncio.run(run()) < 2


def test_it_keeps_every_promise_it_declares():
    async def run() -> dict[str, str]:
        async with MessagesServer(latency=0.03) as server:
            return {line.name: line.outcome for line in await check(Anthropic("m", base_url=server.base_url))}

    outcomes = asyncio.run(run())
    assert set(outcomes.values()) == {"works", "n/a"}
    assert {name for name, outcome in outcomes.items() if outcome == "works"} >= {
        "text",
        "stop",
        "schema",
        "tools",
        "images",
        "usage",
        "cancel",
    }

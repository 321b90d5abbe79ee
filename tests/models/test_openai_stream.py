"""Chat Completions as a stream: what is heard, what comes of it, and how it ends when it ends badly."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Answer, ChatServer, Cut, Drop, Raw, Reply, Stall, obedient
from loopback_client import ADD, CLOSED, arrived, ask, ended, failure, listen, refusing, request

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError
from veriloop.core.messages import Capabilities, Request
from veriloop.models.openai import OpenAI
from veriloop.models.openai_http import Events

EVENTS = {"content-type": "text/event-stream"}
NOT_DONE = {"choices": [{"index": 0, "delta": {"content": "so far"}, "finish_reason": None}]}
FINISHED = {"choices": [{"index": 0, "delta": {"content": " and done"}, "finish_reason": "stop"}]}


def stream(*events: Any, done: bool = True, end: str = "\n\n") -> Raw:
    """A stream of these events; a text is a line as it is."""
    lines = [event if isinstance(event, str) else f"data: {json.dumps(event)}" for event in events]
    return Raw(200, "".join(line + end for line in [*lines, *(["data: [DONE]"] if done else [])]), EVENTS)


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


# ---- what is heard and what comes of it


@pytest.mark.parametrize(
    "asked",
    [
        request("one two three"),
        request("one two", seeds=(1, 2, 3)),
        request("one two", logprobs=True),
        request(tools=(ADD,)),
        request(schema=CLOSED),
        request("stop here END now", stop=("END",)),
    ],
)
def test_a_streamed_reply_is_the_one_that_comes_at_once(asked: Request):
    reply, heard, server = listen(asked)
    assert reply == ask(asked)[0]
    for i, sample in enumerate(reply.samples):
        assert "".join(text for sample_heard, text in heard if sample_heard == i) == sample.text
    body = server.requests[0].body
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_samples_grow_side_by_side():
    _, heard, _ = listen(request("one two", seeds=(1, 2)))
    assert heard == [(0, "one "), (1, "one "), (0, "two "), (1, "two "), (0, "[1]"), (1, "[2]")]


def test_pieces_are_heard_as_they_come():
    async def run() -> list[float]:
        async with ChatServer(lambda *_: Stall(0.4, after=2, answer=["one two"])) as server:
            start, heard = time.monotonic(), [0.0]
            await OpenAI("m", base_url=server.base_url).stream(
                request(), lambda i, piece: heard.append(time.monotonic() - start) if piece else None
            )
            return heard

    _, first, second = asyncio.run(run())
    assert second - first >= 0.3


def test_what_is_no_text_is_a_sign_of_life():
    heard: list[tuple[int, str]] = []
    call = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "add", "arguments": "{}"}}]}
    answer = stream(": ping", chunk(reasoning_content="Hmm"), chunk(content=None, reasoning="Hm"), chunk(**call))

    async def run() -> None:
        async with ChatServer(lambda *_: answer) as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.stream(request(tools=(ADD,)), lambda i, piece: heard.append((i, piece)))

    asyncio.run(run())
    assert heard == [(0, "")] * 4


def test_a_tool_call_is_put_together_from_its_pieces():
    def call(index: Any, id: Any = None, **function: str) -> dict[str, Any]:
        return chunk(tool_calls=[{"index": index, "id": id, "function": function}])

    pieces = [
        call(0, "a", name="add", arguments=""),
        call(0, arguments='{"a"'),
        call(1, "b", name="sub", arguments='{"b": '),
        call(0, arguments=": 1}"),
        call(1, "b", arguments="2}"),
    ]
    reply, _, _ = listen(request(tools=(ADD,)), lambda *_: stream(*pieces, FINISHED))
    assert [(c.id, c.name, dict(c.arguments)) for c in reply.samples[0].tool_calls] == [
        ("a", "add", {"a": 1}),
        ("b", "sub", {"b": 2}),
    ]


def test_calls_without_ids_are_told_apart_by_their_names():
    pieces = [
        chunk(tool_calls=[{"index": 0, "id": "", "function": function}])
        for function in (
            {"name": "add", "arguments": '{"a"'},
            {"arguments": ": 1}"},
            {"name": "sub", "arguments": ""},
            {"arguments": '{"b": 2}'},
        )
    ]
    reply, _, _ = listen(request(tools=(ADD,)), lambda *_: stream(*pieces, FINISHED))
    assert [(c.id, c.name, dict(c.arguments)) for c in reply.samples[0].tool_calls] == [
        ("call_0", "add", {"a": 1}),
        ("call_1", "sub", {"b": 2}),
    ]


def test_calls_that_a_server_does_not_count_are_told_apart_by_their_ids():
    whole = {"function": {"name": "add", "arguments": "{}"}}
    for index in (0, None):
        pieces = [chunk(tool_calls=[{"index": index, "id": id, **whole}]) for id in ("a", "b")]
        reply, _, _ = listen(request(tools=(ADD,)), lambda *_, pieces=pieces: stream(*pieces, FINISHED))
        assert [call.id for call in reply.samples[0].tool_calls] == ["a", "b"]


@pytest.mark.parametrize("index", ["x", [1], -1, 1e400, 0.5, None])
def test_a_choice_whose_place_is_none_is_the_first(index: Any):
    odd = {"choices": [{"index": index, "delta": {"content": "so far"}}]}
    reply, heard, _ = listen(request(), lambda *_: stream(odd, FINISHED))
    assert reply.samples[0].text == "so far and done"
    assert heard == [(0, "so far"), (0, " and done")]


def test_a_refusal_is_a_reply():
    reply, heard, _ = listen(request(), lambda *_: [{"message": {"content": None, "refusal": "I will not."}}])
    assert (reply.samples[0].text, reply.samples[0].finish) == ("I will not.", "refusal")
    assert "".join(text for _, text in heard) == "I will not."


def test_usage_comes_in_the_last_chunk():
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
    reply, _, _ = listen(request(), lambda *_: stream(FINISHED, {"choices": [], "usage": usage}))
    assert (reply.usage.tokens_in, reply.usage.tokens_out, reply.usage.cached) == (9, 4, 6)


def test_a_stream_without_usage_is_not_free():
    reply, _, _ = listen(request(), lambda *_: stream(FINISHED))
    assert reply.usage.tokens_in > 0
    assert reply.notes == ("openai:m reports no usage: tokens are estimated",)


def test_samples_beyond_those_asked_for_are_neither_heard_nor_given():
    reply, heard, _ = listen(request(), lambda *_: ["a", "b"])
    assert ([sample.text for sample in reply.samples], heard) == (["a"], [(0, "a")])


# ---- servers that do not stream


def test_a_server_that_answers_at_once_is_heard_at_once():
    whole = {"choices": [{"message": {"content": "all of it"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 3}}
    reply, heard, _ = listen(request(), lambda *_: Raw(200, whole))
    assert (reply.samples[0].text, heard, reply.notes) == ("all of it", [(0, "all of it")], ())


def learns(reply: Reply) -> tuple[list[str], list[dict[str, Any]]]:
    """The notes of the second of two streamed replies, and the bodies of all requests."""

    async def run() -> tuple[list[str], list[dict[str, Any]]]:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(2):
                came = await model.stream(request("one two", seeds=(1, 2)), lambda *_: None)
                assert [sample.text for sample in came.samples] == ["one two [1]", "one two [2]"]
            return list(came.notes), [logged.body for logged in server.requests]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "words",
    [
        "stream is not supported",
        "tools do not work with stream=true",
        "'stream'?",
        "Streaming is not supported.",
        "stream: Extra inputs are not permitted",
        "This model doesn't support streaming",
    ],
)
def test_a_server_that_refuses_to_stream_is_asked_without(words: str):
    notes, bodies = learns(refusing(stream=words))
    assert notes == ["openai:m refuses stream: the reply came at once"]
    assert ["stream" in body for body in bodies] == [True, False, False]
    assert bodies[1].keys() == bodies[2].keys()
    assert "stream_options" not in bodies[2]


def test_a_stream_that_failed_is_not_refused_from_then_on():
    answers: list[Answer] = [Raw(400, {"error": "Error from upstream: the stream was closed"}), Raw(400, "no"), ["x"]]

    async def run() -> list[bool]:
        async with ChatServer(lambda *_: answers.pop(0)) as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(2):
                with pytest.raises(ModelError, match="refuses the request"):
                    await model.stream(request(), lambda *_: None)
            await model.stream(request(), lambda *_: None)
            return ["stream" in logged.body for logged in server.requests]

    assert asyncio.run(run()) == [True, True, True]


def test_a_server_that_cannot_stream_with_tools_streams_without_them():
    def reply(body: dict[str, Any], index: int) -> Answer:
        both = "tools" in body and "stream" in body
        return Raw(400, {"error": "Streaming with tools is not supported"}) if both else obedient(body)

    async def run() -> list[bool]:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.stream(request(tools=(ADD,)), lambda *_: None)
            await model.stream(request(), lambda *_: None)
            return ["stream" in logged.body for logged in server.requests]

    assert asyncio.run(run()) == [True, False, True]


def test_a_server_that_cannot_stream_several_samples_is_asked_to_stream_one():
    def reply(body: dict[str, Any], index: int) -> Answer:
        both = "n" in body and "stream" in body
        return Raw(400, {"error": "n > 1 with stream: no"}) if both else obedient(body)

    async def run() -> list[bool]:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            assert len((await model.stream(request(seeds=(1, 2)), lambda *_: None)).samples) == 2
            await model.stream(request(), lambda *_: None)
            return ["stream" in logged.body for logged in server.requests]

    assert asyncio.run(run()) == [True, False, True]


def test_a_server_that_refuses_the_usage_of_a_stream_still_streams():
    notes, bodies = learns(refusing(stream_options="unknown field stream_options"))
    assert notes[0] == "openai:m refuses stream_options: a stream reports no usage"
    assert notes[1] == "openai:m reports no usage: tokens are estimated"
    assert [body["stream"] for body in bodies] == [True] * 3


def test_a_model_that_is_said_not_to_stream_is_not_asked_to():
    _, heard, server = listen(request("one two"), capabilities=Capabilities())
    assert heard == [(0, "one two [0]")]
    assert "stream" not in server.requests[0].body


def test_a_refused_feature_is_refused_in_a_stream_too():
    with pytest.raises(CapabilityError, match="does not offer tools"):
        listen(request(tools=(ADD,)), refusing(tools="tools are not supported"))


# ---- bad ends


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_status_is_the_error_that_it_is_unstreamed(status: int):
    error = failure(Raw(status, "no", {"retry-after": "3"}), streamed=True)
    assert isinstance(error, TransientModelError)
    assert (error.retry_after, error.unsettled) == (3.0, False)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        ({"message": "slow", "code": 429}, True),
        ({"message": "slow", "code": "429"}, True),
        ({"message": "oops", "status": 502}, True),
        ({"message": "Overloaded", "type": "overloaded_error"}, True),
        ({"message": "The server had an error", "type": "server_error", "code": None}, True),
        ({"message": "Rate limit reached", "code": "rate_limit_exceeded"}, True),
        ("upstream timed out", True),
        ({"message": "You have none left", "code": "insufficient_quota", "type": "rate_limit"}, False),
        ({"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}, False),
        ({"message": "bad", "code": 400}, False),
        ({"message": "bad", "code": "4" * 5000}, False),
    ],
)
@pytest.mark.parametrize("event", [False, True])
def test_an_error_in_the_stream_is_the_error_it_stands_for(error: Any, passing: bool, event: bool):
    last = f"event: error\ndata: {json.dumps(error)}" if event and isinstance(error, dict) else {"error": error}
    found = failure(stream(NOT_DONE, last), streamed=True)
    assert isinstance(found, TransientModelError) == passing
    assert not isinstance(found, TransientModelError) or found.unsettled
    assert (error["message"] if isinstance(error, dict) else error) in str(found)


@pytest.mark.parametrize(
    "answer",
    [
        stream(NOT_DONE, done=False),
        stream(done=False),
        stream(NOT_DONE, 'data: {"choi', done=False, end="\n"),
        Cut(after=2),
        Cut(after=2, reset=True),
        Cut(after=0, reset=True),
        Drop(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\ndata: {"),
    ],
)
def test_a_stream_that_breaks_off_may_pass_and_may_have_to_be_paid(answer: Answer):
    error = failure(answer, streamed=True)
    assert isinstance(error, TransientModelError)
    assert error.unsettled


def test_of_a_stream_that_breaks_off_the_finished_samples_are_kept():
    other = {"choices": [{"index": 1, "delta": {"content": "half"}, "finish_reason": None}]}
    reply, _, _ = listen(request(seeds=(1, 2)), lambda *_: stream(NOT_DONE, other, FINISHED, done=False))
    assert [sample.text for sample in reply.samples] == ["so far and done"]


def test_a_server_that_says_done_need_not_say_why():
    reply, _, _ = listen(request(), lambda *_: stream(NOT_DONE))
    assert (reply.samples[0].text, reply.samples[0].finish) == ("so far", "stop")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (stream("data: {nonsense"), "an event that is not JSON"),
        (stream("data: [1]"), "an event that is not an object"),
        (stream("data: " + "[" * 100_000), "an event that is not JSON"),
        (stream(), "no choice"),
        (stream({"choices": "x"}), "no choice"),
        (replace(stream(FINISHED), headers={"content-type": "text/html"}), "text/html that is not JSON"),
        (Cut(after=1, answer=Raw(200, {"choices": []})), "application/json that is not JSON"),
    ],
)
def test_a_broken_stream_is_an_error_of_one_line(answer: Answer, words: str):
    error = failure(answer, streamed=True)
    assert words in str(error)
    assert not isinstance(error, TransientModelError)


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_silent_server_is_given_up(after: int, streamed: bool):
    start = time.monotonic()
    error = failure(Stall(5, after=after if streamed else after // 2), streamed=streamed, total=0.3)
    assert isinstance(error, TransientModelError)
    assert error.unsettled
    assert "gave no answer within 0.3 s" in str(error)
    assert time.monotonic() - start < 3


def test_a_stream_may_take_longer_than_a_silence():
    async def run() -> float:
        async with ChatServer(lambda *_: Stall(0.6, 2), latency=0.6) as server:
            start = time.monotonic()
            await OpenAI("m", base_url=server.base_url, total=1.0).stream(request("one two"), lambda *_: None)
            return time.monotonic() - start

    assert asyncio.run(run()) >= 1.2


@pytest.mark.parametrize("after", [0, 2])
def test_cancelling_closes_the_request(after: int):
    async def run() -> None:
        async with ChatServer(lambda *_: Stall(30, after=after)) as server:
            model = OpenAI("m", base_url=server.base_url)
            task = asyncio.create_task(model.stream(request("one two three"), lambda *_: None))
            await arrived(server, 1)
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ended(server) == ["cancelled"]

    asyncio.run(run())


def test_who_hears_may_break_off():
    def heard(i: int, piece: str) -> None:
        if piece:
            raise ValueError("enough")

    async def run() -> None:
        async with ChatServer(lambda *_: Stall(30, after=3)) as server:
            with pytest.raises(ValueError, match="enough"):
                await OpenAI("m", base_url=server.base_url).stream(request("one two three"), heard)
            assert await ended(server) == ["cancelled"]

    asyncio.run(run())


def test_a_connection_that_streamed_is_used_again():
    async def run() -> int:
        ports: set[Any] = set()

        class Noting(ChatServer):
            async def _answer(self, http: Any) -> Any:
                ports.add(http.transport.get_extra_info("peername")[1])
                return await super()._answer(http)

        async with Noting() as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(5):
                await model.stream(request("one two three"), lambda *_: None)
        return len(ports)

    assert asyncio.run(run()) == 1


def test_a_server_that_keeps_the_connection_after_the_end_is_not_waited_for():
    class Lingering(ChatServer):
        async def _stream(self, http: Any, answer: Any, pieces: list[bytes], fault: Any) -> Any:
            return await super()._stream(http, answer, [*pieces, b"\n"], Stall(30, len(pieces)))

    async def run() -> float:
        async with Lingering() as server:
            start = time.monotonic()
            reply = await OpenAI("m", base_url=server.base_url).stream(request("one"), lambda *_: None)
            assert reply.samples[0].text == "one [0]"
            return time.monotonic() - start

    assert asyncio.run(run()) < 3


# ---- the bytes of a stream


DATA = st.lists(st.sampled_from([b"{}", b"x", b"[DONE]"]), min_size=1)
NAMED = st.tuples(st.sampled_from([b"", b"error"]), DATA)


@given(events=st.lists(NAMED), end=st.sampled_from([b"\n", b"\r\n"]), cuts=st.lists(st.integers(0, 200)))
def test_events_are_the_same_however_their_bytes_are_cut(
    events: list[tuple[bytes, list[bytes]]], end: bytes, cuts: list[int]
):
    whole = b""
    for name, lines in events:
        whole += (b"event: " + name + end if name else b"") + b"".join(b"data: " + line + end for line in lines)
        whole += b"id: 7" + end + end
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    splitter = Events()
    found = [event for a, b in pairwise(places) for event in splitter.feed(whole[a:b])]
    assert found == [(name, b"\n".join(lines)) for name, lines in events]

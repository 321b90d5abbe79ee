"""Responses as a stream: what is heard, what comes of it, and how it ends when it ends badly."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from loopback import Answer, ChatServer, Cut, Drop, Raw, Stall
from loopback_chat import event
from loopback_client import ADD, CLOSED, arrived, ask, ended, failure, listen, request

from veriloop.core.errors import TransientModelError
from veriloop.core.messages import Request
from veriloop.models.responses import Responses

EVENTS = {"content-type": "text/event-stream"}
THOUGHT = {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "c2VjcmV0"}
USAGE = {"input_tokens": 9, "output_tokens": 5}
ANSWER = {"type": "message", "content": [{"type": "output_text", "text": "4"}]}


@pytest.mark.parametrize(
    "asked", [request("one two three"), request("one", logprobs=True), request(tools=(ADD,)), request(schema=CLOSED)]
)
def test_a_streamed_reply_is_the_one_that_comes_at_once(asked: Request):
    reply, heard, server = listen(asked, make=Responses)
    assert reply == ask(asked, make=Responses)[0]
    assert "".join(text for _, text in heard) == reply.samples[0].text
    assert server.requests[0].body["stream"] is True


def test_the_items_of_a_stream_are_those_of_their_own_events():
    whole = {"status": "completed", "output": [{**THOUGHT, "encrypted_content": "part"}, ANSWER], "usage": USAGE}
    events = [
        {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT},
        {"type": "response.completed", "response": whole},
    ]
    text = b"".join(map(event, events)).decode()
    reply, _, _ = listen(request(), lambda *_: Raw(200, text, EVENTS), Responses)
    assert reply.samples[0].state == (THOUGHT, ANSWER)


@pytest.mark.parametrize("place", [[0], {}, None, -1, "0"])
def test_an_item_whose_place_is_none_is_the_next(place: Any):
    whole = {"status": "completed", "output": [], "usage": USAGE}
    events = [
        {"type": "response.output_item.done", "output_index": place, "item": THOUGHT},
        {"type": "response.output_item.done", "output_index": place, "item": ANSWER},
        {"type": "response.completed", "response": whole},
    ]
    text = b"".join(map(event, events)).decode()
    reply, _, _ = listen(request(), lambda *_: Raw(200, text, EVENTS), Responses)
    assert reply.samples[0].state == (THOUGHT, ANSWER)


@pytest.mark.parametrize(
    ("code", "passing"),
    [("server_error", True), ("rate_limit_exceeded", True), ("invalid_prompt", False), ("invalid_image", False)],
)
@pytest.mark.parametrize("how", ["failed", "event", "named", "at once"])
def test_a_failure_is_the_error_it_stands_for(code: str, passing: bool, how: str):
    error = {"code": code, "message": "It went wrong."}
    failed = {"status": "failed", "error": error, "output": []}
    last = {
        "failed": event({"type": "response.failed", "response": failed}),
        "event": event({"type": "error", **error}),
        "named": event(error, "error"),
    }
    answer = Raw(200, last[how].decode(), EVENTS) if how in last else Raw(200, failed)
    found = failure(answer, make=Responses, streamed=True)
    assert "It went wrong." in str(found)
    assert isinstance(found, TransientModelError) == passing
    assert not isinstance(found, TransientModelError) or found.unsettled


@pytest.mark.parametrize("answer", [Cut(after=3), Cut(after=3, reset=True), Cut(after=0), Drop(), Stall(5, after=3)])
def test_a_stream_that_breaks_off_may_pass_and_may_have_to_be_paid(answer: Answer):
    start = time.monotonic()
    error = failure(answer, make=Responses, streamed=True, total=0.5)
    assert isinstance(error, TransientModelError)
    assert error.unsettled
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("status", [429, 500, 529])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_may_pass_is_transient(status: int, streamed: bool):
    assert isinstance(failure(status, make=Responses, streamed=streamed), TransientModelError)


def test_cancelling_closes_the_request():
    async def run() -> None:
        async with ChatServer(lambda *_: Stall(30, after=3)) as server:
            model = Responses("m", base_url=server.base_url)
            task = asyncio.create_task(model.stream(request("one two three"), lambda *_: None))
            await arrived(server, 1)
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.wait([task])
            assert await ended(server) == ["cancelled"]

    asyncio.run(run())

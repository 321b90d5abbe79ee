"""A small Messages server on 127.0.0.1 for tests: real HTTP, JSON or server-sent events, programmable to its faults.

with MessagesServer() as server:                                    # in a thread of its own
async with MessagesServer(lambda body, index: ["four"]) as server:  # in the running loop
    Anthropic("any", base_url=server.base_url)
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

from aiohttp import web
from loopback import Drop, Logged, Raw
from loopback_chat import example

PIECES = 3
"""Pieces in which a text, a thought or the input of a call is streamed."""
FAULTS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}


@dataclass(frozen=True)
class Cut:
    """Answer with these blocks, and stop in the middle: after ``events`` events of the stream."""

    blocks: list[Any]
    events: int
    how: Literal["end", "drop", "reset", "stall", "error", "garbage"] = "end"


Answer = list[Any] | dict[str, Any] | int | Raw | Drop | Cut
"""The content blocks (a text, or the fields of a block), the fields of a message, an HTTP status, or a fault."""
Reply = Callable[[dict[str, Any], int], Answer]
"""From a request's body and its index to the answer."""


class MessagesServer:
    """Serves ``POST /v1/messages`` while entered, streamed where it is asked for. ``requests`` logs them in order.

    ``latency`` is in seconds, before the answer; ``pause`` is that between two events of a stream.
    """

    def __init__(self, reply: Reply | None = None, *, latency: float = 0.0, pause: float = 0.0) -> None:
        self.reply = reply or obedient
        self.latency = latency
        self.pause = pause
        self.requests: list[Logged] = []
        self.connections: set[object] = set()
        self.port = 0
        self._over: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """What to give a client as its base url."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/messages", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the server did not start"
        return self

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with self:
            ready.set()
            await self._over.wait()

    def __exit__(self, *_: object) -> None:
        assert self._loop
        assert self._over
        assert self._thread
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        body = json.loads(await http.read())
        logged = Logged(len(self.requests), body, dict(http.headers), time.monotonic())
        self.requests.append(logged)
        self.connections.add(http.transport)
        try:
            await asyncio.sleep(self.latency)
            response = await self._send(http, body, self.reply(body, logged.index))
            logged.outcome = "completed"
        except (asyncio.CancelledError, ConnectionResetError):
            logged.outcome = "cancelled"
            raise
        finally:
            logged.ended = time.monotonic()
        return response

    async def _send(self, http: web.Request, body: dict[str, Any], answer: Answer) -> web.StreamResponse:
        if isinstance(answer, Drop):
            return _drop(http, answer.after)
        if isinstance(answer, int):
            answer = Raw(answer, fault(FAULTS.get(answer, "api_error"), f"fault {answer}"))
        if isinstance(answer, Raw):
            json_type = {} if isinstance(answer.body, str) else {"content-type": "application/json"}
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            return web.Response(status=answer.status, body=text.encode(), headers={**json_type, **answer.headers})
        cut = answer if isinstance(answer, Cut) else None
        data = message(body, answer.blocks if isinstance(answer, Cut) else answer)
        if not body.get("stream"):
            return web.json_response(data)
        return await self._stream(http, data, cut)

    async def _stream(self, http: web.Request, data: dict[str, Any], cut: Cut | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(http)
        for i, event in enumerate(events(data)):
            if cut and i == cut.events:
                return await self._cut(http, response, cut)
            await response.write(sse(event))
            await asyncio.sleep(self.pause)
        await response.write_eof()
        return response

    async def _cut(self, http: web.Request, response: web.StreamResponse, cut: Cut) -> web.StreamResponse:
        if cut.how == "drop":
            return _drop(http, b"")
        if cut.how == "reset":
            return _reset(http)
        if cut.how == "stall":
            await asyncio.sleep(30)
        if cut.how == "error":
            await response.write(sse(fault("overloaded_error", "Overloaded")))
        if cut.how == "garbage":
            await response.write(b'event: content_block_delta\ndata: {"type": "content_b\n\n')
        with suppress(ConnectionResetError):
            await response.write_eof()
        return response


def _drop(http: web.Request, after: bytes) -> web.Response:
    assert http.transport
    if after:
        http.transport.write(after)
    http.transport.close()
    return web.Response()


def _reset(http: web.Request) -> web.Response:
    """End the connection as a crash does: without a goodbye."""
    assert http.transport
    http.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    http.transport.abort()
    return web.Response()


def fault(kind: str, words: str) -> dict[str, Any]:
    """An error as Anthropic says it, in a reply or in an event."""
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}


def message(body: dict[str, Any], answer: list[Any] | dict[str, Any]) -> dict[str, Any]:
    """A whole response; a token is a word."""
    given = {"content": answer} if isinstance(answer, list) else answer
    content = [block(item) for item in given["content"]]
    calls = any(item["type"] == "tool_use" for item in content)
    counts = {"input_tokens": words(body["messages"]), "output_tokens": words(content) + 1}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {**counts, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "service_tier": "standard"},
        **given,
        "content": content,
    }


def block(item: Any) -> dict[str, Any]:
    """A content block; a text stands for one."""
    return {"type": "text", "text": item, "citations": None} if isinstance(item, str) else item


def words(value: object) -> int:
    """The words in the strings of ``value``."""
    return len(json.dumps(value).split())


def events(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events that stream a response, with a ping after the first."""
    usage = data["usage"]
    start = {"content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}} if usage else {"content": []}
    yield {"type": "message_start", "message": {**data, **start}}
    yield {"type": "ping"}
    for index, item in enumerate(data["content"]):
        empty, deltas = _deltas(item)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {name: data[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    told = {"output_tokens": usage["output_tokens"], "input_tokens": None} if usage else None
    yield {"type": "message_delta", "delta": ended, "usage": told}
    yield {"type": "message_stop"}


def _deltas(item: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and what is added to it."""
    kind = item["type"]
    if kind == "text":
        return {**item, "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(item["text"])]
    if kind == "thinking":
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(item["thinking"])]
        return {**item, "thinking": "", "signature": ""}, [
            *thoughts,
            {"type": "signature_delta", "signature": item["signature"]},
        ]
    if kind == "tool_use":
        written = item["input"] if isinstance(item["input"], str) else json.dumps(item["input"])
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(written))]
        return {**item, "input": {}}, deltas
    return item, []


def pieces(text: str) -> list[str]:
    """``text`` in some pieces."""
    size = -(-len(text) // PIECES) or 1
    return [text[at : at + size] for at in range(0, len(text), size)]


def sse(event: dict[str, Any]) -> bytes:
    """An event as it goes over the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def last_user_text(body: Mapping[str, Any]) -> str:
    """The text of the last user turn."""
    content = next((turn["content"] for turn in reversed(body["messages"]) if turn["role"] == "user"), [])
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def obedient(body: dict[str, Any], _index: int) -> Answer:
    """The default reply: the last user text, doing everything the request asks for."""
    results = any(part["type"] == "tool_result" for turn in body["messages"] for part in turn["content"])
    if body.get("tools") and body.get("tool_choice", {}).get("type") != "none" and not results:
        tool = body["tools"][0]
        return [{"type": "tool_use", "id": "toolu_1", "name": tool["name"], "input": example(tool["input_schema"])}]
    if form := body.get("output_config", {}).get("format"):
        return [json.dumps(example(form["schema"]))]
    text = last_user_text(body) or "done"
    stops = [stop for stop in body.get("stop_sequences", ()) if stop in text]
    if stops:
        first = min(stops, key=text.index)
        return {"content": [text.partition(first)[0]], "stop_reason": "stop_sequence", "stop_sequence": first}
    return [text]

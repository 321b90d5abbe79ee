"""A small server of OpenAI's kind on 127.0.0.1 for tests and benches, real HTTP, programmable down to its faults.

    with ChatServer(lambda body, index: ["four"]) as server:      # in a thread of its own
    async with ChatServer(latency=0.2) as server:                 # in the running loop
        OpenAI("any", base_url=server.base_url)

As a process of its own, so that a test can kill the client and count what was settled (a line each, flushed):

    python tests/loopback.py --port-file F --latency 0.2 --log LOG.jsonl --script SCRIPT.json
    python tests/loopback.py --port-file F --in-flight 50 --faults '{"429": 0.2, "stall:5": 0.01}' --seed 7
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from aiohttp import web
from loopback_chat import chunks, completion, last_user_text, obedient, pick, scripted
from loopback_responses import events, response

__all__ = ["ChatServer", "Cut", "Drop", "Raw", "Stall", "faulty", "last_user_text", "obedient", "pick", "scripted"]


EVENTS = {"content-type": "text/event-stream"}
BUSY = (429, 503, 529)
SETTLED = web.RequestKey("settled", dict[str, Any])
"""What the log says of a request that was answered in full."""


@dataclass(frozen=True)
class Raw:
    """A whole HTTP answer: status, body (text, or JSON data) and headers."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop:
    """Close the connection after these raw bytes."""

    after: bytes = b""


@dataclass(frozen=True)
class Stall:
    """Be silent for ``seconds`` after ``after`` chunks of the answer, then go on; after 0 the head is yet to come.

    An answer that is not streamed has two chunks, its halves. Without an ``answer`` it is the obedient one.
    """

    seconds: float
    after: int = 0
    answer: Any = None


@dataclass(frozen=True)
class Cut:
    """End the answer after ``after`` chunks: as if that were all, or by a ``reset`` of the connection."""

    after: int = 1
    reset: bool = False
    answer: Any = None


Answer = list[Any] | int | Raw | Drop | Stall | Cut
"""The choices (a text, or the fields of a choice), an HTTP status, a whole answer or a fault."""
Reply = Callable[[dict[str, Any], int], Answer]
"""From a request's body and its index to the answer."""


@dataclass
class Logged:
    """A request as the server saw it. ``outcome``: pending, completed (answered), cancelled (the client went)."""

    index: int
    body: dict[str, Any]
    headers: Mapping[str, str]
    started: float
    ended: float = 0.0
    outcome: Literal["pending", "completed", "cancelled"] = "pending"


class ChatServer:
    """Serves ``POST /v1/chat/completions`` and ``/v1/responses`` while entered. ``requests`` logs in order of arrival.

    ``latency`` is in seconds; who is asked to slow down is told so at once. ``log`` is a file that gets a JSON line for
    every request that was settled: answered in full, with status 200. More than ``in_flight`` requests at once are
    refused with 429.
    """

    def __init__(
        self,
        reply: Reply | None = None,
        *,
        latency: float = 0.0,
        log: Path | None = None,
        in_flight: int | None = None,
    ) -> None:
        self.reply = reply or obedient
        self.latency = latency
        self.requests: list[Logged] = []
        self.port = 0
        self._log = log
        self._most = in_flight
        self._flying = 0
        self._runner: web.AppRunner | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    @property
    def base_url(self) -> str:
        """What to give a client as its base url."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/responses", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner
        await self._runner.cleanup()

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the loopback server did not start"
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
        self._flying += 1
        try:
            if self._most is not None and self._flying > self._most:
                sent = await self._send(http, 429, body)
            else:
                answer = self.reply(body, logged.index)
                if self.latency and not (isinstance(answer, Raw) and answer.status in BUSY):
                    await asyncio.sleep(self.latency)
                sent = await self._send(http, answer, body)
            logged.outcome = "completed"
        except asyncio.CancelledError:
            logged.outcome = "cancelled"
            raise
        finally:
            self._flying -= 1
            logged.ended = time.monotonic()
        if SETTLED in http:
            self._write(logged, http[SETTLED])
        return sent

    async def _send(self, http: web.Request, answer: Answer, body: dict[str, Any]) -> web.StreamResponse:
        fault = answer if isinstance(answer, Stall | Cut) else None
        if fault is not None:
            answer = obedient(body) if fault.answer is None else fault.answer
        if isinstance(answer, Drop):
            assert http.transport
            http.transport.write(answer.after)
            http.transport.close()
            return web.Response()
        if isinstance(answer, int):
            answer = Raw(answer, {"error": {"message": f"fault {answer}", "code": None, "param": None}})
        if isinstance(answer, list):
            whole = response(body, answer) if http.path.endswith("responses") else completion(body, answer)
            answer, pieces = Raw(200, whole), events(whole) if http.path.endswith("responses") else chunks(body, whole)
            if body.get("stream"):
                return await self._stream(http, Raw(200, whole, EVENTS), list(pieces), fault)
        json_type = {} if isinstance(answer.body, str) else {"content-type": "application/json"}
        text = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
        answer = Raw(answer.status, answer.body, {**json_type, **answer.headers})
        half = len(text) // 2
        return await self._stream(http, answer, [text[:half], text[half:]] if fault else [text], fault)

    async def _stream(
        self, http: web.Request, answer: Raw, pieces: list[bytes], fault: Stall | Cut | None
    ) -> web.StreamResponse:
        """Send an answer in pieces, with the fault between two of them."""
        sent = web.StreamResponse(status=answer.status, headers=answer.headers)
        if len(pieces) == 1:  # one write instead of three
            sent, pieces = web.Response(status=answer.status, body=pieces[0], headers=answer.headers), []
            await sent.prepare(http)
        for i, piece in enumerate(pieces):
            if isinstance(fault, Stall) and i == fault.after:
                await asyncio.sleep(fault.seconds)
            if isinstance(fault, Cut) and i == fault.after:
                return await _cut(http, sent, fault)
            if not sent.prepared:
                await sent.prepare(http)
            await sent.write(piece)
        await sent.write_eof()
        if answer.status == 200 and isinstance(answer.body, dict):
            http[SETTLED] = {"usage": answer.body.get("usage"), "n": len(answer.body.get("choices", "1"))}
        return sent

    def _write(self, logged: Logged, settled: Mapping[str, Any]) -> None:
        if self._log:
            times = {"started": logged.started, "ended": logged.ended}
            with self._log.open("a") as file:
                file.write(json.dumps({"index": logged.index, "body": logged.body, **times, **settled}) + "\n")


async def _cut(http: web.Request, sent: web.StreamResponse, fault: Cut) -> web.StreamResponse:
    if not fault.reset:
        if not sent.prepared:
            await sent.prepare(http)
        await sent.write_eof()
        return sent
    assert http.transport
    now = struct.pack("ii", 1, 0)  # closing does not wait for what is unsent: the client sees a reset
    http.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
    http.transport.abort()
    return sent


def faulty(reply: Reply, rates: Mapping[str, float], seed: int = 0) -> Reply:
    """``reply``, but for some of the requests, at these rates and by their index alone.

    ``429`` and other numbers are answered so, ``429:2`` asks to wait 2 s; ``stall:5`` is silent for 5 s (else 60), at
    first or after some chunks; ``cut`` and ``reset`` end the answer early; ``html`` is a page.
    """

    def in_bad_weather(body: dict[str, Any], index: int) -> Answer:
        draw = random.Random(f"{seed}:{index}")
        at, answer = draw.random(), reply(body, index)
        for name, rate in rates.items():
            if at < rate:
                return _fault(name, answer, draw.randrange(4 if body.get("stream") else 2))
            at -= rate
        return answer

    return in_bad_weather


def _fault(name: str, answer: Answer, after: int) -> Answer:
    kind, _, value = name.partition(":")
    if kind == "stall":
        return Stall(float(value or 60), after, answer)
    if kind in ("cut", "reset"):
        return Cut(after, kind == "reset", answer)
    if kind == "html":
        return Raw(200, "<html>Welcome</html>", {"content-type": "text/html"})
    return Raw(int(kind), {"error": {"message": f"fault {kind}"}}, {"retry-after": value} if value else {})


async def _main(args: argparse.Namespace) -> None:
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    reply = scripted(json.loads(args.script.read_text())) if args.script else obedient
    if args.faults:
        reply = faulty(reply, args.faults, args.seed)
    async with ChatServer(reply, latency=args.latency, log=args.log, in_flight=args.in_flight) as server:
        # Renamed into place, so that who waits for the file never reads half a number.
        draft = args.port_file.with_suffix(".tmp")
        draft.write_text(str(server.port))
        os.replace(draft, args.port_file)
        await over.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A server of OpenAI's kind on 127.0.0.1.")
    parser.add_argument("--port-file", type=Path, required=True, help="gets the port once the server listens")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--log", type=Path, help="gets a JSON line per request settled, with usage and n")
    parser.add_argument("--script", type=Path, help="a JSON list of replies")
    parser.add_argument("--in-flight", type=int, help="more requests than this at once are refused with 429")
    parser.add_argument("--faults", type=json.loads, help="JSON: the rate of each fault (see faulty)")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    asyncio.run(_main(parser.parse_args()))

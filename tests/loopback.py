"""A small Chat Completions server on 127.0.0.1 for tests and benches, real HTTP, programmable down to its faults.

    with ChatServer(lambda body, index: ["four"]) as server:      # in a thread of its own
    async with ChatServer(latency=0.2) as server:                 # in the running loop
        OpenAI("any", base_url=server.base_url)

As a process of its own, so that a test can kill the client and count what was settled (a line each, flushed):

    python tests/loopback.py --port-file F --latency 0.2 --log LOG.jsonl --script SCRIPT.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Self

from aiohttp import web


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


Answer = list[Any] | int | Raw | Drop
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
    """Serves ``POST /v1/chat/completions`` while entered. ``requests`` logs in order of arrival.

    ``latency`` is in seconds. ``log`` is a file that gets a JSON line for every request answered in full.
    """

    def __init__(self, reply: Reply | None = None, *, latency: float = 0.0, log: Path | None = None) -> None:
        self.reply = reply or obedient
        self.latency = latency
        self.requests: list[Logged] = []
        self.port = 0
        self._log = log
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
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            response = await self._send(http, self.reply(body, logged.index), body)
            logged.outcome = "completed"
        except asyncio.CancelledError:
            logged.outcome = "cancelled"
            raise
        finally:
            logged.ended = time.monotonic()
        self._write(logged)
        return response

    async def _send(self, http: web.Request, answer: Answer, body: dict[str, Any]) -> web.StreamResponse:
        if isinstance(answer, Drop):
            assert http.transport
            http.transport.write(answer.after)
            http.transport.close()
            return web.Response()
        if isinstance(answer, int):
            answer = Raw(answer, {"error": {"message": f"fault {answer}", "code": None, "param": None}})
        if isinstance(answer, list):
            answer = Raw(200, completion(body, answer))
        json_type = {} if isinstance(answer.body, str) else {"content-type": "application/json"}
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        headers = {**json_type, **answer.headers}
        response = web.Response(status=answer.status, body=text.encode(), headers=headers)
        await response.prepare(http)
        await response.write_eof()
        return response

    def _write(self, logged: Logged) -> None:
        if self._log:
            line = {"index": logged.index, "body": logged.body, "started": logged.started, "ended": logged.ended}
            with self._log.open("a") as file:
                file.write(json.dumps(line) + "\n")


def completion(body: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    """A Chat Completions response; a token is a word."""
    full: list[dict[str, Any]] = []
    for i, choice in enumerate(choices):
        given = {"message": {"role": "assistant", "content": choice}} if isinstance(choice, str) else choice
        full.append({"index": i, "finish_reason": "stop", "logprobs": None, **given})
    words_in = sum(len(str(message.get("content")).split()) for message in body["messages"])
    words_out = sum(len(str(choice["message"].get("content")).split()) for choice in full if choice.get("message"))
    usage = {"prompt_tokens": words_in, "completion_tokens": words_out, "total_tokens": words_in + words_out}
    return {"id": "x", "object": "chat.completion", "model": body["model"], "choices": full, "usage": usage}


def obedient(body: dict[str, Any], _index: int) -> list[Any]:
    """The default reply: the last user text and the seed, doing everything the request asks for."""
    return [_choice(body, (body.get("seed") or 0) + i) for i in range(body.get("n") or 1)]


def _choice(body: dict[str, Any], seed: int) -> dict[str, Any]:
    if tools := body.get("tools"):
        function = tools[0]["function"]
        call = {"name": function["name"], "arguments": json.dumps(example(function["parameters"]))}
        calls = [{"id": f"call_{seed}", "type": "function", "function": call}]
        return {"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    if form := body.get("response_format"):
        text = json.dumps(example(form["json_schema"]["schema"]))
    else:
        text = f"{last_user_text(body)} [{seed if body.get('temperature') else 0}]"
    for stop in body.get("stop") or ():
        text = text.partition(stop)[0]
    logprobs = {"content": [{"token": word, "logprob": -0.5} for word in text.split()]}
    return {"message": {"content": text}, "logprobs": logprobs if body.get("logprobs") else None}


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """The simplest value that fits a JSON schema."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(root["$defs"][name], root)
    if "anyOf" in schema:
        return example(schema["anyOf"][-1], root)
    if "enum" in schema or "const" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if schema.get("type") == "object":
        return {name: example(sub, root) for name, sub in schema.get("properties", {}).items()}
    plain = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "array": []}
    return plain.get(schema.get("type", "null"))


def last_user_text(body: dict[str, Any]) -> str:
    """The text of the last user message."""
    content = next((m["content"] for m in reversed(body["messages"]) if m["role"] == "user"), "")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def scripted(script: list[Any]) -> Reply:
    """Choice i of a request is ``script[hash(seed + i, last user text) % len(script)]``."""

    def reply(body: dict[str, Any], _index: int) -> list[Any]:
        return [pick(script, (body.get("seed") or 0) + i, last_user_text(body)) for i in range(body.get("n") or 1)]

    return reply


def pick(script: list[Any], seed: int, text: str) -> Any:
    """The entry of ``script`` that a seed and a text stand for, the same in every process."""
    digest = blake2b(f"{seed}\x1f{text}".encode(), digest_size=8).digest()
    return script[int.from_bytes(digest, "big") % len(script)]


async def _main(args: argparse.Namespace) -> None:
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    reply = scripted(json.loads(args.script.read_text())) if args.script else obedient
    async with ChatServer(reply, latency=args.latency, log=args.log) as server:
        # Renamed into place, so that who waits for the file never reads half a number.
        draft = args.port_file.with_suffix(".tmp")
        draft.write_text(str(server.port))
        os.replace(draft, args.port_file)
        await over.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A Chat Completions server on 127.0.0.1.")
    parser.add_argument("--port-file", type=Path, required=True, help="gets the port once the server listens")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--log", type=Path, help="gets a JSON line per request answered in full")
    parser.add_argument("--script", type=Path, help="a JSON list of replies")
    asyncio.run(_main(parser.parse_args()))

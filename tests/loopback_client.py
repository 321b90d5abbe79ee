"""Asking a server on loopback, for the tests of the backends that speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from loopback import Answer, ChatServer, Raw, Reply, obedient

from veriloop.core.errors import ModelError
from veriloop.core.messages import Message, Request, ToolSpec
from veriloop.core.messages import Reply as ModelReply
from veriloop.models.openai import Backend, OpenAI

ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
"""A schema that strict modes take."""
Make = Callable[..., Backend]


def request(text: str = "What is 2 + 2?", **fields: Any) -> Request:
    return Request(messages=(Message("user", text),), **fields)


def ask(asked: Request, reply: Reply = obedient, make: Make = OpenAI, **settings: Any) -> tuple[ModelReply, ChatServer]:
    """What comes of one request, and the server that answered it."""

    async def run() -> tuple[ModelReply, ChatServer]:
        async with ChatServer(reply) as server:
            return await make("m", base_url=server.base_url, **settings).generate(asked), server

    return asyncio.run(run())


def listen(
    asked: Request, reply: Reply = obedient, make: Make = OpenAI, **settings: Any
) -> tuple[ModelReply, list[tuple[int, str]], ChatServer]:
    """The same, streamed: what was heard, too, without the signs of life."""
    heard: list[tuple[int, str]] = []

    async def run() -> tuple[ModelReply, ChatServer]:
        async with ChatServer(reply) as server:
            model = make("m", base_url=server.base_url, **settings)
            return await model.stream(asked, lambda i, piece: heard.append((i, piece))), server

    answered, server = asyncio.run(run())
    return answered, [piece for piece in heard if piece[1]], server


def failure(answer: Answer, *, streamed: bool = False, **settings: Any) -> ModelError:
    """The error, of one line, that an answer is."""
    with pytest.raises(ModelError) as caught:
        (listen if streamed else ask)(request(), lambda body, index: answer, **settings)
    assert "\n" not in str(caught.value)
    return caught.value


def refusing(**messages: str) -> Reply:
    """A server that answers 400 to the named parameters, in these words."""

    def reply(body: dict[str, Any], index: int) -> Answer:
        for name, words in messages.items():
            if name in body:
                return Raw(400, {"error": {"message": words, "type": "invalid_request_error", "param": None}})
        return obedient(body, index)

    return reply


async def arrived(server: ChatServer, count: int) -> None:
    """Wait for so many requests, 2 s at most."""
    for _ in range(200):
        if len(server.requests) >= count:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{len(server.requests)} of {count} requests arrived")


async def ended(server: ChatServer) -> list[str]:
    """What became of the requests, once none is pending any more (1 s at most)."""
    for _ in range(100):
        if all(logged.outcome != "pending" for logged in server.requests):
            break
        await asyncio.sleep(0.01)
    return [logged.outcome for logged in server.requests]

"""Asking through batches, for the tests of batches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_server import BatchServer

from veriloop.core.messages import Message, Reply, Request
from veriloop.models.anthropic import Anthropic
from veriloop.models.batch import Batched
from veriloop.models.openai import OpenAI

QUICK: dict[str, Any] = {"quiet": 0.1, "poll": (0.01, 0.05)}
PROVIDERS = ["openai", "anthropic"]
BOTH = pytest.mark.parametrize("provider", PROVIDERS)


def request(text: str, **fields: Any) -> Request:
    return Request(messages=(Message("user", text),), **fields)


def url_of(provider: str, server: BatchServer) -> str:
    return server.openai_url if provider == "openai" else server.anthropic_url


def model_of(provider: str, server: BatchServer, folder: Path, **settings: Any) -> Batched:
    make = OpenAI if provider == "openai" else Anthropic
    return Batched(make("m", base_url=url_of(provider, server)), folder, **{**QUICK, **settings})


async def ask(model: Batched, *texts: str, **fields: Any) -> list[Reply | BaseException]:
    return await asyncio.gather(*(model.generate(request(text, **fields)) for text in texts), return_exceptions=True)


def texts(replies: list[Reply | BaseException]) -> list[str]:
    """What was answered; a failure is its words."""
    said = [reply.samples[0].text if isinstance(reply, Reply) else str(reply) for reply in replies]
    return [text.removesuffix(" [0]") for text in said]


def receipts(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


async def until(what: Callable[[], object]) -> None:
    """Wait for something, 10 s at most."""
    for _ in range(1000):
        if what():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")

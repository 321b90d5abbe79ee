"""A model that says what it is told to: the fake for tests, demos and dry runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..core.errors import ModelError
from ..core.messages import Capabilities, Reply, Request, Sample, Usage
from ..core.protocols import Heard
from .capabilities import refuse
from .chat import cut, stop_in

Script = Sequence[str | Sample | Exception] | Callable[[Request, int], str | Sample]
"""Replies in the order in which they are asked for, or a function of a request and one of its seeds."""


def echo(request: Request, seed: int) -> str:
    """The last turn's text and the seed."""
    return f"{request.messages[-1].text} [{seed}]"


class Scripted:
    """Gives its ``script``'s replies, one a sample, and keeps the ``requests`` it got.

    A list is used up in the order of asking; an exception in it is raised in its turn, and when none is left
    ``ModelError`` is. A function depends on requests and seeds only, so its replies survive concurrency and resume.
    Every call takes ``latency`` seconds. Replies end before a stop text. A word counts as one token. By default
    everything is declared but log-probabilities, and seeds for a function only; fitting a schema is up to the script.
    """

    name = "scripted"

    def __init__(
        self, script: Script = echo, *, latency: float = 0.0, capabilities: Capabilities | None = None
    ) -> None:
        offered = Capabilities(
            images=True, n=True, seed=callable(script), tools=True, schema=True, prefix=True, streaming=True
        )
        self.capabilities = capabilities or offered
        self.latency = latency
        self.requests: list[Request] = []
        self._ask = script if callable(script) else _in_order(script)

    async def generate(self, request: Request) -> Reply:
        """One reply of the script for each seed. Raises what the script holds, and ``CapabilityError``."""
        refuse(self.name, self.capabilities, request)
        self.requests.append(request)
        replies = [self._ask(request, seed) for seed in request.seeds]
        await asyncio.sleep(self.latency)
        given = [Sample(reply) if isinstance(reply, str) else reply for reply in replies]
        samples = tuple(_ended(sample, request.stop) for sample in given)
        words_in = sum(len(message.text.split()) for message in request.messages)
        return Reply(samples, Usage(words_in, sum(len(sample.text.split()) for sample in samples)))

    async def stream(self, request: Request, heard: Heard) -> Reply:
        """As ``generate``; each sample is heard word by word, in turns of the loop."""
        reply = await self.generate(request)
        for sample, said in enumerate(reply.samples):
            for piece in re.findall(r"\S*\s*", said.text):
                heard(sample, piece)
                await asyncio.sleep(0)
        return reply


def _ended(sample: Sample, stop: Sequence[str]) -> Sample:
    """A sample up to the first stop text; it says which one that is."""
    return replace(sample, text=cut(sample.text, stop), stopped=stop_in(sample.text, stop)) if stop else sample


def _in_order(script: Sequence[str | Sample | Exception]) -> Callable[[Request, int], str | Sample]:
    left: Iterator[str | Sample | Exception] = iter(script)

    def next_reply(_request: Request, _seed: int) -> str | Sample:
        reply = next(left, None)
        if reply is None:
            raise ModelError(f"the script of {len(script)} replies is used up")
        if isinstance(reply, Exception):
            raise reply
        return reply

    return next_reply

"""Identical prompts of one round go out as one request for k replies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.messages import Reply, Request
from ..core.protocols import Model
from .gateway import Gateway


@dataclass(eq=False)
class _Seat:
    request: Request
    key: str
    hash: str
    reply: asyncio.Future[Reply]

    def give(self, part: Reply | Exception) -> None:
        """Hand over what came, unless the attempt has left or has it already."""
        if self.reply.done():
            return
        if isinstance(part, Exception):
            self.reply.set_exception(part)
        else:
            self.reply.set_result(part)


class Group:
    """Attempts of a round that will ask the same: ``expected`` of them, each for one sample with its own seed.

    The request is sent when all have arrived or left, each gets its sample as soon as it is there, and its own failure
    if it fails. It is cancelled when everybody waiting for it is.
    """

    def __init__(self, gateway: Gateway, expected: int) -> None:
        self._gateway = gateway
        self._expected = expected
        self._model: Model | None = None
        self._seats: list[_Seat] = []
        self._task: asyncio.Task[None] | None = None

    async def join(self, model: Model, request: Request, key: str, hash: str) -> Reply:
        """Wait for the others, then for the sample that is this attempt's."""
        seat = _Seat(request, key, hash, asyncio.get_running_loop().create_future())
        self._model = model
        self._seats.append(seat)
        self._send_when_full()
        try:
            return await seat.reply
        except asyncio.CancelledError:
            if self._task is None:
                self._seats.remove(seat)
                self.leave()
            elif all(each.reply.done() for each in self._seats):
                self._task.cancel()
            raise

    def leave(self) -> None:
        """One attempt fewer will come."""
        self._expected -= 1
        self._send_when_full()

    def _send_when_full(self) -> None:
        if self._model and self._seats and self._task is None and len(self._seats) >= self._expected:
            self._task = asyncio.create_task(self._send(self._model, list(self._seats)))

    async def _send(self, model: Model, seats: list[_Seat]) -> None:
        def keep(came: Sequence[tuple[int, Reply]]) -> None:
            self._gateway.record([(seats[at].key, reply, seats[at].hash) for at, reply in came])
            for at, reply in came:
                seats[at].give(reply)

        def said(tried: int, at: int, text: str) -> None:
            self._gateway.wrote(seats[at].key, tried, text)

        request = replace(seats[0].request, seeds=tuple(seat.request.seeds[0] for seat in seats))
        try:
            parts = await self._gateway.call(model, request, keep, said if self._gateway.streaming else None)
        except Exception as error:
            parts = [error] * len(seats)
        for seat, part in zip(seats, parts, strict=True):
            seat.give(part)

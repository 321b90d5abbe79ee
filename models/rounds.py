"""Identical prompts of one round go out as one request for k replies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ..core.errors import BudgetSpent
from ..core.messages import Reply, Request, Usage
from ..core.protocols import Model
from .gateway import Gateway


@dataclass(eq=False)
class _Seat:
    request: Request
    key: str
    hash: str
    reply: asyncio.Future[Reply]


class Group:
    """Attempts of a round that will ask the same: ``expected`` of them, each for one sample with its own seed.

    The request is sent when all have arrived or left. It is cancelled when everybody waiting for it is.
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
            if seat in self._seats:
                self._seats.remove(seat)
            if self._task is None:
                self.leave()
            elif not self._seats:
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
        try:
            reply = await self._ask(model, seats)
            shares = split(reply, len(seats))
            steps = [(seat.key, share, seat.hash) for seat, share in zip(seats, shares, strict=True)]
            self._gateway.record(steps)
        except Exception as error:
            for seat in seats:
                if not seat.reply.done():
                    seat.reply.set_exception(error)
            return
        for seat, share in zip(seats, shares, strict=True):
            if not seat.reply.done():
                seat.reply.set_result(share)

    async def _ask(self, model: Model, seats: list[_Seat]) -> Reply:
        """Ask for as many samples as the budget has room for; the last seats go empty first."""
        while True:
            seeds = tuple(seat.request.seeds[0] for seat in seats)
            try:
                return await self._gateway.call(model, replace(seats[0].request, seeds=seeds))
            except BudgetSpent as error:
                if len(seats) == 1:
                    raise
                last = seats.pop()
                self._seats.remove(last)
                if not last.reply.done():
                    last.reply.set_exception(error)


def split(reply: Reply, k: int) -> list[Reply]:
    """One reply with k samples as k replies with one; the shares of the usage add up to the whole."""

    def share(total: int, i: int) -> int:
        return total // k + (i < total % k)

    usage = reply.usage
    whole = (usage.tokens_in, usage.tokens_out, usage.cached, usage.stored)
    shares = [Usage(*(share(total, i) for total in whole)) for i in range(k)]
    return [Reply((sample,), part) for sample, part in zip(reply.samples, shares, strict=True)]

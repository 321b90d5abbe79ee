"""The line to one model: every request goes out here, within the provider's limits, timed, and tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from ..core.errors import TransientModelError
from ..core.messages import Reply, Request
from ..core.protocols import Model
from ..core.provider import Rate, Timeouts
from .pace import pace_of
from .valve import Outcome, valve_of

TRIES, PATIENCE = 5, 30.0
"""Tries of one request before its failure stands, and the seconds of trouble after which it is not tried again."""
BUSY_TRIES, BUSY_PATIENCE = 40, 300.0
"""The same where the server only asks to slow down."""

LAG = 0.1
"""Seconds by which a loop may be late without being called busy."""

Said = Callable[[int, int, str], None]
"""Takes the number of the try, the number of the sample, and a piece of its text."""


@dataclass
class Line:
    """One model's way out, for one run. ``notice`` gets lines for the user, ``unsettled`` how many replies were asked
    for and never came."""

    model: Model
    notice: Callable[[str], None]
    unsettled: Callable[[int], None]
    timeouts: Timeouts = field(default_factory=Timeouts)
    rate: Rate = field(default_factory=Rate)

    async def send(self, request: Request, tokens: int, said: Said | None = None) -> Reply:
        """One request of about ``tokens``, tried again where that may help. Raises what the last try raised."""
        tried = busy = 0
        loop = asyncio.get_running_loop()
        since: dict[bool, float] = {}
        while True:
            try:
                return await self._once(request, tokens, tried + busy, said)
            except TransientModelError as error:
                if error.unsettled:
                    self.unsettled(request.n)
                tried, busy = tried + (not error.busy), busy + error.busy
                trouble = loop.time() - since.setdefault(error.busy, loop.time())
                wait = pause(error, tried, busy, trouble)
                if wait is None:
                    raise
                self.notice(f"trying again: {error}")
            await asyncio.sleep(wait)

    async def _once(self, request: Request, tokens: int, tried: int, said: Said | None) -> Reply:
        """One try after ``tried``. A model that runs here has no provider whose limits it shares."""
        heard = said and partial(said, tried)
        address = getattr(self.model, "address", None)
        if (address is None and self.rate == Rate()) or getattr(self.model, "unhurried", False):
            return await self._counted(request, heard)
        key = (address, self.model.name)
        if self.rate != Rate():
            pace = pace_of(key, self.rate)
            if not pace.free(tokens):
                self.notice(f"waiting: the settings limit {self.model.name} to so many requests or tokens a minute")
            await pace.take(tokens)
        valve = valve_of(key, self.rate.concurrency)
        ticket = await valve.enter(again=tried > 0)
        outcome: Outcome = "unknown"
        try:
            reply = await self._counted(request, heard)
            outcome = "accepted"
            return reply
        except TransientModelError as error:
            outcome = "refused" if error.busy else "unknown"
            raise
        finally:
            valve.leave(ticket, outcome)

    async def _counted(self, request: Request, heard: Callable[[int, str], None] | None) -> Reply:
        """One try, counted as unsettled when it is cancelled under way."""
        try:
            return await self._timed(request, heard)
        except asyncio.CancelledError:
            self.unsettled(request.n)
            raise

    async def _timed(self, request: Request, heard: Callable[[int, str], None] | None) -> Reply:
        """One try within the time-outs; a model that cannot stream is only held to the total."""
        stream, streams = getattr(self.model, "stream", None), self.model.capabilities.streaming
        limits = self.timeouts
        total = None if getattr(self.model, "unhurried", False) else limits.total
        whole, silence = asyncio.timeout(total), asyncio.timeout(None)
        try:
            async with whole:
                if stream is None or not streams or not (heard is not None or limits.streamed):
                    return await self.model.generate(request)
                async with silence:
                    with Watch(silence, limits.first_token or limits.idle) as watch:

                        def alive(sample: int, text: str) -> None:
                            watch.limit, watch.last = limits.idle, watch.now()
                            if heard is not None and text:
                                heard(sample, text)

                        return await stream(request, alive)
        except TimeoutError:
            if whole.expired():
                what = f"gave no whole reply within {limits.total:g} s"
            elif silence.expired():
                what = "was silent for too long (settings: timeouts.first_token, timeouts.idle)"
            else:
                raise
            raise TransientModelError(f"{self.model.name} {what}", unsettled=True) from None


class Watch:
    """Lets ``clock`` run out once nothing was heard for ``limit`` seconds. Pieces only note the time: they are cheap.
    What a busy loop lost itself is not held against the model, whose words may be there unread."""

    def __init__(self, clock: asyncio.Timeout, limit: float | None) -> None:
        self.limit = limit
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self.last = self.now()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._look(self.last)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, wanted: float) -> None:
        """Look again when it may be too late, or give up; this look was ``wanted`` at some time and may come later."""
        now = self.now()
        due = self.last + (self.limit or 1.0)
        if self.limit is not None and now >= due and now - wanted < LAG:
            self._clock.reschedule(now)
            return
        again = due if now < due else now + LAG
        self._timer = self._loop.call_at(again, self._look, again)


def pause(error: TransientModelError, tried: int, busy: int, trouble: float) -> float | None:
    """Seconds until the next try after ``tried`` failures, ``busy`` requests to slow down and ``trouble`` seconds since
    the first of this kind; none when it is enough. Never the same for all, so that they do not come back together."""
    tries, patience = (BUSY_TRIES, BUSY_PATIENCE) if error.busy else (TRIES, PATIENCE)
    if (busy if error.busy else tried) >= tries or trouble >= patience:
        return None
    if error.retry_after is not None:
        return min(error.retry_after, patience) * random.uniform(1.0, 1.1)
    if error.busy:  # the valve keeps too many from coming back: one alone need not wait long
        return min(1.0 if busy < 10 else 8.0, 0.1 * 2**busy) * random.uniform(0.5, 1.0)
    return min(8.0, 0.2 * 2**tried) * random.uniform(0.5, 1.0)

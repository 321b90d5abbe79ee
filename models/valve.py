"""How many calls of one model may be under way at once, learnt from what its server refuses.

A refusal alone says little: some servers refuse at random, or by the minute. So a valve counts what was *accepted*: a
call that succeeded while k others were under way proves that k + 1 fit. The limit is what is proven; beyond it the
valve probes, in steps that double while they succeed, and pauses when most of a step is refused. Only when more than
two thirds of the calls within what is proven are refused does it lower that, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal
from weakref import WeakKeyDictionary

Outcome = Literal["accepted", "refused", "unknown"]
START, MOST = 256, 1024
"""Calls under way at first, and at most where nothing else is said."""
FAILED = 4
"""So many probes must have been refused, and most of the step, before a step has failed."""
LONGEST_PAUSE = 8.0
"""Seconds between two steps of probing, at most; the pause after a failed step begins with one."""
WINDOW = 20
"""Calls within what is proven after which their refusals are weighed."""


class Valve:
    """``proven`` calls at once were accepted; ``extra`` more are tried, unless probing pauses."""

    def __init__(self, most: int = MOST) -> None:
        self.proven = 0
        self.extra = START
        self.most = most
        self._flying: dict[int, int] = {}  # ticket → how many others were under way and not refused
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._next = 0
        self._probes = self._failed = 0
        self._shut = False  # no step has failed yet: nothing is known that speaks against START
        self._pause = 1.0
        self._paused: asyncio.TimerHandle | None = None
        self._held = 0  # calls under way when the pause began, less the probes refused since
        self._fine = self._refused = 0

    @property
    def limit(self) -> int:
        """Calls that may be under way now."""
        probing = self.proven + self.extra
        return max(1, min(self.most, max(self.proven, self._held) if self._paused else probing))

    async def enter(self, again: bool = False) -> int:
        """Wait for room; gives the ticket to leave with. Who comes ``again`` has waited before and goes first."""
        if not self._waiting and len(self._flying) < self.limit:
            return self._begin()
        room = asyncio.get_running_loop().create_future()
        if again:
            self._waiting.appendleft(room)
        else:
            self._waiting.append(room)
        try:
            ticket = await room
        except asyncio.CancelledError:
            if room.done() and not room.cancelled():
                self.leave(room.result(), "unknown")
            raise
        # Calls that ended in the same turn of the loop may have left since it was let in.
        self._flying[ticket] = sum(other < ticket for other in self._flying)
        return ticket

    def _begin(self) -> int:
        self._next += 1
        self._probes += len(self._flying) >= self.proven
        self._flying[self._next] = len(self._flying)
        return self._next

    def leave(self, ticket: int, outcome: Outcome) -> None:
        """The call has ended."""
        level = self._flying.pop(ticket)
        if outcome == "refused":
            for later in self._flying:
                if later > ticket:
                    self._flying[later] -= 1
            self._note_refusal(level)
        elif outcome == "accepted":
            self._note_success(level)
        self._admit()

    def _note_success(self, level: int) -> None:
        if level < self.proven:
            self._fine += 1
            return self._weigh()
        self.proven = level + 1
        if self._shut:
            self.extra = min(self.proven, 2 * self.extra)
        self._probes = self._failed = self._held = 0
        self._pause = 1.0

    def _note_refusal(self, level: int) -> None:
        if level < self.proven:
            self._refused += 1
            return self._weigh()
        self._failed += 1
        if self._paused:
            self._held = min(self._held, len(self._flying))
        elif self._failed >= FAILED and self._failed > 0.6 * self._probes:
            self._held = len(self._flying)
            self._paused = asyncio.get_running_loop().call_later(self._pause, self._go_on)
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
            self.extra, self._shut = max(1, self.extra // 4), True
            self._probes = self._failed = 0

    def _weigh(self) -> None:
        if self._fine + self._refused >= WINDOW:
            if self._refused > 2 * self._fine:
                self.proven, self.extra = max(1, 7 * self.proven // 10), 1
            self._fine = self._refused = 0

    def _go_on(self) -> None:
        self._paused = None
        self._admit()

    def _admit(self) -> None:
        """Let in who waits, as far as there is room."""
        while self._waiting and len(self._flying) < self.limit:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(self._begin())


_valves: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, Valve]] = WeakKeyDictionary()


def valve_of(key: object, most: int | None = None) -> Valve:
    """The valve of a model in the running loop: all runs of the process there share it."""
    here = _valves.setdefault(asyncio.get_running_loop(), {})
    if key not in here:
        here[key] = Valve()
    here[key].most = most or MOST
    return here[key]

"""What a benchmark run may spend in all: a cell begins only while there is room for it beside those at work."""

from __future__ import annotations

import asyncio

from veriloop.apps.bench.records import Key


class Purse:
    """``most`` US dollars (none: no limit), ``before`` of them spent elsewhere.

    Until the cost of a cell is known cells begin one by one; then room is kept for each at work as for the dearest so
    far. A cell that is dearer than all before may still overrun it.
    """

    def __init__(self, most: float | None, before: float = 0.0) -> None:
        self.most = most
        self.spent = before
        self.short = False
        self._costs: dict[Key, float] = {}
        self._dearest = 0.0
        self._working = 0
        self._changed = asyncio.Event()

    def note(self, key: Key, money: float | None) -> None:
        """A cell has cost so much in all, earlier sittings included."""
        cost = money or 0.0
        self.spent += cost - self._costs.get(key, 0.0)
        self._costs[key] = cost
        self._dearest = max(self._dearest, cost)

    async def begin(self) -> bool:
        """Wait for room for one more cell; false when there will be none."""
        while not self._room():
            if self.short or not self._working:
                self.short = True
                self._wake()
                return False
            await self._changed.wait()
        self._working += 1
        return True

    def end(self) -> None:
        """A cell has ended, and its cost is noted."""
        self._working -= 1
        self._wake()

    def _room(self) -> bool:
        if self.most is None:
            return True
        if self.short or self.spent >= self.most:
            return False
        if not self._costs:
            return not self._working
        return self.spent + (self._working + 1) * self._dearest <= self.most

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

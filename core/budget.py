"""The budget of a run: reserve before a call, settle after it; what does not fit is refused, naming the limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import BudgetSpent
from .messages import Usage
from .search import Spend
from .task import Limits

UNLIMITED = Limits()


@dataclass(slots=True)
class Reservation:
    """What one request may cost at most, held until it is settled."""

    calls: int
    tokens: int
    money: float


class Budget:
    """Counts what a run spends. ``elapsed`` seconds were spent in earlier sittings of a resumed run."""

    def __init__(self, limits: Limits, elapsed: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._started = clock() - elapsed
        self._calls = self._tool_runs = self._verdicts = self._unsettled = 0
        self._usage = Usage()
        self._money: float | None = 0.0
        self._held: list[Reservation] = []

    @property
    def seconds(self) -> float:
        """Seconds of work so far, all sittings."""
        return self._clock() - self._started

    @property
    def spend(self) -> Spend:
        """What is settled so far."""
        return Spend(
            calls=self._calls,
            tokens_in=self._usage.tokens_in,
            tokens_out=self._usage.tokens_out,
            cached=self._usage.cached,
            money=self._money,
            seconds=self.seconds,
            tool_runs=self._tool_runs,
            verdicts=self._verdicts,
            unsettled=self._unsettled,
        )

    @property
    def remaining(self) -> Limits:
        """What each limit still allows beyond what is spent and reserved; none = no limit."""
        return left(self.limits, self.spend, self._held)

    def reserve(self, calls: int, tokens: int, money: float | None = 0.0) -> Reservation:
        """Hold room for a request. Raises ``BudgetSpent`` naming the first limit it would pass."""
        wanted = Reservation(calls, tokens, money or 0.0)
        if self.limits == UNLIMITED:
            return wanted
        room = self.remaining
        if room.seconds is not None and room.seconds <= 0:
            raise BudgetSpent("seconds")
        for name in ("calls", "tokens", "money"):
            allowed = getattr(room, name)
            if allowed is not None and getattr(wanted, name) > allowed:
                raise BudgetSpent(name)
        self._held.append(wanted)
        return wanted

    def settle(self, held: Reservation | None, calls: int, usage: Usage, money: float | None) -> None:
        """Replace a reservation by what was really spent. Without one (a replayed call), only count it."""
        self.release(held)
        self._calls += calls
        self._usage += usage
        self._money = None if self._money is None or money is None else self._money + money

    def release(self, held: Reservation | None) -> None:
        """Give a reservation back unspent."""
        if held is not None:
            self._held = [each for each in self._held if each is not held]

    def take_tool_run(self, replayed: bool = False) -> None:
        """Count one tool run; raises ``BudgetSpent`` when none is left (a replayed one was paid before)."""
        room = self.remaining.tool_runs
        if not replayed and room is not None and room < 1:
            raise BudgetSpent("tool_runs")
        self._tool_runs += 1

    def count_unsettled(self, calls: int) -> None:
        """Count replies that were asked for and never came."""
        self._unsettled += calls

    def count_verdict(self) -> None:
        """Count one verification."""
        self._verdicts += 1


def left(limits: Limits, spend: Spend, held: list[Reservation] | None = None) -> Limits:
    """What ``limits`` allow after ``spend`` and what is held."""
    if limits == UNLIMITED:
        return limits

    def minus(limit: float | None, used: float) -> float | None:
        return None if limit is None else max(0, limit - used)

    held = held or []
    calls = minus(limits.calls, spend.calls + sum(h.calls for h in held))
    tokens = minus(limits.tokens, spend.tokens + sum(h.tokens for h in held))
    runs = minus(limits.tool_runs, spend.tool_runs)
    return Limits(
        calls=None if calls is None else int(calls),
        tokens=None if tokens is None else int(tokens),
        money=minus(limits.money, (spend.money or 0.0) + sum(h.money for h in held)),
        seconds=minus(limits.seconds, spend.seconds),
        tool_runs=None if runs is None else int(runs),
    )

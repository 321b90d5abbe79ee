"""The game of 24, solved exactly: which steps are legal, which of them keep 24 in reach, and which sets are trained on.

A state is the sorted tuple of the numbers that are left. Differences are taken from the larger number: what can be made
at all can be made so, since a sum with a negative number is a difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Literal

TARGET = Fraction(24)
LARGEST = 13
LEFT_OUT = frozenset((Path(__file__).parent / "left_out.txt").read_text("utf-8").split())
"""Hashes of the sets that others measure with: nothing is learned or chosen on these."""
HELD = 8
"""One in so many of the other sets is held out, to choose with."""

State = tuple[Fraction, ...]
Share = Literal["left out", "held out", "trained"]


@dataclass(frozen=True, slots=True)
class Step:
    """Two numbers that become one."""

    left: Fraction
    sign: str
    right: Fraction
    value: Fraction

    def after(self, state: State) -> State:
        """What is left after it."""
        rest = list(state)
        rest.remove(self.left)
        rest.remove(self.right)
        return tuple(sorted([*rest, self.value]))


@cache
def steps(state: State) -> tuple[Step, ...]:
    """All legal steps."""
    found: dict[Step, None] = {}
    for low, high in combinations(state, 2):  # a state is sorted
        found[Step(high, "+", low, high + low)] = None
        found[Step(high, "-", low, high - low)] = None
        found[Step(high, "*", low, high * low)] = None
        if low:
            found[Step(high, "/", low, high / low)] = None
        if high:
            found[Step(low, "/", high, low / high)] = None
    return tuple(found)


@cache
def solvable(state: State) -> bool:
    """Whether 24 can be made of all numbers of a state."""
    if len(state) == 1:
        return state[0] == TARGET
    return any(solvable(step.after(state)) for step in steps(state))


@cache
def solving(state: State) -> tuple[Step, ...]:
    """The steps that keep 24 in reach."""
    return tuple(step for step in steps(state) if solvable(step.after(state)))


def sets() -> Iterator[State]:
    """Every set of four numbers from 1 to 13."""
    for four in combinations_with_replacement(range(1, LARGEST + 1), 4):
        yield tuple(map(Fraction, four))


def digest(state: State) -> str:
    """What stands for a set in ``left_out.txt``."""
    return hashlib.sha256(" ".join(map(str, sorted(state))).encode()).hexdigest()[:12]


def share(state: State) -> Share:
    """What a set of four numbers is used for."""
    name = digest(state)
    if name in LEFT_OUT:
        return "left out"
    return "trained" if int(name, 16) % HELD else "held out"

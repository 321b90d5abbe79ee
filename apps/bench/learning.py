"""Arms that learn from task to task (a mixture with ``scope=run``): one memory for each seed, one task at a time, in an
order that the seed shuffles."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import product

from veriloop.apps.bench.arms import Arm
from veriloop.apps.bench.benchmark import Item
from veriloop.core.protocols import Memory
from veriloop.core.seeds import derive

Job = tuple[Item, int, Arm]


def memory_of(arm: Arm) -> Memory | None:
    """A fresh memory of an arm that learns; none for any other."""
    make = getattr(arm.strategy.make(), "memory", None)
    return make() if make else None


def ordered(items: Sequence[Item], seeds: Iterable[int], arms: Sequence[Arm]) -> Iterator[Job]:
    """All cells, as they are run."""
    seeds = list(seeds)
    shuffled: dict[int, list[Item]] = {seed: list(items) for seed in seeds}
    for seed, mine in shuffled.items():
        random.Random(derive(seed, "order of tasks")).shuffle(mine)
    learning = {arm.label for arm in arms if memory_of(arm) is not None}
    for place, seed, arm in product(range(len(items)), seeds, arms):
        yield (shuffled[seed] if arm.label in learning else items)[place], seed, arm


def again(jobs: Sequence[tuple[Job, bool]]) -> Iterator[Job]:
    """The cells to run, of all with whether they are done: those that are not, and of an arm that is to learn more what
    it has learned from (a run that has ended is only told again, and costs nothing)."""
    open_ = {(arm.label, seed): arm for (_, seed, arm), done in jobs if not done}
    more = {key for key, arm in open_.items() if memory_of(arm) is not None}
    return (job for job, done in jobs if not done or (job[2].label, job[1]) in more)


class Learned:
    """The memories of the arms that learn, each with its turns."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[Memory, asyncio.Lock] | None] = {}

    @asynccontextmanager
    async def turn(self, arm: Arm, seed: int) -> AsyncGenerator[Memory | None]:
        """The memory for one cell, while no other has it; none at once where the arm does not learn."""
        key = arm.label, seed
        if key not in self._known:
            memory = memory_of(arm)
            self._known[key] = None if memory is None else (memory, asyncio.Lock())
        if (known := self._known[key]) is None:
            yield None
            return
        memory, turn = known
        async with turn:
            yield memory

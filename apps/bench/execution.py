"""Execution match: a query is right when it gives what the gold query gives, by Spider's rule and by BIRD's."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from veriloop.core.errors import UsageError
from veriloop.tools.sql.match import drop_distinct, same_result, set_match
from veriloop.tools.sql.runner import SqlResult, SqlRunner
from veriloop.verifiers.oracle import difference

SPIDER_SECONDS = 60.0
BIRD_SECONDS = 30.0
ROWS = 100_000
BYTES = 50_000_000
AT_ONCE = 2
"""Queries that run at once, all databases together: results may be large."""
REMEMBERED = 64
"""Tasks whose gold rows are kept in memory."""
Task = tuple[str, tuple[str, ...]]
"""A database and right queries: whatever a task is called, this is what it is scored by."""
LARGE = 500
"""Rows from which on comparing is a thread's work."""


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a query is right by each rule; ``how`` says of a wrong result how it compares with the right one."""

    spider: bool
    bird: bool
    how: str = ""


@dataclass(frozen=True)
class Gold:
    """A right query with its results: ``spider`` without DISTINCT, ``bird`` as it stands."""

    sql: str
    spider: SqlResult
    bird: SqlResult

    @property
    def ordered(self) -> bool:
        """Whether the order of rows counts, by Spider's rule."""
        return "order by" in self.sql.lower()


@dataclass
class _Known:
    """What is known of a task: its lock, and each distinct query's match."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    known: dict[str, Match] = field(default_factory=dict[str, Match])


class Execution:
    """Runs queries read-only, each distinct one of a task once, and compares them with gold.

    A query that takes longer than 60 s (BIRD: 30 s) or gives more than 100,000 rows is wrong.
    """

    def __init__(self) -> None:
        self._runners: dict[str, SqlRunner] = {}
        self._tasks: dict[Task, _Known] = {}
        self._golds: OrderedDict[Task, list[Gold]] = OrderedDict()
        self._free: asyncio.Semaphore | None = None

    async def match(self, database: str, golds: Sequence[str], sql: str) -> Match:
        """Whether ``sql`` gives what any of ``golds`` gives.

        Raises ``UsageError`` when the database is missing or none of ``golds`` runs, ``ToolError`` for what is
        nobody's query's fault.
        """
        task = (database, tuple(golds))
        known = self._tasks.setdefault(task, _Known())
        async with known.lock:
            if sql not in known.known:
                known.known[sql] = await self._compare(database, await self._golds_of(task), sql)
        return known.known[sql]

    async def golds(self, database: str, golds: Sequence[str]) -> list[Gold]:
        """The results of ``golds``, those that run. Raises as ``match`` does."""
        task = (database, tuple(golds))
        async with self._tasks.setdefault(task, _Known()).lock:
            return await self._golds_of(task)

    async def close(self) -> None:
        """End the processes that run queries; another event loop may use it then."""
        runners, self._runners = list(self._runners.values()), {}
        self._tasks, self._free = {}, None  # their locks belong to this loop
        for runner in runners:
            await runner.close()

    async def _golds_of(self, task: Task) -> list[Gold]:
        found = self._golds.get(task)
        if found is None:
            database, golds = task
            every = [await self._gold(database, sql) for sql in golds]
            found = [gold for gold in every if not _fault(gold.spider) and not _fault(gold.bird)]
            if not found:
                why = "it has none" if not every else _fault(every[0].spider) or _fault(every[0].bird)
                raise UsageError(f"the task is broken, its own right query fails: {why}")
            self._golds[task] = found
            if len(self._golds) > REMEMBERED:
                self._golds.popitem(last=False)
        self._golds.move_to_end(task)
        return found

    async def _gold(self, database: str, sql: str) -> Gold:
        spider, bird = await self._both(database, sql)
        return Gold(sql, spider, bird)

    async def _both(self, database: str, sql: str) -> tuple[SqlResult, SqlResult]:
        """The results without DISTINCT and as it stands; one run where they are the same query."""
        dropped = drop_distinct(sql)
        first = await self._run(database, dropped)
        return first, first if dropped == sql else await self._run(database, sql)

    async def _compare(self, database: str, golds: Sequence[Gold], sql: str) -> Match:
        spider, bird = await self._both(database, sql)
        large = max(len(result.rows) for each in golds for result in (each.spider, spider, bird)) > LARGE
        if large:
            return await asyncio.to_thread(_match, golds, spider, bird)
        return _match(golds, spider, bird)

    async def _run(self, database: str, sql: str) -> SqlResult:
        self._free = self._free or asyncio.Semaphore(AT_ONCE)
        async with self._free:
            if database not in self._runners:
                limits: dict[str, Any] = {"rows": ROWS, "max_bytes": BYTES, "workers": AT_ONCE}
                self._runners[database] = SqlRunner(database, seconds=SPIDER_SECONDS, **limits)
            return await self._runners[database].run(sql)


def _fault(result: SqlResult) -> str:
    return result.error or (f"it gives more than {ROWS:,} rows, or more than fit" if result.truncated else "")


def _match(golds: Sequence[Gold], spider: SqlResult, bird: SqlResult) -> Match:
    found = Match(
        not _fault(spider) and any(same_result(g.spider.rows, spider.rows, ordered=g.ordered) for g in golds),
        not _fault(bird) and bird.seconds <= BIRD_SECONDS and any(set_match(g.bird.rows, bird.rows) for g in golds),
    )
    return (
        found if found.spider or _fault(spider) else replace(found, how=difference(golds[0].spider.rows, spider.rows))
    )

"""The verifier that sees the right answer. It exists to measure ceilings; every report prints its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task
from ..tools.sql.match import drop_distinct, same_result
from ..tools.sql.runner import SqlResult, SqlRunner


@dataclass(frozen=True)
class Oracle:
    """Compares with ``gold``: by Spider's execution match for a database task (gold is SQL), by equality otherwise.

    Its feedback never quotes gold.
    """

    gold: Any
    name: str = "oracle"

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the candidate matches gold."""
        right = await self._match(task, candidate) if task.database else candidate.answer == self.gold
        message = "It is right." if right else "It is not right."
        finding = Finding("oracle", float(right), message)
        return Verdict("passed" if right else "failed", float(right), (finding,), self.name)

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` when gold is a query that does not run."""
        if task.database:
            async with _runner(task.database) as runner:
                await self._right(runner)

    async def _match(self, task: Task, candidate: Candidate) -> bool:
        assert task.database is not None
        async with _runner(task.database) as runner:
            gold = await self._right(runner)
            mine = await runner.run(drop_distinct(str(candidate.artifact)))
        ordered = "order by" in str(self.gold).lower()
        return not mine.error and same_result(gold.rows, mine.rows, ordered=ordered)

    async def _right(self, runner: SqlRunner) -> SqlResult:
        found = await runner.run(drop_distinct(str(self.gold)))
        if found.error:
            raise UsageError(f"the oracle's own query fails: {found.error}; give SQL that runs as gold (--gold)")
        return found


def _runner(database: str) -> SqlRunner:
    return SqlRunner(database, seconds=30, rows=100_000, max_bytes=50_000_000)

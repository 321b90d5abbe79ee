"""The verifier that sees the right answer. It exists to measure ceilings; every report prints its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task
from ..tools.sql.match import Rows, drop_distinct, same_result
from ..tools.sql.runner import SqlResult, SqlRunner


@dataclass(frozen=True)
class Oracle:
    """Compares with ``gold``: by Spider's execution match for a database task (gold is SQL), by equality otherwise.

    Its feedback never quotes gold. Of a wrong result it says how its size compares with the right one's, whether it
    is of the right kind, and whether some of its rows are right: feedback that no verifier without gold could give.
    """

    gold: Any
    name: str = "oracle"

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the candidate matches gold."""
        right, how = await self._match(task, candidate) if task.database else (candidate.answer == self.gold, "")
        message = "It is right." if right else f"It is not right. {how}".strip()
        finding = Finding("oracle", float(right), message)
        return Verdict("passed" if right else "failed", float(right), (finding,), self.name)

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` when gold is a query that does not run."""
        if task.database:
            async with _runner(task.database) as runner:
                await self._right(runner)

    async def _match(self, task: Task, candidate: Candidate) -> tuple[bool, str]:
        assert task.database is not None
        async with _runner(task.database) as runner:
            gold = await self._right(runner)
            mine = await runner.run(drop_distinct(str(candidate.artifact)))
        ordered = "order by" in str(self.gold).lower()
        if mine.error:
            return False, ""
        return same_result(gold.rows, mine.rows, ordered=ordered), difference(gold.rows, mine.rows)

    async def _right(self, runner: SqlRunner) -> SqlResult:
        found = await runner.run(drop_distinct(str(self.gold)))
        if found.error:
            raise UsageError(f"the oracle's own query fails: {found.error}; give SQL that runs as gold (--gold)")
        return found


def difference(gold: Rows, rows: Rows) -> str:
    """How a wrong result compares with the right one, in words that quote neither."""
    wide, narrow = (len(each[0]) if each else 0 for each in (rows, gold))
    if rows and gold and wide != narrow:
        return f"It has {'more' if wide > narrow else 'fewer'} columns than the right answer."
    if same_result(gold, rows, ordered=False):
        return "It has the right rows, in another order."
    if len(rows) != len(gold):
        said = [f"It has {'more' if len(rows) > len(gold) else 'fewer'} rows than the right answer."]
    else:
        said = ["It has as many rows, with other values than the right answer."]
    if rows and gold and _kinds(rows) != _kinds(gold):
        said.append("It gives numbers where texts are right, or texts where numbers are.")
    if {tuple(row) for row in rows} & {tuple(row) for row in gold}:
        said.append("Some of its rows are right.")
    return " ".join(said)


def _kinds(rows: Rows) -> list[bool]:
    """Which columns hold texts."""
    return [isinstance(cell, str) for cell in rows[0]]


def _runner(database: str) -> SqlRunner:
    return SqlRunner(database, seconds=30, rows=100_000, max_bytes=50_000_000)

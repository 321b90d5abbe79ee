"""The verifier ``sql``: what a query's text and its result on the database say of it, without any right answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import ToolError, UsageError
from ..core.messages import ToolCall
from ..core.protocols import Context
from ..core.search import Candidate, Finding, ToolRun, Verdict
from ..core.task import Task
from ..tools.sql.runner import SqlRunner
from ..tools.sql.schema import open_values, read_schema
from ..tools.sql.tool import run_tool
from .threads import in_thread

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class SqlVerifier:
    """Judges a candidate whose artifact is SQL by what happens when it runs; deterministic, no model, no gold.

    The score is the lowest of its findings': 0 for no SQL, SQL that does not parse, or anything but one SELECT; 0.1
    for an error; 0.3 for an empty or all-NULL result; 0.5 for a text compared with a column that does not hold it; 0.7
    for a result of another shape than the question's (``sql_findings.plausible``); else 1.0 and ``passed``. The
    messages are for feedback, and only what is wrong has one, besides a ``preview`` of the result.

    The run of the artifact recorded by tool ``sql`` is used; without one the query runs on ``task.database``. Faults
    of the tool are an ``infra_error``. Raises ``UsageError`` when the database is missing.
    """

    name: str = "sql"

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` when the task is about no database."""
        if task.database is None:
            raise UsageError("the verifier sql needs a database: give the task one (--db FILE), or another verifier")

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """The verdict on ``candidate.artifact`` as an answer to ``task.question``."""
        try:
            return self._verdict(await _findings(task, candidate))
        except ToolError as error:
            return Verdict("infra_error", None, (Finding("runs", None, str(error)),), self.name)

    def _verdict(self, findings: list[Finding]) -> Verdict:
        score = min(finding.score for finding in findings if finding.score is not None)
        return Verdict("passed" if score == 1.0 else "failed", score, tuple(findings), self.name)


async def _findings(task: Task, candidate: Candidate) -> list[Finding]:
    sql = candidate.artifact
    if not isinstance(sql, str) or not sql.strip():
        return [Finding("parses", 0.0, "There is no SQL in the answer: give one SELECT statement.")]
    tree, fault = await in_thread(_parse, sql)
    if fault:
        return [Finding("parses", 1.0, ""), fault]
    run = _recorded(candidate, sql) or await _execute(task, sql)
    return await in_thread(_judge, task, tree, run)


def _parse(sql: str) -> tuple[exp.Query | None, Finding | None]:
    from .sql_findings import parses

    return parses(sql)


def _recorded(candidate: Candidate, sql: str) -> ToolRun | None:
    """The last run of this very query."""
    mine = (r for r in reversed(candidate.tool_runs) if r.call.name == "sql" and r.call.arguments.get("query") == sql)
    return next(mine, None)


async def _execute(task: Task, sql: str) -> ToolRun:
    if not task.database:
        raise UsageError("the verifier sql needs a database: give the task the path of a SQLite file")
    async with SqlRunner(task.database, workers=1) as runner:
        return await run_tool(runner, ToolCall("sql", {"query": sql}), sql)


def _judge(task: Task, tree: exp.Query | None, run: ToolRun) -> list[Finding]:
    from . import sql_findings as check

    schema = read_schema(task.database) if task.database else None
    ran = check.runs(run.error, schema)
    if run.error:
        return [ran] if ran.criterion == "parses" else [Finding("parses", 1.0, ""), ran]
    findings = [Finding("parses", 1.0, ""), Finding("select", 1.0, ""), ran, check.non_empty(run.output)]
    if tree is not None and schema and task.database:
        with open_values(task.database) as values:
            findings.append(check.known_values(tree, schema, values))
    return [*findings, check.plausible(task.question, tree, run.output), check.preview(run.output)]

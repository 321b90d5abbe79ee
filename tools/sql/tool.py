"""SQL as a tool: one read-only SELECT per action, on the database the tool was made for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ...core.messages import ToolCall, ToolSpec
from ...core.search import ToolRun
from .runner import SqlRunner
from .schema import describe

SPEC = ToolSpec(
    "sql",
    "Run one read-only SQLite SELECT on the database and see its rows.",
    {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "One SELECT statement in SQLite's dialect."}},
        "required": ["query"],
        "additionalProperties": False,
    },
)


class SqlTool:
    """The tool ``sql``: ``{"query": ...}`` gives ``{"columns", "rows", "row_count", "truncated"}`` or an error.

    ``database`` is a path, or a runner with limits of its own (which its owner closes).
    """

    spec = SPEC

    def __init__(self, database: str | Path | SqlRunner) -> None:
        self.runner = database if isinstance(database, SqlRunner) else SqlRunner(database)

    async def open(self, actions: Sequence[ToolCall] = ()) -> SqlSession:
        """A session; queries leave nothing behind, so recorded ``actions`` need no replay."""
        return SqlSession(self.runner)

    async def describe(self) -> str:
        """The database as CREATE TABLE lines with values, for a prompt. Raises ``ToolError`` or ``UsageError``."""
        return await asyncio.to_thread(describe, self.runner.path)

    async def close(self) -> None:
        """End the worker processes (the event loop's end does it too)."""
        await self.runner.close()


class SqlSession:
    """Queries for one candidate."""

    def __init__(self, runner: SqlRunner) -> None:
        self._runner = runner

    async def act(self, call: ToolCall) -> ToolRun:
        """Run the call's query. Raises ``ToolError`` or ``UsageError`` for what is not the query's fault."""
        query = call.arguments.get("query")
        if not isinstance(query, str):
            return ToolRun(call, error='give the argument "query": the text of one SELECT')
        return await run_tool(self._runner, call, query)

    async def close(self) -> None:
        """Nothing to close: the workers are the tool's."""


async def run_tool(runner: SqlRunner, call: ToolCall, query: str) -> ToolRun:
    """Run ``query`` and record it as the outcome of ``call``."""
    result = await runner.run(query)
    if result.error:
        return ToolRun(call, error=result.error, seconds=result.seconds)
    output = {
        "columns": list(result.columns),
        "rows": [list(row) for row in result.rows],
        "row_count": result.row_count,
        "truncated": result.truncated,
    }
    return ToolRun(call, output, seconds=result.seconds)

"""The tools' conformance suite: ours pass it, and it catches promises that are not kept."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from veriloop.core.conformance import Line
from veriloop.core.messages import ToolCall, ToolSpec
from veriloop.core.search import ToolRun
from veriloop.tools.conformance import check
from veriloop.tools.sql import SqlTool


def broken(tool: Any, calls: Sequence[ToolCall]) -> list[Line]:
    return [line for line in asyncio.run(check(tool, calls)) if line.outcome != "works"]


def test_the_sql_tool_passes(tmp_path: Path):
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a INT)")
    connection.close()
    calls = [ToolCall("sql", {"query": "SELECT a FROM t"}), ToolCall("sql", {"query": "SELECT b FROM t"})]
    assert broken(SqlTool(path), calls) == []


class Counter:
    """A tool with a state: it counts."""

    spec = ToolSpec("count", "Add a number.", {"type": "object", "properties": {"by": {"type": "integer"}}})

    async def open(self, actions: Sequence[ToolCall] = ()) -> Counting:
        session = Counting()
        for action in actions:
            await session.act(action)
        return session


class Counting:
    """One count."""

    def __init__(self) -> None:
        self.total = 0

    async def act(self, call: ToolCall) -> ToolRun:
        by = call.arguments.get("by")
        if not isinstance(by, int):
            return ToolRun(call, error="give a whole number")
        self.total += by
        return ToolRun(call, {"total": self.total})

    async def close(self) -> None:
        pass


CALLS = [ToolCall("count", {"by": 2}), ToolCall("count", {"by": 3})]


def test_a_tool_with_a_state_passes():
    assert broken(Counter(), CALLS) == []


class Shared(Counter):
    """All its sessions count together, and a reopened one starts anew."""

    def __init__(self) -> None:
        self.session = Counting()

    async def open(self, actions: Sequence[ToolCall] = ()) -> Counting:
        return self.session


class Careless(Counter, Counting):
    """Raises for wrong arguments, gives what is no data, and cannot be described."""

    spec = ToolSpec("", "", {"type": "string"})

    async def open(self, actions: Sequence[ToolCall] = ()) -> Careless:
        return self

    async def act(self, call: ToolCall) -> ToolRun:
        return ToolRun(call, {"by": {call.arguments["by"]}})


def test_the_suite_catches_promises_that_are_not_kept():
    assert {line.name for line in broken(Shared(), CALLS)} == {"replay", "apart"}
    assert {line.name for line in broken(Careless(), CALLS)} >= {"spec", "act", "replay", "apart", "bad arguments"}

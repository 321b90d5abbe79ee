"""Does a tool keep its promises? ``check`` makes the ``calls`` you give it, in order and in other ways.

calls = [ToolCall("search", {"words": "red shoe"}), ToolCall("click", {"item": 3})]
for line in asyncio.run(check(MyTool(), calls)): print(*line, sep="\\t")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from ..core.conformance import Broken, Line, cancelled, expect, lines
from ..core.messages import ToolCall
from ..core.protocols import Session, Tool
from ..core.search import ToolRun


async def check(tool: Tool, calls: Sequence[ToolCall]) -> list[Line]:
    """Run ``calls`` (the last should depend on those before it, if the tool keeps state). Never raises for the tool."""
    suite = _Suite(tool, list(calls))
    return await lines(
        {
            "spec": suite.spec,
            "act": suite.act,
            "replay": suite.replay,
            "apart": suite.apart,
            "bad arguments": suite.bad_arguments,
            "cancel": suite.cancel,
        }
    )


class _Suite:
    def __init__(self, tool: Tool, calls: list[ToolCall]) -> None:
        self.tool = tool
        self.calls = calls

    async def _run(self, calls: Sequence[ToolCall], replayed: Sequence[ToolCall] = ()) -> list[tuple[Any, str]]:
        session = await self.tool.open(replayed)
        try:
            return [await _act(session, call) for call in calls]
        finally:
            await session.close()

    async def spec(self) -> str:
        spec = self.tool.spec
        expect(bool(spec.name and spec.description), "it has no name or no description")
        json.dumps(dict(spec.parameters))
        expect(spec.parameters.get("type") == "object", "its parameters are no JSON schema of an object")
        return spec.name

    async def act(self) -> str:
        outputs = await self._run(self.calls)
        return f"{len(outputs)} calls, {sum(bool(error) for _, error in outputs)} errors"

    async def replay(self) -> str:
        straight = (await self._run(self.calls))[-1]
        resumed = (await self._run(self.calls[-1:], self.calls[:-1]))[-1]
        expect(straight == resumed, f"after replay the last call gives {resumed}, not {straight}")
        return "a reopened session goes on where it was"

    async def apart(self) -> str:
        alone = await self._run(self.calls)
        one, other = await self.tool.open(), await self.tool.open()
        try:
            mixed = [(await _act(one, call), await _act(other, call)) for call in self.calls]
        finally:
            await one.close()
            await other.close()
        expect(mixed == list(zip(alone, alone, strict=True)), "two sessions at the same time disturb each other")
        return "two sessions, each as if alone"

    async def bad_arguments(self) -> str:
        name = self.tool.spec.name
        bad: list[dict[str, Any]] = [{}, {"invalid_json": "{"}, {"no such": None}]
        outputs = [(await self._run([ToolCall(name, arguments)]))[0] for arguments in bad]
        return next((error for _, error in outputs if error), "all taken")

    async def cancel(self) -> str:
        return await cancelled(self._run(self.calls))


async def _act(session: Session, call: ToolCall) -> tuple[Any, str]:
    """What a call gives, its time left out."""
    run = cast("object", await session.act(call))
    if not isinstance(run, ToolRun) or run.call != call:
        raise Broken(f"it gave {run!r}, which is no ToolRun of the call")
    json.dumps(run.output)
    return run.output, run.error

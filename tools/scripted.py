"""A tool that gives what it is told to: the fake for tests and dry runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any

from ..core.messages import ToolCall, ToolSpec
from ..core.search import ToolRun

Answer = Callable[[Sequence[str]], Any | Awaitable[Any]]
"""What the last of these pieces of code gives, those before it having run in the same session; it may raise."""


def counted(code: Sequence[str]) -> dict[str, str]:
    """How many pieces have run."""
    return {"text": f"run {len(code)}"}


class ScriptedTool:
    """Takes a text (by default as ``python`` takes code) and gives its ``answer``. A session knows all that ran in it,
    what was replayed too. ``opened`` holds what each session was opened with, ``acted`` every text in order."""

    def __init__(self, answer: Answer = counted, name: str = "python", seconds: float | None = None) -> None:
        properties = {"code": {"type": "string", "description": "What to run."}}
        self.spec = ToolSpec(
            name, f"Run {name} code.", {"type": "object", "properties": properties, "required": ["code"]}
        )
        self.seconds = seconds
        self.opened: list[list[str]] = []
        self.acted: list[str] = []
        self.closed = 0
        self._answer = answer

    async def open(self, actions: Sequence[ToolCall] = ()) -> ScriptedSession:
        """A session in which the recorded ``actions`` have run."""
        self.opened.append([str(call.arguments.get("code")) for call in actions])
        return ScriptedSession(self, list(self.opened[-1]), self._answer)


class ScriptedSession:
    """The tool at work for one candidate."""

    def __init__(self, tool: ScriptedTool, ran: list[str], answer: Answer) -> None:
        self._tool = tool
        self._ran = ran
        self._answer = answer

    async def act(self, call: ToolCall) -> ToolRun:
        """What the tool is told to give. Raises what ``answer`` raises."""
        code = call.arguments.get("code")
        if not isinstance(code, str):
            return ToolRun(call, error='give the argument "code": a text')
        self._ran.append(code)
        self._tool.acted.append(code)
        given = self._answer(self._ran)
        return ToolRun(call, await given if isawaitable(given) else given)

    async def close(self) -> None:
        """Counted."""
        self._tool.closed += 1

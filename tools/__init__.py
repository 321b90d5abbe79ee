"""What a candidate may run. Tools have names (``python``, ``mcp:SERVER``), entry points ``veriloop.tool``, or are given
as objects."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Tool, Toolbox
from ..core.registry import resolve

KNOWN = {"python": f"{__name__}.python:PythonTool"}
MCP = "mcp:"


async def made(wanted: Sequence[object]) -> list[Tool]:
    """The tools that all of these stand for, those of a toolbox (an MCP server) each by itself. Raises ``UsageError``
    where one cannot be, or two have one name."""
    found: list[Tool] = []
    for each in wanted:
        one = make(each)
        found += [one] if isinstance(one, Tool) else await one.tools()
    names = [tool.spec.name for tool in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two tools have the name {twice[0]!r}: leave one out")
    return found


def make(wanted: object) -> Tool | Toolbox:
    """What ``wanted`` stands for: a name, ``package.module:Class``, ``mcp:`` and a server, or the tool or toolbox
    itself.

    Raises ``UsageError`` when it stands for none.
    """
    found: Any = wanted
    if isinstance(wanted, str) and wanted.startswith(MCP):
        from .mcp import McpTools

        return McpTools(wanted.removeprefix(MCP))
    if isinstance(wanted, str):
        found = resolve("tool", wanted, KNOWN, (f"{MCP}SERVER",))
        if inspect.isclass(found):
            try:
                found = found()
            except TypeError as error:
                raise UsageError(f"tool {wanted!r} cannot be made by name alone: {error}") from error
    if not isinstance(found, (Tool, Toolbox)) or inspect.isclass(found):
        raise UsageError(f"{found!r} is not a tool: it needs a spec and an async open(actions)")
    return found

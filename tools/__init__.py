"""What a candidate may run. Tools have names (``python``), entry points ``veriloop.tool``, or are given as objects."""

from __future__ import annotations

import inspect
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Tool
from ..core.registry import resolve

KNOWN = {"python": f"{__name__}.python:PythonTool"}


def make(wanted: object) -> Tool:
    """The tool that ``wanted`` stands for: a name, ``package.module:Class``, or the tool itself.

    Raises ``UsageError`` when it stands for none.
    """
    found: Any = wanted
    if isinstance(wanted, str):
        found = resolve("tool", wanted, KNOWN)
        if inspect.isclass(found):
            try:
                found = found()
            except TypeError as error:
                raise UsageError(f"tool {wanted!r} cannot be made by name alone: {error}") from error
    if not isinstance(found, Tool) or inspect.isclass(found):
        raise UsageError(f"{found!r} is not a tool: it needs a spec and an async open(actions)")
    return found

"""The program that runs a model's check on answers, in a sandbox of its own. Standard library only.

The check may do what it likes to this process: all it can win is another opinion of its own, or none.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from typing import Any

from .plain import Line

CUT = 200
"""Characters of an error that are told."""


def loaded(code: str) -> Callable[[Any], Any]:
    """The function ``check`` that the code defines, without eval and exec: what it looks at is a stranger's text.
    Raises what the code raises."""
    given = {name: each for name, each in vars(builtins).items() if name not in ("eval", "exec")}
    space: dict[str, Any] = {"__name__": "check", "__builtins__": given}
    exec(compile(code, "check.py", "exec"), space)
    return space["check"]


def tried(code: str, answer: Any) -> dict[str, Any]:
    """``holds`` for an answer that the check has an opinion of, else ``raised``. It is loaded anew, so that it does not
    count its answers."""
    try:
        said = loaded(code)(answer)
    except BaseException as error:
        return {"raised": told(error)}
    return {"holds": said} if isinstance(said, bool) else {"raised": f"it gave {type(said).__name__}, not a bool"}


def told(error: BaseException) -> str:
    """An exception in a line."""
    try:
        return f"{type(error).__name__}: {error}"[:CUT]
    except Exception:
        return type(error).__name__


def main() -> None:
    """Take an order (``code``, ``answers``) and send a frame for each answer; the code has neither end of the line."""
    line = Line(os.dup(0), os.dup(3))
    os.close(3)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    order = line.receive()
    line.send({"up": True})
    for answer in order["answers"]:
        line.send(tried(order["code"], answer))

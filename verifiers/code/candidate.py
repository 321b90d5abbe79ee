"""The program that holds a candidate's code, in a sandbox of its own, and calls it when told to.

Nothing here is a guard: the code may change all of it. All it can win is that its own answers are others.
"""

from __future__ import annotations

import builtins
import os
import sys
import traceback
from types import ModuleType
from typing import Any

from .plain import Line, decode, encode

CODE = "candidate.py"
"""What the code is called in errors."""
MUTABLE = (list, dict, set, bytearray)


class Holder:
    """The candidate's module, and what it gave that is no plain data."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.module = ModuleType("candidate")
        self.kept: list[Any] = []

    def load(self, setup: str, code: str) -> None:
        """Say that there is a process, run the code after what the task gives with it, and say what it defines."""
        self.line.send({"up": True})
        sys.modules["candidate"] = self.module
        try:
            exec(compile(setup, "given.py", "exec"), self.module.__dict__)
            exec(compile(code, CODE, "exec"), self.module.__dict__)
        except BaseException as error:
            self.line.send({"raised": told(error)})
            return
        self.line.send({"ready": [name for name in list(vars(self.module)) if not name.startswith("_")][:100]})

    def serve(self) -> None:
        """Do what each frame asks for, until the input ends."""
        while True:
            asked = self.line.receive()
            try:
                said = self._do(asked)
            except BaseException as error:
                said = {"raised": told(error)}
            self.line.send({"id": asked["id"], **said})

    def _do(self, asked: Any) -> dict[str, Any]:
        target: Any = self._target(asked["target"])
        if "attribute" in asked:
            return {"value": encode(getattr(target, asked["attribute"]), self._keep)}
        before = asked["args"]
        args = [decode(each, self._held) for each in before]
        named = {name: decode(each, self._held) for name, each in asked["named"].items()}
        value = target(*args, **named)
        said = {"value": encode(value, self._keep)}
        if value is None and any(isinstance(each, MUTABLE) for each in args):
            said["args"] = [encode(each, self._keep) for each in args]
        return said

    def _target(self, what: Any) -> Any:
        if isinstance(what, int):
            return self.kept[what]
        try:
            return vars(self.module)[what]
        except KeyError:
            defined = [n for n, v in vars(self.module).items() if callable(v) and n not in vars(builtins)]
            there = f"; it defines {', '.join(defined[:10])}" if defined else ""
            raise NameError(f"the code defines no {what!r}{there}") from None

    def _keep(self, value: Any) -> int:
        self.kept.append(value)
        return len(self.kept) - 1

    def _held(self, number: int, _kind: str) -> Any:
        return self.kept[number]


def told(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: its kind, its kind's bases, its text, and the line of the code it comes from."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    lines = [line for file, line, *_ in traceback.extract_tb(error.__traceback__) if file == CODE]
    if isinstance(error, SyntaxError) and error.filename == CODE:
        lines = [error.lineno or 0]
    try:
        text = str(error)[:500]
    except Exception:
        text = ""
    return {"kinds": kinds, "text": text, "line": lines[-1] if lines else 0}


def main() -> None:
    """Talk over what was standard input and descriptor 3; the code has neither."""
    reads, writes = os.dup(0), os.dup(3)
    os.close(3)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    holder = Holder(Line(reads, writes))
    order = holder.line.receive()
    holder.load(order["setup"], order["code"])
    holder.serve()

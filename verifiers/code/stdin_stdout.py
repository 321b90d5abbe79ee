"""The verifier ``stdin-stdout``: a program reads its standard input and prints what is compared here, in the host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

from ...agents.formats import python_in
from ...core.errors import ToolError, UsageError, plain
from ...core.protocols import Context
from ...core.search import Candidate, Finding, Verdict
from ...core.task import Task
from ...tools.sandbox import PYTHON, Bounds, Ended, Sandbox, sandbox
from .relay import desk

CUT = 200
"""Characters of an input or output that feedback shows."""
SHAPE = 'a JSON list of {"input": "…", "output": "…"}'


@dataclass(frozen=True)
class Case:
    """What a program reads, and what it has to print."""

    input: str
    output: str


@dataclass(frozen=True)
class StdinStdout:
    """Passed when the program prints, for each input, what is wanted: the same words in the same lines (white space at
    the ends of lines and of the text left out), numbers that are equal as decimals being the same (LiveCodeBench).

    Each case is a process of its own in a sandbox, with ``seconds`` to run; it never holds the wanted output, and the
    comparison is made here. A program that ends with another status than 0 fails the case. The score is the share of
    cases that are right. Findings quote the first wrong one, unless the cases are ``hidden``.
    """

    cases: tuple[Case, ...]
    hidden: bool = False
    seconds: float = 10.0
    box: Sandbox | None = None
    name: str = "stdin-stdout"

    def __post_init__(self) -> None:
        if not self.cases:
            raise UsageError("stdin-stdout needs a case at least")

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` when there is no sandbox."""
        self._box()

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Run the program on every case, one after another."""
        code = candidate.artifact if isinstance(candidate.artifact, str) else ""
        code = code if task.language is not None else python_in(code)
        if not code.strip():
            return self._failed(0, "There is no program: give one in a fenced ```python block.")
        wrong: list[str] = []
        try:
            for case in self.cases:
                if why := await self._wrong(code, case):
                    wrong.append(why)
        except ToolError as error:
            return Verdict("infra_error", None, (Finding("output", None, str(error)),), self.name)
        if wrong:
            return self._failed(len(self.cases) - len(wrong), wrong[0])
        said = f"All {len(self.cases)} outputs are right."
        return Verdict("passed", 1.0, (Finding("output", 1.0, said),), self.name)

    def _box(self) -> Sandbox:
        return self.box or sandbox()

    async def _wrong(self, code: str, case: Case) -> str:
        """What is wrong with a case; nothing when it is right."""
        bounds = Bounds(seconds=self.seconds, cpu_seconds=self.seconds)
        files = {"program.py": code.encode(errors="replace")}
        async with desk():
            command = [PYTHON, "-I", "program.py"]
            ended = await self._box().run(command, files=files, stdin=case.input.encode(), bounds=bounds)
        if fault := _fault(ended, self.seconds):
            return f"For the input {_cut(case.input)} the program {fault}."
        said = ended.stdout.decode(errors="replace")
        if same_output(case.output, said):
            return ""
        return f"For the input {_cut(case.input)} it prints {_cut(said)}; {_cut(case.output)} is right."

    def _failed(self, right: int, first: str) -> Verdict:
        score = right / len(self.cases)
        counted = Finding("output", score, f"{right} of {len(self.cases)} outputs are right.")
        findings = (counted,) if self.hidden else (Finding("output", None, first), counted)
        return Verdict("failed", score, findings, self.name)


def _fault(ended: Ended, seconds: float) -> str:
    """Why a program has no output to compare; nothing when it has."""
    if ended.why:
        why = {"time": f"did not end within {seconds:g} s", "cpu": f"computed for more than {seconds:g} s"}
        return why.get(ended.why, "used too much memory" if ended.why == "memory" else "printed too much")
    if ended.status != 0:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"ended with status {ended.status}" + (f" ({last[0][:CUT]})" if last else "")
    return "printed too much" if ended.cut else ""


def same_output(wanted: str, said: str) -> bool:
    """Whether two outputs are the same: words by lines, and numbers by their values."""
    mine, theirs = _lines(wanted), _lines(said)
    return len(mine) == len(theirs) and all(_same_line(a, b) for a, b in zip(mine, theirs, strict=True))


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def _same_line(wanted: Sequence[str], said: Sequence[str]) -> bool:
    return len(wanted) == len(said) and all(a == b or _equal(a, b) for a, b in zip(wanted, said, strict=True))


def _equal(wanted: str, said: str) -> bool:
    if max(len(wanted), len(said)) > 100:
        return False
    try:
        return Decimal(wanted) == Decimal(said)
    except InvalidOperation:
        return False


def _cut(text: str) -> str:
    text = text.strip("\n")
    return repr(text if len(text) <= CUT else f"{text[:CUT]}…")


def cases_of(data: Any) -> tuple[Case, ...]:
    """Cases out of JSON data. Raises ``UsageError`` for data of another form."""
    rows = cast("list[Any]", data) if isinstance(data, list) else []
    if not rows or not all(isinstance(row, dict) and "input" in row and "output" in row for row in rows):
        raise UsageError(f"no cases: give {SHAPE}")
    return tuple(Case(str(row["input"]), str(row["output"])) for row in rows)


def from_file(path: str) -> StdinStdout:
    """The verifier of a file of cases (``stdin-stdout:FILE``). Raises ``UsageError`` when it holds none."""
    try:
        cases = cases_of(json.loads(Path(path).expanduser().read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the cases {path}: {plain(error)}; give {SHAPE}") from error
    except UsageError as error:
        raise UsageError(f"{path} holds {error}") from error
    return StdinStdout(cases, name=f"stdin-stdout:{path}")

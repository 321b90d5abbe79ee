"""The verifier ``python-tests``: tests run against a candidate's code, each in a sandbox of its own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...agents.formats import python_in
from ...core.errors import ToolError, UsageError, plain
from ...core.protocols import Context
from ...core.search import Candidate, Finding, Verdict
from ...core.task import Task
from ...tools.sandbox import Sandbox, sandbox
from .relay import Outcome, Trial, trial
from .shown import Shown, shown_in

NEARLY = 0.99
MOST_CODE = 200_000
"""Characters of code that are run."""


@dataclass(frozen=True)
class PythonTests:
    """Passed when every check of the tests holds and none was left out.

    ``tests`` is Python as HumanEval and MBPP have it: assertions, ``check(candidate)``, or functions ``test_…``.
    Without any, those are used that the question shows: lines of ``assert``, examples after ``>>>``, and examples such
    as ``f(2) == 3``. ``setup`` is what the task gives (imports, helpers): both processes have it. ``entry`` is the
    function under test, by default what the tests call.

    The code runs in one sandbox, the tests in a second; values cross as plain data, and objects stay where they are.
    The tests' process counts each assertion on a channel that the code does not have. What the code does to its own
    process (exit, hang, other built-ins, forged answers) can only fail it. The score is the share of assertions that
    hold. Findings quote them, unless the tests are ``hidden``: then they only say how many hold. A sandbox that breaks
    is an ``infra_error``; a question without tests leaves the candidate unscored.
    """

    tests: str = ""
    setup: str = ""
    entry: str = ""
    hidden: bool = False
    seconds: float = 10.0
    box: Sandbox | None = None
    name: str = "python-tests"

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` when there is no sandbox, or the tests are no Python."""
        if self.tests:
            _compiled(self.tests)
        self._box()

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Run the tests once. Raises ``UsageError`` when there is no sandbox."""
        shown = Shown(self.tests, self.setup, self.entry) if self.tests else shown_in(task.question)
        if not shown.tests:
            return self._unscored("The question shows no tests: write some in it, or name a file (python-tests:FILE).")
        code = candidate.artifact if isinstance(candidate.artifact, str) else ""
        code = code if task.language is not None else python_in(code)
        if not code.strip() or len(code) > MOST_CODE or "\0" in code:
            return self._failed(0.0, ["There is no code to run: give one program in a fenced ```python block."])
        asked = Trial(_clean(code), shown.tests, shown.setup, shown.entry, self.seconds)
        try:
            return self._verdict(await trial(self._box(), asked), shown)
        except ToolError as error:
            return Verdict("infra_error", None, (Finding("tests", None, str(error)),), self.name)

    def _box(self) -> Sandbox:
        return self.box or sandbox()

    def _verdict(self, outcome: Outcome, shown: Shown) -> Verdict:
        if outcome.kind == "broken":
            return self._unscored(f"The tests cannot be run: {outcome.why}")
        if outcome.kind == "stopped":
            share = outcome.held / max(1, shown.tests.count("assert"), outcome.held + 1)
            return self._failed(share, [outcome.why.partition(" at ")[0] + "." if self.hidden else outcome.why])
        report = outcome.report or {}
        if passes(report):
            return Verdict("passed", 1.0, (Finding("tests", 1.0, f"All {report['held']} checks hold."),), self.name)
        return self._failed(report["sound"] / max(1, report["sites"]), self._said(report))

    def _said(self, report: Mapping[str, Any]) -> list[str]:
        counted = f"{report['sound']} of {report['sites']} checks hold."
        if self.hidden:
            return [counted]
        more = [f"The tests ended early: {report['error']}"] if report["error"] else []
        none = ["The tests hold no check that was reached."] if not report["held"] and not report["failures"] else []
        return [*report["failures"], *more, *none, counted]

    def _failed(self, score: float, said: Sequence[str]) -> Verdict:
        score = min(NEARLY, score)
        findings = (Finding("tests", None if place else score, each) for place, each in enumerate(said))
        return Verdict("failed", score, tuple(findings), self.name)

    def _unscored(self, why: str) -> Verdict:
        return Verdict("unscored", None, (Finding("tests", None, why),), self.name)


def passes(report: Mapping[str, Any]) -> bool:
    """Whether a report of the tests' process says that all is well: some checks held, none was wrong or left out."""
    return report["held"] > 0 and not (report["wrong"] or report["unreached"] or report["error"])


def from_file(path: str) -> PythonTests:
    """The verifier of a file of tests (``python-tests:FILE``). Raises ``UsageError`` when it cannot be read."""
    try:
        tests = Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the tests {path}: {plain(error)}") from error
    _compiled(tests, path)
    return PythonTests(tests, name=f"python-tests:{path}")


def _compiled(tests: str, what: str = "the tests") -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tests, "tests.py", "exec")
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{what}: no Python ({error})") from error


def _clean(code: str) -> str:
    """Code that can be written down: half pairs of Unicode become question marks."""
    return code.encode(errors="replace").decode()

"""The verifier ``python-tests``: tests run against a candidate's code, each in a sandbox of its own."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...agents.formats import python_in
from ...core.errors import ToolError, Unjudgeable, UsageError, plain
from ...core.protocols import Context
from ...core.search import Candidate, Finding, Verdict
from ...core.task import Task
from ...tools.sandbox import Sandbox, sandbox
from .counting import is_test
from .relay import Outcome, Trial, trial
from .shown import Shown, shown_in

NO_TESTS = (
    "The question shows no tests: write some in it (a line 'assert f(1) == 2'), or name a file (python-tests:FILE)."
)
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
        """Raises ``UsageError`` when there is no sandbox, or the tests are no Python or hold no check that is run;
        ``Unjudgeable`` when it has none of its own and the question shows none."""
        if self.tests:
            _refuse(self.tests)
        elif not shown_in(task.question).tests:
            raise Unjudgeable(f"verifier {self.name}: {NO_TESTS}")
        self._box()

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Run the tests once. Raises ``UsageError`` when there is no sandbox."""
        shown = Shown(self.tests, self.setup, self.entry) if self.tests else shown_in(task.question)
        if not shown.tests:
            return self._unscored(NO_TESTS)
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
    """The verifier of a file of tests (``python-tests:FILE``). Raises ``UsageError`` when it cannot be read, is no
    Python or holds no check that is run."""
    try:
        tests = Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the tests {path}: {plain(error)}") from error
    _refuse(tests, path)
    return PythonTests(tests, name=f"python-tests:{path}")


def _refuse(tests: str, what: str = "the tests") -> None:
    """Raise ``UsageError`` for tests that no code could pass."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tests, what, "exec")
            tree = ast.parse(tests)
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}," if isinstance(error, SyntaxError) and error.lineno else ""
        raise UsageError(f"{what}{where} is no Python: {getattr(error, 'msg', error)}") from error
    if not _checks(tree):
        raise UsageError(
            f"{what}: there is no check in it that is run; write lines of assert, check(candidate) or functions test_… "
            "with assert in them (methods of unittest are not run)"
        )


def _checks(tree: ast.Module) -> bool:
    """Whether an assertion may be reached: not in a function or class that is no test and that nothing can name."""
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    dead = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not (node.decorator_list or {node.name, "globals", "vars", "locals"} & named)
        and not (isinstance(node, ast.FunctionDef) and is_test(node.name))
    ]
    return any(isinstance(each, ast.Assert) for node in tree.body if node not in dead for each in ast.walk(node))


def _clean(code: str) -> str:
    """Code that can be written down: half pairs of Unicode become question marks."""
    return code.encode(errors="replace").decode()

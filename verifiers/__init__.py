"""Verifiers by name, as functions, as shell commands, and chained.

``sql``, ``judge``, ``game24``, ``python-tests:FILE``, ``shell:./check.sh``, ``sql+judge``, ``judge:sql``,
``package.module:name``, or any object with ``name`` and ``async verify(task, candidate, context)``.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Verifier
from ..core.registry import load, resolve

KNOWN = {
    "sql": f"{__name__}.sql:SqlVerifier",
    "judge": f"{__name__}.judge:Judge",
    "oracle": f"{__name__}.oracle:Oracle",
    "math-answer": f"{__name__}.math_answer:MathAnswer",
    "graph-coloring": f"{__name__}.graph_coloring:GraphColoring",
    "game24": f"{__name__}.game24:Game24",
    "natural-plan": f"{__name__}.natural_plan:NaturalPlan",
    "steps": f"{__name__}.steps:Steps",
    "plangen": f"{__name__}.plangen:PlanGen",
    "python-tests": f"{__name__}.code.python_tests:PythonTests",
    "stdin-stdout": f"{__name__}.code.stdin_stdout:StdinStdout",
}
GOLDEN = ("oracle", "math-answer")
"""Those that compare with the right answer; both report under the name ``oracle``."""
WITH_ARGUMENT = {
    "judge": f"{__name__}.judge:hearing",
    "graph-coloring": f"{__name__}.graph_coloring:GraphColoring",
    "steps": f"{__name__}.steps:around",
    "plangen": f"{__name__}.plangen:with_argument",
    "python-tests": f"{__name__}.code.python_tests:from_file",
    "stdin-stdout": f"{__name__}.code.stdin_stdout:from_file",
}
"""What makes a verifier of what stands behind its name and a colon."""
FORMS = {
    "judge": "judge:VERIFIER",
    "graph-coloring": "graph-coloring:first or graph-coloring:none",
    "steps": "steps:VERIFIER",
    "plangen": "plangen:SCORE or plangen:judged",
    "python-tests": "python-tests:FILE",
    "stdin-stdout": "stdin-stdout:FILE",
    "shell": "shell:COMMAND",
}
"""How to write those with something behind a colon."""
NEEDY = ("stdin-stdout", "shell")
"""Those of them that do not go without."""


def make(wanted: Any, gold: Any = None) -> Verifier:
    """The verifier that ``wanted`` stands for: a name, a function, a verifier, or a sequence of them (a chain).

    ``gold`` goes to ``oracle`` and ``math-answer``, which both report as ``oracle``, and to no other. Raises
    ``UsageError`` when it stands for none, and when gold is given and nobody is named so.
    """
    verifier = _make(wanted, gold)
    if gold is not None and "oracle" not in _names(verifier):
        raise UsageError(
            f"gold is only for the verifier oracle, and this is {verifier.name}: add verify='oracle' (--verify oracle)"
        )
    return verifier


def _names(verifier: Verifier) -> set[str]:
    stages: tuple[Verifier, ...] = getattr(verifier, "stages", ())
    return {verifier.name}.union(*map(_names, stages))


def _make(wanted: Any, gold: Any) -> Verifier:
    if isinstance(wanted, (list, tuple)):
        from .chain import Chain

        return Chain(tuple(_make(each, gold) for each in wanted))  # type: ignore[reportUnknownVariableType]
    if isinstance(wanted, str):
        return _named(wanted, gold)
    if hasattr(wanted, "verify") and hasattr(wanted, "name"):
        return wanted
    if callable(wanted):
        from .function import Function

        return Function(wanted)
    raise UsageError(f"cannot verify with {wanted!r}: give a name, a function or an object with name and verify")


def _named(name: str, gold: Any) -> Verifier:
    if name.startswith("shell:"):
        from .shell import made as shell

        return shell(name.removeprefix("shell:"))
    if "+" in name:
        return _make([part.strip() for part in name.split("+")], gold)
    head, colon, argument = name.partition(":")
    if (name in GOLDEN and gold is None) or (head == "math-answer" and colon):
        raise UsageError(f"verifier {head!r} compares with the right answer: give it as gold (--gold)")
    if head in WITH_ARGUMENT and argument:
        return load(WITH_ARGUMENT[head])(argument)
    if name in NEEDY or (head in FORMS and colon):
        raise UsageError(f"verifier {name!r} lacks what it works with: give {FORMS[head]}")
    found: Any = resolve("verifier", name, KNOWN, ("shell:COMMAND", "none"))
    if not inspect.isclass(found):
        return _make(found, gold)
    made: Any = found
    try:
        return made(gold) if name in GOLDEN else made()
    except TypeError as error:
        raise UsageError(
            f"verifier {name!r} cannot be made by name alone: {error}; name an object that is made with it"
        ) from error

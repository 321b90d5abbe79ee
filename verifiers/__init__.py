"""Verifiers by name, as functions, as shell commands, and chained.

``sql``, ``judge``, ``shell:./check.sh``, ``sql+judge``, ``package.module:name``, or any object with ``name`` and
``async verify(task, candidate, context)``.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Verifier
from ..core.registry import resolve

KNOWN = {
    "sql": f"{__name__}.sql:SqlVerifier",
    "judge": f"{__name__}.judge:Judge",
    "oracle": f"{__name__}.oracle:Oracle",
}


def make(wanted: Any, gold: Any = None) -> Verifier:
    """The verifier that ``wanted`` stands for: a name, a function, a verifier, or a sequence of them (a chain).

    ``gold`` goes to the one named ``oracle`` and to no other. Raises ``UsageError`` when it stands for none, and when
    gold is given and nobody is named so.
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
        from .shell import Shell

        if not (command := name.removeprefix("shell:").strip()):
            raise UsageError("verifier 'shell:' has no command: give one, as in shell:./check.sh")
        return Shell(command)
    if "+" in name:
        return _make([part.strip() for part in name.split("+")], gold)
    if name == "oracle" and gold is None:
        raise UsageError("verifier 'oracle' compares with the right answer: give it as gold (--gold)")
    found: Any = resolve("verifier", name, KNOWN, ("shell:COMMAND", "none"))
    if not inspect.isclass(found):
        return _make(found, gold)
    made: Any = found
    try:
        return made(gold) if name == "oracle" else made()
    except TypeError as error:
        raise UsageError(f"verifier {name!r} cannot be made by name alone: {error}") from error

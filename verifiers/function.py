"""A plain function as a verifier: ``verify=my_function``."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from ..core.errors import UsageError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task
from .threads import in_thread


@dataclass(frozen=True)
class Function:
    """Calls ``function(answer)``; parameters named ``task`` or ``candidate`` get those.

    It returns a ``Verdict``, a bool (passed or failed), a number 0..1 (passed at 1), or (bool or number, message).
    Plain functions run in a thread, so they may block; one that blocks past a limit is left behind. One that raises is
    an infrastructure error, not a score.
    """

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    @cached_property
    def _signature(self) -> inspect.Signature | None:
        """What the function takes; none for some built-ins."""
        try:
            return inspect.signature(self.function)
        except ValueError:
            return None

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Call the function and read its answer."""
        args, kwargs = self._arguments(task, candidate)
        if inspect.iscoroutinefunction(self.function):
            said = await self.function(*args, **kwargs)
        else:
            said = await in_thread(self.function, *args, **kwargs)
        if inspect.isawaitable(said):  # an object with an async __call__
            said = await said
        return self._verdict(said)

    def _arguments(self, task: Task, candidate: Candidate) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Every parameter without a default gets the answer, save those named ``task`` and ``candidate``."""
        signature = self._signature
        if signature is None:
            return (candidate.answer,), {}
        given = {"task": task, "candidate": candidate}
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        wanted = OrderedDict(
            (p.name, given.get(p.name, candidate.answer))
            for p in signature.parameters.values()
            if p.name in given or (p.default is p.empty and p.kind not in variable)
        )
        bound = inspect.BoundArguments(signature, wanted)
        return (bound.args, bound.kwargs) if wanted else ((candidate.answer,), {})

    def _verdict(self, said: Any) -> Verdict:
        message = ""
        if isinstance(said, tuple) and len(said) == 2:  # type: ignore[reportUnknownArgumentType]
            said, message = said[0], str(said[1])  # type: ignore[reportUnknownVariableType]
        if isinstance(said, Verdict):
            return said
        number: Any = cast(Any, said)
        said = number.item() if hasattr(number, "item") else number  # numpy's numbers
        if not isinstance(said, (bool, int, float)) or not 0 <= said <= 1:
            raise UsageError(f"verifier {self.name} returned {said!r}: return a bool, a number 0..1 or a Verdict")
        findings = (Finding(self.name, float(said), message),) if message else ()
        return Verdict("passed" if said >= 1 else "failed", float(said), findings, self.name)

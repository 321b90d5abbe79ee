"""A plain function as a verifier: ``verify=my_function``."""

from __future__ import annotations

import inspect
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
    def _wanted(self) -> tuple[list[str], list[str]]:
        """The names of the parameters to fill, by place and by name; none for built-ins without a signature."""
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except ValueError:
            return [], []
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        named = ("task", "candidate")
        wanted = [p for p in parameters if p.name in named or (p.default is p.empty and p.kind not in variable)]
        by_place = [p.name for p in wanted if p.kind is p.POSITIONAL_ONLY]
        return by_place, [p.name for p in wanted if p.name not in by_place]

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

    def _arguments(self, task: Task, candidate: Candidate) -> tuple[list[Any], dict[str, Any]]:
        """Every parameter without a default gets the answer, save those named ``task`` and ``candidate``."""
        given = {"task": task, "candidate": candidate}
        by_place, by_name = self._wanted
        args = [given.get(name, candidate.answer) for name in by_place]
        kwargs = {name: given.get(name, candidate.answer) for name in by_name}
        return (args, kwargs) if args or kwargs else ([candidate.answer], {})

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

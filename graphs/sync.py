"""``solve`` and ``resume``: the async core, waited for."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..core.errors import VeriloopError
from ..core.protocols import Policy
from ..core.search import Result
from ..core.task import Task
from .portal import run
from .solve import aresume, asolve
from .strategies import Strategy


def solve(task: Task | str, *, strategy: str | Strategy | Policy | None = None, **options: Any) -> Result:
    """``asolve``, waited for; it takes the same options and also works inside a running event loop."""
    return _waited(asolve(task, strategy=strategy, **options))


def resume(run_id: str, **options: Any) -> Result:
    """``aresume``, waited for."""
    return _waited(aresume(run_id, **options))


def _waited(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return run(work)
    except VeriloopError as error:  # for people: without the frames of the thread behind
        raise error.with_traceback(None) from error.__cause__

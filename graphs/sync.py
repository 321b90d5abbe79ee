"""``solve`` and ``resume``: the async core, waited for."""

from __future__ import annotations

from typing import Any

from ..core.protocols import Policy
from ..core.search import Result
from ..core.task import Task
from .portal import run
from .solve import aresume, asolve
from .strategies import Strategy


def solve(task: Task | str, *, strategy: str | Strategy | Policy | None = None, **options: Any) -> Result:
    """``asolve``, waited for; it takes the same options and also works inside a running event loop."""
    return run(asolve(task, strategy=strategy, **options))


def resume(run_id: str, **options: Any) -> Result:
    """``aresume``, waited for."""
    return run(aresume(run_id, **options))

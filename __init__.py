"""veriloop: answers that are proposed, run, verified, refined and selected, under a budget that holds.

``solve`` and ``asolve`` are the entry; everything is imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.errors import VeriloopError
    from .core.messages import Image, Message, Text
    from .core.search import Candidate, Finding, Proposal, Result, Search, Verdict
    from .core.task import Limits, Task
    from .graphs.solve import aresume, asolve
    from .graphs.strategies import Strategy
    from .graphs.sync import resume, solve
    from .models.ask import ask

__all__ = [
    "Candidate",
    "Finding",
    "Image",
    "Limits",
    "Message",
    "Proposal",
    "Result",
    "Search",
    "Strategy",
    "Task",
    "Text",
    "Verdict",
    "VeriloopError",
    "aresume",
    "ask",
    "asolve",
    "resume",
    "solve",
]

_HOMES = {
    "core.messages": ("Image", "Message", "Text"),
    "core.search": ("Candidate", "Finding", "Proposal", "Result", "Search", "Verdict"),
    "core.task": ("Limits", "Task"),
    "core.errors": ("VeriloopError",),
    "graphs.solve": ("aresume", "asolve"),
    "graphs.strategies": ("Strategy",),
    "graphs.sync": ("resume", "solve"),
    "models.ask": ("ask",),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            globals()[name] = found = getattr(import_module(f".{home}", __name__), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

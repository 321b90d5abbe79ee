"""Which sandbox there is: bubblewrap, else Docker, else none (unless the user asks for none)."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from functools import lru_cache
from typing import Protocol

from ...core.errors import UsageError, meant
from .bubblewrap import Bubblewrap
from .docker import Docker
from .local import UnsafeLocal
from .protocol import Sandbox

KNOWN = ("auto", "bubblewrap", "docker")
UNSAFE: ContextVar[bool] = ContextVar("unsafe_local", default=False)
"""Whether the user has said for all that runs here that code may run without a sandbox."""
SETUP = {"bubblewrap": "install bubblewrap (apt install bubblewrap)", "docker": "set up Docker"}


class _Checked(Sandbox, Protocol):
    def trouble(self) -> str: ...


def sandbox(unsafe_local: bool = False, name: str = "", image: str = "") -> Sandbox:
    """The sandbox to use: the one of that ``name``, or (``auto``) the first that holds on this machine.

    Each is checked once in a process (that of bubblewrap takes some hundredths of a second). ``image`` is Docker's.
    What is left empty is taken from the settings (``sandbox``, ``sandbox_image``). With ``unsafe_local`` code runs with
    the user's own rights. Raises ``UsageError`` with what to do when none holds.
    """
    if not name or (not image and name != "bubblewrap"):
        from ...core.settings import load

        name, image = name or load().sandbox, image or load().sandbox_image
    if name not in KNOWN:
        raise UsageError(f"unknown sandbox {name!r}{meant(name, KNOWN)}; known: {', '.join(KNOWN)}")
    if unsafe_local or UNSAFE.get():
        return UnsafeLocal()
    tried: dict[str, _Checked] = {"bubblewrap": Bubblewrap(), "docker": Docker(image)}
    troubles: list[str] = []
    for each in KNOWN[1:] if name == "auto" else (name,):
        if not (trouble := _trouble(tried[each])):
            return tried[each]
        troubles.append(trouble.rstrip("."))
    usual = "bubblewrap" if sys.platform == "linux" else "docker"
    said = f"no sandbox for code that a model writes: {'; '.join(troubles)}"
    raise UsageError(
        f"{said}{'' if said.endswith('?') else '.'} To mend it, {SETUP[usual if name == 'auto' else name]}, "
        "or let it run with all your rights (--unsafe-local)"
    )


@lru_cache(maxsize=8)
def _trouble(one: _Checked) -> str:
    return one.trouble()

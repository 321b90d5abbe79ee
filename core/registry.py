"""Names to objects: a dict of dotted names, entry points of installed packages, or any ``package.module:Name``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from .errors import UsageError


def load(dotted: str) -> Any:
    """Import ``package.module:Name``. Raises ``UsageError`` with what is wrong with the name."""
    module, _, attribute = dotted.partition(":")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UsageError(f"cannot load {dotted!r}: {error}; give it as package.module:Name") from error
    return found


def resolve(kind: str, name: str, known: Mapping[str, str]) -> Any:
    """Find ``name`` among ``known`` (name to dotted path), the entry points ``veriloop.KIND``, or as an import path."""
    if name in known:
        return load(known[name])
    for entry in entry_points(group=f"veriloop.{kind}", name=name):
        return entry.load()
    if ":" in name:
        return load(name)
    raise UsageError(f"unknown {kind} {name!r}; known: {', '.join(sorted(known))}, or give package.module:Name")

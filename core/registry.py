"""Names to objects: a dict of dotted names, entry points of installed packages, or any ``package.module:Name``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from .errors import UsageError, meant, told


def load(dotted: str) -> Any:
    """Import ``package.module:Name``, also from the current folder.

    Raises ``UsageError`` with what is wrong with the name, or what the module raises while it is imported.
    """
    module, _, attribute = dotted.partition(":")
    try:
        found: Any = _import(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        said = " ".join((str(error) if isinstance(error, ImportError) else told(error)).split())
        raise UsageError(f"cannot load {dotted!r}: {said}; give it as package.module:Name") from error
    return found


def _import(module: str) -> ModuleType:
    """A command's ``sys.path`` lacks the current folder, so what is not found is looked for there too, last of all."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        if error.name != module.partition(".")[0] or here in sys.path:
            raise
    sys.path.append(here)
    try:
        return import_module(module)
    finally:
        sys.path.remove(here)


def resolve(kind: str, name: str, known: Mapping[str, str], more: Sequence[str] = ()) -> Any:
    """Find ``name`` among ``known`` (name to dotted path), the entry points ``veriloop.KIND``, or as an import path.

    ``more`` are names that the caller knows besides (``shell:COMMAND``). Raises ``UsageError``, with the name that may
    have been meant.
    """
    if name in known:
        return load(known[name])
    for entry in entry_points(group=f"veriloop.{kind}", name=name):
        return load(f"{entry.module}:{entry.attr}")
    if ":" in name:
        return _load_path(name, more)
    names = ", ".join((*sorted(known), *more))
    guess = meant(name, (*known, *more))
    raise UsageError(f"unknown {kind} {name!r}{guess}; known: {names}, or give package.module:Name")


def _load_path(name: str, more: Sequence[str]) -> Any:
    try:
        return load(name)
    except UsageError as error:
        heads = [each.partition(":")[0] for each in more if ":" in each]
        raise UsageError(f"{error}{meant(name.partition(':')[0], heads)}") from error.__cause__

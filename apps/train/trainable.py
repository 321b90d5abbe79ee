"""Which models can be trained, by name, and where their weights lie; nothing is loaded for that."""

from __future__ import annotations

from pathlib import Path

from veriloop.core.errors import UsageError
from veriloop.models.embedded import located
from veriloop.models.embedded.kinds import TEXT, kind
from veriloop.models.local.folder import check_folder, locate, takes_pictures

EMBEDDED, LOCAL = "embedded", "transformers"


def where(name: str) -> tuple[str, Path]:
    """The kind and the folder of a model that can be trained. Raises ``UsageError`` for any other."""
    provider, _, rest = name.partition(":")
    if provider == EMBEDDED and rest:
        folder = located(rest)
        if kind(folder) != TEXT:
            raise UsageError(f"{name} writes no plain text: hints go into texts, so there is nothing to learn for it")
        return EMBEDDED, folder
    if provider == LOCAL and rest:
        folder = locate(rest)
        if folder is None:
            raise UsageError(f"{name}: there is no folder {rest} and no such model on this machine; give a folder")
        check_folder(name, folder)
        if takes_pictures(folder):
            raise UsageError(f"{name} takes pictures: only models of texts can be trained here")
        return LOCAL, folder
    raise UsageError(f"{name!r} cannot be trained here: give transformers:FOLDER, embedded:NAME or embedded:FOLDER")

"""What the embedded models write: the kind in a model's config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.errors import UsageError, plain

SQL, TEXT, GAME24 = "sql", "text", "game24"
KINDS = (SQL, TEXT, GAME24)


def kind(folder: Path) -> str:
    """What the model of a folder writes; SQL where it does not say. Raises ``UsageError`` for anything else."""
    config = _config(folder)
    found = str(config.get("kind", SQL))
    if found not in KINDS:
        raise UsageError(f"{folder / 'config.json'}: the kind {found!r} is none of {', '.join(KINDS)}")
    return found


def foreign(folder: Path) -> bool:
    """Whether the folder is that of a model for transformers, whose config names its type."""
    return "model_type" in _config(folder)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"cannot read {path}: {plain(error)}") from error

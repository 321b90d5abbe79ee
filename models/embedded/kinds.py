"""What the embedded models write: the kind in a model's config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.errors import UsageError

SQL, TEXT = "sql", "text"


def kind(folder: Path) -> str:
    """What the model of a folder writes; SQL where it does not say. Raises ``UsageError`` for anything else."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    found = str(config.get("kind", SQL))
    if found not in (SQL, TEXT):
        raise UsageError(f"{folder / 'config.json'}: the kind {found!r} is none of {SQL}, {TEXT}")
    return found

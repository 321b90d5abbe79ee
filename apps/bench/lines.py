"""What benchmarks of one JSON-lines file share: finding it, reading it, and tasks with ids of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from veriloop.apps.bench.benchmark import Item
from veriloop.core.errors import UsageError, plain

Row = Mapping[str, Any]


def items_of(data: Path, file: str, fields: Sequence[str], item: Callable[[Row], Item]) -> list[Item]:
    """The tasks of a JSON-lines file (or of ``file`` in a folder), each with these fields.

    Raises ``UsageError`` for a file that is missing or of another kind, and for an id that is there twice.
    """
    path = data / file if data.is_dir() else data
    if not path.is_file():
        raise UsageError(f"there is no {path}: give the folder of {file}, or a file of its form")
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {plain(error)}") from error
    items = [item(_row(path, place, line, fields)) for place, line in enumerate(lines, 1) if line.strip()]
    ids = [each.id for each in items]
    if len(set(ids)) < len(ids):
        raise UsageError(f"{path}: the id {next(each for each in ids if ids.count(each) > 1)!r} is there twice")
    return items


def _row(path: Path, place: int, line: str, fields: Sequence[str]) -> Row:
    try:
        found: Any = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}, line {place}: it is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}, line {place}: it is not a JSON object but {line.strip()[:60]}")
    row = cast("dict[str, Any]", found)
    if missing := [field for field in ("id", *fields) if row.get(field) in (None, "")]:
        raise UsageError(f"{path}, line {place}: it has no {missing[0]}")
    return row

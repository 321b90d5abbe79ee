"""What an interpreter in a sandbox says it gave: a stranger's data, taken field by field."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any, cast

from ...core.excerpt import shortened
from ...core.messages import PICTURES
from ...core.wire import dumps

MOST_ARTIFACTS = 8
MOST_BYTES = 512 << 10
"""Bytes of all artifacts of a block, before base64."""
ROWS, COLUMNS, CELL = 200, 50, 500
MOST_TABLE = 192 << 10
"""Bytes of a table's rows, as JSON."""
MOST = 4 << 20
"""Bytes of a reply, several times what an honest one has: reading more would keep the host busy."""
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}")
_NAME = re.compile(r"(?!/)[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Reply:
    """What one block gave: whether it ended well, its text, and what it made."""

    number: int
    ok: bool
    text: str
    artifacts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    table: dict[str, Any] | None = None

    @property
    def output(self) -> dict[str, Any]:
        """As a tool's output: ``text``, and ``artifacts`` and ``table`` where there are any."""
        output: dict[str, Any] = {"text": self.text}
        if self.artifacts:
            output["artifacts"] = self.artifacts
        if self.table:
            output["table"] = self.table
        return output


def read(body: bytes) -> Reply | None:
    """The reply in a frame; none where it is no reply at all."""
    if len(body) > MOST:
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    fields = cast(dict[str, Any], said)
    number, text = fields.get("n"), fields.get("text")
    if not isinstance(number, int) or not isinstance(text, str):
        return None
    return Reply(number, fields.get("ok") is True, shortened(_sound(text)), _artifacts(fields), _table(fields))


def _sound(text: str) -> str:
    """Text that can be written down: no halves of characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _artifacts(said: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    room = MOST_BYTES
    given = said.get("artifacts")
    for each in cast(list[Any], given)[:MOST_ARTIFACTS] if isinstance(given, list) else []:
        if isinstance(each, dict) and (one := _artifact(cast(dict[str, Any], each), room)) is not None:
            room -= one["size"] if "data" in one else 0
            found.append(one)
    return found


def _artifact(said: dict[str, Any], room: int) -> dict[str, Any] | None:
    """``name``, ``media_type``, ``size`` and, unless it is too large, base64 ``data``; none for what is no artifact."""
    name, data, size = said.get("name"), said.get("data"), said.get("size")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name.split("/") or _sound(name) != name:
        return None
    if not isinstance(data, str):
        return {"name": name, "media_type": "", "size": size} if _size(size) else None
    try:
        content = b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(content) > room:
        return {"name": name, "media_type": "", "size": len(content)}
    return {
        "name": name,
        "media_type": _media_type(said.get("media_type"), content),
        "size": len(content),
        "data": data,
    }


def _size(said: object) -> bool:
    return type(said) is int and 0 <= said < 1 << 50


def _media_type(said: object, content: bytes) -> str:
    """What it is said to be; a picture must also begin like one."""
    kind = said if isinstance(said, str) and _MEDIA_TYPE.fullmatch(said) else "application/octet-stream"
    begins = PICTURES.get(kind)
    return kind if begins is None or begins.match(content) else "application/octet-stream"


def _table(said: dict[str, Any]) -> dict[str, Any] | None:
    table = said.get("table")
    if not isinstance(table, dict):
        return None
    fields = cast(dict[str, Any], table)
    columns, rows, count = fields.get("columns"), fields.get("rows"), fields.get("row_count")
    if not isinstance(columns, list) or not isinstance(rows, list) or not _size(count):
        return None
    names = [_sound(str(name))[:CELL] for name in cast(list[Any], columns)[:COLUMNS]]
    kept: list[list[Any]] = []
    room = MOST_TABLE
    for row in cast(list[Any], rows)[:ROWS]:
        if (one := _row(row, len(names))) is not None and (room := room - len(dumps(one))) >= 0:
            kept.append(one)
    return {"columns": names, "rows": kept, "row_count": count}


def _row(row: object, width: int) -> list[Any] | None:
    if not isinstance(row, list) or len(cast(list[Any], row)) != width:
        return None
    return [_cell(each) for each in cast(list[Any], row)]


def _cell(value: object) -> Any:
    if isinstance(value, str):
        return _sound(value)[:CELL]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, (bool, int)) else _sound(str(value))[:CELL]

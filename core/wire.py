"""The nouns as JSON and back. pydantic does the work and is imported on first use, so importing core stays light."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def encode(value: Any, kind: Any = None) -> Any:
    """``value`` as plain JSON data."""
    return _adapter(kind or _kind(value)).dump_python(value, mode="json")


def decode(kind: type[T], data: Any) -> T:
    """Plain JSON data as a ``kind`` again; raises ``ValueError`` when it does not fit."""
    return _adapter(kind).validate_python(data)


def to_bytes(value: Any) -> bytes:
    """A noun or plain JSON data as one line of JSON. Keys keep their order: a schema that is read back asks for its
    fields as it did before, and its request has the same hash."""
    if is_dataclass(value):
        return _adapter(_kind(value)).dump_json(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _kind(value: object) -> Any:
    return value.__class__


def dumps(data: Any) -> bytes:
    """Plain JSON data as one line of canonical bytes (sorted keys, so equal data has equal bytes)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

"""Values as plain data and back, between two processes of which one is a stranger's. Standard library only.

JSON as it is for None, bools, texts, floats, small integers and lists; anything else is an object with one key that
says what it is (``{"tuple": [...]}``). What is no plain data stays where it is and crosses as a handle
(``{"handle": 3}``). Nothing that is decoded runs code of the other side: an object arrives as a number, never as its
class.
"""

from __future__ import annotations

import datetime
import json
import os
from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any, cast

DEEP = 100
"""How far containers may stand in one another."""
LONG = 200_000
"""Items that are drawn from an iterator at most."""
SMALL = 1 << 53
Keep = Callable[[Any], int]

_LISTS: dict[type, str] = {tuple: "tuple", set: "set", frozenset: "frozenset", deque: "deque"}
_TEXTS: dict[type, str] = {
    Fraction: "fraction",
    Decimal: "decimal",
    datetime.datetime: "datetime",
    datetime.date: "date",
    datetime.time: "time",
}
_VIEWS: dict[type, str] = {KeysView: "keys", ItemsView: "items", ValuesView: "values"}


class TooDeep(ValueError):
    """Containers stand too deep in one another, or in themselves."""


def encode(value: Any, keep: Keep, deep: int = 0) -> Any:
    """``value`` as JSON data; ``keep`` puts away what is no plain data and gives the number of its handle.

    Raises ``TooDeep`` for a value that holds itself.
    """
    if deep > DEEP:
        raise TooDeep(f"it holds containers more than {DEEP} deep, or itself")

    def inner(each: Any) -> Any:
        return encode(each, keep, deep + 1)

    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float, str, complex, bytes, bytearray)):
        return _scalar(value)
    if isinstance(value, dict):
        return {"dict": [[inner(k), inner(v)] for k, v in value.items()]}  # type: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [inner(each) for each in value]  # type: ignore[reportUnknownVariableType]
    for kind, tag in _LISTS.items():
        if isinstance(value, kind):
            return {tag: [inner(each) for each in value]}
    return _rarer(value, inner, keep)


def _scalar(value: Any) -> Any:
    if isinstance(value, int):
        number = int(value)
        return number if -SMALL < number < SMALL else {"int": hex(number)}
    if isinstance(value, float):
        number = float(value)
        return number if number - number == 0 else {"float": repr(number)}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, complex):
        return {"complex": [_scalar(value.real), _scalar(value.imag)]}
    return {"bytes" if isinstance(value, bytes) else "bytearray": value.hex()}


def _rarer(value: Any, inner: Callable[[Any], Any], keep: Keep) -> Any:
    if isinstance(value, range):
        return {"range": [inner(value.start), inner(value.stop), inner(value.step)]}
    for kind, tag in _TEXTS.items():
        if isinstance(value, kind):
            return {tag: str(value) if tag in ("fraction", "decimal") else value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    for kind, tag in _VIEWS.items():
        if isinstance(value, kind):
            return {tag: [inner(each) for each in value]}
    if isinstance(value, Iterator):
        return {"iterator": [inner(each) for each in islice(value, LONG)]}  # type: ignore[reportUnknownVariableType]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return inner(value.tolist())
    return {"handle": keep(value), "type": type(value).__name__}


def decode(data: Any, held: Callable[[int, str], Any]) -> Any:
    """The value again; ``held`` gives what stands for a handle. Raises ``ValueError`` for what is not encoded so."""
    if isinstance(data, list):
        return [decode(each, held) for each in cast("list[Any]", data)]
    if not isinstance(data, dict):
        return data
    said = cast("dict[str, Any]", data)
    if "handle" in said:
        return held(int(said["handle"]), str(said.get("type", "object"))[:80])
    if len(said) != 1:
        raise ValueError("an object of several keys")
    ((tag, body),) = said.items()
    if tag not in MAKERS:
        raise ValueError(f"unknown kind {tag[:80]!r}")
    return MAKERS[tag](decode(body, held) if isinstance(body, list) else body)


def _values(items: Any) -> Any:
    """The view of the values of a dict."""
    return dict(enumerate(cast("list[Any]", items))).values()


MAKERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "complex": lambda parts: complex(*parts),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
    "dict": dict,
    "range": lambda parts: range(*parts),
    "fraction": Fraction,
    "decimal": Decimal,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
    "keys": lambda keys: dict.fromkeys(keys).keys(),
    "items": lambda pairs: dict(pairs).items(),
    "values": _values,
    "iterator": iter,
}


class Line:
    """Frames of JSON over two descriptors: 4 bytes of length (big-endian) and a body."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads = reads
        self.writes = writes

    def receive(self) -> Any:
        """The next frame. Raises ``EOFError`` at the end of the input."""
        return json.loads(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def send(self, data: Any) -> None:
        """Write one frame."""
        body = json.dumps(data, separators=(",", ":")).encode()
        rest = len(body).to_bytes(4, "big") + body
        while rest:
            rest = rest[os.write(self.writes, rest) :]

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = os.read(self.reads, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

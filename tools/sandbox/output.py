"""Output of a stranger: the head and the tail are kept while it is read, the rest is only counted."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

from .protocol import FRAME

CHUNK = 1 << 16


class Kept:
    """What is kept of a stream: half of ``limit`` bytes from its beginning, half from its end."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    @property
    def cut(self) -> bool:
        """Whether something is missing."""
        return self.total > len(self._head) + len(self._tail)

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self.total += len(data)
        if (room := self._half - len(self._head)) > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > self._half + CHUNK:
            del self._tail[: -self._half]

    def bytes(self) -> bytes:
        """All of it, or head and tail with a line between them."""
        if len(self._tail) > self._half:
            del self._tail[: -self._half]
        if not self.cut:
            return bytes(self._head + self._tail)
        missing = self.total - len(self._head) - len(self._tail)
        return b"%b\n[... %d bytes left out ...]\n%b" % (self._head, missing, self._tail)


class Split(Kept):
    """A stream in two parts: what comes before ``mark`` is kept like any, what comes after it whole (``rest``)."""

    def __init__(self, limit: int, mark: bytes, most: int) -> None:
        super().__init__(limit)
        self._mark = mark
        self.most = most
        self._held = b""
        self._after: bytearray | None = None

    def add(self, data: bytes) -> None:
        """Take the next bytes; the mark may lie across two of them."""
        if self._after is not None:
            if len(self._after) <= self.most:
                self._after += data
            return
        data = self._held + data
        at = data.find(self._mark)
        if at >= 0:
            self._held, self._after = b"", bytearray(data[at + len(self._mark) :])
            super().add(data[:at])
        else:
            keep = max(0, len(data) - len(self._mark) + 1)
            self._held = data[keep:]
            super().add(data[:keep])

    def bytes(self) -> bytes:
        """The part before the mark."""
        super().add(self._held)
        self._held = b""
        return super().bytes()

    def rest(self) -> builtins.bytes:
        """The part after the mark; nothing where it was too long."""
        after = self._after or b""
        return builtins.bytes(after) if len(after) <= self.most else b""


def returned(data: bytes, wanted: Sequence[str], most: int) -> dict[str, bytes]:
    """The files in frames (name, body, …) of a stranger: those with a plain name that was wanted."""
    found: dict[str, bytes] = {}
    parts = list(_frames(data))
    for raw, body in zip(parts[::2], parts[1::2], strict=False):
        with suppress(UnicodeDecodeError):
            name = raw.decode()
            plain = not name.startswith("/") and not {"", ".", ".."}.intersection(name.split("/")) and "\0" not in name
            if plain and any(fnmatchcase(name, glob) for glob in wanted) and (most := most - len(body)) >= 0:
                found[name] = body
    return found


def _frames(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + FRAME.size <= len(data):
        size = FRAME.unpack_from(data, at)[0]
        at += FRAME.size
        if at + size > len(data):
            return
        yield data[at : at + size]
        at += size


async def drain(stream: asyncio.StreamReader, kept: Kept, most: int) -> bool:
    """Read a stream to its end; true as soon as it gave more than ``most`` bytes."""
    while data := await stream.read(CHUNK):
        kept.add(data)
        if kept.total > most:
            return True
    return False

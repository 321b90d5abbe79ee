"""Output of a stranger: the head and the tail are kept while it is read, the rest is only counted."""

from __future__ import annotations

import asyncio

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


async def drain(stream: asyncio.StreamReader, kept: Kept, most: int) -> bool:
    """Read a stream to its end; true as soon as it gave more than ``most`` bytes."""
    while data := await stream.read(CHUNK):
        kept.add(data)
        if kept.total > most:
            return True
    return False

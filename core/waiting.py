"""Waiting for work: for what must be done, whoever is cancelled meanwhile, and for what is done once for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

R = TypeVar("R")


async def through(work: asyncio.Future[R]) -> R:
    """Wait for work that is short and must be done; who is cancelled meanwhile learns of it after that."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as error:
            if work.cancelled():
                raise
            cancelled = error
        except Exception:
            break
    if cancelled is not None:
        raise cancelled
    return work.result()


@dataclass
class _Piece:
    """A piece of work: whether it is done, what it gave, and how often it went wrong, the last time how."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: bool = False
    value: Any = None
    failures: int = 0
    fault: Exception | None = None


class Once:
    """Pieces of work that are done once, by whoever asks for them first."""

    def __init__(self) -> None:
        self._pieces: dict[str, _Piece] = {}

    async def do(self, key: str, make: Callable[[], Awaitable[R]]) -> R:
        """What ``make`` gives, or gave before. Who asks while it is made waits, and raises what it raises; when the one
        who makes it is cancelled, the next makes it instead."""
        piece = self._pieces.setdefault(key, _Piece())
        failures = piece.failures
        async with piece.turn:
            if piece.fault is not None and piece.failures > failures:
                raise piece.fault
            if not piece.done:
                try:
                    piece.value = await make()
                except Exception as error:
                    piece.failures, piece.fault = piece.failures + 1, error
                    raise
                piece.done = True
            return piece.value

"""Waiting for work that must be done, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import TypeVar

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

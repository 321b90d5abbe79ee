"""What the conformance suites of the seams share: a line for each promise, and the way in which it was broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Literal, NamedTuple


class Line(NamedTuple):
    """One promise: kept (``works``), not made and refused as it must be (``n/a``), or broken (``fails``)."""

    name: str
    outcome: Literal["works", "n/a", "fails"]
    detail: str


class Broken(Exception):
    """A promise that was not kept: how."""


def expect(kept: bool, how: str) -> None:
    """Raise ``Broken`` unless ``kept``."""
    if not kept:
        raise Broken(how)


async def lines(probes: Mapping[str, Callable[[], Awaitable[str]]]) -> list[Line]:
    """A line for each probe: it returns a detail, or raises. Never raises for what the probed thing does."""
    return [await _line(name, probe) for name, probe in probes.items()]


async def _line(name: str, probe: Callable[[], Awaitable[str]]) -> Line:
    try:
        return Line(name, "works", await probe())
    except Broken as broken:
        return Line(name, "fails", str(broken))
    except Exception as error:
        return Line(name, "fails", f"{type(error).__name__}: {error}")


async def cancelled(work: Coroutine[Any, Any, object]) -> str:
    """Cancel ``work`` shortly after its start; ``Broken`` when it is still running 2 s later."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0.02)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2.0)
    expect(bool(done), "still running 2 s after it was cancelled")
    if not task.cancelled():
        task.result()
        return "had already ended"
    return "cancelled"

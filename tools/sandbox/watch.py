"""What a tree of processes uses, read from ``/proc``: limits of the kernel hold for one process, these for all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.1
"""Seconds between two looks."""


SHARED = b"/dev/zero (deleted)"
"""How memory that processes share is named in their maps."""


class Use(NamedTuple):
    """Bytes of memory in use (shared pages count for each process), seconds of CPU time, processes."""

    memory: int = 0
    cpu: float = 0.0
    processes: int = 0


def use(pid: int) -> Use:
    """What ``pid`` and all below it use now; nothing when it is gone."""
    memory = processes = ticks = 0
    shared: dict[bytes, int] = {}
    waiting = [pid]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        with suppress(OSError, ValueError, IndexError):
            numbers = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, numbers[11:15]))
            space, resident = map(int, (folder / "statm").read_bytes().split()[:2])
            processes += 1
            try:
                shared |= _shared((folder / "maps").read_bytes())
                memory += resident * PAGE
            except PermissionError:  # it hides what it holds: then all that it may hold counts
                memory += space * PAGE
        with suppress(OSError, ValueError):
            for thread in os.listdir(folder / "task"):
                waiting += map(int, (folder / "task" / thread / "children").read_bytes().split())
    return Use(memory + sum(shared.values()), ticks / TICKS, processes)


def _shared(maps: bytes) -> dict[bytes, int]:
    """Memory that is shared, by inode, in bytes: it stays when the process is gone that has written it, and is no part
    of what others have in use, so it counts whole."""
    found: dict[bytes, int] = {}
    for line in maps.split(b"\n") if SHARED in maps else ():
        if line.endswith(SHARED):
            region, _, _, _, inode, *_ = line.split()
            start, end = (int(each, 16) for each in region.split(b"-"))
            found[inode] = found.get(inode, 0) + end - start
    return found

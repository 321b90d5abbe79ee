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


class Use(NamedTuple):
    """Bytes of memory in use (shared pages count for each process), seconds of CPU time, processes."""

    memory: int = 0
    cpu: float = 0.0
    processes: int = 0


def use(pid: int) -> Use:
    """What ``pid`` and all below it use now; nothing when it is gone."""
    memory = processes = ticks = 0
    waiting = [pid]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        with suppress(OSError, ValueError, IndexError):
            numbers = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, numbers[11:15]))
            memory += int((folder / "statm").read_bytes().split()[1]) * PAGE
            processes += 1
        with suppress(OSError, ValueError):
            for thread in os.listdir(folder / "task"):
                waiting += map(int, (folder / "task" / thread / "children").read_bytes().split())
    return Use(memory, ticks / TICKS, processes)

"""What the sandbox costs: 500 blocks of Python, 8 at a time, and what is left of them afterwards.

    python scripts/bench/sandbox.py [--json] [--blocks 500] [--at-once 8] [--strict]

Each block is one call of the tool ``python`` in a session of its own: a sandbox is made, an interpreter starts, a block
runs, all is taken down. The second figure has sessions of five blocks, as candidates have them. Afterwards there must
be no process, no mount and no file that was not there before. With --strict the exit status is 1 when the bar is
missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

BAR = 50.0
MARK = (64 << 20) + os.getpid()
"""Bytes that a file may have in our sandboxes alone: their processes are known by it, among those of others."""
CODE = "total = sum(n * n for n in range({number}, 1000))\nprint('the total is')\ntotal"


def there() -> dict[str, set[str]]:
    """Processes below this one and those of our sandboxes, mounts, files for some time, and open descriptors."""
    processes = {f"{pid} {_command(pid)}" for pid in os.listdir("/proc") if pid.isdigit() and _ours(pid)}
    mounts = set(Path("/proc/self/mountinfo").read_text().splitlines())
    files = {str(path) for folder in (tempfile.gettempdir(), "/dev/shm") for path in Path(folder).iterdir()}
    return {"processes": processes, "mounts": mounts, "files": files, "descriptors": set(os.listdir("/proc/self/fd"))}


def _ours(pid: str) -> bool:
    try:
        parent = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]
        limits = Path("/proc", pid, "limits").read_text()
        command = Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False
    return int(parent) == os.getpid() or str(MARK) in limits or f"--fsize={MARK}".encode() in command


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:80]
    except OSError:
        return ""


async def session(number: int, blocks: int) -> None:
    """Blocks in one session."""
    from veriloop.core.messages import ToolCall
    from veriloop.tools.python import PythonTool
    from veriloop.tools.python.tool import SESSION

    opened = await PythonTool(bounds=replace(SESSION, file_bytes=MARK)).open()
    try:
        for each in range(blocks):
            run = await opened.act(ToolCall("python", {"code": CODE.format(number=number + each)}))
            expected = sum(n * n for n in range(number + each, 1000))
            if run.error or run.output != {"text": f"the total is\n{expected}"}:
                raise SystemExit(f"a block gave {run}")
    finally:
        await opened.close()


async def rate(blocks: int, at_once: int, each: int) -> float:
    """Blocks a second, in sessions of ``each``."""
    free = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with free:
            await session(number, each)

    await one(0)
    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(blocks // each)))
    return blocks / (time.perf_counter() - started)


def measure(blocks: int, at_once: int) -> dict[str, Any]:
    """The one line."""
    from veriloop.tools.sandbox import sandbox

    name = sandbox().name
    before = there()
    alone = asyncio.run(rate(blocks, at_once, 1))
    in_fives = asyncio.run(rate(blocks, at_once, 5))
    time.sleep(0.2)
    left = {what: len(now - before[what]) for what, now in there().items()}
    return {
        "what": f"{blocks} blocks, {at_once} at a time, {name}",
        "blocks_a_second": round(alone, 1),
        "in_sessions_of_five": round(in_fives, 1),
        "left": left,
        "bar": f">= {BAR:g} a second, nothing left",
        "met": alone >= BAR and not any(left.values()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    found = measure(args.blocks, args.at_once)
    print(json.dumps(found) if args.json else "  ".join(f"{key} {value}" for key, value in found.items()))
    sys.exit(int(args.strict and not found["met"]))


if __name__ == "__main__":
    main()

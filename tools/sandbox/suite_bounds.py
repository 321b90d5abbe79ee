"""Checks of a sandbox's limits: code that uses too much, or will not go."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial

from ...core.conformance import expect
from .bait import alive
from .protocol import PYTHON, Bounds, Ended, Sandbox
from .temptations import HIDDEN

MIB = 1 << 20
SMALL = Bounds(seconds=15.0, memory=256 * MIB, processes=24, file_bytes=4 * MIB, disk_bytes=16 * MIB)
LATE = 3.0
"""Seconds after its time within which a tree must be gone."""

SPIN = "while True: pass"
CHILDREN = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        break
while True: pass
"""
MEMORY = """
try:
    block = bytearray(1 << 30)
except MemoryError:
    print('refused')
"""
TOGETHER = """
import os, sys, time
for _ in range(7):
    if os.fork() == 0:
        break
try:
    block = bytearray(150 << 20)
except MemoryError:
    pass
time.sleep(10)
print('all were there at once')
"""
FORKS = """
import os, time
count = 0
for _ in range(300):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
    except OSError:
        break
print(count)
"""
BOMB = """
import os
for _ in range(10):
    try:
        os.fork()
    except OSError:
        pass
"""
THREADS = """
import threading, time
count = 0
try:
    for _ in range(300):
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        count += 1
except (RuntimeError, MemoryError):
    pass
print(count, flush=True)
import os
os._exit(0)
"""
FILL = """
import os, sys
written = 0
block = b'x' * (1 << 20)
try:
    for folder in sys.argv[1:]:
        for number in range(80):
            name = os.path.join(folder, f'fill-{number}')
            try:
                with open(name, 'wb') as file:
                    written += file.write(block)
            except OSError:
                if os.path.exists(name):
                    os.unlink(name)
                break
finally:
    print(written)
"""
ONE_FILE = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
written = 0
try:
    with open('big', 'wb', buffering=0) as file:
        for _ in range(64):
            written += file.write(b'x' * (1 << 20))
except OSError:
    pass
print(written)
"""
OPEN = """
import os
count = 0
try:
    for _ in range(5000):
        os.open('/dev/null', os.O_RDONLY)
        count += 1
except OSError:
    pass
print(count)
"""
CORE = """
import os, resource
try:
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))
except (ValueError, OSError):
    pass
os.abort()
"""
RAISE = """
import resource
for name in ('AS', 'CPU', 'FSIZE', 'NOFILE', 'CORE'):
    number = getattr(resource, 'RLIMIT_' + name)
    try:
        resource.setrlimit(number, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        continue
    if resource.getrlimit(number)[1] == resource.RLIM_INFINITY:
        raise SystemExit(f'{name} was raised')
print('cannot be raised')
"""
LINGER = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
    time.sleep(20)
print('started', flush=True)
time.sleep(float(sys.argv[2]))
"""
ZOMBIES = """
import os, time
for _ in range(10):
    if os.fork() == 0:
        os._exit(0)
time.sleep(0.1)
print('left')
"""


def bounds_of(sandbox: Sandbox) -> dict[str, Callable[[], Awaitable[str]]]:
    """The checks, by name."""
    suite = _Suite(sandbox)
    return {
        "time": suite.time,
        "time of children": suite.time_of_children,
        "cpu time": suite.cpu,
        "cpu time of children": suite.cpu_of_children,
        "memory": suite.memory,
        "memory of many": suite.memory_of_many,
        **{f"memory in {name}": partial(suite.hidden, code) for name, code in HIDDEN.items()},
        "processes": suite.processes,
        "fork bomb": suite.fork_bomb,
        "threads": suite.threads,
        "disk": suite.disk,
        "one file": suite.one_file,
        "open files": suite.open_files,
        "core dump": suite.core,
        "limits cannot be raised": suite.raised,
        "what is left running": suite.left,
        "zombies": suite.zombies,
        "cancel": suite.cancel,
        "cancel at once": suite.cancel_at_once,
    }


async def gone(mark: str) -> bool:
    """Whether no process with this mark on its command line is left, within a second."""
    for _ in range(20):
        if not alive(mark):
            return True
        await asyncio.sleep(0.05)
    return False


class _Suite:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def _run(self, code: str, *given: str, bounds: Bounds = SMALL) -> Ended:
        return await self.sandbox.run([PYTHON, "-I", "-S", "-c", code, *given], bounds=bounds)

    async def _count(self, code: str, *given: str) -> int:
        done = await self._run(code, *given)
        expect(done.stdout.strip().isdigit(), f"it ended with {done.status} {done.why} {done.stderr[-200:]!r}")
        return int(done.stdout)

    async def time(self) -> str:
        started = time.perf_counter()
        done = await self._run("import time; time.sleep(60)", bounds=Bounds(seconds=1.0))
        taken = time.perf_counter() - started
        expect((done.why, done.status) == ("time", None), f"a run out of time gave {done.status} {done.why!r}")
        expect(taken < 1.0 + LATE, f"a run of at most 1 s took {taken:.1f} s")
        return f"ended after {taken:.2f} s of 1"

    async def time_of_children(self) -> str:
        mark = secrets.token_hex(8)
        done = await self._run(LINGER, mark, "60", bounds=Bounds(seconds=1.0))
        expect(done.why == "time", f"it ended with {done.status} {done.why!r}")
        expect(await gone(mark), "a grandchild in a session of its own outlived the time")
        return "children and grandchildren went with it"

    async def cpu(self) -> str:
        done = await self._run(SPIN, bounds=Bounds(seconds=20.0, cpu_seconds=1.0))
        expect(done.why == "cpu" or done.status in (137, 152), f"it ended with {done.status} {done.why!r}")
        return f"ended after {done.seconds:.1f} s"

    async def cpu_of_children(self) -> str:
        done = await self._run(CHILDREN, bounds=Bounds(seconds=20.0, cpu_seconds=1.0))
        expect(done.why == "cpu" or done.status in (137, 152), f"it ended with {done.status} {done.why!r}")
        return f"4 processes ended after {done.seconds:.1f} s"

    async def memory(self) -> str:
        done = await self._run(MEMORY)
        expect(done.why == "memory" or done.status == 137 or b"refused" in done.stdout, "1 GiB was given of 256 MiB")
        return "refused" if done.stdout else "killed"

    async def memory_of_many(self) -> str:
        done = await self._run(TOGETHER)
        expect(b"all" not in done.stdout, "8 processes had 150 MiB each where one may have 256")
        return f"{done.why or done.status} after {done.seconds:.1f} s"

    async def hidden(self, code: str) -> str:
        done = await self._run(code, bounds=Bounds(seconds=15.0, memory=96 * MIB, disk_bytes=16 * MIB))
        expect(b"held" not in done.stdout, "more than 300 MiB were held where one process may have 96")
        return done.why or f"refused, status {done.status}"

    async def processes(self) -> str:
        count = await self._count(FORKS)
        expect(count <= SMALL.processes, f"{count} processes where {SMALL.processes} are allowed")
        return f"{count} of {SMALL.processes}"

    async def fork_bomb(self) -> str:
        mark = secrets.token_hex(8)
        done = await self._run(f"{BOMB}\nimport time; time.sleep(60)", mark, bounds=Bounds(seconds=1.0, processes=24))
        expect(done.why in ("time", "cpu", "memory"), f"it ended with {done.status} {done.why!r}")
        expect(await gone(mark), "some of it are still there")
        return f"ended after {done.seconds:.1f} s, none left"

    async def threads(self) -> str:
        count = await self._count(THREADS)
        expect(count <= SMALL.processes, f"{count} threads where {SMALL.processes} are allowed")
        return f"{count} of {SMALL.processes}"

    async def disk(self) -> str:
        written = await self._count(FILL, ".", "/tmp", "/dev/shm", "/var/tmp", "/run", "/dev", "/")
        most = SMALL.disk_bytes + 16 * MIB
        expect(written <= most, f"{written >> 20} MiB were written where {SMALL.disk_bytes >> 20} are allowed")
        return f"{written >> 20} of {SMALL.disk_bytes >> 20} MiB"

    async def one_file(self) -> str:
        written = await self._count(ONE_FILE)
        expect(written <= SMALL.file_bytes, f"a file of {written >> 20} MiB where {SMALL.file_bytes >> 20} are allowed")
        return f"{written >> 20} of {SMALL.file_bytes >> 20} MiB"

    async def open_files(self) -> str:
        count = await self._count(OPEN)
        expect(count < 2000, f"{count} files were open at once")
        return f"{count} at once"

    async def core(self) -> str:
        done = await self.sandbox.run([PYTHON, "-I", "-S", "-c", CORE], bounds=SMALL, wanted=["*"])
        expect(done.status == 134, f"it ended with {done.status} {done.why!r}")
        expect(not done.files, f"it left {list(done.files)}")
        return "none"

    async def raised(self) -> str:
        done = await self._run(RAISE)
        expect(done.status == 0, done.stderr.decode(errors="replace").strip())
        return done.stdout.decode(errors="replace").strip()

    async def left(self) -> str:
        mark = secrets.token_hex(8)
        done = await self._run(LINGER, mark, "0")
        expect(done.status == 0, f"it ended with {done.status} {done.why!r}")
        expect(await gone(mark), "what it started in the background is still there")
        return "what it started in the background went with it"

    async def zombies(self) -> str:
        done = await self._run(ZOMBIES)
        expect(done.stdout == b"left\n", f"it ended with {done.status} {done.why!r}")
        return "10 left, none stays"

    async def cancel(self) -> str:
        return await self._cancelled(0.5)

    async def cancel_at_once(self) -> str:
        for wait in (0.0, 0.002, 0.01):
            await self._cancelled(wait)
        return "while it starts: cancelled, none left"

    async def _cancelled(self, wait: float) -> str:
        mark = secrets.token_hex(8)
        task = asyncio.create_task(self._run(LINGER, mark, "60"))
        await asyncio.sleep(wait)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=LATE)
        expect(bool(done) and task.cancelled(), f"cancelled after {wait:g} s it was not over {LATE:g} s later")
        expect(await gone(mark), "processes of a cancelled run are still there")
        return "cancelled, none left"

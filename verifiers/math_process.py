"""Whether two LaTeX answers are the same, asked of math-verify in a process that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..core.errors import ToolError, UsageError

WORKER = Path(__file__).with_name("math_worker.py")
SECONDS = 5
"""What reading an answer may take, and comparing two."""
PATIENCE = 3 * SECONDS + 1.0
START_SECONDS = 60.0
HINT = "comparing LaTeX needs math-verify: pip install 'veriloop[math]'"


class MathProcess:
    """One warm process per event loop, which is killed and started anew when a comparison takes too long.

    It ends with ``close``, or when the loop shuts down as ``asyncio.run`` does it.
    """

    def __init__(self) -> None:
        self._desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()

    async def same(self, gold: str, answer: str) -> bool:
        """Whether two answers are the same; false for what cannot be read, or not in time.

        Raises ``UsageError`` when math-verify is not installed, ``ToolError`` when no process can be started.
        """
        ready()
        loop = asyncio.get_running_loop()
        if loop not in self._desks:
            self._desks[loop] = desk = _Desk()
            await anext(desk.keeper)
        return await self._desks[loop].same(gold, answer)

    async def close(self) -> None:
        """End the process of this loop."""
        if desk := self._desks.pop(asyncio.get_running_loop(), None):
            await desk.keeper.aclose()


class _Desk:
    """The process of one loop, asked by one at a time."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.process: Process | None = None
        self.keeper = self._keep()

    async def _keep(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.stop()

    async def same(self, gold: str, answer: str) -> bool:
        async with self.turn:
            process = self.process = await self._alive()
            said: dict[str, Any] = {}
            try:
                async with asyncio.timeout(PATIENCE):
                    said = await _ask(process, {"gold": gold, "answer": answer})
            except (TimeoutError, EOFError, OSError):
                return False
            finally:
                if not said:
                    await self.stop()
            return said["same"] is True

    async def _alive(self) -> Process:
        if self.process is not None and self.process.returncode is None:
            return self.process
        return await _start()

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            await _kill(process)


async def _start() -> Process:
    command = (sys.executable, "-I", str(WORKER), str(os.getpid()), str(SECONDS))
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", start_new_session=True
        )
    except OSError as error:
        raise ToolError(f"cannot start the process that compares answers: {error}") from error
    said: Any = None
    try:
        async with asyncio.timeout(START_SECONDS):
            said = await _line(process)
    except (TimeoutError, EOFError, OSError) as error:
        raise ToolError("the process that compares answers did not start") from error
    finally:
        if said != {}:
            await _kill(process)
    if said:
        raise UsageError(f"{HINT} ({said['fault']})")
    return process


async def _ask(process: Process, what: object) -> Any:
    assert process.stdin
    process.stdin.write(json.dumps(what).encode() + b"\n")
    await process.stdin.drain()
    return await _line(process)


async def _line(process: Process) -> Any:
    assert process.stdout
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return json.loads(line)


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    with suppress(OSError):
        await process.communicate()


def ready() -> None:
    """Raises ``UsageError`` when math-verify is not installed."""
    if find_spec("math_verify") is None:
        raise UsageError(HINT)


@lru_cache(maxsize=1)
def shared() -> MathProcess:
    """The one that all verifiers ask, so that each loop starts one process."""
    return MathProcess()

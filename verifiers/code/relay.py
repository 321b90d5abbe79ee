"""Runs tests in one sandbox against code in another, and carries what they say to each other.

The report comes from the tests' process alone. Of the code's process nothing is believed: its frames go to the tests as
the answers to what they asked, and to nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ...core.errors import ToolError
from ...tools.sandbox import PYTHON, Bounds, Ended, Inside, Sandbox

MOST_ANSWER = 4 << 20
"""Bytes of one answer of the code."""
START_SECONDS = 20.0
GRACE = 2.0
INSIDE = ("plain", "candidate", "checks", "counting", "proof")
HERE = Path(__file__).parent

_desks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True)
class Trial:
    """Code, what the task gives with it (``setup``), and tests of the function ``entry`` (empty: as the tests call it).
    ``seconds`` is the time for all of it, ``memory`` bytes for each process."""

    code: str
    tests: str
    setup: str = ""
    entry: str = ""
    seconds: float = 10.0
    memory: int = 512 << 20


@dataclass(frozen=True)
class Outcome:
    """``done``: the tests ran to their end, and ``report`` is theirs. ``stopped``: the code did something that ended
    them. ``broken``: the tests themselves cannot be run. ``why`` says what, ``held`` how many checks held before."""

    kind: Literal["done", "stopped", "broken"]
    why: str = ""
    report: Mapping[str, Any] | None = None
    held: int = 0


class _Stop(Exception):
    """The code has ended the trial."""


def desk() -> asyncio.Semaphore:
    """As many trials at once as there are processors: what waits for one must not run out of its time."""
    return _desks.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(max(1, os.cpu_count() or 1)))


async def trial(box: Sandbox, what: Trial) -> Outcome:
    """Run the tests on the code. Raises ``ToolError`` when a sandbox breaks or the tests' process dies by itself."""
    async with desk(), AsyncExitStack() as stack:
        bounds = Bounds(
            seconds=START_SECONDS + what.seconds, cpu_seconds=START_SECONDS + what.seconds, memory=what.memory
        )
        try:
            async with asyncio.TaskGroup() as both:  # neither is left behind when the other does not start
                code = both.create_task(started(box, stack, "candidate", bounds))
                tests = both.create_task(started(box, stack, "checks", bounds))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return await _Relay(code.result(), tests.result(), what).run()


async def started(box: Sandbox, stack: AsyncExitStack, program: str, bounds: Bounds) -> Inside:
    """One of the programs that run inside, until the stack is left."""
    files = {f"inside/{name}.py": (HERE / f"{name}.py").read_bytes() for name in INSIDE} | {"inside/__init__.py": b""}
    run = f"import sys; sys.path.insert(0, ''); from inside.{program} import main; main()"
    inside = await box.start([PYTHON, "-I", "-c", run], files=files, bounds=bounds)
    stack.push_async_callback(inside.close)
    return inside


class _Relay:
    def __init__(self, code: Inside, tests: Inside, what: Trial) -> None:
        self.code, self.tests, self.what = code, tests, what
        self.held = 0
        self.at = ""
        self.end = 0.0

    async def run(self) -> Outcome:
        try:
            await self._load()
            return await self._test()
        except _Stop as stop:
            return Outcome("stopped", str(stop), held=self.held)

    async def _load(self) -> None:
        """Load the code. Raises ``_Stop`` when that fails."""
        try:
            await self.code.send(json.dumps({"setup": self.what.setup, "code": self.what.code}).encode())
            await self._heard(START_SECONDS)
            said = _parsed(await self._heard(self.what.seconds))
        except EOFError:
            raise await self._died("while it was loaded") from None
        if "raised" in said:
            raise _Stop(f"The code cannot be loaded: {_raised(said['raised'])}.")
        if "ready" not in said:
            raise _Stop("The code wrote on the channel of its process.")
        self.end = time.monotonic() + self.what.seconds

    async def _test(self) -> Outcome:
        order = {"tests": self.what.tests, "setup": self.what.setup, "entry": self.what.entry}
        try:
            await self.tests.send(json.dumps(order).encode())
            while True:
                said = json.loads(await self.tests.receive(self._left() + GRACE))
                if "report" in said:
                    return _outcome(said["report"])
                self.held, self.at = said["held"], said["at"]
                await self.tests.send(await self._answer(json.dumps(said["ask"]).encode()))
        except (TimeoutError, EOFError) as error:
            raise await self._tests_died(error) from None

    async def _answer(self, asked: bytes) -> bytes:
        try:
            await self.code.send(asked)
            return await self._heard(self._left())
        except EOFError:
            raise await self._died(f"at {self.at}") from None

    async def _heard(self, seconds: float) -> bytes:
        try:
            answer = await self.code.receive(seconds)
        except TimeoutError:
            where = f" at {self.at}" if self.at else " while it was loaded"
            raise _Stop(f"The code did not end within {self.what.seconds:g} s{where}.") from None
        if len(answer) > MOST_ANSWER:
            raise _Stop(f"The code gave more than {MOST_ANSWER >> 20} MB at {self.at}.")
        return answer

    def _left(self) -> float:
        return max(0.1, self.end - time.monotonic())

    async def _died(self, where: str) -> _Stop:
        """What the end of the code's process says. It closed its channel, or it ended itself."""
        return _Stop(f"The code's process ended {where}{_how(await self.code.close())}.")

    async def _tests_died(self, error: Exception) -> Exception:
        """The tests' process ended early, by what the code gave it to compare, or by itself."""
        ended = await self.tests.close()
        if isinstance(error, TimeoutError) or ended.why in ("time", "cpu", "memory", "output"):
            return _Stop(
                f"The tests came to no end with what the code gave, at {self.at or 'their start'}{_how(ended)}."
            )
        said = ended.stdout[-300:].decode(errors="replace").strip()
        return ToolError(f"the process that runs the tests ended early{_how(ended)} {said}".strip())


def _how(ended: Ended) -> str:
    reasons = {"memory": ": it used too much memory", "output": ": it wrote too much", "": "", "closed": ""}
    if ended.why in reasons and ended.why in ("memory", "output"):
        return reasons[ended.why]
    if ended.why in ("time", "cpu"):
        return ": its time was over"
    return f" (status {ended.status})" if ended.status is not None else ""


def _parsed(answer: bytes) -> Mapping[str, Any]:
    """A frame of the code's process, which may be anything."""
    try:
        found: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}  # type: ignore[reportUnknownVariableType]


def _raised(said: Any) -> str:
    """An exception of the code's process in words; its form is not relied on."""
    try:
        kind, text, line = str(said["kinds"][0])[:80], " ".join(str(said["text"]).split())[:300], int(said["line"])
    except (KeyError, IndexError, TypeError, ValueError):
        return "it says no reason"
    return f"it raises {kind}: {text}" + (f" (line {line})" if line else "")


def _outcome(report: Mapping[str, Any]) -> Outcome:
    if "broken" in report:
        return Outcome("broken", report["broken"])
    if "violated" in report:
        return Outcome("stopped", f"The code's process did not answer as a function does: {report['violated']}.")
    return Outcome("done", report=report, held=report["held"])

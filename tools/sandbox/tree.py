"""A process tree of a sandbox under way: its streams, its time, its end. The backends share it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from ...core.errors import ToolError
from ...core.waiting import through
from . import watch
from .output import Kept, drain
from .protocol import FRAME, LOUD, MOST_FRAME, Bounds, Ended, Why

KILL_SECONDS = 10.0
REST_SECONDS = 2.0
"""What is left in the pipes of a dead tree is read at once, unless a process that fled holds them open."""
TREE_MEMORY = 2
"""All processes of a tree together may hold so many times what one may."""
SPLIT = 'exec 3>&2 2>&1; exec "$@"'
"""For /bin/sh, of a started process: what the host reads as standard error becomes the control channel."""


class _Streams(SubprocessStreamProtocol):
    """Tells of the process's end at once; ``Process.wait`` may wait for its pipes, which others may hold."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(1 << 16, loop)
        self.exited = asyncio.Event()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Input that is not read to its end is no fault; older Pythons would log it as one that nobody looked at."""
        super().pipe_connection_lost(fd, None if fd == 0 else exc)

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class Tree:
    """One tree. A backend says how to kill all of it, which process is its root, and whether the sandbox broke."""

    def __init__(self, process: Process, exited: asyncio.Event) -> None:
        self.process = process
        self.exited = exited
        self.root = process.pid
        self.watched = True
        self._ending: asyncio.Future[None] | None = None

    async def kill(self) -> None:
        """Kill all of it; nothing is left on return."""
        self.kill_first()
        await self.exited.wait()

    def kill_first(self) -> None:
        """Kill the process that we started. Its own ``kill`` would ask for its status and take it from the loop."""
        if not self.exited.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    def errors(self, limit: int) -> Kept:
        """What keeps standard error."""
        return Kept(limit)

    async def files(self) -> dict[str, bytes]:
        """The files that were wanted, after the end."""
        return {}

    def broke(self, said: str) -> str:
        """Why the sandbox itself failed, if it did; ``said`` is what came on standard error."""
        return ""

    def status(self) -> int:
        """The exit status, after the end."""
        status = self.process.returncode or 0
        return status if status >= 0 else 128 - status

    async def end(self) -> None:
        """``kill`` once, whoever asks for it or cancels meanwhile. Raises ``ToolError`` where it cannot be done."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())
        await through(self._ending)

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(KILL_SECONDS):
                await self.kill()
        except TimeoutError as error:
            raise ToolError(f"a sandboxed process tree could not be killed in {KILL_SECONDS:g} s") from error

    def drop(self) -> None:
        """Close our ends of the pipes."""
        self.process._transport.close()  # type: ignore[reportPrivateUsage]


T = TypeVar("T", bound=Tree)


async def opened(starting: Coroutine[Any, Any, T]) -> T:
    """A tree that is started in full, then killed where that was cancelled meanwhile."""
    work = asyncio.ensure_future(starting)
    try:
        return await through(work)
    except asyncio.CancelledError:
        if not work.cancelled() and not work.exception():
            await work.result().end()
            work.result().drop()
        raise


async def spawn(
    make: Callable[[Process, asyncio.Event], T],
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    fds: Sequence[int] = (),
    cwd: str = "/",
) -> T:
    """Start ``command`` with pipes. Raises ``OSError``. To be called under ``opened``: asyncio may lose a process that
    it is cancelled over (python/cpython#103847)."""
    loop = asyncio.get_running_loop()
    transport, streams = await loop.subprocess_exec(
        lambda: _Streams(loop),
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=env,
        cwd=cwd,
        pass_fds=fds,
        start_new_session=True,
    )
    return make(Process(transport, streams, loop), streams.exited)


async def over(tree: Tree, bounds: Bounds, started: float) -> Why:
    """Watch a tree until it has used too much: for what."""
    while True:
        left = bounds.seconds - (time.perf_counter() - started)
        if left <= 0:
            return "time"
        await asyncio.sleep(min(left, watch.EVERY))
        if not tree.watched:
            continue
        now = watch.use(tree.root)
        if now.cpu > bounds.cpu_seconds:
            return "cpu"
        if now.memory > TREE_MEMORY * bounds.memory:
            return "memory"


async def complete(tree: Tree, stdin: bytes, bounds: Bounds, started: float) -> Ended:
    """A command to its end. Raises ``ToolError`` when the sandbox broke."""
    out, err = Kept(bounds.output_bytes), tree.errors(bounds.output_bytes)
    process = tree.process
    assert process.stdout
    assert process.stderr
    most = LOUD * bounds.output_bytes
    reading = [asyncio.ensure_future(drain(process.stdout, out, most))]
    reading += [asyncio.ensure_future(drain(process.stderr, err, most))]
    feed(process, stdin)
    try:
        why = await first(tree, over(tree, bounds, started), reading)
        await tree.end()
        await settled(reading)
        files = {} if why else await tree.files()
    finally:
        await tree.end()
        await settled(reading)
        tree.drop()
    return replace(ended(tree, out, err, why, time.perf_counter() - started), files=files)


async def first(tree: Tree, watching: Any, reading: Sequence[asyncio.Task[bool]]) -> Why:
    """What comes first: the end of the process (no reason), or a reason to kill the tree."""
    exited, too_much = asyncio.ensure_future(tree.exited.wait()), asyncio.ensure_future(watching)
    waiting: set[asyncio.Future[Any]] = {exited, too_much, *reading}
    try:
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if exited in done:
                return ""
            if any(task in done and task.result() for task in reading):
                return "output"
            if too_much in done:
                return too_much.result()
    finally:
        exited.cancel()
        too_much.cancel()


async def settled(reading: Sequence[asyncio.Future[Any]], *others: asyncio.Future[Any]) -> None:
    """After the end: read what is still in the pipes."""
    for task in others:
        task.cancel()
    if reading:
        _, late = await asyncio.wait(reading, timeout=REST_SECONDS)
        for task in late:
            task.cancel()
    await asyncio.gather(*reading, *others, return_exceptions=True)


def ended(tree: Tree, out: Kept, err: Kept, why: Why, seconds: float) -> Ended:
    """The whole story. Raises ``ToolError`` when the sandbox broke."""
    if not why and (fault := tree.broke(err.bytes().decode(errors="replace").strip())):
        raise ToolError(f"the sandbox failed: {fault}")
    status = None if why else tree.status()
    return Ended(status, out.bytes(), err.bytes(), why, seconds, cut=out.cut or err.cut)


def feed(process: Process, data: bytes) -> None:
    """Give all of ``data``, of which as much is written as is read, and then the end of the input."""
    assert process.stdin
    if data:
        process.stdin.write(data)
    process.stdin.close()


class Talk:
    """``Inside`` on a tree: frames go to its standard input and come from its standard error.

    A launcher inside has made that descriptor ``CONTROL``, and standard error one with standard output.
    """

    def __init__(self, tree: Tree, bounds: Bounds, started: float) -> None:
        self._tree = tree
        self._started = started
        self._out = Kept(bounds.output_bytes)
        self._said = Kept(4096)
        self._why: Why = ""
        self._size: int | None = None
        self._ended: Ended | None = None
        assert tree.process.stdout
        self._reading = asyncio.ensure_future(drain(tree.process.stdout, self._out, LOUD * bounds.output_bytes))
        self._guarding = asyncio.ensure_future(self._guard(bounds))
        self._closing = asyncio.Lock()

    async def _guard(self, bounds: Bounds) -> None:
        self._why = await first(self._tree, over(self._tree, bounds, self._started), [self._reading])
        await self._tree.end()

    async def send(self, data: bytes) -> None:
        """See ``Inside``."""
        if len(data) > MOST_FRAME:
            raise ValueError(f"a frame is at most {MOST_FRAME} bytes long, not {len(data)}")
        stdin = self._tree.process.stdin
        assert stdin
        try:
            if self._tree.exited.is_set() or stdin.is_closing():
                raise BrokenPipeError
            stdin.write(FRAME.pack(len(data)) + data)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            await self._exit()
            raise EOFError("the sandboxed process does not listen any more") from error

    async def receive(self, seconds: float) -> bytes:
        """See ``Inside``. A ``TimeoutError`` loses nothing: the frame can be asked for again."""
        control = self._tree.process.stderr
        assert control
        try:
            async with asyncio.timeout(seconds):
                size = self._size
                if size is None:
                    head = await control.readexactly(FRAME.size)
                    self._said.add(head)
                    self._size = size = int(FRAME.unpack(head)[0])
                if size > MOST_FRAME:
                    raise EOFError("the sandboxed process wrote what is no frame")
                body = await control.readexactly(size)
        except asyncio.IncompleteReadError as error:
            self._said.add(error.partial)
            await self._exit()
            raise EOFError("the sandboxed process has ended") from error
        self._size = None
        return body

    async def _exit(self) -> None:
        """One that hangs up is about to end: a moment for its status to come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._tree.exited.wait()

    async def close(self) -> Ended:
        """See ``Inside``. Raises ``ToolError`` when it turns out that the sandbox broke."""
        async with self._closing:
            if self._ended is None:
                self._ended = await self._close()
        return self._ended

    async def _close(self) -> Ended:
        if not self._tree.exited.is_set() and not self._why:
            self._why = "closed"
        self._guarding.cancel()
        try:
            await self._tree.end()
        finally:
            await self._rest()
            await settled([self._reading], self._guarding)
            self._tree.drop()
        return ended(self._tree, self._out, self._said, self._why, time.perf_counter() - self._started)

    async def _rest(self) -> None:
        """What is left on the control channel: how the sandbox complains of itself."""
        control = self._tree.process.stderr
        assert control
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while data := await control.read(1 << 16):
                    self._said.add(data)

"""A tree in namespaces of its own: heard of by bubblewrap, killed by its first process, its files read from a pipe."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress

from ...core.errors import ToolError
from .output import returned
from .tree import Tree

START_SECONDS = 20.0
OVERHEAD = 1 << 20


async def readable(fd: int) -> None:
    """Wait until there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(fd)


class Collected:
    """Reads a channel on which a stranger writes files, while he does it."""

    def __init__(self, fd: int, wanted: Sequence[str], most: int) -> None:
        self.fd = fd
        self.wanted = wanted
        self.most = most
        self._reading = asyncio.ensure_future(self._read()) if fd >= 0 else None
        if self._reading:  # closed only when the loop does not watch it any more: its number is soon another's
            self._reading.add_done_callback(lambda _: os.close(fd))

    async def _read(self) -> bytes:
        data, total = bytearray(), 0
        while part := await _some(self.fd):
            total += len(part)
            if total <= self.most + OVERHEAD:
                data += part
        return bytes(data)

    async def files(self) -> dict[str, bytes]:
        """What came, after the end."""
        return returned(await self._reading, self.wanted, self.most) if self._reading else {}

    def close(self) -> None:
        if self._reading:
            self._reading.cancel()


async def _some(fd: int) -> bytes:
    await readable(fd)
    return os.read(fd, 1 << 16)


class Namespace(Tree):
    """A tree in a process namespace: when its first process is gone, so are all."""

    def __init__(self, process: Process, exited: asyncio.Event, told: int, collected: Collected) -> None:
        super().__init__(process, exited)
        self._told = told
        self._collected = collected
        self._heard = b""
        self._init = -1
        self._complaint = ""

    async def ready(self) -> None:
        """Learn which process is the first. When there is none, ``broke`` will say why."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while b"\n" not in self._heard and b"}" not in self._heard and await self._listen():
                    pass
                with suppress(ValueError, KeyError, ProcessLookupError):
                    self.root = json.loads(self._heard.split(b"\n")[0])["child-pid"]
                    self._init = os.pidfd_open(self.root)
                await self._gate()
        except BaseException as error:
            await self.end()
            self.drop()
            if isinstance(error, TimeoutError):
                raise ToolError(f"bubblewrap did not start within {START_SECONDS:g} s") from error
            raise

    async def _gate(self) -> None:
        """Let it pass where it waits: by then all its parents have asked to die with us."""
        stdin, errors = self.process.stdin, self.process.stderr
        assert stdin
        assert errors
        try:
            await errors.readuntil(b"\0")
        except asyncio.IncompleteReadError as error:
            self._complaint = error.partial.decode(errors="replace").strip()
        stdin.write(b"\n")

    async def _listen(self) -> bool:
        await readable(self._told)
        data = os.read(self._told, 4096)
        self._heard += data
        return bool(data)

    async def kill(self) -> None:
        """The first process takes all others with it; it is gone only after them."""
        if self._init >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
            await readable(self._init)
            os.close(self._init)
            self._init = -1
        else:
            self.kill_first()
        await self.exited.wait()
        while self._told >= 0 and await self._listen():
            pass

    async def files(self) -> dict[str, bytes]:
        return await self._collected.files()

    def drop(self) -> None:
        super().drop()
        self._collected.close()
        if self._told >= 0:
            os.close(self._told)
            self._told = -1

    def broke(self, said: str) -> str:
        """bwrap tells an exit status only of a command that it came to start."""
        if b"exit-code" in self._heard:
            return ""
        return said or self._complaint or "bubblewrap ended before it started the command"

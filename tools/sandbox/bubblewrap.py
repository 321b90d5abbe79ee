"""The sandbox ``bubblewrap``: namespaces of the Linux kernel, without a daemon.

Nothing of the host is there but ``/usr`` and the interpreter's folders, read-only. Started by root, the code runs under
a user id of its own that owns nothing; started by another user, in a user namespace.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...core.errors import ToolError
from . import seccomp
from .paths import ENVIRONMENT, TEMP, WORK, folders, named
from .protocol import DEFAULT, NOTHING, Bounds, Ended
from .tree import Talk, Tree, complete, spawn

START_SECONDS = 20.0
DEVICES = ("null", "zero", "full", "random", "urandom")
SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts")
FIRST_USER, USERS = 2_000_000_000, 100_000_000
"""User ids that nobody has, one for each tree: limits of a user then are limits of the tree."""
COLLECT = Path(__file__).with_name("collect.py")
SPLIT = 'exec 3>&2 2>&1; exec "$@"'
"""A started process: what the host reads as standard error becomes the control channel."""
AFTER = 'p=$1 c=$2; shift 2; "$@"; exec "$p" -I -S -E /collect.py "$c" "$?"'


@dataclass(frozen=True)
class Bubblewrap:
    """Runs commands under the ``bwrap`` at ``program``. See ``Sandbox``."""

    program: str = "bwrap"
    name: str = "bubblewrap"

    async def run(
        self,
        command: Sequence[str],
        *,
        files: Mapping[str, bytes | str] = NOTHING,
        stdin: bytes = b"",
        bounds: Bounds = DEFAULT,
        wanted: Sequence[str] = (),
    ) -> Ended:
        """See ``Sandbox``."""
        started = time.perf_counter()
        tree = await self._launch(command, files, bounds)
        return await complete(tree, stdin, bounds, started)

    async def start(
        self, command: Sequence[str], *, files: Mapping[str, bytes | str] = NOTHING, bounds: Bounds = DEFAULT
    ) -> Talk:
        """See ``Sandbox``."""
        started = time.perf_counter()
        tree = await self._launch(["/bin/sh", "-c", SPLIT, "sh", *command], files, bounds)
        return Talk(tree, bounds, started)

    async def _launch(self, command: Sequence[str], files: Mapping[str, bytes | str], bounds: Bounds) -> _Namespace:
        with ExitStack() as ours:
            told, tell = os.pipe2(os.O_CLOEXEC)
            ours.callback(os.close, tell)
            fds = [tell]
            arguments = [self.program, "--json-status-fd", str(tell), *self._walls, *_room(bounds)]
            for flags, content in _given(files):
                fds.append(_memory(content))
                ours.callback(os.close, fds[-1])
                arguments += [str(fds[-1]) if each == "FD" else each for each in flags]
            if self._filter:
                fds.append(_memory(self._filter))
                ours.callback(os.close, fds[-1])
                arguments += ["--seccomp", str(fds[-1])]
            arguments += ["--remount-ro", "/", "--chdir", WORK, "--", *_limits(bounds), *command]
            try:
                tree = await spawn(lambda p, e: _Namespace(p, e, told), arguments, env=ENVIRONMENT, fds=fds)
            except OSError as error:
                os.close(told)
                raise ToolError(f"cannot start {self.program}: {error}") from error
            except BaseException:
                with suppress(OSError):
                    os.close(told)
                raise
        await tree.ready()
        return tree

    @cached_property
    def _filter(self) -> bytes:
        return seccomp.program()

    @cached_property
    def _walls(self) -> list[str]:
        """The arguments that are the same every time."""
        walls = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        walls += ["--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        if os.geteuid() == 0:  # only to become another user, which loses them
            walls += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            walls += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
        walls += ["--dir", "/dev", "--dir", "/etc", "--ro-bind", "/usr", "/usr", "--proc", "/proc"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):
            if os.path.islink(f"/{name}"):
                walls += ["--symlink", f"usr/{name}", f"/{name}"]
            elif os.path.isdir(f"/{name}"):
                walls += ["--ro-bind", f"/{name}", f"/{name}"]
        for device in DEVICES:
            walls += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        walls += ["--symlink", "/proc/self/fd", "/dev/fd", "--symlink", f"{TEMP}/.shm", "/dev/shm"]
        for path in SYSTEM:
            walls += ["--ro-bind-try", path, path]
        for path in folders():
            for parent in reversed(Path(path).parents[:-1]):
                walls += ["--dir", str(parent)]
            walls += ["--ro-bind", path, path]
        return walls


def _room(bounds: Bounds) -> list[str]:
    """The one place that can be written to."""
    room = ["--perms", "1777", "--size", str(bounds.disk_bytes), "--tmpfs", TEMP]
    return [*room, "--perms", "1777", "--dir", f"{TEMP}/.shm", "--perms", "0777", "--dir", WORK]


def _limits(bounds: Bounds) -> list[str]:
    """What goes before the command, inside: another user for root, then the kernel's limits for each process."""
    limits: list[str] = []
    if os.geteuid() == 0:
        user = FIRST_USER + secrets.randbelow(USERS)
        limits = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    cpu = int(bounds.cpu_seconds) + 1
    limits += ["prlimit", f"--as={bounds.memory}", f"--cpu={cpu}:{cpu + 1}", f"--fsize={bounds.file_bytes}"]
    return [*limits, f"--nproc={bounds.processes}", "--nofile=256", "--core=0", "--memlock=65536", "--msgqueue=0"]


def _given(files: Mapping[str, bytes | str]) -> list[tuple[list[str], bytes]]:
    """The arguments for each file, and its bytes; ``FD`` stands for its descriptor."""
    given: list[tuple[list[str], bytes]] = []
    made = {WORK}
    for name, content in named(files).items():
        flags: list[str] = []
        path = Path(WORK) / name
        for parent in reversed(path.parents):
            if str(parent).startswith(f"{WORK}/") and str(parent) not in made:
                made.add(str(parent))
                flags += ["--perms", "0777", "--dir", str(parent)]
        given.append(([*flags, "--perms", "0666", "--file", "FD", str(path)], content))
    return given


def _memory(content: bytes) -> int:
    """A descriptor from which ``content`` can be read; no file of the host."""
    fd = os.memfd_create("sandbox", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


async def _readable(fd: int) -> None:
    """Wait until there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(fd)


class _Namespace(Tree):
    """A tree in a process namespace: when its first process is gone, so are all."""

    def __init__(self, process: Process, exited: asyncio.Event, told: int) -> None:
        super().__init__(process, exited)
        self._told = told
        self._heard = b""
        self._init = -1

    async def ready(self) -> None:
        """Learn which process is the first. When there is none, ``broke`` will say why."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while b"\n" not in self._heard and b"}" not in self._heard and await self._listen():
                    pass
            with suppress(ValueError, KeyError, ProcessLookupError):
                first = json.loads(self._heard.split(b"\n")[0])["child-pid"]
                self._init = os.pidfd_open(first)
                self.root = first
        except BaseException as error:
            await self.end()
            self.drop()
            if isinstance(error, TimeoutError):
                raise ToolError(f"bubblewrap did not start within {START_SECONDS:g} s") from error
            raise

    async def _listen(self) -> bool:
        await _readable(self._told)
        data = os.read(self._told, 4096)
        self._heard += data
        return bool(data)

    async def kill(self) -> None:
        """The first process takes all others with it; it is gone only after them."""
        if self._init >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
            await _readable(self._init)
            os.close(self._init)
            self._init = -1
        elif not self.exited.is_set():
            with suppress(ProcessLookupError):
                self.process.kill()
        await self.exited.wait()
        if self._told >= 0:
            while await self._listen():
                pass
            os.close(self._told)
            self._told = -1

    def broke(self, said: str) -> str:
        """bwrap tells an exit status only of a command that it came to start."""
        return "" if b"exit-code" in self._heard else said or "bubblewrap ended before it started the command"

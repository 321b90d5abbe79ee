"""The sandbox ``bubblewrap``: namespaces of the Linux kernel, without a daemon.

Nothing of the host is there but ``/usr`` and the interpreter's folders, read-only. Started by root, the code runs under
a user id of its own that owns nothing; started by another user, in a user namespace.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import subprocess
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from ...core.errors import ToolError
from . import inside, seccomp
from .backend import Backend
from .namespace import START_SECONDS, Collected, Namespace
from .paths import ENVIRONMENT, TEMP, WORK, folders, named
from .protocol import DEFAULT, PYTHON, Bounds
from .tree import SPLIT, spawn

DEVICES = ("null", "zero", "full", "random", "urandom")
SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts")
FIRST_USER, USERS = 2_000_000_000, 100_000_000
"""User ids that nobody has, one for each tree: limits of a user then are limits of the tree."""
PROGRAM = "/sandbox.py"
GATE = "printf '\\000' >&2; read -r _ || exit 125"
"""Begins what runs inside: it says that it is there and waits for a line. bwrap asks to die with its parent only some
milliseconds after it started; one whose parent was killed by then would live on, but never gets this line."""
PLAIN = 'exec "$@"'
FD = "FD"
FACTS = """
import os
names = {line.split(":")[0].strip() for line in list(open("/proc/net/dev"))[2:]}
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
seen = [f"it runs as user {os.getuid()}"] if os.getuid() == 0 else []
seen += [f"there is a network device {n}" for n in names - {"lo"}]
seen += ["it has powers of root"] if int(lines["CapEff"], 16) or lines["NoNewPrivs"].strip() != "1" else []
seen += [f"there is a process {n} of the host" for n in os.listdir("/proc") if n.isdigit() and int(n) > 9]
seen += [f"there is {n}" for n in ("/home", "/sys", "/var", "/run") if os.path.exists(n)]
print(*seen or ["apart"], sep=", ")
"""
"""What is looked at before a sandbox is trusted with anything; the conformance suite looks at far more."""


@dataclass(frozen=True)
class Bubblewrap(Backend):
    """Runs commands under the ``bwrap`` at ``program``. See ``Sandbox``."""

    program: str = "bwrap"
    name: str = "bubblewrap"

    def trouble(self) -> str:
        """Why it cannot work on this machine, in a line; empty when a command runs and finds nothing of the host.

        Blocks for a few hundredths of a second.
        """
        if not shutil.which(self.program):
            return "bubblewrap is not installed"
        command = [*self._walls, *_room(DEFAULT), "--remount-ro", "/", "--chdir", WORK, "--", *_limits(DEFAULT)]
        try:
            done = subprocess.run(
                [self.program, *command, PYTHON, "-I", "-S", "-c", FACTS],
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=START_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap cannot be started: {error}"
        if done.returncode or done.stdout != b"apart\n":
            said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())
            return f"bubblewrap does not hold here: {said or f'it ended with status {done.returncode}'}"
        return ""

    async def launch(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes | str],
        bounds: Bounds,
        wanted: Sequence[str] = (),
        control: bool = False,
    ) -> Namespace:
        """See ``Backend``."""
        given = _given(files)
        with ExitStack() as theirs, ExitStack() as ours:
            told, tell = _pipe(ours, theirs)
            collected, collect = _pipe(ours, theirs) if wanted else (-1, -1)
            fds = [fd for fd in (tell, collect) if fd >= 0]
            arguments = [self.program, "--json-status-fd", str(tell), *self._walls, *_room(bounds)]
            for flags, content in given:
                fds.append(_memory(content, theirs))
                arguments += [str(fds[-1]) if each is FD else each for each in flags]
            if self._filter:
                fds.append(_memory(self._filter, theirs))
                arguments += ["--seccomp", str(fds[-1])]
            if wanted:
                arguments += ["--ro-bind", inside.__file__, PROGRAM]
                command = _then_collect(command, collect, wanted, bounds)
            arguments += [
                "--remount-ro",
                "/",
                "--chdir",
                WORK,
                "--",
                "/bin/sh",
                "-c",
                f"{GATE}; {SPLIT if control else PLAIN}",
                "sh",
            ]
            arguments += [*_limits(bounds), *command]

            def made(process: Process, exited: asyncio.Event) -> Namespace:
                ours.pop_all()  # the tree closes them
                return Namespace(process, exited, told, Collected(collected, wanted, bounds.disk_bytes))

            try:
                tree = await spawn(made, arguments, env=ENVIRONMENT, fds=fds)
            except OSError as error:
                raise ToolError(f"cannot start {self.program}: {error}") from error
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
        return walls


@cache
def _python() -> list[str]:
    """The interpreter's folders, to be read."""
    bound: list[str] = []
    for path in folders():
        for parent in reversed(Path(path).parents[:-1]):
            bound += ["--dir", str(parent)]
        bound += ["--ro-bind", path, path]
    return bound


def _room(bounds: Bounds) -> list[str]:
    """The one place that can be written to, and above it the interpreter, which may lie in the host's /tmp."""
    room = ["--perms", "1777", "--size", str(bounds.disk_bytes), "--tmpfs", TEMP]
    room += ["--perms", "1777", "--dir", f"{TEMP}/.shm", "--perms", "0777", "--dir", WORK]
    return [*room, *_python()]


def _limits(bounds: Bounds) -> list[str]:
    """What goes before the command, inside: another user for root, then the kernel's limits for each process."""
    limits: list[str] = []
    if os.geteuid() == 0:
        user = FIRST_USER + secrets.randbelow(USERS)
        limits = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"]
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
        given.append(([*flags, "--perms", "0666", "--file", FD, str(path)], content))
    return given


def _then_collect(command: Sequence[str], channel: int, wanted: Sequence[str], bounds: Bounds) -> list[str]:
    program = [PYTHON, "-I", "-S", "-E", PROGRAM, "collect", str(channel)]
    script = f'"$@"; exec {shlex.join(program)} "$?" {bounds.disk_bytes} {shlex.join(wanted)}'
    return ["/bin/sh", "-c", script, "sh", *command]


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """A pipe: the end that we read and the one that they write to."""
    read, write = os.pipe2(os.O_CLOEXEC)
    ours.callback(os.close, read)
    theirs.callback(os.close, write)
    return read, write


def _memory(content: bytes, owner: ExitStack) -> int:
    """A descriptor from which ``content`` can be read; no file of the host."""
    fd = os.memfd_create("sandbox", os.MFD_CLOEXEC)
    owner.callback(os.close, fd)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd

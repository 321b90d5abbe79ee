"""The sandbox ``docker``: a container for each command, of an image that has a ``python3``, always removed."""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ToolError
from . import inside
from .backend import Backend
from .local import limits
from .output import Kept, Split, returned
from .paths import ENVIRONMENT, TEMP, WORK, named
from .protocol import FRAME, PYTHON, Bounds
from .tree import TREE_MEMORY, Tree, spawn

IMAGE = "python:3.12-slim"
START_SECONDS = 60.0
LOOK_SECONDS = 10.0
GRACE = 2
"""Seconds that the container's own clock waits longer than ours."""


@dataclass(frozen=True)
class Docker(Backend):
    """Runs commands in containers of ``image``, which must be there already: nothing is pulled. See ``Sandbox``.

    ``folder`` is the work folder in the container. ``PYTHON`` stands for the image's ``python3``.
    """

    image: str = IMAGE
    program: str = "docker"
    folder: str = WORK
    name: str = "docker"

    def trouble(self) -> str:
        """Why it cannot work on this machine, in a line; empty when a daemon answers and has the image."""
        if not shutil.which(self.program):
            return "docker is not installed"
        try:
            done = subprocess.run(
                [self.program, "image", "inspect", "--format", "{{.Id}}", self.image],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LOOK_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"docker cannot be asked: {error}"
        if not done.returncode:
            return ""
        said = " ".join(done.stderr.decode(errors="replace").split())
        if "No such" in said:
            return f"docker has no image {self.image} (docker pull {self.image})"
        return f"docker has no daemon that answers: {said}"

    def command(self, container: str, bounds: Bounds, mark: bytes) -> list[str]:
        """The command line of one container. Its time is bounded inside, too, should veriloop be killed."""
        memory = str(TREE_MEMORY * bounds.memory + bounds.disk_bytes)
        command = [self.program, "run", "--rm", "--interactive", "--pull", "never", "--name", container]
        command += ["--network", "none", "--read-only", "--cap-drop", "ALL"]
        command += ["--security-opt", "no-new-privileges", "--user", "65534:65534", "--hostname", "sandbox"]
        command += ["--pids-limit", str(bounds.processes + 1), "--memory", memory, "--memory-swap", memory]
        command += ["--ulimit", "core=0", "--ulimit", "nofile=256", "--shm-size", "16m", "--log-driver", "none"]
        command += ["--tmpfs", f"{TEMP}:rw,nosuid,nodev,size={bounds.disk_bytes},mode=1777", "--workdir", TEMP]
        for name, value in {**ENVIRONMENT, "PATH": "/usr/local/bin:/usr/bin:/bin"}.items():
            command += ["--env", f"{name}={value}"]
        source = Path(inside.__file__).read_text()
        return [*command, self.image, "python3", "-I", "-S", "-E", "-c", source, "serve", mark.hex()]

    async def launch(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes | str],
        bounds: Bounds,
        wanted: Sequence[str] = (),
        control: bool = False,
    ) -> _Container:
        """See ``Backend``."""
        given = named(files)
        container, mark = f"veriloop-{secrets.token_hex(8)}", secrets.token_bytes(16)
        order = {
            "command": ["python3" if part == PYTHON else part for part in command],
            "files": list(given),
            "folder": self.folder,
            "limits": limits(bounds),
            "seconds": math.ceil(bounds.seconds) + GRACE,
            "control": control,
            "wanted": list(wanted),
            "most": bounds.disk_bytes,
        }

        def made(process: Process, exited: asyncio.Event) -> _Container:
            return _Container(
                process, exited, self.program, container, Split(bounds.output_bytes, mark, bounds.disk_bytes), wanted
            )

        try:
            tree = await spawn(made, self.command(container, bounds, mark), env=dict(os.environ))
        except OSError as error:
            raise ToolError(f"cannot start {self.program}: {error}") from error
        await tree.ready([json.dumps(order).encode(), *given.values()], mark)
        return tree


class _Container(Tree):
    """A container: removed by name, whatever became of the client that started it."""

    def __init__(
        self,
        process: Process,
        exited: asyncio.Event,
        program: str,
        container: str,
        kept: Split,
        wanted: Sequence[str],
    ) -> None:
        super().__init__(process, exited)
        self.watched = False  # the client is no part of the tree; the daemon holds it to its limits
        self._program = program
        self._container = container
        self._kept = kept
        self._wanted = wanted
        self._removed = False
        self._noise = ""

    async def ready(self, order: Sequence[bytes], mark: bytes) -> None:
        """Give the order, and wait until the command is about to start."""
        control, stdin = self.process.stderr, self.process.stdin
        assert control
        assert stdin
        try:
            async with asyncio.timeout(START_SECONDS):
                with suppress(BrokenPipeError, ConnectionResetError):
                    for frame in order:
                        stdin.write(FRAME.pack(len(frame)) + frame)
                        await stdin.drain()
                await control.readuntil(mark)
        except BaseException as error:
            await self.end()
            self.drop()
            if isinstance(error, asyncio.IncompleteReadError):
                said = " ".join(error.partial.decode(errors="replace").split())
                raise ToolError(
                    f"the sandbox failed: {said or 'docker ended before it started the command'}"
                ) from error
            if isinstance(error, (TimeoutError, asyncio.LimitOverrunError)):
                raise ToolError(f"docker did not start a container within {START_SECONDS:g} s") from error
            raise

    def errors(self, limit: int) -> Kept:
        return self._kept

    async def files(self) -> dict[str, bytes]:
        return returned(self._kept.rest(), self._wanted, self._kept.most)

    async def kill(self) -> None:
        if not self._removed:
            self._removed = True
            removing = await asyncio.create_subprocess_exec(
                *(self._program, "rm", "--force", self._container), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
            )
            await removing.wait()
            self.kill_first()
        await self.exited.wait()

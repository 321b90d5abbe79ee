"""No sandbox at all: ``unsafe-local``, for who trusts the code and says so. It bounds, it does not keep apart."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ...core.errors import ToolError
from . import inside
from .backend import Backend
from .paths import ENVIRONMENT, named
from .protocol import PYTHON, Bounds
from .tree import SPLIT, Tree, spawn


@dataclass(frozen=True)
class UnsafeLocal(Backend):
    """Runs commands with the rights of who runs veriloop: they can read and change what he can, and use the network.

    Limits on time, address space, files' size and output hold, and the environment is cleared, so that an accident is
    bounded. Malice is not: nothing is hidden, and a process that leaves its group outlives the run.
    """

    name: str = "unsafe-local"

    async def launch(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes | str],
        bounds: Bounds,
        wanted: Sequence[str] = (),
        control: bool = False,
    ) -> _Group:
        """See ``Backend``."""
        given = named(files)
        folder = TemporaryDirectory(prefix="veriloop-", ignore_cleanup_errors=True)
        split = ["/bin/sh", "-c", SPLIT, "sh"] if control else []

        def made(process: Process, exited: asyncio.Event) -> _Group:
            return _Group(process, exited, folder, wanted, bounds.disk_bytes)

        try:
            _write(Path(folder.name), given)
            limit = [PYTHON, "-I", "-S", "-E", inside.__file__, "limit", json.dumps(limits(bounds))]
            env = {**ENVIRONMENT, "HOME": folder.name, "TMPDIR": folder.name}
            return await spawn(made, [*limit, *split, *command], env=env, cwd=folder.name)
        except OSError as error:
            folder.cleanup()
            raise ToolError(f"cannot start a process: {error}") from error
        except BaseException:
            folder.cleanup()
            raise


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def limits(bounds: Bounds) -> dict[str, int]:
    """What the kernel holds each process to, by the names of the module ``resource``."""
    return {
        "RLIMIT_AS": bounds.memory,
        "RLIMIT_CPU": math.ceil(bounds.cpu_seconds) + 1,
        "RLIMIT_FSIZE": bounds.file_bytes,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
    }


class _Group(Tree):
    """A process group and its folder."""

    def __init__(
        self,
        process: Process,
        exited: asyncio.Event,
        folder: TemporaryDirectory[str],
        wanted: Sequence[str],
        most: int,
    ) -> None:
        super().__init__(process, exited)
        self._folder = folder
        self._wanted = wanted
        self._most = most

    async def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.exited.wait()

    async def files(self) -> dict[str, bytes]:
        if not self._wanted:
            return {}
        return dict(inside.collect(self._folder.name, self._wanted, self._most))

    def drop(self) -> None:
        super().drop()
        self._folder.cleanup()

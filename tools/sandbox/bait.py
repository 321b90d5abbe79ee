"""What a sandbox is tempted with: secrets and servers of the host, laid out for a check and taken away after it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any


class Bait:
    """Things of the host that hold ``secret``. ``told`` is what the code inside is told of them, as JSON."""

    def __init__(self, owner: ExitStack) -> None:
        self.secret = f"bait-{secrets.token_hex(8)}"
        self.tcp = owner.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.udp = owner.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        folder = Path(tempfile.mkdtemp(prefix="veriloop-bait-"))
        owner.callback(shutil.rmtree, folder, ignore_errors=True)
        self.unix = owner.enter_context(socket.socket(socket.AF_UNIX))
        self.unix.bind(str(folder / "socket"))
        self.unix.listen()
        self.abstract = owner.enter_context(socket.socket(socket.AF_UNIX))
        if sys.platform == "linux":
            self.abstract.bind(f"\0{self.secret}")
            self.abstract.listen()
        for each in (self.tcp, self.udp, self.unix, self.abstract):
            each.setblocking(False)
        files = [_written(folder / "secret.txt", self.secret, owner)]
        with suppress(OSError, RuntimeError):  # a home that cannot be written to holds no bait
            files.append(_written(Path.home() / f".{self.secret}", self.secret, owner))
        self.folder = folder
        self.variable = f"BAIT_{secrets.token_hex(4)}"
        os.environ[self.variable] = self.secret
        owner.callback(os.environ.pop, self.variable, None)
        self.process = _process(self.secret, owner)
        read, write = os.pipe()
        owner.callback(os.close, read)
        owner.callback(os.close, write)
        os.set_inheritable(read, True)
        self.told: dict[str, Any] = {
            "secret": self.secret,
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "unix": str(folder / "socket"),
            "abstract": self.secret,
            "files": files,
            "folder": str(folder),
            "variable": self.variable,
            "pid": self.process.pid,
            "here": _own_files(Path.cwd()),
            "fd": read,
        }

    @property
    def json(self) -> bytes:
        """What the code inside is told."""
        return json.dumps(self.told).encode()

    def touched(self) -> str:
        """Which server was reached, or which thing of the host is gone; empty when all is as it was."""
        for name in ("tcp", "unix", "abstract"):
            with suppress(OSError):
                getattr(self, name).accept()[0].close()
                return f"the host's server {name} was reached"
        with suppress(OSError):
            self.udp.recv(1)
            return "the host's server udp was reached"
        return "" if self.process.poll() is None else "a process of the host was killed"


def _written(path: Path, secret: str, owner: ExitStack) -> str:
    path.write_text(secret)
    owner.callback(path.unlink, missing_ok=True)
    return str(path)


def _process(secret: str, owner: ExitStack) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", secret], start_new_session=True
    )
    owner.callback(process.wait)
    owner.callback(process.kill)
    return process


def _own_files(folder: Path) -> list[tuple[str, int, int]]:
    """What lies in a folder (path, device and inode), but for where the interpreter is, which is to be seen."""
    prefixes = [Path(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    own = [p for p in folder.iterdir() if not any(x.is_relative_to(p) or p.is_relative_to(x) for x in prefixes)]
    return [(str(path), known.st_dev, known.st_ino) for path in own for known in [path.lstat()]]


@contextmanager
def bait() -> Generator[Bait]:
    """The bait, for as long as the check lasts."""
    with ExitStack() as owner:
        yield Bait(owner)


def alive(mark: str) -> list[int]:
    """Processes of the host, sandboxed ones among them, with ``mark`` on their command line (Linux only)."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and mark.encode() in Path("/proc", name, "cmdline").read_bytes():
                found.append(int(name))
    return [pid for pid in found if pid != os.getpid()]

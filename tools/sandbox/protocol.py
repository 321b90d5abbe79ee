"""What a sandbox is: commands of nobody's trust, run with nothing of the host in reach and an end to what they use.

``run`` is one command from start to end; ``start`` is a process that is talked to in frames while it runs. What the
code does wrong is in ``Ended``; ``ToolError`` means that the sandbox itself broke, ``UsageError`` that the caller asked
for what cannot be. The two are never mixed up.

Inside, the work folder is the current folder and starts with the ``files`` given; ``/tmp`` is private, nothing survives
the end. ``PYTHON`` names the interpreter that runs veriloop, with its installed packages.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

PYTHON = sys.executable
"""The interpreter inside: ``[PYTHON, "-I", "-S", "program.py"]`` starts fastest (without installed packages)."""
CONTROL = 3
"""The descriptor on which a started process writes its frames. It reads those for it from its standard input."""
FRAME = struct.Struct(">I")
"""How a frame begins: the length of its body, 4 bytes, big-endian."""
MOST_FRAME = 16 << 20
"""Bytes in the body of a frame, at most."""
NOTHING: Mapping[str, bytes | str] = {}
"""No files."""

Why = Literal["", "time", "cpu", "memory", "output", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a sandboxed process tree may use.

    ``seconds`` is wall-clock time from the start, ``cpu_seconds`` that of all processes together. ``memory`` is bytes
    of address space for each process (beyond it an allocation fails) and, twice, of memory in use by the whole tree
    (beyond it the tree is killed). ``file_bytes`` bounds one file, ``disk_bytes`` the work folder and ``/tmp``
    together. Of standard output and error ``output_bytes`` each are kept, the head and the tail; ``LOUD`` times as
    much ends the tree.
    """

    seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory: int = 512 << 20
    processes: int = 64
    file_bytes: int = 64 << 20
    disk_bytes: int = 256 << 20
    output_bytes: int = 1 << 20


LOUD = 64
"""So many times ``output_bytes`` may be written before the tree is killed for it."""
DEFAULT = Bounds()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a sandboxed command ended.

    ``status`` is the exit status, 128 + n after signal n as a shell has it, 127 when there is no such command; none
    when the sandbox killed the tree, and ``why`` says for what (``closed``: it was not waited for). ``cut`` is true
    where output was left out: a line in its middle says how much. Of a process that was *started* (not ``run``),
    ``stdout`` has standard output and error together, in order. ``files`` are those that were asked for, by name
    relative to the work folder; a tree that was killed leaves none. ``seconds`` is wall-clock time.
    """

    status: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    why: Why = ""
    seconds: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    cut: bool = False


class Inside(Protocol):
    """A process under way in a sandbox. Frames to it arrive on its standard input, its own come from ``CONTROL``.

    A frame is 4 bytes of length (``FRAME``) and a body of at most ``MOST_FRAME`` bytes. Bodies are data of a stranger.
    """

    async def send(self, data: bytes) -> None:
        """One frame to the process. Raises ``EOFError`` when it has ended or closed its input."""
        ...

    async def receive(self, seconds: float) -> bytes:
        """The body of its next frame. Raises ``TimeoutError``, or ``EOFError`` when it ended or wrote no frame."""
        ...

    async def close(self) -> Ended:
        """Kill the whole tree (again: nothing) and tell what is known. Nothing of it is left on return."""
        ...


class Sandbox(Protocol):
    """Runs commands apart from the host. Cancelling what it does kills the tree."""

    @property
    def name(self) -> str:
        """``bubblewrap``, ``docker`` or ``unsafe-local``."""
        ...

    async def run(
        self,
        command: Sequence[str],
        *,
        files: Mapping[str, bytes | str] = NOTHING,
        stdin: bytes = b"",
        bounds: Bounds = DEFAULT,
        wanted: Sequence[str] = (),
    ) -> Ended:
        """Run ``command`` to its end, and give the files that match a glob of ``wanted`` (``*`` crosses folders)."""
        ...

    async def start(
        self, command: Sequence[str], *, files: Mapping[str, bytes | str] = NOTHING, bounds: Bounds = DEFAULT
    ) -> Inside:
        """Start ``command`` and leave it running; whoever starts it must ``close`` it."""
        ...

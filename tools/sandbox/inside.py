"""The sandbox's own program inside: sets limits, writes files, gives files back. Standard library only, quick to start.

    inside.py collect CHANNEL STATUS MOST GLOB...   write the files of the work folder to a descriptor, end with STATUS
    inside.py limit LIMITS COMMAND...               become COMMAND under limits of the kernel (JSON: name to number)
    inside.py serve MARK                            (in a container) do what the frames on standard input say

What runs beside it may read its memory, kill it or write in its place: all that it can forge is its own output.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing these takes as long as all the rest
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

MOST_FILES = 1000
CUT = 1 << 20


def collect(folder: str, globs: Sequence[str], most: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, body) of the plain files that match; no links, no devices, all together at most ``most`` bytes."""
    from fnmatch import fnmatchcase

    found = 0
    for parent, folders, names in os.walk(os.fsencode(folder)):
        folders.sort()
        for raw in sorted(names):
            path = os.path.join(parent, raw)
            name = os.fsdecode(os.path.relpath(path, os.fsencode(folder)))
            if not any(fnmatchcase(name, glob) for glob in globs):
                continue
            body = read(path, most)
            if body is not None:
                most -= len(body)
                found += 1
                yield name, body
            if found == MOST_FILES:
                return


def read(path: bytes, most: int) -> bytes | None:
    """A plain file's bytes; None for what is none, cannot be read, or is longer than ``most``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:
        known = os.fstat(fd)
        if not stat.S_ISREG(known.st_mode) or known.st_size > most:
            return None
        try:
            body = file.read(known.st_size)
        except MemoryError:
            return None
    return body


def put(fd: int, data: bytes) -> None:
    """Write one frame."""
    for part in (memoryview(len(data).to_bytes(4, "big")), memoryview(data)):
        while part:
            part = part[os.write(fd, part) :]


def get(fd: int) -> bytes:
    """Read one frame, and not a byte more: what follows is the command's."""
    size = int.from_bytes(exactly(fd, 4), "big")
    return exactly(fd, size)


def exactly(fd: int, size: int) -> bytes:
    """``size`` bytes, or an end of the program where there are fewer."""
    parts: list[bytes] = []
    while size:
        part = os.read(fd, min(size, CUT))
        if not part:
            sys.exit("the instructions ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def limit(limits: dict[str, int]) -> None:
    """Set limits of the kernel, soft and hard."""
    import resource

    for name, number in limits.items():
        resource.setrlimit(getattr(resource, name), (number, number))


def give(fd: int, folder: str, globs: Sequence[str], most: int) -> None:
    """Write the wanted files as frames: name, body, name, body."""
    for name, body in collect(folder, globs, most):
        put(fd, os.fsencode(name))
        put(fd, body)


def become(command: Sequence[str]) -> NoReturn:
    """Run ``command`` in place of this program: 127 when there is none, as a shell has it."""
    try:
        os.execvp(command[0], [*command])
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def serve(mark: bytes) -> NoReturn:
    """In a container: take the order and the files, say ``mark``, run the command; then the mark again and files."""
    import json
    import signal

    order = json.loads(get(0))
    os.makedirs(order["folder"], exist_ok=True)
    os.chdir(order["folder"])
    for name in order["files"]:
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(get(0))
    signal.signal(signal.SIGALRM, late)
    signal.alarm(order["seconds"])
    os.write(2, mark)
    child = os.fork()
    if child == 0:
        signal.alarm(0)
        if order["control"]:
            os.dup2(2, 3)
            os.dup2(1, 2)
        limit(order["limits"])
        become(order["command"])
    status = reap(child)
    if order["wanted"]:
        os.write(2, mark)
        give(2, ".", order["wanted"], order["most"])
    finish(status)


def late(*_: object) -> NoReturn:
    """The time is over."""
    finish(137)


def reap(child: int) -> int:
    """Wait for ``child`` (a container's first process also buries strangers) and give its status as a shell does."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def finish(status: int) -> NoReturn:
    """End with ``status``; as a container's first process, with all others."""
    if os.getpid() == 1:
        try:  # noqa: SIM105 (contextlib takes long to import)
            os.kill(-1, 9)
        except OSError:
            pass
    os._exit(status)


def main(what: str, *given: str) -> None:
    """Do what the first word says."""
    if what == "collect":
        channel, status, most, *globs = given
        try:
            give(int(channel), ".", globs, int(most))
        finally:  # whatever became of the files, the command ended so
            os._exit(int(status))
    if what == "limit":
        import json

        limit(json.loads(given[0]))
        become(given[1:])
    serve(bytes.fromhex(given[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])

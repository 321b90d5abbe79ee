"""Where in a folder of journals each run is written, kept up to date by reading only what was added since.

Thousands of runs may lie in one folder, and each that is gone on with must find its own lines without reading all.
"""

from __future__ import annotations

import os
import re
import threading
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from .wire import dumps

_RUN = re.compile(rb'"run":("[^"]*")')


@dataclass
class _File:
    """One journal: the places of each run's whole lines (offset and length in turn), and its unfinished last line."""

    inode: int = 0
    read: int = 0
    tail: bytes = b""
    lines: dict[bytes, array[int]] = field(default_factory=dict[bytes, "array[int]"])

    def catch_up(self, path: Path) -> None:
        """Read what was added; all, if the file is another one now."""
        try:
            now = os.stat(path)
        except FileNotFoundError:
            self.__init__()
            return
        if now.st_ino != self.inode or now.st_size < self.read:
            self.__init__(now.st_ino)
        if now.st_size == self.read + len(self.tail):
            return
        self.tail = b""
        with open(path, "rb") as file:
            file.seek(self.read)
            for line in file:
                self._take(line)

    def _take(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            self.tail = line
            return
        if found := _RUN.search(line):  # all records of a line are of one run
            self.lines.setdefault(found[1], array("Q")).extend((self.read, len(line)))
        self.read += len(line)


class Index:
    """The journals of ``folder`` by run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, _File] = {}
        self._guard = threading.Lock()

    def journals(self, run: str) -> list[Path]:
        """The journals that hold lines of a run, the oldest first."""
        name = dumps(run)
        with self._guard:
            paths = sorted(self._folder.glob("*.jsonl"))
            for gone in self._files.keys() - set(paths):
                del self._files[gone]
            files = [(path, self._file(path)) for path in paths]
        return [path for path, file in files if name in file.lines or name in file.tail]

    def lines(self, run: str, path: Path) -> bytes:
        """The lines of a journal that are this run's, with its unfinished last line, whosever that is."""
        with self._guard:
            file = self._file(path)
            places, tail = file.lines.get(dumps(run), array("Q")), file.tail
            if not places:
                return tail
            with open(path, "rb") as journal:
                found = [_at(journal.fileno(), *place) for place in zip(places[::2], places[1::2], strict=True)]
        return b"".join((*found, tail))

    def _file(self, path: Path) -> _File:
        file = self._files.setdefault(path, _File())
        file.catch_up(path)
        return file


def _at(file: int, offset: int, length: int) -> bytes:
    return os.pread(file, length, offset)

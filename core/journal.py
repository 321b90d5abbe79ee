"""The journal: one append-only file per process in which every paid-for step is written before it is used.

A line is a record: run, kind, key, hash of the request, seconds since the run began, value. Kinds: ``run`` (what was
asked), ``model`` (a reply), ``tool`` (a tool run), ``attempt`` (a candidate with its verdict, or an opinion),
``recall``, ``closed`` (which attempts a round counts, and the clock), ``end``. Policies are pure, so a resumed run
replays from its start out of these records and goes on where they end.

A record is handed to the kernel before it is used, so a killed process loses nothing; one thread per journal brings
what was written to the disk every ``SYNC_EVERY`` seconds, so a power cut loses at most that much.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import JournalMismatch, UsageError
from .wire import dumps

SYNC_EVERY = 0.05
VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a journal."""

    run: str
    kind: str
    key: str
    hash: str
    t: float
    value: Any

    def line(self) -> bytes:
        """The record as it is written."""
        data = {"v": VERSION, "run": self.run, "kind": self.kind, "key": self.key, "hash": self.hash, "t": self.t}
        return dumps({**data, "value": self.value}) + b"\n"


@dataclass
class RunLog:
    """The records of one run: those read back from earlier sittings, and where new ones go.

    ``replaying`` is a run out of a recording: model replies and recall must be in it, tools and verifiers run for
    real, nothing new is written.
    """

    run: str
    records: dict[tuple[str, str], Record] = field(default_factory=dict[tuple[str, str], Record])
    journal: Journal | None = None
    replaying: bool = False
    adopted: list[Lock] = field(default_factory=list["Lock"])
    written: list[Record] | None = None

    @property
    def active(self) -> bool:
        """Whether hashes are worth computing: there is something to compare with or somewhere to write."""
        return self.journal is not None or bool(self.records) or self.written is not None

    def get(self, kind: str, key: str, hash: str = "") -> Any:
        """The recorded value of a step, or none. Raises ``JournalMismatch`` when the step was another one then."""
        found = self.records.get((kind, key))
        if found is None:
            if self.replaying and kind in ("model", "recall"):
                raise JournalMismatch(f"the recording has no {kind} {key}: the run went another way, so record it again")
            return None
        if found.hash != hash:
            raise JournalMismatch(
                f"run {self.run}: {kind} {key} is recorded for another request; code or settings changed since, "
                "so start a new run"
            )
        return found.value

    def put(self, kind: str, key: str, value: Any, hash: str = "", t: float = 0.0) -> None:
        """Record one step."""
        self.put_all([(kind, key, value, hash)], t)

    def put_all(self, steps: Iterable[tuple[str, str, Any, str]], t: float) -> None:
        """Record several steps in one write: all of them or none."""
        if self.replaying or (self.journal is None and self.written is None):
            return
        records = [Record(self.run, kind, key, hash, round(t, 4), value) for kind, key, value, hash in steps]
        if self.journal is not None:
            self.journal.append(records)
        if self.written is not None:
            self.written.extend(records)

    def of_kind(self, kind: str) -> list[Record]:
        """The records of a kind, in the order written."""
        return [r for r in self.records.values() if r.kind == kind]

    @property
    def elapsed(self) -> float:
        """Seconds of work in earlier sittings."""
        return max((r.t for r in self.records.values()), default=0.0)

    def export(self, path: Path) -> None:
        """Write all records of this run, earlier sittings included, to ``path`` (a recording), in one move."""
        records = [*self.records.values(), *(self.written or [])]
        partial = path.with_name(f".{path.name}.part")
        partial.write_bytes(b"".join(r.line() for r in records))
        partial.replace(path)

    def close(self) -> None:
        """Let go of the dead processes' journals that this run was resumed from."""
        for lock in self.adopted:
            lock.release()
        self.adopted.clear()


class Lock:
    """An exclusive lock on a journal file; its owner is alive as long as it is held."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Unlock; safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Journal:
    """This process's journal in ``folder``; the file appears with the first record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{uuid.uuid4().hex[:6]}.jsonl"
        self._file = -1
        self._guard = threading.Lock()
        self._dirty = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, run: str) -> RunLog:
        """A log for a new run."""
        return RunLog(run, journal=self)

    def resume(self, run: str) -> RunLog:
        """A log for a run of an earlier process, whose journal this one adopts for the time of the run.

        Raises ``UsageError`` when no unfinished run has this id or another process is at work on it.
        """
        log = RunLog(run, journal=self)
        for path in sorted(self.folder.glob("*.jsonl")):
            mine = [r for r in read(path) if r.run == run]
            if not mine:
                continue
            if path != self.path:
                log.adopted.append(self._adopt(path, run, log))
                mine = [r for r in read(path) if r.run == run]
            log.records.update({(r.kind, r.key): r for r in mine})
        if not log.records:
            raise UsageError(f"no unfinished run {run!r}; see: veriloop runs list")
        return log

    def _adopt(self, path: Path, run: str, log: RunLog) -> Lock:
        try:
            return Lock(path)
        except BlockingIOError:
            log.close()
            raise UsageError(f"run {run} is being worked on by another process ({path.name})") from None

    def append(self, records: Iterable[Record]) -> None:
        """Write records with one call to the kernel; the sync thread brings them to the disk."""
        data = b"".join(r.line() for r in records)
        with self._guard:
            if self._file < 0:
                self._open()
            _write_all(self._file, data)
        self._dirty.set()

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise UsageError(f"cannot write the journal in {self.folder}: {error.strerror}; set VERILOOP_HOME") from error
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._thread = threading.Thread(target=self._sync_loop, name="veriloop-journal", daemon=True)
        self._thread.start()

    def _sync_loop(self) -> None:
        while not self._closed.is_set():
            self._dirty.wait()
            self._dirty.clear()
            if self._file >= 0:
                os.fsync(self._file)
            self._closed.wait(SYNC_EVERY)

    def close(self) -> None:
        """Bring everything to the disk and unlock the file."""
        with self._guard:
            if self._file < 0:
                return
            self._closed.set()
            self._dirty.set()
            if self._thread:
                self._thread.join()
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def read(path: Path) -> Iterator[Record]:
    """The records of a journal file. A torn last line is dropped; a torn line elsewhere is skipped like it."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            data: Mapping[str, Any] = json.loads(line)
            yield Record(data["run"], data["kind"], data["key"], data["hash"], data["t"], data["value"])
        except (ValueError, KeyError, TypeError):
            continue

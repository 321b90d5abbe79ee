"""The journal: one append-only file per process in which every paid-for step is written before it is used.

A line is a record, or several that were written as one: run, kind, key, hash of the request, seconds since the run
began, value. Kinds: ``run`` (what was asked), ``model`` (a reply), ``tool`` (a tool run), ``attempt`` (a candidate with
its verdict, or an opinion), ``recall``, ``closed`` (which attempts a round counts, and the clock), ``trouble`` (what
stopped a sitting before the run's end), ``end``. Policies are pure, so a resumed run replays from its start out of
these records and goes on where they end.

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

from .errors import JournalMismatch, UnknownRun, UsageError
from .index import Index
from .wire import dumps, to_bytes

SYNC_EVERY = 0.05
VERSION = 1
PATIENCE = 0.3
"""Seconds to wait for another process that only looks at a journal or moves finished runs out of it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a journal. ``value`` is a noun or plain JSON data; read back it is always plain."""

    run: str
    kind: str
    key: str
    hash: str
    t: float
    value: Any

    @property
    def trouble(self) -> tuple[str, int]:
        """Of a record of trouble: what it was, and how many replies never came, up to then (old journals hold only the
        words)."""
        said: Any = self.value
        if isinstance(said, str):
            return said, 0
        return str(said["why"]), int(said["unsettled"])

    def line(self) -> bytes:
        """The record as it is written."""
        return self.data() + b"\n"

    def data(self) -> bytes:
        """The record as JSON."""
        head = {"v": VERSION, "run": self.run, "kind": self.kind, "key": self.key, "hash": self.hash, "t": self.t}
        return dumps(head)[:-1] + b',"value":' + to_bytes(self.value) + b"}"


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
                raise JournalMismatch(
                    f"the recording has no {kind} {key}: the run went another way, so record it again"
                )
            return None
        if found.hash != hash:
            if self.replaying:
                raise JournalMismatch(
                    f"{kind} {key} is recorded for another request: the verifier, the database, code or settings "
                    "changed since, so record it again"
                )
            raise JournalMismatch(
                f"run {self.run}: {kind} {key} is recorded for another request; code or settings changed since: "
                "start a new run"
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
        """The run is no longer at work here: let go of the dead processes' journals that it was resumed from."""
        for lock in self.adopted:
            lock.release()
        self.adopted.clear()
        if self.journal is not None:
            self.journal.at_work.discard(self.run)


class Lock:
    """An exclusive lock on a journal file; its owner is alive as long as it is held.

    Raises ``BlockingIOError`` when another has it and ``FileNotFoundError`` when the file is gone. Several runs resumed
    from one journal share its lock.
    """

    def __init__(self, path: Path) -> None:
        self.users = 1
        self._file = -1
        while self._file < 0:
            self._file = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.close()
                raise
            if not os.fstat(self._file).st_nlink:  # replaced before it was locked: lock what is there now
                self.close()

    def release(self) -> None:
        """Unlock, once all users have said so."""
        self.users -= 1
        if self.users == 0:
            self.close()

    def close(self) -> None:
        """Close the file, if it is open."""
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
        self._adopted: dict[Path, Lock] = {}
        self._index = Index(folder)
        self.at_work: set[str] = set()

    def start(self, run: str) -> RunLog:
        """A log for a new run."""
        self.at_work.add(run)
        return RunLog(run, journal=self)

    def resume(self, run: str) -> RunLog:
        """A log for a run of an earlier process, whose journal this one adopts for the time of the run.

        Raises ``UnknownRun`` when no journal holds it, ``UsageError`` when somebody is at work on it.
        """
        if run in self.at_work:
            raise UsageError(f"run {run} is being worked on already")
        log = RunLog(run, journal=self)
        for path in self._index.journals(run):
            if path != self.path:
                self._adopt(path, log)
            mine = [r for r in parse(self._index.lines(run, path)) if r.run == run]
            log.records.update({(r.kind, r.key): r for r in mine})
        if not log.records:
            log.close()
            raise UnknownRun(f"there is no run {run!r}; see: veriloop runs list")
        self.at_work.add(run)
        return log

    def _adopt(self, path: Path, log: RunLog) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                log.adopted.append(self._lock(path))
                return
            except FileNotFoundError:
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    log.close()
                    raise UsageError(f"run {log.run} is being worked on by another process ({path.name})") from None
                time.sleep(0.01)

    def _lock(self, path: Path) -> Lock:
        lock = self._adopted.get(path)
        if lock is None or not lock.users:
            lock = self._adopted[path] = Lock(path)
        else:
            lock.users += 1
        return lock

    def append(self, records: Iterable[Record]) -> None:
        """Write records as one line with one call to the kernel; the sync thread brings it to the disk."""
        data = [r.data() for r in records]
        line = data[0] + b"\n" if len(data) == 1 else b"[" + b",".join(data) + b"]\n"
        with self._guard:
            if self._file < 0:
                self._open()
            _write_all(self._file, line)
        self._dirty.set()

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = _open_locked(self.path)
        except OSError as error:
            raise UsageError(
                f"cannot write the journal in {self.folder}: {error.strerror}; set VERILOOP_HOME"
            ) from error
        self._closed.clear()
        self._thread = threading.Thread(target=self._sync_loop, name="veriloop-journal", daemon=True)
        self._thread.start()

    def _sync_loop(self) -> None:
        while not self._closed.is_set():
            self._dirty.wait()
            self._dirty.clear()
            if self._file >= 0:
                os.fsync(self._file)
            self._closed.wait(SYNC_EVERY)

    def abandon(self) -> None:
        """This is a forked child: the file stays its parent's, and what the child records goes to one of its own."""
        # A lock lives as long as any process has the file open.
        if self._file >= 0:
            os.close(self._file)
        for lock in self._adopted.values():
            lock.close()
        self.__init__(self.folder)

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


def _open_locked(path: Path) -> int:
    """The journal file, made and locked. Another process may look at it, or clear it away, before it is locked."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    """Write all of it, or (a full disk) nothing: half a line would spoil the next one."""
    end, view = os.fstat(file).st_size, memoryview(data)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError:
        os.ftruncate(file, end)
        raise


def is_held(path: Path) -> bool:
    """Whether a live process holds this journal. Only a shared lock is tried: two who ask do not see each other."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(file)


def read(path: Path, *holding: bytes) -> Iterator[Record]:
    """The records of a journal file; with ``holding``, only out of lines with one of these bytes in them, which is
    quick. A torn last line is dropped; a torn line elsewhere is skipped like it."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    yield from parse(data, *holding)


def parse(data: bytes, *holding: bytes) -> Iterator[Record]:
    """The records in a journal's bytes, as in ``read``."""
    for line in data.split(b"\n"):
        if holding and not any(part in line for part in holding):
            continue
        try:
            said: Mapping[str, Any] | list[Mapping[str, Any]] = json.loads(line)
            together = said if isinstance(said, list) else [said]
            yield from [Record(r["run"], r["kind"], r["key"], r["hash"], r["t"], r["value"]) for r in together]
        except (ValueError, KeyError, TypeError):
            continue

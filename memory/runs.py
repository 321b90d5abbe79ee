"""What ``veriloop runs`` does: all runs in one list, whether they lie in a journal or in the store.

A run is written to the journal of its process, and once it has ended and that process too, ``collect`` moves it to the
store. A run of several sittings lies in several journals. Journals are read before the store, always: a run that is
moved meanwhile is then seen twice, never not at all, and the store's word counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..core.errors import UsageError
from ..core.journal import Lock, Record, is_held, read
from ..core.settings import Settings
from ..core.wire import dumps
from .database import file_of, shown, url_of
from .info import RunInfo, info_of
from .store import Store

_TELLING = tuple(b'"kind":"%s"' % kind for kind in (b"run", b"model", b"tool", b"closed", b"trouble", b"end"))
"""In the lines that a list needs; journals are canonical JSON."""


def collect(settings: Settings) -> int:
    """Move finished runs out of the journals of ended processes to the store; returns how many.

    A run is in the store before it leaves a journal, so a kill at any point loses nothing, and collecting again
    doubles nothing. Journals of live processes are left alone.
    """
    groups = _finished(settings)
    if not groups:
        return 0
    store = Store.of(settings)
    return sum(_move(paths, runs, store) for paths, runs in groups.items())


def list_runs(settings: Settings, limit: int | None = 20) -> list[RunInfo]:
    """The newest runs, newest first; all without a limit."""
    infos = {run: found.info(run) for run, found in _journaled(settings, *_TELLING).items()}
    infos |= {info.id: info for info in Store.of(settings).recent(limit)}
    return sorted(infos.values(), key=lambda info: info.created, reverse=True)[:limit]


def count_runs(settings: Settings) -> int:
    """How many runs there are."""
    return len({*_journaled(settings, *_TELLING), *Store.of(settings).ids("")})


def find(settings: Settings, run: str) -> tuple[RunInfo, list[Record]]:
    """The run whose id is or begins with ``run``, and its records. Raises ``UsageError``: unknown or ambiguous."""
    found = _journaled(settings, b'"run":' + dumps(run)[:-1])
    store = Store.of(settings)
    ids = sorted({*(each for each in found if each.startswith(run)), *store.ids(run)})
    if not ids:
        raise UsageError(f"there is no run {run!r}; see: veriloop runs list")
    if len(ids) > 1 and run not in ids:
        raise UsageError(f"{run!r} may be any of {', '.join(ids[:5])}{', …' * (len(ids) > 5)}: give more of the id")
    name = run if run in ids else ids[0]
    return store.get(name) or (found[name].info(name), found[name].merged)


def remove(settings: Settings, runs: Iterable[str]) -> int:
    """Forget runs, named by id or its beginning, finished or not; returns how many.

    Raises ``UsageError``, and removes none, when one is unknown or in the journal of a live process.
    """
    return _remove(settings, {find(settings, run)[0].id for run in runs})


def older_than(settings: Settings, days: float) -> set[str]:
    """The ids of all runs begun longer ago, unfinished ones too, save those in live processes' journals."""
    moment = datetime.now(UTC) - timedelta(days=days)
    found = _journaled(settings, *_TELLING)
    old = {run for run, each in found.items() if each.info(run).created < moment and not each.live}
    return old.union(Store.of(settings).older_than(moment))


def prune(settings: Settings, days: float) -> tuple[int, int]:
    """Forget the runs that are ``older_than`` this; returns how many, and the bytes freed."""
    store = Store.of(settings)
    before = store.size() + _bytes(_journals(settings))
    count = _remove(settings, older_than(settings, days))
    store.compact()
    return count, max(0, before - store.size() - _bytes(_journals(settings)))


def where(settings: Settings) -> str:
    """A line that says where the data lives and its size."""
    url, journals = url_of(settings), _journals(settings)
    file = file_of(url)
    size = f" ({_bytes([file]) / 1e6:.1f} MB)" if file else ""
    held = f"{len(journals)} file{'s' * (len(journals) != 1)}, {_bytes(journals) / 1e6:.1f} MB"
    return f"finished runs: {shown(url)}{size}; journals: {_folder(settings)} ({held})"


@dataclass
class _Found:
    """A run as it lies in journals: its records so far read, and the files they are in."""

    records: list[Record] = field(default_factory=list[Record])
    paths: dict[Path, None] = field(default_factory=dict[Path, None])

    @property
    def merged(self) -> list[Record]:
        """The records of all sittings in the order of work, each once."""
        return sorted({(r.kind, r.key): r for r in self.records}.values(), key=lambda r: r.t)

    @property
    def ended(self) -> bool:
        """Whether it has ended; one that has not may be at work or be resumed."""
        return any(r.kind == "end" for r in self.records)

    @property
    def live(self) -> bool:
        """Whether a live process holds one of the journals."""
        return any(map(is_held, self.paths))

    def info(self, run: str) -> RunInfo:
        """What a list shows of the run."""
        changed = max((path.stat().st_mtime for path in self.paths if path.exists()), default=0.0)
        return info_of(run, self.merged, changed, not self.ended and self.live)


def _folder(settings: Settings) -> Path:
    return settings.folder / "journals"


def _journals(settings: Settings) -> list[Path]:
    return sorted(_folder(settings).glob("*.jsonl"))


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.exists())


def _journaled(settings: Settings, *holding: bytes) -> dict[str, _Found]:
    return _by_run({path: list(read(path, *holding)) for path in _journals(settings)})


def _by_run(journals: Mapping[Path, Sequence[Record]]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for path, records in journals.items():
        for record in records:
            each = found.setdefault(record.run, _Found())
            each.records.append(record)
            each.paths[path] = None
    return found


def _finished(settings: Settings) -> dict[tuple[Path, ...], set[str]]:
    """The runs that ended in journals of ended processes, by all the journals they lie in, and empty journals."""
    paths = _journals(settings)
    journals = {path: list(read(path)) for path in paths if not is_held(path)}
    groups: dict[tuple[Path, ...], set[str]] = {(path,): set() for path in journals if not _bytes([path])}
    ended = {r.run for records in journals.values() for r in records if r.kind == "end"}
    if ended:
        journals |= {path: list(read(path)) for path in paths if path not in journals}
        for run, found in _by_run(journals).items():
            if run in ended:
                groups.setdefault(tuple(sorted(found.paths)), set()).add(run)
    return groups


def _move(paths: tuple[Path, ...], runs: set[str], store: Store) -> int:
    """Move runs out of these journals, unless another process has done so or is at it."""
    with ExitStack() as locks:
        try:
            for path in paths:
                locks.callback(Lock(path).release)
        except (BlockingIOError, FileNotFoundError):
            return 0
        journals = {path: list(read(path)) for path in paths}
        found = {run: each for run, each in _by_run(journals).items() if run in runs and each.ended}
        saved = store.save([(each.info(run), each.merged) for run, each in found.items()])
        _drop(journals, set(found))
        return saved


def _remove(settings: Settings, runs: set[str]) -> int:
    found = _journaled(settings)
    paths = {path: run for run in runs & found.keys() for path in found[run].paths}
    with ExitStack() as locks:
        for path, run in paths.items():
            try:
                locks.callback(Lock(path).release)
            except BlockingIOError:
                raise UsageError(
                    f"run {run} is in the journal of a live process ({path.name}); end that first"
                ) from None
            except FileNotFoundError:
                continue
        Store.of(settings).remove(list(runs))
        _drop({path: list(read(path)) for path in paths}, runs)
    return len(runs)


def _drop(journals: Mapping[Path, Sequence[Record]], runs: set[str]) -> None:
    """Take runs out of journals that are locked.

    What says that a run has ended leaves last, what it began with second to last: after a kill in between, the rest is
    still seen as what it was.
    """

    def order(path: Path) -> tuple[bool, bool]:
        kinds = {r.kind for r in journals[path] if r.run in runs}
        return "end" in kinds, "run" in kinds

    for path in sorted(journals, key=order):
        kept = [r for r in journals[path] if r.run not in runs]
        if not kept:
            path.unlink(missing_ok=True)
        elif len(kept) < len(journals[path]):
            _replace(path, kept)


def _replace(path: Path, records: Sequence[Record]) -> None:
    """Write a locked journal anew, in one move. From then on the lock is on the old file: leave the new one alone."""
    partial = path.with_name(f".{path.name}.part")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(r.line() for r in records)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

"""How a run is written down so that another process can take it up: names where there are names, and a clear word
where an object has none."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import JournalMismatch, UnknownRun, UsageError, plain
from ..core.journal import Journal, RunLog, read
from ..core.registry import load as imported
from ..core.task import Task
from ..core.wire import decode, encode
from .strategies import Strategy

if TYPE_CHECKING:
    from .prepare import Plan


_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")


@cache
def journal_in(folder: Path) -> Journal:
    """This process's journal below a data folder; there is one, closed when the process ends."""
    import atexit

    journal = Journal(folder / "journals")
    atexit.register(journal.close)
    os.register_at_fork(after_in_child=journal.abandon)
    return journal


def close_journal(folder: Path) -> None:
    """Bring this process's journal below a data folder to the disk and let go of it; a later run opens it again."""
    journal_in(folder.expanduser().absolute()).close()


def open_log(
    run_id: str,
    home: Path | None,
    *,
    resume: bool = False,
    record: str | Path | None = None,
    replay: str | Path | None = None,
) -> RunLog:
    """The log of a new run, or with ``resume`` of one of an earlier sitting: in the journal below ``home``, without one
    in memory, or out of the recording ``replay``."""
    if record is not None:
        _refuse_target(Path(record))
    if replay is not None:
        return _recording(run_id, Path(replay))
    if resume and home is not None:
        return _resumed(run_id, home)
    log = RunLog(run_id) if home is None else journal_in(home).start(run_id)
    log.written = [] if record is not None else None
    return log


def open_own(run_id: str, home: Path, stored: bool, record: str | Path | None = None) -> RunLog:
    """The log of a run of the caller's own id: the one that journals hold (or, with ``stored``, the store), else a new
    one."""
    if not _ID.fullmatch(run_id):
        raise UsageError(f"{run_id!r} is not an id of a run: give 1 to 80 letters, digits or . _ -")
    if record is not None:
        _refuse_target(Path(record))
    try:
        log = _resumed(run_id, home) if stored else journal_in(home).resume(run_id)
    except UnknownRun:
        log = journal_in(home).start(run_id)
    log.written = [] if record is not None else None
    return log


@lru_cache(maxsize=8)
def open_store(url: str) -> None:
    """Raise ``UsageError`` when the store that the settings name cannot be used; asked once for each ``url``, because
    runs only reach the store long after they have been paid for."""
    from ..core.settings import load
    from ..memory.store import Store

    Store.of(load())


def _refuse_target(path: Path) -> None:
    """Raise ``UsageError`` where a recording cannot be written, or would take the place of something."""
    if path.is_dir():
        raise UsageError(f"cannot record to {path}: it is a folder; name a file")
    if path.exists():
        raise UsageError(f"cannot record to {path}: it exists already; remove it or name another file")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot record to {path}: its folder is missing or may not be written to")


def _resumed(run_id: str, home: Path) -> RunLog:
    """The run as journals hold it; one that has ended and lies in the store is only told again."""
    try:
        return journal_in(home).resume(run_id)
    except UnknownRun:
        from ..core.settings import load
        from ..memory.store import Store

        found = Store.of(load()).get(run_id)
        if found is None:
            raise
        return RunLog(run_id, {(r.kind, r.key): r for r in found[1]})


def _recording(run_id: str, path: Path) -> RunLog:
    if not path.exists():
        raise UsageError(f"there is no recording {path}; make one with --record {path}")
    try:
        records = {(r.kind, r.key): r for r in read(path)}
    except OSError as error:
        raise UsageError(f"cannot read the recording {path}: {plain(error)}") from error
    if not records:
        raise UsageError(f"{path} is not a recording of a run")
    return RunLog(run_id, records, replaying=True)


def refuse_other(log: RunLog, plan: Plan, path: Path) -> None:
    """Raise ``JournalMismatch`` naming what differs when the recording is not of what is asked now."""
    if differ := _differences(log, plan):
        raise JournalMismatch(f"{path} is the recording of another run: {differ}; ask the same, or record this one")


def refuse_namesake(log: RunLog, plan: Plan) -> None:
    """Raise ``JournalMismatch`` naming what differs when the run that has this id already is another one."""
    if differ := _differences(log, plan):
        raise JournalMismatch(f"run {log.run} is another one: {differ}; ask the same, or give another run_id")


def _differences(log: RunLog, plan: Plan) -> str:
    said: Mapping[str, Any] = log.get("run", "") or {}
    try:
        then, now = _identity(said), _identity(header(plan))
    except (KeyError, TypeError, ValueError):  # of another version: each step is compared anyway
        return ""
    both = [(name, then[name], now[name]) for name in now if name in then]
    return ", ".join(f"{name} {old!s:.60} (now {new!s:.60})" for name, old, new in both if old != new)


def _identity(said: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a run from another by its header: what is there in both of them must be the same. Limits, verifier
    and the database's place may differ."""
    task = decode(Task, said["task"])
    return {
        "question": repr("\n".join(turn.text for turn in task.turns)),
        "database": "none" if task.database is None else "one",
        "strategy": said["strategy"]["name"],
        **said["strategy"]["parameters"],
        "seed": said["seed"],
        **{f"{role}'s model": name for role, name in said["models"].items() if name is not None},
    }


def header(plan: Plan) -> Mapping[str, Any]:
    """What was asked, as plain data. Objects stand as ``package.module:Name`` where they can be imported, else none."""
    parameters = _parameters(plan.strategy)
    return {
        "version": _version(),
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "task": encode(plan.task),
        "strategy": {"name": plan.strategy.name, "parameters": parameters or {}},
        "models": {role: m if isinstance(m, str) else _path(m) for role, m in plan.models.items()},
        "verify": plan.verify if isinstance(plan.verify, str) or plan.verify is None else _path(plan.verify),
        "unnamed": [n for n in ("verify", "output") if _unnamed(getattr(plan, n))]
        + (["gold"] if plan.gold is not None else [])
        + (["strategy"] if parameters is None else [])
        + (["model"] if any(_unnamed(m) for m in plan.models.values()) else [])
        + (["tools"] if any(not isinstance(tool, str) for tool in plan.tools) else [])
        + (["memory"] if plan.memory is not None else []),
        "output": None if plan.output is None else _path(plan.output),
        "tools": [tool for tool in plan.tools if isinstance(tool, str)],
        "seed": plan.seed,
        "batch": plan.batch,
    }


def _parameters(strategy: Strategy) -> dict[str, Any] | None:
    """All parameters of a strategy as plain data; none for a policy object that cannot be made again from a file."""
    from pydantic_core import PydanticSerializationError

    if strategy.policy is not None and _path(type(strategy.policy)) is None:
        return None
    try:
        return encode(dict(Strategy.of(strategy.make()).parameters), dict[str, Any])
    except PydanticSerializationError:
        return None


@lru_cache(maxsize=1)
def _version() -> str:
    try:
        return version("veriloop")
    except PackageNotFoundError:
        return "unknown"


def _path(value: Any) -> str | None:
    """The import path of a function or class, if the module has it under this name.

    The module is looked up, not imported: it may be just now being imported by the thread that waits for this run.
    """
    name, module = getattr(value, "__qualname__", ""), getattr(value, "__module__", "")
    if not name or module == "__main__" or "<" in name:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is value else None


def _unnamed(value: Any) -> bool:
    return value is not None and not isinstance(value, str) and _path(value) is None


def _models(said: Mapping[str, str | None], given: Any, run_id: str) -> dict[str, Any]:
    """The run's models by role, those that were objects given again."""
    again: Mapping[str, Any] = {}
    if given is not None:
        again = cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {"proposer": given}
    models = {**said, **again}
    if missing := [role for role, model in models.items() if model is None]:
        raise UsageError(f"run {run_id} had a model object as {missing[0]}: resume it with model={{{missing[0]!r}: …}}")
    return models


def objects_of(said: Mapping[str, Any], given: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """The parts of a plan from its header, with what the caller gives again in place of what a file cannot hold."""
    missing = [name for name in said["unnamed"] if given.get(name) is None]
    if missing:
        raise UsageError(
            f"run {run_id} used objects that no file can hold ({', '.join(missing)}); "
            f"resume it from code: veriloop.resume({run_id!r}, {', '.join(f'{m}=…' for m in missing)})"
        )
    output = said["output"]
    return {
        "strategy": Strategy.of(given.get("strategy") or Strategy(**said["strategy"])),
        "models": _models(said["models"], given.get("model"), run_id),
        "verify": given.get("verify", said["verify"]),
        "output": given.get("output") or (imported(output) if output else None),
        "gold": given.get("gold"),
        "tools": given.get("tools", said.get("tools", ())),
        "memory": given.get("memory"),
        "batch": said.get("batch", False),
    }

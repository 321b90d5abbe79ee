"""What a benchmark run was asked for: ``plan.json``, and the lock that one process at a time holds on its folder."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from typing import Any, cast

from veriloop.apps.bench.arms import Arm
from veriloop.apps.bench.benchmark import Item
from veriloop.core.errors import UsageError, plain
from veriloop.core.wire import dumps, encode

VERSION = 1
BLOCK = 1 << 20
GOLD = "gold.json"
WHOLE = 64 << 20
"""Bytes up to which a database counts with all of its content; of a larger one, begin, end and size count."""
STARTED = ("results.jsonl", "journals", "tuning/results.jsonl", "tuning/journals")
"""What is in a folder once anything has been run."""

Plan = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command: everything that decides results. Two commands that ask the same may share a folder."""

    benchmark: str
    data: str
    strategies: Sequence[str]
    verify: Sequence[str]
    tools: Sequence[str] = ()
    ablate: str = ""
    proposals: int | None = None
    temperature: float | None = None
    tune: str = ""
    temperatures: Sequence[float] = ()
    abstain_below: float | None = None
    seeds: int = 1
    limit: int | None = None
    models: Mapping[str, str]
    metric: str
    veriloop: str


def plan_of(asked: Asked, data: Path, arms: Sequence[Arm], items: Sequence[Item], metrics: Sequence[str]) -> Plan:
    """The plan as it is written, main metric first."""
    return {
        "version": VERSION,
        "command": encode(asked),
        "benchmark": asked.benchmark,
        "data": {"path": str(data), "hash": asked.data},
        "arms": [plain_arm(arm) for arm in arms],
        "proposals": asked.proposals,
        "seeds": list(range(asked.seeds)),
        "models": dict(asked.models),
        "metrics": [asked.metric, *(m for m in metrics if m != asked.metric)],
        "oracle_metric": metrics[0],
        "tasks": len(items),
        "limit": asked.limit,
        "mechanism_check": asked.models["proposer"].startswith("embedded:"),
        "abstain_below": asked.abstain_below,
        "tuning": None,
        "veriloop": asked.veriloop,
        "commit": commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def plain_arm(arm: Arm) -> Mapping[str, Any]:
    """An arm as a plan names it."""
    return {
        "label": arm.label,
        "strategy": arm.strategy.name,
        "parameters": encode(dict(arm.parameters), dict[str, Any]),
        "verify": arm.verify,
        "change": arm.change,
        "base": arm.base,
        "temperature": arm.temperature,
        "proposals": getattr(arm.strategy.make(), "at_most", None),
    }


def read(folder: Path) -> Plan | None:
    """The plan in a folder, or none. Raises ``UsageError`` when it cannot be read."""
    try:
        found: Plan = json.loads((folder / "plan.json").read_text("utf-8"))
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {folder / 'plan.json'}: {plain(error)}; give another --out") from error


def write(folder: Path, plan: Plan) -> None:
    """Write the plan in one move."""
    _write(folder / "plan.json", plan)


def write_gold(folder: Path, items: Sequence[Item]) -> None:
    """Write the right answers for the report's reader, in one move: no run ever reads them."""
    texts: dict[str, list[str]] = {}
    for item in items:
        gold: Any = item.gold
        golds: Sequence[Any] = cast("Sequence[Any]", gold) if isinstance(gold, list | tuple) else [gold]
        texts[item.id] = [each if isinstance(each, str) else _text(each) for each in golds]
    _write(folder / GOLD, texts)


def read_gold(folder: Path) -> Mapping[str, Sequence[str]]:
    """The right answers by task, as ``write_gold`` left them; none where it did not."""
    try:
        return json.loads((folder / GOLD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(path: Path, value: object) -> None:
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def claimed(folder: Path) -> Generator[None]:
    """A folder for results, made where it is missing, held by this process alone.

    Raises ``UsageError`` when it cannot be, or another process is at work in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"cannot write results to {folder}: {plain(error)}; give another --out") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UsageError(f"another process is at work in {folder}: wait for it, or give another --out") from None
    finally:
        os.close(lock)


def refuse_foreign(folder: Path) -> None:
    """Raise ``UsageError`` for a folder that holds other things than a benchmark run, or cannot be looked into.

    A log may lie there: the shell opens the one of ``--out RUN > RUN/log`` before the run begins.
    """
    try:
        begun = not folder.is_dir() or any((folder / name).exists() for name in ("plan.json", *STARTED))
        others = [] if begun else sorted(each.name for each in folder.iterdir() if not _passing(each))
    except OSError as error:
        raise UsageError(f"cannot write results to {folder}: {plain(error)}; give another --out") from error
    if others:
        raise UsageError(f"{folder} holds other things ({others[0]}): give a new folder as --out")


def _passing(there: Path) -> bool:
    """Whether a file is none of anybody's results: a hidden one, or a log."""
    return there.name.startswith(".") or ((there.name == "log" or there.suffix == ".log") and there.is_file())


def agreed(folder: Path, plan: Plan) -> Plan:
    """The plan of a folder that this command begins or goes on with.

    Raises ``UsageError`` naming what differs when another command was begun there.
    """
    there, begun = read(folder), any((folder / name).exists() for name in STARTED)
    if there is None and begun:
        raise UsageError(f"{folder} has results without a plan: give another --out")
    if there is None or not begun:
        write(folder, plan)
        return plan
    then, now = there.get("command", {}), plan["command"]
    names = [name for name in now if then.get(name, []) != now[name]]  # before there were tools, none were given
    chosen = {"limit", "tune"}.intersection(names)  # these say which tasks are left of the data
    differ = [_differs(name, then.get(name), now[name]) for name in names if not (name == "data" and chosen)]
    if differ:
        raise UsageError(f"{folder} holds another run: {', '.join(differ)}; ask the same, or give another --out")
    return there


def _differs(name: str, then: Any, now: Any) -> str:
    if name == "data":
        return "another content of its data"
    return f"{name.replace('_', ' ')} {_word(then)} (now {_word(now)})"


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "none"  # type: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"  # type: ignore[reportUnknownArgumentType]
    return "none" if value in (None, "") else str(value)


def limited(items: Sequence[Item], limit: int | None) -> list[Item]:
    """The first ``limit`` tasks by a shuffle that is always the same, in the order of the data."""
    if limit is None or limit >= len(items):
        return list(items)
    places = list(range(len(items)))
    Random(0).shuffle(places)
    return [items[place] for place in sorted(places[:limit])]


def content(items: Sequence[Item]) -> str:
    """A hash of what is asked: each task with its gold, and the databases, wherever they lie."""
    found = blake2b(digest_size=8)
    for item in items:
        found.update(dumps([item.id, item.group, encode(replace(item.task, database=None)), _text(item.gold)]))
    for path in sorted({item.task.database for item in items if item.task.database}):
        found.update(Path(path).name.encode())
        with suppress(OSError):  # a task whose database is missing is broken, and the rest goes on
            _add(found, Path(path))
    return found.hexdigest()


def _text(gold: Any) -> str:
    """Gold in words that the next process finds too: a set is in order, of an object without words its kind counts."""
    if isinstance(gold, set | frozenset):
        return repr(sorted(map(repr, cast("set[Any]", gold))))
    return type(gold).__qualname__ if type(gold).__repr__ is object.__repr__ else repr(gold)


def _add(found: Any, path: Path) -> None:
    size = path.stat().st_size
    found.update(str(size).encode())
    with path.open("rb") as file:
        if size > WHOLE:
            found.update(file.read(BLOCK))
            file.seek(-BLOCK, os.SEEK_END)
        while data := file.read(BLOCK):
            found.update(data)


def release() -> str:
    """This package's version."""
    try:
        return version("veriloop")
    except PackageNotFoundError:
        return "unknown"


def commit() -> str:
    """The git commit of the package's own sources; empty where it is installed without."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

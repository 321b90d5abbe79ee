"""What there is to know of a run, read out of its records: one line for a list, and its attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from ..core.journal import Record
from ..core.search import Attempt, Candidate, Opinion, Spend
from ..core.task import Task
from ..core.wire import decode

Status = Literal["running", "unfinished", "passed", "failed", "unscored", "abstained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run, finished or not.

    ``status``: ``running`` (a live process works on it), ``unfinished`` (it can be resumed), else how it ended, where
    ``abstained`` means without an answer. ``created`` is in UTC. ``model`` is the proposer's name, empty where it was
    an object. Until the run has ended, ``stopped`` and ``answer`` are empty and ``spend`` is that of its closed rounds.
    """

    id: str
    created: datetime
    status: Status
    strategy: str = ""
    model: str = ""
    question: str = ""
    answer: Any = None
    spend: Spend = field(default_factory=Spend)
    stopped: str = ""


def info_of(run: str, records: Iterable[Record], changed: float, live: bool = False) -> RunInfo:
    """A run as its records tell it. ``changed`` (seconds since 1970) is when its journal changed last, which stands in
    where the first record is lost or unreadable; ``live`` says whether a process holds the journal."""
    last = {r.kind: r.value for r in records}
    end: Mapping[str, Any] = last.get("end", {})
    counted = end or last.get("closed")
    return RunInfo(
        id=run,
        **_asked(last.get("run", {}), changed),
        status=_status(end, live),
        answer=end.get("answer"),
        spend=decode(Spend, counted["spend"]) if counted else Spend(),
        stopped=end.get("stopped", ""),
    )


def _asked(said: Mapping[str, Any], changed: float) -> dict[str, Any]:
    try:
        return {
            "created": datetime.fromisoformat(said["created"]),
            "strategy": said["strategy"]["name"],
            "model": said["models"].get("proposer") or "",
            "question": decode(Task, said["task"]).question,
        }
    except (KeyError, TypeError, ValueError):
        return {"created": datetime.fromtimestamp(changed, UTC)}


def _status(end: Mapping[str, Any], live: bool) -> Status:
    if not end:
        return "running" if live else "unfinished"
    if end["best"] is None:
        return "abstained"
    return end["outcome"] if end["outcome"] in ("passed", "failed") else "unscored"


def attempts_of(records: Sequence[Record]) -> list[Attempt]:
    """The attempts that count: those of closed rounds in the order proposed, then those of a round still open.

    One that ended after its round was closed does not count. One lost to infrastructure has no record of its own; the
    ``closed`` record of its round says why. Raises ``ValueError`` for records of another version.
    """
    written = {r.key: _attempt(r.value) for r in records if r.kind == "attempt"}
    closed = {int(r.key): r.value for r in records if r.kind == "closed"}
    counted = [written[name] for number in sorted(closed) for name in closed[number]["counted"] if name in written]
    return [*counted, *(a for a in written.values() if a.round not in closed)]


def _attempt(value: Mapping[str, Any]) -> Attempt:
    return decode(Candidate if value["proposal"]["role"] == "proposer" else Opinion, value)

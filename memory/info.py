"""What there is to know of a run, read out of its records: one line for a list, and its attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ..core.journal import Record
from ..core.messages import Reply, Usage
from ..core.search import Attempt, Candidate, Opinion, Result, Spend
from ..core.task import Task
from ..core.wire import decode

Status = Literal["running", "unfinished", "passed", "failed", "unscored", "abstained"]

UNREADABLE = "its records cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run, finished or not.

    ``status``: ``running`` (a live process works on it), ``unfinished`` (it can be resumed), else how it ended, where
    ``abstained`` means without an answer. ``created`` is in UTC. ``model`` is the proposer's name, empty where it was
    an object. Until the run has ended, ``answer`` is empty, ``stopped`` says what trouble it met last, if any, and
    ``spend`` is what its closed rounds and the replies recorded since came to.
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


def info_of(run: str, records: Sequence[Record], changed: float, live: bool = False) -> RunInfo:
    """A run as its records, in the order of work, tell it. ``changed`` (seconds since 1970) is when its journal changed
    last, which stands in where the first record is lost or unreadable; ``live`` says whether a process holds the
    journal. Of records that another version wrote otherwise, it says no more than that: one run must not hide all."""
    try:
        return _told(run, records, changed, live)
    except (AttributeError, LookupError, TypeError, ValueError):
        since = datetime.fromtimestamp(changed, UTC)
        return RunInfo(id=run, created=since, status="running" if live else "unfinished", stopped=UNREADABLE)


def _told(run: str, records: Sequence[Record], changed: float, live: bool) -> RunInfo:
    last = {r.kind: r.value for r in records}
    end: Mapping[str, Any] = last.get("end", {})
    return RunInfo(
        id=run,
        **_asked(last.get("run", {}), changed),
        status=_status(end, live),
        answer=end.get("answer"),
        spend=decode(Spend, end["spend"]) if end else _spent(records),
        stopped=end["stopped"] if end else _trouble(records, live),
    )


def _spent(records: Sequence[Record]) -> Spend:
    """What an open run has spent: what its last closed round counts, and the replies recorded since."""
    closed = max((i for i, r in enumerate(records) if r.kind == "closed"), default=-1)
    spend = Spend() if closed < 0 else decode(Spend, records[closed].value["spend"])
    since = records[closed + 1 :]
    lost = max((r.trouble[1] for r in records if r.kind == "trouble"), default=0)
    spend = replace(spend, unsettled=max(spend.unsettled, lost))
    replies = [reply for r in since if r.kind == "model" and (reply := _reply(r.value)) and reply.paid]
    if not replies:
        return spend
    usage = sum((reply.usage for reply in replies), Usage())
    return replace(
        spend,
        calls=spend.calls + sum(len(reply.samples) for reply in replies),
        tokens_in=spend.tokens_in + usage.tokens_in,
        tokens_out=spend.tokens_out + usage.tokens_out,
        cached=spend.cached + usage.cached,
        money=None,
        seconds=max(spend.seconds, *(r.t for r in since)),
        tool_runs=spend.tool_runs + sum(r.kind == "tool" for r in since),
    )


def _reply(value: Any) -> Reply | None:
    try:
        return decode(Reply, value)
    except ValueError:
        return None


def _trouble(records: Sequence[Record], live: bool) -> str:
    """What stopped the last sitting, unless somebody has gone on since."""
    stopped = not live and bool(records) and records[-1].kind == "trouble"
    return records[-1].trouble[0] if stopped else ""


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


def result_of(info: RunInfo, records: Sequence[Record]) -> Result:
    """How a run ended, or stands, with the attempt that was chosen. Raises as ``attempts_of`` does."""
    attempts = attempts_of(records)
    ends: list[Mapping[str, Any]] = [r.value for r in records if r.kind == "end"]
    end = ends[0] if ends else dict[str, Any]()
    chosen = end.get("best")
    return Result(
        run_id=info.id,
        answer=info.answer,
        best=next((a for a in attempts if isinstance(a, Candidate) and a.id == chosen), None),
        attempts=tuple(attempts),
        spend=info.spend,
        stopped=info.stopped,
        strategy=info.strategy,
        numbers=end.get("numbers", {}),
    )


def _attempt(value: Mapping[str, Any]) -> Attempt:
    if "proposal" not in value:
        raise ValueError("a record of another version")
    return decode(Candidate if value["proposal"]["role"] == "proposer" else Opinion, value)

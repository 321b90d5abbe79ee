"""Journals of processes that have ended, with the runs a test wants in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from veriloop.core.journal import Journal
from veriloop.core.messages import Reply, Sample, Usage
from veriloop.core.search import Candidate, Proposal, Spend
from veriloop.core.settings import Settings, load
from veriloop.core.task import Task
from veriloop.core.wire import encode

Write = Callable[..., Path]
REPLY = Reply((Sample("reply " * 50),), Usage(20, 50))
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def settings(home: Path) -> Settings:
    """The settings of this test: all data in its own folder."""
    return load()


def header(run: str, days: float = 0) -> dict[str, Any]:
    """What was asked, ``days`` before the last of January 2026."""
    return {
        "created": (START - timedelta(days=days)).isoformat(timespec="seconds"),
        "task": encode(Task(f"question of {run}")),
        "strategy": {"name": "single", "parameters": {}},
        "models": {"proposer": "scripted"},
    }


def candidate(name: str, round: int = 0) -> dict[str, Any]:
    """An attempt as it is recorded."""
    return encode(Candidate(id=name, proposal=Proposal(id=name), round=round, answer=name))


def end(outcome: str = "passed", best: str | None = "0.0", answer: Any = 7) -> dict[str, Any]:
    """How a run ended."""
    spend = encode(Spend(calls=2, money=0.5, seconds=3.0))
    return {"stopped": "done", "answer": answer, "best": best, "outcome": outcome, "spend": spend}


def steps(run: str, parts: Sequence[str], days: float) -> list[tuple[str, str, Any, float]]:
    """The records of a run's ``parts``: its beginning, its work, its end."""
    spend = encode(Spend(calls=1, seconds=2.0))
    closing = {"counted": ["0.0"], "lost": {}, "spend": spend, "spent": ""}
    all_parts: dict[str, list[tuple[str, str, Any, float]]] = {
        "begin": [("run", "", header(run, days), 0.0)],
        "work": [("model", "0.0/proposer/0", encode(REPLY), 1.0), ("attempt", "0.0", candidate("0.0"), 1.5)],
        "close": [("closed", "0", closing, 2.0)],
        "end": [("end", "", end(), 3.0)],
    }
    return [step for part in parts for step in all_parts[part]]


@pytest.fixture
def write(home: Path) -> Write:
    """Writes the journal of an ended process: ``write(r1=WHOLE, r2=["begin"])`` gives its path."""

    def written(days: float = 0, **runs: Sequence[str]) -> Path:
        journal = Journal(home / "journals")
        for run, parts in runs.items():
            log = journal.start(run)
            for kind, key, value, t in steps(run, parts, days):
                log.put(kind, key, value, "h", t)
        journal.close()
        return journal.path

    return written

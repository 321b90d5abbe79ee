"""What a benchmark run leaves: ``results.jsonl``, a line for each cell (arm x seed x task) that has ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from veriloop.apps.bench.benchmark import Scores
from veriloop.core.errors import UsageError, plain
from veriloop.core.search import Attempt, Candidate, Finding, Opinion, Result, Search, Spend
from veriloop.core.wire import encode, to_bytes

VERSION = 1
SYNC_EVERY = 0.5
"""Seconds after which what was written is brought to the disk; a run that a power cut takes is in its journal."""

Row = Mapping[str, Any]
"""A cell as plain data, as it is written and read."""
Key = tuple[str, str, int]
"""What tells a cell from all others: arm, task, seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A candidate: ``answer`` is what it was parsed to, ``tokens_in`` and ``tokens_out`` what proposing it took,
    ``verifying`` all tokens that its verifier's models took, ``verifying_out`` of them those that they wrote;
    ``partial`` says that it is steps on their way, which answer nothing yet."""

    id: str
    round: int
    parents: Sequence[str]
    answer: str
    outcome: str
    score: float | None
    findings: Sequence[Finding]
    right: Scores
    tokens_in: int
    tokens_out: int
    verifying: int
    verifying_out: int = 0
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What any other role said, and what it took, ``tokens_out`` of it written."""

    id: str
    role: str
    value: Mapping[str, Any] | None
    tokens: int
    tokens_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One arm on one task with one seed.

    ``right`` is the worth of the chosen answer by each metric; all false where it abstained or could not be run.
    ``picks`` is the policy's choice after each candidate, in the order proposed (none: it would have abstained), and
    ``tokens`` everything spent up to and with that candidate. ``stopped`` is a run's own word, ``broken`` for a task
    that could not be run, or ``error: …`` for trouble around it, which may pass; then ``error`` says it in a line.
    """

    task: str
    group: str = ""
    question: str = ""
    arm: str
    strategy: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    verify: str
    change: str = ""
    temperature: float | None = None
    seed: int
    run: str
    stopped: str = "done"
    error: str = ""
    abstained: bool = False
    best: str | None = None
    right: Scores = field(default_factory=dict[str, "bool | float"])
    picks: Sequence[str | None] = ()
    tokens: Sequence[int] = ()
    seconds: float = 0.0
    spend: Spend = field(default_factory=Spend)
    candidates: Sequence[Shown] = ()
    opinions: Sequence[Said] = ()
    version: int = VERSION

    def row(self) -> dict[str, Any]:
        """As it is written."""
        return encode(self)


def shown(candidate: Candidate, right: Scores) -> Shown:
    """A candidate with its worth."""
    answer = candidate.artifact if candidate.artifact is not None else candidate.text
    return Shown(
        id=candidate.id,
        round=candidate.round,
        parents=candidate.proposal.parents,
        answer=answer if isinstance(answer, str) else to_bytes(answer).decode(),
        outcome=candidate.verdict.outcome,
        score=candidate.verdict.score,
        findings=candidate.verdict.findings,
        right=right,
        tokens_in=candidate.usage.tokens_in,
        tokens_out=candidate.usage.tokens_out,
        verifying=candidate.verifying.tokens_in + candidate.verifying.tokens_out,
        verifying_out=candidate.verifying.tokens_out,
        partial=candidate.partial,
    )


def said(opinion: Opinion) -> Said:
    """An opinion."""
    value = {"error": opinion.error} if opinion.value is None and opinion.error else opinion.value
    role, usage = opinion.proposal.role, opinion.usage
    return Said(id=opinion.id, role=role, value=value, tokens=_used(opinion), tokens_out=usage.tokens_out)


def _used(attempt: Attempt) -> int:
    own = attempt.usage.tokens_in + attempt.usage.tokens_out
    more = attempt.verifying if isinstance(attempt, Candidate) else None
    return own + (more.tokens_in + more.tokens_out if more else 0)


def best_so_far(policy: Any, search: Search, result: Result) -> tuple[list[str | None], list[int]]:
    """The id that ``policy`` would choose after each candidate, and the tokens spent up to and with it. What belongs to
    no attempt that counts (one that was cancelled) is spent with the last."""
    picks: list[str | None] = []
    tokens: list[int] = []
    total = 0
    for place, attempt in enumerate(result.attempts, 1):
        total += _used(attempt)
        if isinstance(attempt, Candidate):
            seen = Search(task=search.task, seed=search.seed, round=attempt.round + 1, attempts=result.attempts[:place])
            chosen: Candidate | None = policy.select(seen)
            picks.append(chosen.id if chosen else None)
            tokens.append(total)
    if tokens:
        tokens[-1] = max(tokens[-1], result.spend.tokens)
    return picks, tokens


def key_of(row: Row) -> Key:
    """Which cell a row is of."""
    return row["arm"], row["task"], int(row["seed"])


def unfinished(row: Row) -> bool:
    """Whether trouble around it, which may pass, stopped the cell: it is tried again."""
    return str(row["stopped"]).startswith("error: ")


class Results:
    """The file ``results.jsonl`` of a folder, appended to by one process. A torn last line is dropped; of a cell that
    is there twice the later line counts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.jsonl"
        self._file = -1
        self._synced = time.monotonic()

    def rows(self) -> Iterator[dict[str, Any]]:
        """All lines as plain data, in the order written, a cell's earlier lines too.

        Raises ``UsageError`` for a line that is no cell.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    row: dict[str, Any] = json.loads(line)
                    key_of(row)
                except (ValueError, KeyError, TypeError):
                    raise UsageError(
                        f"{self.path}, line {number} is not a cell of a benchmark run: take that line out and run again"
                    ) from None
                yield row

    def append(self, row: Row) -> None:
        """Write a cell. Raises ``UsageError`` when it cannot be written."""
        try:
            if self._file < 0:
                self._open()
            data = memoryview(to_bytes(row) + b"\n")
            while data:
                data = data[os.write(self._file, data) :]
            if time.monotonic() - self._synced > SYNC_EVERY:
                self._sync()
        except OSError as error:
            raise UsageError(f"cannot write {self.path}: {plain(error)}") from error

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._file).st_size
        tail = size
        while tail and os.pread(self._file, 1, tail - 1) != b"\n":
            tail -= 1
        if tail < size:
            os.ftruncate(self._file, tail)

    def _sync(self) -> None:
        os.fsync(self._file)
        self._synced = time.monotonic()

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._file >= 0:
            self._sync()
            os.close(self._file)
        self._file = -1

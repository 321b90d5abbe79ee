"""What each further round changes: answers that turn right in it and answers that turn wrong, against the round before.

python scripts/bench/flips.py OUT
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from veriloop.apps.bench.measured import measured


@dataclass(frozen=True, slots=True)
class Flips:
    """The answers after ``round`` rounds against those of the round before: how many are right of how many problems,
    how many were wrong and are right (``gained``), how many were right and are wrong (``lost``)."""

    round: int
    problems: int
    right: int
    gained: int
    lost: int

    @property
    def line(self) -> str:
        """In words."""
        since = f"; since R = {self.round - 1}: 0→1 {self.gained}, 1→0 {self.lost}" if self.round else ""
        return f"R = {self.round}: {self.right}/{self.problems} right{since}"


def flips(answers: Sequence[Sequence[bool]]) -> list[Flips]:
    """For each round what became of the answers before it. ``answers`` holds for each problem whether its answer was
    right after each round; one that ended earlier keeps its last answer, one without any is wrong."""
    rounds = max(map(len, answers), default=0)
    kept = [[*each, *(rounds - len(each)) * (each[-1:] or [False])] for each in map(list, answers)]
    return [
        Flips(
            round=r,
            problems=len(kept),
            right=sum(each[r] for each in kept),
            gained=sum(each[r] and not each[before] for each in kept),
            lost=sum(each[before] and not each[r] for each in kept),
        )
        for before, r in ((max(0, r - 1), r) for r in range(rounds))
    ]


def by_round(row: Mapping[str, Any], metric: str) -> list[bool]:
    """Whether the answer of a cell was right after each round: that of the round's last candidate, or of the round
    before where it was lost."""
    every = row["candidates"]
    right = {c["round"]: bool(c["right"].get(metric)) for c in every if c["outcome"] != "infra_error"}
    found: list[bool] = []
    for number in range(max((c["round"] for c in every), default=-1) + 1):
        found.append(right.get(number, found[-1] if found else False))
    return found


def table(out: Path) -> list[str]:
    """The flips of every arm of a benchmark run, all its seeds together, as lines for people."""
    run = measured(out)
    lines: list[str] = []
    for arm in run.arms:
        rows = [row for row in run.rows if row["arm"] == arm.label]
        for metric in run.metrics:
            counted = flips([by_round(row, metric) for row in rows])
            lines += [f"{arm.label} · {metric} · {each.line}" for each in counted]
    return lines

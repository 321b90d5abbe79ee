"""What a benchmark run left in its folder, as arrays: one block an arm, tasks x seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veriloop.apps.bench import plan, records
from veriloop.apps.bench.records import Row
from veriloop.core.errors import UsageError

Floats = NDArray[np.float64]

SPENT = ("calls", "tokens_in", "tokens_out", "money", "seconds", "verdicts", "tool_runs")


@dataclass(frozen=True)
class Candidates:
    """All candidates of an arm that may be answers (no partial texts), one an entry: the index of their ``task``, the
    verdict's ``score`` and each finding's by criterion (NaN = none), the outcome's name, and what is right by each
    metric [metrics, candidates]."""

    task: NDArray[np.intp]
    score: Floats
    outcome: NDArray[np.str_]
    right: Floats
    criteria: Mapping[str, Floats]


@dataclass(frozen=True)
class ArmCells:
    """One arm's cells. Axes: metrics M, tasks T, seeds S, candidates N in the order proposed; NaN = no such cell.

    ``right`` [M, T, S] is the worth of the answer given, ``steps`` [M, T, S, N] of the one the policy would have given
    after each candidate (a run that stopped keeps its answer), ``any_right`` [M, T, S, N] of the best candidate so far
    (the ceiling that only an oracle reaches). ``tokens`` [T, S, N] is everything spent up to and with each candidate,
    infinite behind the last. ``count`` [T, S] is the number of candidates, ``most`` how many it may propose (none: its
    strategy does not say); where it goes ``by_steps``, each step is one.
    """

    label: str
    strategy: str
    verify: str
    change: str
    temperature: float | None
    independent: bool
    by_steps: bool
    most: int | None
    right: Floats
    steps: Floats
    any_right: Floats
    tokens: Floats
    count: Floats
    abstained: Floats
    error: Floats
    spent: Mapping[str, Floats]
    candidates: Candidates

    @property
    def oracle(self) -> bool:
        """Whether its verifier knows the right answer."""
        return "oracle" in self.verify.split("+")

    @property
    def early(self) -> bool:
        """Whether what it gets right takes it fewer tokens, so that it stops early on what is easy for it."""
        spent = self.spent["tokens_in"] + self.spent["tokens_out"]
        right = self.right[0] >= 1
        others = spent[~right & ~np.isnan(spent)]
        return bool(right.any()) and (not others.size or bool(spent[right].mean() < others.mean()))

    def first(self, proposals: int) -> Floats:
        """The worth [M, T, S] of the answer it has after so many proposals."""
        cut = self.steps[..., min(proposals, self.steps.shape[-1]) - 1]
        return np.where(self.count <= proposals, self.right, cut)

    def after(self, budget: Floats) -> Floats:
        """The worth [M, T, S] of the answer it has when ``budget`` [T, S] total tokens are spent; 0 without one yet.

        Where the whole run fits in, that is the answer it gave (or its abstention).
        """
        known = (self.tokens <= budget[..., None]).sum(axis=-1)
        last = np.maximum(known - 1, 0)[None, ..., None]
        at = np.take_along_axis(self.steps, np.broadcast_to(last, (*self.steps.shape[:3], 1)), axis=-1)[..., 0]
        cut = np.where(known > 0, at, np.where(np.isnan(self.right), np.nan, 0.0))
        return np.where((known == self.count) & (known > 0), self.right, cut)


@dataclass(frozen=True)
class Measured:
    """A benchmark run: its folder and plan, names along the axes, and each arm's cells. ``rows`` are the cells as
    recorded."""

    out: Path
    plan: Mapping[str, Any]
    metrics: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    arms: tuple[ArmCells, ...]
    rows: tuple[Row, ...] = field(repr=False)

    def arm(self, label: str) -> ArmCells:
        """The arm of that label."""
        return next(arm for arm in self.arms if arm.label == label)


def measured(out: Path | Measured) -> Measured:
    """Reads ``out``/plan.json and ``out``/results.jsonl. Raises ``UsageError`` when no run is there.

    An arm that the plan names comes in the plan's order; one without any cell yet is left out."""
    if isinstance(out, Measured):
        return out
    asked, rows = _read(out)
    metrics = tuple(asked["metrics"])
    tasks = {task: i for i, task in enumerate(dict.fromkeys(row["task"] for row in rows))}
    seeds = {seed: i for i, seed in enumerate(sorted({int(row["seed"]) for row in rows}))}
    by_arm: dict[str, list[Row]] = {str(arm["label"]): [] for arm in asked["arms"]}
    for row in rows:
        by_arm.setdefault(row["arm"], []).append(row)
    width = max(1, *(len(row["candidates"]) for row in rows))
    most = {str(arm["label"]): arm.get("proposals") for arm in asked["arms"]}
    frame = _Frame(metrics, tasks, seeds, width, most)
    arms = tuple(frame.arm(cells) for cells in by_arm.values() if cells)
    return Measured(out, asked, metrics, tuple(tasks), tuple(seeds), arms, rows)


def _read(out: Path) -> tuple[Mapping[str, Any], tuple[Row, ...]]:
    """The plan and the cells, of one that is there twice the later line; in an order that does not depend on who ended
    first, else the bootstrap would draw other tasks."""
    found = plan.read(out)
    if found is None:
        raise UsageError(f"{out} holds no benchmark run (no plan.json): give the folder that --out named")
    rows = {records.key_of(row): row for row in records.Results(out).rows()}
    if not rows:
        raise UsageError(f"{out}: no cell has ended yet, so there is nothing to report")
    return found, tuple(sorted(rows.values(), key=lambda row: (row["task"], row["seed"])))


@dataclass(frozen=True)
class _Frame:
    """The axes that all arms share."""

    metrics: tuple[str, ...]
    tasks: Mapping[str, int]
    seeds: Mapping[int, int]
    width: int
    most: Mapping[str, int | None]

    def arm(self, rows: list[Row]) -> ArmCells:
        shape = (len(self.tasks), len(self.seeds))
        steps = np.full((len(self.metrics), *shape, self.width), np.nan)
        block: dict[str, Any] = {
            "right": np.full((len(self.metrics), *shape), np.nan),
            "steps": steps,
            "any_right": steps.copy(),
        }
        block["tokens"] = np.full((*shape, self.width), np.inf)
        block |= {name: np.full(shape, np.nan) for name in ("count", "abstained", "error")}
        spent = {name: np.full(shape, np.nan) for name in SPENT}
        for row in rows:
            at = self.tasks[row["task"]], self.seeds[int(row["seed"])]
            self._cell(row, at, block)
            for name in SPENT:
                value = row["spend"].get(name)
                spent[name][at] = np.nan if value is None else value
        first = rows[0]
        steps = any(c.get("partial") for row in rows for c in row["candidates"])
        alone = not any(c["parents"] or c["round"] for row in rows for c in row["candidates"])
        return ArmCells(
            label=str(first["arm"]),
            strategy=str(first["strategy"]),
            verify=str(first["verify"]),
            change=str(first["change"]),
            temperature=first.get("temperature"),
            independent=alone and not steps,
            by_steps=steps,
            most=self.most.get(str(first["arm"])),
            **block,
            spent=spent,
            candidates=self._candidates(rows),
        )

    def _cell(self, row: Row, at: tuple[int, int], block: Mapping[str, Floats]) -> None:
        candidates = row["candidates"]
        worth = {c["id"]: self._worth(c["right"]) for c in candidates}
        block["right"][:, *at] = self._worth(row["right"])
        block["count"][at] = len(candidates)
        block["abstained"][at] = bool(row.get("abstained"))
        block["error"][at] = bool(row.get("error"))
        none = [0.0] * len(self.metrics)
        block["steps"][:, *at, :] = block["any_right"][:, *at, :] = 0.0
        if candidates:
            picked = np.array([worth.get(pick, none) for pick in row["picks"]]).T
            block["steps"][:, *at, :] = _held(picked, self.width)
            most = np.maximum.accumulate(np.array([worth[c["id"]] for c in candidates]).T, axis=1)
            block["any_right"][:, *at, :] = _held(most, self.width)
            block["tokens"][*at, : len(candidates)] = row["tokens"]

    def _worth(self, right: Mapping[str, Any]) -> list[float]:
        return [float(right.get(metric, 0.0)) for metric in self.metrics]

    def _candidates(self, rows: list[Row]) -> Candidates:
        every = [(self.tasks[row["task"]], c) for row in rows for c in row["candidates"] if not c.get("partial")]
        names = {f["criterion"] for _, c in every for f in c["findings"] if f.get("score") is not None}
        criteria = {name: np.full(len(every), np.nan) for name in sorted(names)}
        for i, (_, candidate) in enumerate(every):
            for finding in candidate["findings"]:
                if finding.get("score") is not None:
                    criteria[finding["criterion"]][i] = finding["score"]
        return Candidates(
            task=np.array([task for task, _ in every], dtype=np.intp),
            score=np.array([np.nan if c["score"] is None else c["score"] for _, c in every], dtype=float),
            outcome=np.array([c["outcome"] for _, c in every], dtype=np.str_),
            right=np.array([self._worth(c["right"]) for _, c in every], dtype=float).reshape(-1, len(self.metrics)).T,
            criteria=criteria,
        )


def _held(values: Floats, width: int) -> Floats:
    """``values`` [M, n] along ``width`` candidates: the last one stays."""
    return values[:, np.minimum(np.arange(width), values.shape[1] - 1)]

"""All statistics of a benchmark run, as plain data: ``summary``, ``comparisons``, ``curves``, ``calibration``.

Each reads a run's folder (or a ``Measured``). Every accuracy is the mean over tasks of the mean over seeds; a cell with
an error counts as wrong. Every interval is 95 %, a bootstrap over tasks (``estimates.draws``) unless it says Wilson; of
a share that is the same on all tasks, as all right, it is Wilson's with tasks as trials (``estimates.doubted``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from veriloop.apps.bench.estimates import (
    Interval,
    auc_interval,
    brier,
    doubted,
    draws,
    ece,
    means,
    number,
    pass_at_k,
    ratios,
    reliability,
    shares,
    sign_flip,
    wilson,
)
from veriloop.apps.bench.measured import SPENT, ArmCells, Floats, Measured, measured

Data = dict[str, Any]
POINTS = 40
"""Points of a curve over tokens."""


def summary(out: Path | Measured) -> list[Data]:
    """One entry an arm: ``accuracy``, ``ceiling`` (any candidate right) and ``pass_at`` by metric, shares of cells that
    ``abstained`` or had an ``error``, and means per cell of tokens, calls, verdicts, seconds and money (none where a
    price is unknown). ``pass_at`` is there for arms whose candidates are independent samples, pooled over seeds."""
    run = measured(out)
    weights = draws(len(run.tasks))
    return [_summary(run, arm, weights) for arm in run.arms]


def _summary(run: Measured, arm: ArmCells, weights: Floats) -> Data:
    spent = {name: _mean(arm.spent[name]) for name in SPENT}
    known = not np.isnan(arm.spent["money"][arm.count > 0]).any()
    return {
        **_about(arm),
        "cells": int((~np.isnan(arm.count)).sum()),
        "candidates": len(arm.candidates.task),
        "accuracy": _by_metric(run, [over_seeds(right) for right in arm.right], weights),
        "ceiling": _by_metric(run, [over_seeds(right[..., -1]) for right in arm.any_right], weights),
        "pass_at": _pass_at(run, arm, weights) if arm.independent else {},
        "abstained": _mean(arm.abstained),
        "errors": int(np.nansum(arm.error)),
        "proposals": _mean(arm.count),
        "tokens": _mean(arm.spent["tokens_in"] + arm.spent["tokens_out"]),
        **{name: spent[name] for name in ("tokens_in", "tokens_out", "calls", "verdicts", "tool_runs", "seconds")},
        "money": spent["money"] if known else None,
    }


def _about(arm: ArmCells) -> Data:
    names = ("label", "strategy", "verify", "change", "temperature", "oracle", "by_steps")
    return {name: getattr(arm, name) for name in names}


def _mean(values: Floats) -> float | None:
    return number(np.nanmean(values)) if not np.isnan(values).all() else None


def over_seeds(values: Floats) -> Floats:
    """The mean over the seeds [T, S] -> [T] that were run; NaN where none was."""
    there = ~np.isnan(values)
    count = there.sum(axis=1)
    return np.where(count > 0, np.where(there, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _by_metric(run: Measured, columns: Sequence[Floats], weights: Floats) -> Data:
    found = shares(np.stack(columns, axis=1), weights)
    return {metric: interval.plain for metric, interval in zip(run.metrics, found, strict=True)}


def _pass_at(run: Measured, arm: ArmCells, weights: Floats) -> Data:
    samples, tasks = np.bincount(arm.candidates.task, minlength=len(run.tasks)), len(run.tasks)
    counts = [np.bincount(arm.candidates.task, weights=right >= 1, minlength=tasks) for right in arm.candidates.right]
    most = int(np.nanmax(arm.count))
    found: Data = {}
    for k in sorted({2**i for i in range(12) if 2**i <= most} | {most} - {0}):
        columns = [_counted(pass_at_k(samples, right.astype(int), k), arm) for right in counts]
        found[str(k)] = _by_metric(run, columns, weights)
    return found


def _counted(chances: Floats, arm: ArmCells) -> Floats:
    """A task that broke in every seed has no samples: it counts as wrong, as everywhere."""
    broken = np.nansum(arm.error, axis=1) == (~np.isnan(arm.count)).sum(axis=1)
    return np.where(np.isnan(chances) & broken & ~np.isnan(arm.count).all(axis=1), 0.0, chances)


def curves(out: Path | Measured) -> list[Data]:
    """One entry an arm, by metric: accuracy after k ``proposals`` (k = 1..N), accuracy at ``tokens`` total tokens, and
    the ``ceiling`` (any of the first k right). Each is a list of points with value and interval; over tokens also which
    share has ``answered`` by then."""
    run = measured(out)
    weights = draws(len(run.tasks))
    grid = _grid(run)
    return [{**_about(arm), "metrics": _curves(run, arm, grid, weights)} for arm in run.arms]


def _grid(run: Measured) -> Floats:
    """Total tokens from where the first answers come to where the last run ends, evenly spaced by ratio."""
    known = [arm.tokens[np.isfinite(arm.tokens) & (arm.tokens > 0)] for arm in run.arms]
    every = np.concatenate([*known, *([] if any(k.size for k in known) else [np.ones(1)])])
    first, last = float(every.min()), float(every.max())
    return cast("Floats", np.unique(np.rint(np.geomspace(first, max(last, first), POINTS))))


def _curves(run: Measured, arm: ArmCells, grid: Floats, weights: Floats) -> Data:
    most = max(1, int(np.nanmax(arm.count)))
    mine = grid[: int(np.searchsorted(grid, float(spent_by(arm).max()))) + 1]
    cut = [arm.after(np.broadcast_to(budget, arm.count.shape)) for budget in mine]
    first = arm.tokens[~np.isnan(arm.count)][:, 0]
    answered = [np.count_nonzero(first <= budget) / len(first) for budget in mine]
    found: Data = {}
    for m, metric in enumerate(run.metrics):
        over_tokens = _points(mine.astype(int).tolist(), [each[m] for each in cut], weights)
        found[metric] = {
            "proposals": _points(range(1, most + 1), [arm.steps[m, ..., k] for k in range(most)], weights),
            "ceiling": _points(range(1, most + 1), [arm.any_right[m, ..., k] for k in range(most)], weights),
            "tokens": [{**point, "answered": a} for point, a in zip(over_tokens, answered, strict=True)],
        }
    return found


def _points(at: Sequence[int], blocks: Sequence[Floats], weights: Floats) -> list[Data]:
    if not blocks:
        return []
    found = shares(np.stack([over_seeds(block) for block in blocks], axis=1), weights)
    return [{"at": int(x), **interval.plain} for x, interval in zip(at, found, strict=True)]


def comparisons(out: Path | Measured) -> list[Data]:
    """Paired differences, ``arm`` minus ``base``, by metric: at equal ``proposals`` (both as they ended; where one may
    propose more than the other, it is cut to as many) and at equal total ``tokens`` (for each task and seed the arm is
    cut to what the base used). Against a single sample both stand as they ended, without ``tokens``. Each has value,
    interval, ``p`` (sign flips over tasks), and on how many tasks the arm is ``better`` and ``worse``. Where one of
    two strategies goes by steps, which are no answers, there is nothing at equal ``proposals``.

    Pairs: each arm with best_of_n under the same verifier, best_of_n with single, each ablation with its own arm.
    ``kind`` is ``strategy`` or ``ablation``."""
    run = measured(out)
    weights = draws(len(run.tasks))
    return [_comparison(run, arm, base, weights) for arm, base in _pairs(run.arms)]


def _pairs(arms: Sequence[ArmCells]) -> list[tuple[ArmCells, ArmCells]]:
    whole = [arm for arm in arms if not arm.change]
    names = {arm.strategy for arm in whole}
    pairs: list[tuple[ArmCells, ArmCells]] = []
    for base in (b for b in whole if b.strategy == "best_of_n"):
        rivals = [arm for arm in whole if arm.strategy not in ("best_of_n", "single")]
        pairs += [(arm, base) for arm in rivals if _comparable(arm, base)]
    if "best_of_n" not in names and len(whole) > 1 and "single" not in names:
        pairs += [(arm, whole[0]) for arm in whole[1:] if arm.oracle == whole[0].oracle]
    for base in (b for b in whole if b.strategy == "single"):
        rivals = [arm for arm in whole if arm.strategy == "best_of_n" or "best_of_n" not in names]
        pairs += [(arm, base) for arm in rivals if arm.strategy != "single" and _comparable(arm, base)]
    for arm in (a for a in arms if a.change):
        same = [b for b in whole if b.strategy == arm.strategy and b.verify == arm.verify]
        named = [b for b in same if b.label == arm.label.replace(f" {arm.change}", "", 1)]
        pairs += [(arm, base) for base in (named or same)[:1]]
    return pairs


def _comparable(arm: ArmCells, base: ArmCells) -> bool:
    """Under the same verifier, or one of them works without; what an oracle helps is held against its like only."""
    return arm.verify == base.verify or (not arm.oracle and not base.oracle and "none" in (arm.verify, base.verify))


def _comparison(run: Measured, arm: ArmCells, base: ArmCells, weights: Floats) -> Data:
    alone = int(np.nanmax(base.count)) <= 1
    cut = None if alone else arm.after(spent_by(base))
    known = [each.most for each in (arm, base) if each.most is not None]
    unlike = not alone and not arm.change and (arm.by_steps or base.by_steps)
    equal = [each.first(min(known)) if len(known) == 2 and not alone else each.right for each in (arm, base)]
    found: Data = {"arm": arm.label, "base": base.label, "verify": arm.verify, "oracle": arm.oracle or base.oracle}
    found |= {"kind": "ablation" if arm.change else "strategy", "change": arm.change, "metrics": {}}
    for m, metric in enumerate(run.metrics):
        found["metrics"][metric] = {
            "proposals": None if unlike else difference(equal[0][m], equal[1][m], weights),
            "tokens": None if cut is None else difference(cut[m], base.right[m], weights),
        }
    return found


def spent_by(arm: ArmCells) -> Floats:
    """The total tokens [T, S] that each cell had used with its last candidate; 0 without one."""
    return np.max(np.where(np.isfinite(arm.tokens), arm.tokens, 0.0), axis=-1)


def difference(one: Floats, other: Floats, weights: Floats) -> Data:
    """The paired difference of two blocks [T, S] over the cells that both have, tasks as clusters."""
    both = over_seeds(one - other)
    (interval,) = means(both[:, None], weights)
    better, worse = int((both > 0).sum()), int((both < 0).sum())
    known = int((~np.isnan(both)).sum())
    return {**interval.plain, "p": number(sign_flip(both)), "better": better, "worse": worse, "tasks": known}


def calibration(out: Path | Measured) -> list[Data]:
    """How far each verifier's score is the chance to be right (by the main metric), over all candidates of arms without
    a change that may be answers (no partial texts): for the verdict (``criterion`` empty) and for each criterion that
    its findings score.

    ``bins`` (reliability, Wilson), ``ece``, ``brier``, ``auc`` with interval; for the verdict also how often a
    ``passed`` candidate is wrong and a ``failed`` one right, with bootstrap intervals, and candidates by outcome."""
    run = measured(out)
    weights = draws(len(run.tasks))
    found: list[Data] = []
    for verify in dict.fromkeys(arm.verify for arm in run.arms if not arm.change):
        arms = [arm for arm in run.arms if arm.verify == verify and not arm.change and len(arm.candidates.task)]
        if verify != "none" and arms:
            found += _calibrations(verify, arms, weights)
    return found


def _calibrations(verify: str, arms: Sequence[ArmCells], weights: Floats) -> list[Data]:
    task = np.concatenate([arm.candidates.task for arm in arms])
    right = np.concatenate([arm.candidates.right[0] for arm in arms]) >= 1
    outcome = np.concatenate([arm.candidates.outcome for arm in arms])
    verdict = np.concatenate([arm.candidates.score for arm in arms])
    about = {"verify": verify, "oracle": arms[0].oracle, "arms": [arm.label for arm in arms]}
    names = [n for n in dict.fromkeys(n for arm in arms for n in arm.candidates.criteria) if n != verify]
    found = [{**about, "criterion": "", **_scored(verdict, right, task, weights)}]
    found[0] |= _outcomes(outcome, right, task, weights)
    for name in names:
        none = [arm.candidates.criteria.get(name, np.full(len(arm.candidates.task), np.nan)) for arm in arms]
        found.append({**about, "criterion": name, **_scored(np.concatenate(none), right, task, weights)})
    return found


def _scored(score: Floats, right: NDArray[np.bool_], task: NDArray[np.intp], weights: Floats) -> Data:
    known = ~np.isnan(score)
    score, right, task = score[known], right[known], task[known]
    bins = reliability(score, right)
    return {
        "candidates": int(known.sum()),
        "right": wilson(float(right.sum()), float(right.size)).plain,
        "bins": [{**vars(b), "right": b.right.plain} for b in bins],
        "ece": number(ece(bins)),
        "brier": number(brier(score, right)),
        "auc": auc_interval(score, right, task, weights).plain,
    }


def _outcomes(
    outcome: NDArray[np.str_], right: NDArray[np.bool_], task: NDArray[np.intp], weights: Floats
) -> dict[str, Any]:
    said: Data = {name: int((outcome == name).sum()) for name in ("passed", "failed", "unscored", "infra_error")}
    passed, failed = outcome == "passed", outcome == "failed"
    rates = {
        "passed_wrong": (passed & ~right, passed),
        "failed_right": (failed & right, failed),
        "false_positive": (passed & ~right, (passed | failed) & ~right),
        "true_positive": (passed & right, (passed | failed) & right),
    }
    return {"outcomes": said, **{name: _rate(*pair, task, weights).plain for name, pair in rates.items()}}


def _rate(over: NDArray[np.bool_], under: NDArray[np.bool_], task: NDArray[np.intp], weights: Floats) -> Interval:
    tasks = weights.shape[1]
    counts: list[Floats] = [
        np.bincount(task, each.astype(float), tasks)[:, None].astype(float) for each in (over, under)
    ]
    return doubted(ratios(counts[0], counts[1], weights), counts[1] > 0)[0]

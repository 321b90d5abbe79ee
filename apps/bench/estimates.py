"""Estimates and their uncertainty, from arrays: numpy only, vectorised, the same numbers for the same data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDS = 2000
FLIPS = 10_000
EXACT = 12
"""Up to so many tasks that differ, all sign flips are tried (2^12) and the p-value is exact."""


class Interval(NamedTuple):
    """A value and its 95 % interval; all NaN where nothing was measured."""

    value: float
    low: float
    high: float

    @property
    def plain(self) -> dict[str, float | None]:
        """As data for JSON."""
        return {"value": number(self.value), "low": number(self.low), "high": number(self.high)}


def number(value: Any) -> float | None:
    """A float that JSON can hold: none for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def pass_at_k(samples: NDArray[Any], right: NDArray[Any], k: int) -> Floats:
    """pass@k per task: the chance that one of ``k`` samples is right, from ``right`` of ``samples``.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, eq. 1), 1 - C(n-c, k) / C(n, k), in its stable form
    1 - prod over i = n-c+1 .. n of (1 - k/i). NaN where fewer than ``k`` samples were drawn. Unbiased for independent
    samples only.
    """
    if k < 1:
        raise ValueError(f"pass@k needs k of 1 or more, not {k}")
    pairs, where = np.unique(np.stack([samples.ravel(), right.ravel()]), axis=1, return_inverse=True)
    found = [_pass_at_k(int(n), int(c), k) for n, c in pairs.T]
    return np.array(found, dtype=float)[where.ravel()].reshape(samples.shape)


def _pass_at_k(n: int, c: int, k: int) -> float:
    if not 0 <= c <= n:
        raise ValueError(f"{c} of {n} samples cannot be right")
    if n < k:
        return float("nan")
    return 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def draws(tasks: int, rounds: int = ROUNDS, seed: int = 0) -> Floats:
    """How often each bootstrap round draws each task: [rounds, tasks], multinomial counts.

    The task is the cluster: a task that is drawn comes with the mean over all its seeds. The spread between seeds is
    part of the spread between those means already; drawing the seeds again too would count it twice (Davison and
    Hinkley 1997, section 3.8; on simulated runs intervals then hold the truth 97 times in 100, not 95).
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(tasks, np.full(tasks, 1.0 / tasks), size=rounds).astype(float)


def means(values: Floats, weights: Floats) -> list[Interval]:
    """The mean of each column of ``values`` [tasks, columns] with its bootstrap interval (percentiles) over the tasks.

    NaN = not measured for that task: such tasks are left out of that column.
    """
    there = ~np.isnan(values)
    return ratios(np.where(there, values, 0.0), there.astype(float), weights)


def shares(values: Floats, weights: Floats) -> list[Interval]:
    """``means`` of what lies within 0..1, also where the bootstrap knows no doubt (see ``doubted``)."""
    return doubted(means(values, weights), ~np.isnan(values))


def doubted(found: list[Interval], there: NDArray[np.bool_]) -> list[Interval]:
    """Shares with their bootstrap intervals, but Wilson's where all tasks are alike (all right, all wrong): every round
    then draws the same, and an interval without width would be falsely certain. ``there`` [tasks, columns] is which
    tasks count; each is one trial, whatever its seeds."""
    tasks = np.count_nonzero(there, axis=0)
    alike = [each.high - each.low < 1e-9 for each in found]
    return [wilson(f.value * n, float(n)) if a else f for f, n, a in zip(found, tasks, alike, strict=True)]


def ratios(over: Floats, under: Floats, weights: Floats) -> list[Interval]:
    """sum(over) / sum(under) for each column [tasks, columns], with its bootstrap interval over the tasks."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = over.sum(axis=0) / under.sum(axis=0)
        drawn = (weights @ over) / (weights @ under)
    return [Interval(float(v), *_middle(drawn[:, i])) for i, v in enumerate(value)]


def _middle(drawn: Floats) -> tuple[float, float]:
    """The 2.5 and the 97.5 percentile of what could be computed."""
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def sign_flip(differences: Floats, seed: int = 0) -> float:
    """The two-sided p-value of a paired difference: how often flipping each task's sign at random gives a mean at least
    as far from 0.

    Exact where up to ``EXACT`` tasks differ, else from ``FLIPS`` seeded flips, the observed one counted
    among them (Phipson and Smyth 2010), so never 0. 1 where no task differs, NaN without tasks.
    """
    known = differences[~np.isnan(differences)]
    differ = known[known != 0.0]
    if not known.size:
        return float("nan")
    if not differ.size:
        return 1.0
    far = abs(float(differ.sum())) - 1e-9 * float(np.abs(differ).sum())
    if differ.size <= EXACT:
        every = np.array([[i >> j & 1 for j in range(differ.size)] for i in range(2**differ.size)], dtype=float)
        return np.count_nonzero(np.abs(differ.sum() - 2.0 * (every @ differ)) >= far) / len(every)
    bits = np.random.default_rng(seed).integers(0, 2, size=(FLIPS, differ.size), dtype=np.int8)
    sums = differ.sum() - 2.0 * (bits.astype(float) @ differ)
    return float((1 + np.count_nonzero(np.abs(sums) >= far)) / (1 + FLIPS))


def wilson(right: float, total: float) -> Interval:
    """A share and its 95 % interval after Wilson (1927); no value for none of none."""
    if not total:
        return Interval(float("nan"), float("nan"), float("nan"))
    z, share = 1.959963984540054, right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Interval(share, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def auc(scores: Floats, right: NDArray[np.bool_]) -> float:
    """The chance that a right candidate scores above a wrong one, a tie counting half; NaN without both kinds."""
    _, where = np.unique(scores, return_inverse=True)
    size = int(where.max()) + 1 if where.size else 0
    return float(
        _auc(
            np.bincount(where[right], minlength=size)[None].astype(float),
            np.bincount(where[~right], minlength=size)[None].astype(float),
        )[0]
    )


def _auc(right: Floats, wrong: Floats) -> Floats:
    """AUC of each row from counts per score, ascending: [rows, scores]."""
    below = np.cumsum(wrong, axis=1) - wrong
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.sum(right * (below + wrong / 2), axis=1) / (right.sum(axis=1) * wrong.sum(axis=1))
    return found


def auc_interval(scores: Floats, right: NDArray[np.bool_], task: NDArray[np.intp], weights: Floats) -> Interval:
    """``auc`` with its bootstrap interval over the tasks; for the interval scores are rounded to 1/200."""
    step = np.rint(np.clip(scores, 0.0, 1.0) * 200).astype(int)
    counts = np.zeros((2, weights.shape[1], 201))
    np.add.at(counts, (right.astype(int), task, step), 1.0)
    return Interval(auc(scores, right), *_middle(_auc(weights @ counts[1], weights @ counts[0])))


def brier(scores: Floats, right: NDArray[np.bool_]) -> float:
    """The mean squared distance of score and truth (Brier 1950): 0 is best, 0.25 is a coin."""
    return float(np.mean((scores - right) ** 2)) if scores.size else float("nan")


@dataclass(frozen=True)
class Bin:
    """Candidates whose score lies in ``[low, high)`` (the last bin: up to and with 1): how many, their mean score, and
    the share of them that is right."""

    low: float
    high: float
    count: int
    score: float
    right: Interval


def reliability(scores: Floats, right: NDArray[np.bool_], bins: int = 10) -> list[Bin]:
    """Bins of equal width over 0..1; empty ones are left out."""
    where = np.minimum((np.clip(scores, 0.0, 1.0) * bins).astype(int), bins - 1)
    found: list[Bin] = []
    for i in np.unique(where):
        mine = where == i
        count = int(mine.sum())
        share = wilson(float(right[mine].sum()), count)
        found.append(Bin(i / bins, (i + 1) / bins, count, float(scores[mine].mean()), share))
    return found


def ece(bins: list[Bin]) -> float:
    """The expected calibration error (Naeini et al. 2015): the mean over candidates of |share right - mean score| of
    their bin."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs(b.right.value - b.score) for b in bins) / total if total else float("nan")

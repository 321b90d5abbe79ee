"""How many samples are worth it: a verifier that lets wrong answers pass puts a ceiling on resampling.

After Stroebl, Kapoor and Narayanan, "Inference Scaling fLaws: The Limits of LLM Resampling with Imperfect Verifiers"
(arXiv 2411.17501). A task's sample is right with chance p. The verifier passes a right one with chance t (true-positive
rate) and a wrong one with chance f (false-positive rate). Samples are drawn until one passes, at most k; when none
passes, the answer is withheld. With s = p t + (1 - p) f, the chance that a sample passes,

    right(k)     = E[ p t / s       (1 - (1 - s)^k) ]
    wrong(k)     = E[ (1 - p) f / s (1 - (1 - s)^k) ]
    abstained(k) = E[ (1 - s)^k ]
    gain(k)      = right(k) - cost * wrong(k)

and the k-th sample adds E[ (1 - s)^(k-1) (p t - cost (1 - p) f) ]: above 0 first, while easy tasks still wait, and
below 0 once mostly hard ones are left, whose passes are mostly wrong. The budget that is worth it is the k of the
greatest gain. For k -> infinity, right(k) -> E[p t / s], the ceiling; it is below 1 whenever f > 0. An answer that
passed as the k-th sample is right with chance E[(1-s)^(k-1) p t] / E[(1-s)^(k-1) s]; giving it pays while that is above
cost / (1 + cost): below, abstain.

E is over tasks: p follows a beta distribution, fitted to the right samples of each task by maximum likelihood (the
beta-binomial). Plain frequencies would take each task without a right sample for impossible, and spread too much. t and
f are measured over all samples and taken as the same for every task, independent between samples of one task; a
verifier that errs by task rather than by sample reaches its ceiling sooner than this says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from veriloop.apps.bench.estimates import draws, number
from veriloop.apps.bench.measured import ArmCells, Floats, Measured, measured

SHOWN = 64
"""The longest budget that is tabled."""
LONGEST = 256
"""Where gain still grows here, ever more samples help."""
REFITS = 200


@dataclass(frozen=True)
class Rates:
    """What is known of model and verifier: the beta distribution (``a``, ``b``) of the tasks' chance of a right sample,
    and the verifier's ``true_positive`` and ``false_positive`` rate."""

    a: float
    b: float
    true_positive: float
    false_positive: float


@dataclass(frozen=True)
class Worth:
    """Expected shares of tasks after at most k = 1, 2, … samples, the chance that an answer passed as the k-th is right
    (``sure``), the ``ceiling`` of right for k -> infinity, and ``best``: the k of the greatest gain, 0 where no sample
    is worth its risk, none where ever more help."""

    right: Floats
    wrong: Floats
    abstained: Floats
    gain: Floats
    sure: Floats
    ceiling: float
    wrong_at_ceiling: float
    best: int | None


def worth_of(rates: Rates, cost: float = 1.0, longest: int = LONGEST) -> Worth:
    """The formulas above. ``cost`` is what a wrong answer costs, where a right one gains 1 and none gains nothing."""
    p, mass = _beta(rates.a, rates.b)
    good, bad = p * rates.true_positive, (1.0 - p) * rates.false_positive
    passes = good + bad
    waits = np.empty((longest, p.size))
    waits[0] = 1.0
    for k in range(1, longest):
        np.multiply(waits[k - 1], 1.0 - passes, out=waits[k])
    first_good, first_bad = (waits @ np.stack([mass * good, mass * bad], axis=1)).T
    right, wrong = np.cumsum(first_good), np.cumsum(first_bad)
    gain = right - cost * wrong
    with np.errstate(invalid="ignore", divide="ignore"):
        share, rest = np.where(passes > 0, good / passes, 0.0), np.where(passes > 0, bad / passes, 0.0)
        sure = first_good / (first_good + first_bad)
    ceiling, wrong_ceiling = float(mass @ share), float(mass @ rest)
    return Worth(right, wrong, 1.0 - right - wrong, gain, sure, ceiling, wrong_ceiling, _best(gain))


def _best(gain: Floats) -> int | None:
    """The k of the greatest gain: 0 where none is above 0, none where it still grows at the end."""
    at = int(np.argmax(gain))
    if gain[at] <= 0.0:
        return 0
    return None if at == gain.size - 1 else at + 1


def _beta(a: float, b: float) -> tuple[Floats, Floats]:
    """Nodes and weights for means over Beta(a, b): even steps of log(p / (1 - p)), where its density has no edges."""
    middle, sd = np.log(a / b), np.sqrt(1 / a + 1 / b)
    low, high = middle - 12 * sd - 30.0 / a, middle + 12 * sd + 30.0 / b
    x = cast("Floats", np.linspace(low, high, int((high - low) / min(0.25, sd / 4)) + 2))
    log_density = -a * np.logaddexp(0.0, -x) - b * np.logaddexp(0.0, x)
    mass = np.exp(log_density - log_density.max())
    x, mass = x[mass > 1e-12], mass[mass > 1e-12]
    return 1.0 / (1.0 + np.exp(-np.clip(x, -700.0, 700.0))), mass / mass.sum()


def fit_beta(right: NDArray[Any], samples: NDArray[Any], weights: NDArray[Any] | None = None) -> tuple[float, float]:
    """Maximum-likelihood (a, b) of the beta-binomial for ``right`` of ``samples`` per task, both within 0.02 .. 2000.

    ``weights`` count how often each task is taken. Found on a grid over log a, log b that narrows five times.
    """
    pairs, where = np.unique(np.stack([samples, right]), axis=1, return_inverse=True)
    n, c = pairs.astype(int)
    taken = np.bincount(where.ravel(), weights=weights, minlength=n.size).astype(float)
    bounds = np.log([0.02, 2000.0])
    centre, half = np.full(2, bounds.mean()), float(np.ptp(bounds)) / 2
    for _ in range(6):
        grid = np.clip(centre[:, None] + np.linspace(-half, half, 25), *bounds)
        likely = _likelihood(np.exp(grid[0]), np.exp(grid[1]), n, c, taken)
        i, j = np.unravel_index(int(np.argmax(likely)), likely.shape)
        centre, half = np.array([grid[0, i], grid[1, j]]), half / 6
    return float(np.exp(centre[0])), float(np.exp(centre[1]))


def _likelihood(a: Floats, b: Floats, n: NDArray[np.int_], c: NDArray[np.int_], taken: Floats) -> Floats:
    """The log-likelihood [a, b] up to what does not depend on them, from rising factorials."""
    most = int(n.max(initial=0))
    steps = np.arange(most)

    def rising(x: Floats) -> Floats:
        """log x (x+1) … (x+m-1) for m = 0 .. most."""
        logs = np.cumsum(np.log(x[..., None] + steps), axis=-1)
        return np.concatenate([np.zeros((*x.shape, 1)), logs], axis=-1)

    mine, other, both = rising(a), rising(b), rising(a[:, None] + b[None, :])
    by_task = mine[:, None, c] + other[None, :, n - c] - both[:, :, n]
    return by_task @ taken


def worth(out: Path | Measured, cost: float = 1.0) -> list[dict[str, Any]]:
    """One entry for each verifier that can pass and fail (no oracle), from its arm of independent samples (best_of_n,
    or whichever there is): measured rates, ``best`` budget and ``ceiling`` with 95 % intervals (bootstrap over tasks,
    refitted), what is expected at 1, 2, 4 … ``SHOWN`` samples, and ``abstain_below`` = cost / (1 + cost)."""
    run = measured(out)
    found: list[dict[str, Any]] = []
    for verify in dict.fromkeys(arm.verify for arm in run.arms):
        arms = [a for a in run.arms if a.verify == verify and a.independent and not a.change and not a.oracle]
        if arms and verify != "none":
            counts = _Counts.of(max(arms, key=lambda arm: len(arm.candidates.task)), len(run.tasks))
            if counts.judged:
                found.append({"verify": verify, "arm": counts.arm, "cost": cost, **_worth(counts, cost)})
    return found


@dataclass(frozen=True)
class _Counts:
    """Samples per task [T]: all that were judged, the right ones, those that passed and are right, and are wrong."""

    arm: str
    samples: Floats
    right: Floats
    good: Floats
    bad: Floats

    @classmethod
    def of(cls, arm: ArmCells, tasks: int) -> _Counts:
        these = arm.candidates
        judged = (these.outcome == "passed") | (these.outcome == "failed")
        right, passed = these.right[0] >= 1, these.outcome == "passed"
        kinds = [judged, judged & right, passed & right, passed & ~right]
        counts: Any = [np.bincount(these.task, kind.astype(float), tasks) for kind in kinds]
        return cls(arm.label, *counts)

    @property
    def judged(self) -> bool:
        """Whether both rates can be told: some right and some wrong candidates were judged."""
        return 0 < self.right.sum() < self.samples.sum()

    def rates(self, weights: Floats | None = None) -> Rates | None:
        """The rates, of a bootstrap round where ``weights`` are given; none where it drew only one kind."""
        taken = np.ones_like(self.samples) if weights is None else weights
        samples, right, good, bad = (float(taken @ x) for x in (self.samples, self.right, self.good, self.bad))
        if not 0 < right < samples:
            return None
        a, b = fit_beta(self.right, self.samples, taken)
        return Rates(a, b, good / right, bad / (samples - right))


def _worth(counts: _Counts, cost: float) -> dict[str, Any]:
    rates = counts.rates()
    assert rates is not None
    at = worth_of(rates, cost)
    again = [counts.rates(w) for w in draws(counts.samples.size, REFITS)]
    drawn = [worth_of(r, cost) for r in again if r is not None]
    budgets = [2**i for i in range(SHOWN.bit_length()) if 2**i <= SHOWN]
    best = at.best
    threshold = cost / (1.0 + cost)
    return {
        "rates": {"a": rates.a, "b": rates.b, "accuracy": rates.a / (rates.a + rates.b)}
        | {"true_positive": rates.true_positive, "false_positive": rates.false_positive},
        "samples": int(counts.samples.sum()),
        "best": best,
        "best_low": _quantile([d.best for d in drawn], 0.025),
        "best_high": _quantile([d.best for d in drawn], 0.975),
        "gain_at_best": number(at.gain[-1 if best is None else best - 1]) if best != 0 else 0.0,
        "ceiling": {"value": at.ceiling, **_percentiles([d.ceiling for d in drawn])},
        "wrong_at_ceiling": at.wrong_at_ceiling,
        "gain_at_ceiling": at.ceiling - cost * at.wrong_at_ceiling,
        "abstain_below": threshold,
        "sure_until": int(np.count_nonzero(np.cumprod(at.sure >= threshold))),
        "budgets": [_row(at, k) for k in sorted({*budgets, min(best or 1, SHOWN)})],
    }


def _row(at: Worth, k: int) -> dict[str, Any]:
    names = ("right", "wrong", "abstained", "gain", "sure")
    return {"samples": k, **{name: number(getattr(at, name)[k - 1]) for name in names}}


def _quantile(values: Sequence[int | None], q: float) -> int | None:
    """A quantile of best budgets, where none (ever more help) is above all."""
    if not values:
        return None
    ordered = sorted(values, key=lambda v: float("inf") if v is None else v)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    low, high = np.percentile(values, [2.5, 97.5]) if values else (float("nan"), float("nan"))
    return {"low": number(low), "high": number(high)}

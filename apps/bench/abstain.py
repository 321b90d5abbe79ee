"""When not to answer: P(the answer is right), learnt on tasks that are not measured from the score of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Row = Mapping[str, Any]

FEW = 100
"""Up to so many answers the curve is a logistic one; with more it is isotonic, which knows no shape but needs more."""


@dataclass(frozen=True)
class Calibrator:
    """P(right) of an arm's answer by its verifier's score: ``knots`` of (score, P), straight between them.

    ``unscored`` is P where nothing scored the answer, and ``answers`` how many it was learnt from. Both kinds are
    smoothed after Platt (1999): never 0 or 1, and the fewer the answers the nearer to a half.
    """

    knots: tuple[tuple[float, float], ...]
    unscored: float
    answers: int

    def p(self, row: Row) -> float:
        """P that the best answer of a record is right; 0 where there is none."""
        best = _best(row)
        return 0.0 if best is None else self.chance(best)

    def chance(self, candidate: Row) -> float:
        """P that a candidate of a record is right, were it the answer."""
        score = candidate["score"]
        return self.unscored if score is None or not self.knots else self._at(float(score))

    def _at(self, score: float) -> float:
        import numpy as np

        scores, chances = zip(*self.knots, strict=True)
        return float(np.interp(score, scores, chances))

    @property
    def plain(self) -> Mapping[str, Any]:
        """As data for JSON, which ``read`` takes."""
        return {"answers": self.answers, "unscored": self.unscored, "knots": [list(knot) for knot in self.knots]}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Calibrator:
        """The calibrator that a plan keeps (``tuning.calibrators`` by arm)."""
        return cls(tuple((s, p) for s, p in plain["knots"]), plain["unscored"], plain["answers"])


def calibrate(rows: Sequence[Row], metric: str) -> Calibrator:
    """Learn from the records of one arm. Those without an answer are left out; where there is no other, P is a half."""
    import numpy as np

    answers = [best for row in rows if (best := _best(row)) is not None]
    silent = [float(each["right"][metric]) for each in answers if each["score"] is None]
    scored = [(float(each["score"]), float(each["right"][metric])) for each in answers if each["score"] is not None]
    unscored = (sum(silent) + 1) / (len(silent) + 2)
    if not scored:
        return Calibrator((), unscored, len(answers))
    scores, right = np.array(sorted(scored)).T
    found = _isotonic(scores, right) if len(scored) > FEW else _logistic(scores, right)
    if not silent:
        unscored = float(found[1].min())
    return Calibrator(tuple((float(s), float(p)) for s, p in zip(*found, strict=True)), unscored, len(answers))


def _best(row: Row) -> Row | None:
    return next((each for each in row["candidates"] if each["id"] == row["best"]), None)


def _smoothed(right: Floats) -> Floats:
    """Platt's targets: (N+ + 1) / (N+ + 2) for right ones, 1 / (N- + 2) for wrong ones."""
    total = float(right.sum())
    low, high = 1 / (right.size - total + 2), (total + 1) / (total + 2)
    return low + (high - low) * right


def _isotonic(scores: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The non-decreasing step function nearest to the targets, by pooling adjacent violators (Ayer et al. 1955)."""
    import numpy as np

    levels, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=_smoothed(right)) / counts
    blocks: list[list[float]] = []  # mean, weight, levels
    for mean, weight in zip(means, counts, strict=True):
        blocks.append([float(mean), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean_, weight_, span = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean_ * weight_) / (last[1] + weight_)
            last[1], last[2] = last[1] + weight_, last[2] + span
    return levels, np.concatenate([np.full(int(span), mean) for mean, _, span in blocks])


def _logistic(scores: Floats, right: Floats) -> tuple[Floats, Floats]:
    """P = 1 / (1 + exp(-(a + b z))), z the standardised score, by Newton's method in bounded steps with a light ridge
    on b; it never falls with the score."""
    import numpy as np

    middle, spread = scores.mean(), max(1e-3, float(scores.std()))
    targets, design = _smoothed(right), np.stack([np.ones_like(scores), (scores - middle) / spread], axis=1)
    weights, ridge = np.zeros(2), np.diag([1e-6, 0.1])
    for _ in range(100):
        chance = 1 / (1 + np.exp(-design @ weights))
        hessian = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, design.T @ (chance - targets) + ridge @ weights)
        weights = weights - step * min(1.0, 1.0 / max(1e-12, float(np.abs(step).max())))
    levels = np.union1d(np.linspace(0.0, 1.0, 21), scores)
    if weights[1] <= 0:
        return levels, np.full(levels.size, targets.mean())
    chances = 1 / (1 + np.exp(-np.clip(weights[0] + weights[1] * (levels - middle) / spread, -50, 50)))
    return levels, np.clip(chances, targets.min(), targets.max())  # no surer beyond the scores that were seen


def held_back(row: Row, calibrator: Calibrator, below: float) -> bool:
    """Whether P that its answer is right is lower than ``below``; a record without an answer abstained by itself."""
    return _best(row) is not None and calibrator.p(row) < below


def withheld(row: Row, calibrator: Calibrator, below: float) -> Row:
    """A record as it is when answers with a lower P than ``below`` are not given: its own, and those that it would have
    given at a smaller budget."""
    unlikely = {each["id"] for each in row["candidates"] if calibrator.chance(each) < below}
    given = {**row, "picks": [None if pick in unlikely else pick for pick in row["picks"]]}
    if not held_back(row, calibrator, below):
        return given
    return {**given, "abstained": True, "right": dict.fromkeys(row["right"], False)}


class Point(NamedTuple):
    """What abstaining below ``below`` gives: the share of tasks answered, and the share of those that is right."""

    below: float
    coverage: float
    accuracy: float


def coverage(records: Sequence[Row], calibrator: Calibrator, metric: str) -> list[Point]:
    """Coverage against accuracy of one arm: a point for each P that occurs, from answering all to the surest alone.

    Records without an answer count as tasks not answered. An answer that was held back counts as what it would have
    said.
    """
    answered = [(calibrator.p(row), float(best["right"][metric])) for row in records if (best := _best(row))]
    answered.sort(reverse=True)
    points: list[Point] = []
    right = 0.0
    for count, (p, worth) in enumerate(answered, 1):
        right += worth
        if count == len(answered) or answered[count][0] != p:
            points.append(Point(p, count / len(records), right / count))
    return points[::-1]

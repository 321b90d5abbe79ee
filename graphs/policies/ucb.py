"""PlanGEN's modified UCB (arXiv 2502.16111, section 3.3): which algorithm is tried next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

MOST_EXPLORING = 5.0
"""What the exploration term is at most."""


@dataclass(frozen=True)
class Record:
    """What is known of one algorithm: ``reward`` (R, the sum of its scores in 0..1), ``count`` (C, from 1),
    ``failures`` (F, trials below the threshold) and ``recoveries`` (Rec, trials that reached it after a failure)."""

    reward: float = 0.0
    count: int = 1
    failures: int = 0
    recoveries: int = 0

    def after(self, score: float, threshold: float) -> Record:
        """The record after one more trial. The paper gives no rule; this is ours."""
        more = replace(self, reward=self.reward + score, count=self.count + 1)
        if score < threshold:
            return replace(more, failures=self.failures + 1)
        return replace(more, recoveries=self.recoveries + 1) if self.failures else more


@dataclass(frozen=True)
class UCB:
    """The weights of the formula. The paper names neither of them; its Figure 1 fits a ``prior_weight`` of 10."""

    prior_weight: float = 10.0
    diversity: float = 1.0
    recovery: float = 0.1

    def values(self, records: Mapping[str, Record], priors: Mapping[str, float]) -> dict[str, float]:
        """UCB(a) = R/(C Rmax) + min(sqrt(2 ln(T+1)/C), 5) + w/(1+T) Prior + d/(C+1) + r Rec, for each algorithm.

        T counts the trials of all; Rmax is the largest R, 1 while all are 0. A prior that nobody gave is 0.
        """
        trials = sum(record.count - 1 for record in records.values())
        largest = max((record.reward for record in records.values()), default=0.0) or 1.0
        return {
            name: record.reward / (record.count * largest)
            + min(math.sqrt(2 * math.log(trials + 1) / record.count), MOST_EXPLORING)
            + self.prior_weight / (1 + trials) * priors.get(name, 0.0)
            + self.diversity / (record.count + 1)
            + self.recovery * record.recoveries
            for name, record in records.items()
        }


NOTHING: Mapping[str, Record] = {}
"""No past."""
Trial = tuple[str, float]
"""An algorithm that was run, and the score it reached, in 0..1."""


def records(
    algorithms: Sequence[str], trials: Iterable[Trial], threshold: float, past: Mapping[str, Record] = NOTHING
) -> dict[str, Record]:
    """The records of the algorithms after these trials, in order, gone on with from those of the ``past``; trials of
    others are passed over."""
    found = {name: past.get(name, Record()) for name in algorithms}
    for name, score in trials:
        if name in found:
            found[name] = found[name].after(score, threshold)
    return found


def pick(values: Mapping[str, float]) -> str:
    """The algorithm with the largest value, the first among equals."""
    return max(values, key=lambda name: values[name])

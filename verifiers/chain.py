"""Verifiers one after another, cheap ones first: the next is asked only when the one before has passed."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.protocols import Context, Verifier
from ..core.search import UNSCORED, Candidate, Outcome, Verdict
from ..core.task import Task

GRAVEST: tuple[Outcome, ...] = ("infra_error", "failed", "unscored", "passed")


@dataclass(frozen=True)
class Chain:
    """Passed when all pass. Each stage is worth the same share of the score, and a stage that was not reached is worth
    nothing, so whoever gets further scores higher.

    A stage that cannot judge stops nobody, but then nobody passes: the chain is failed if a later stage fails (the
    silent one left out of the sum), else unscored, with no score.
    """

    stages: tuple[Verifier, ...]

    @property
    def name(self) -> str:
        """The stages' names, joined."""
        return "+".join(stage.name for stage in self.stages)

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that the stages need."""
        return tuple(role for stage in self.stages for role in getattr(stage, "roles", ()))

    async def ready(self, task: Task) -> None:
        """Ask the stages that can say whether they can judge this task."""
        for stage in self.stages:
            if ready := getattr(stage, "ready", None):
                await ready(task)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Run the stages in order up to the first that fails or breaks."""
        verdicts: list[Verdict] = []
        for stage in self.stages:
            verdicts.append(await stage.verify(task, candidate, context))
            if verdicts[-1].outcome in ("failed", "infra_error"):
                break
        findings = tuple(finding for verdict in verdicts for finding in verdict.findings)
        outcome = _outcome(verdicts)
        if outcome in ("unscored", "infra_error"):
            return Verdict(outcome, None, findings, self.name)
        scores = [score_of(verdict) for verdict in verdicts if verdict.outcome != "unscored"]
        silent = len(verdicts) - len(scores)
        return Verdict(outcome, min(1.0, sum(scores) / (len(self.stages) - silent)), findings, self.name)


def _outcome(verdicts: list[Verdict]) -> Outcome:
    """The gravest outcome; that of no stages is unscored."""
    return min(verdicts, key=lambda verdict: GRAVEST.index(verdict.outcome), default=UNSCORED).outcome


def score_of(verdict: Verdict) -> float:
    """A verdict's score; of one that only passed or failed, 1 or 0."""
    return verdict.score if verdict.score is not None else float(verdict.outcome == "passed")

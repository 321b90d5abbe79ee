"""Verifiers one after another, cheap ones first: the next is asked only when the one before has passed."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.protocols import Context, Verifier
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task


@dataclass(frozen=True)
class Chain:
    """Passed when all pass. Each stage is worth the same share of the score, and a stage that was not reached is worth
    nothing, so whoever gets further scores higher. A stage that cannot judge is left out of the sum."""

    stages: tuple[Verifier, ...]

    @property
    def name(self) -> str:
        """The stages' names, joined."""
        return "+".join(stage.name for stage in self.stages)

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that the stages need."""
        return tuple(role for stage in self.stages for role in getattr(stage, "roles", ()))

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Run the stages in order up to the first that does not pass."""
        findings: list[Finding] = []
        total, counted, outcome = 0.0, len(self.stages), "unscored"
        for stage in self.stages:
            verdict = await stage.verify(task, candidate, context)
            findings += verdict.findings
            if verdict.outcome == "infra_error":
                return Verdict("infra_error", None, tuple(findings), self.name)
            if verdict.outcome == "unscored":
                counted -= 1
                continue
            outcome = verdict.outcome
            total += verdict.score if verdict.score is not None else float(outcome == "passed")
            if outcome == "failed":
                break
        score = None if outcome == "unscored" else min(1.0, total / counted)
        return Verdict(outcome, score, tuple(findings), self.name)

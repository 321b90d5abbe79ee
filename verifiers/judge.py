"""A language model's opinion as a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from ..agents.roles import Judgement, messages
from ..core.errors import OutputError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task
from ..models.ask import ask


@dataclass(frozen=True)
class Judge:
    """Asks the model of role ``judge`` how likely the answer is right; passed from ``threshold`` on.

    A judge that gives no usable opinion leaves the candidate unscored.
    """

    threshold: float = 0.5
    instruction: str = ""
    name: str = "judge"
    roles: tuple[str, ...] = ("judge",)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """One call, and one repair turn at most."""
        prompt = messages("judge", task, [candidate], self.instruction)
        seed = candidate.proposal.seed or 0
        try:
            opinion = await ask(context.model("judge"), prompt, Judgement, seed=seed)
        except OutputError as error:
            return Verdict("unscored", None, (Finding("judge", None, str(error)),), self.name)
        first, *others = [reason[:500] for reason in opinion.reasons[:8]] or [""]
        rest = (Finding("judge", None, reason) for reason in others)
        findings = (Finding("judge", opinion.score, first), *rest)
        outcome = "passed" if opinion.score >= self.threshold else "failed"
        return Verdict(outcome, opinion.score, findings, self.name)

"""A language model's opinion as a verdict, alone or having heard what other verifiers found."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from ..agents.roles import Judgement, messages
from ..core.errors import OutputError, Unjudgeable
from ..core.protocols import Context, Verifier
from ..core.search import UNSCORED, Candidate, Finding, Verdict
from ..core.task import Task
from ..models.ask import ask

HOPELESS = 0.1
"""What another verifier fails with a score up to this (a query that does not run), no judge is asked about."""


@dataclass(frozen=True)
class Judge:
    """Asks the model of role ``judge`` how likely the answer is right; passed from ``threshold`` on.

    It may first hear others (``hears``): their findings go into its prompt as evidence. They decide nothing, unless an
    answer is hopeless. In a chain (``sql+judge``) whatever ``sql`` doubts has failed; a judge that hears it
    (``judge:sql``) may find it right all the same. A judge that gives no usable opinion leaves the candidate unscored.
    """

    threshold: float = 0.5
    instruction: str = ""
    hears: Verifier | None = None

    @property
    def name(self) -> str:
        """``judge``, or ``judge:NAME`` where it hears another."""
        return f"judge:{self.hears.name}" if self.hears else "judge"

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that are needed."""
        return ("judge", *getattr(self.hears, "roles", ()))

    async def ready(self, task: Task) -> None:
        """Ask the one it hears, if that can say whether it can judge this task; one without anything to say of a
        question is not heard."""
        if ready := getattr(self.hears, "ready", None):
            with suppress(Unjudgeable):
                await ready(task)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """One call, and one repair turn at most."""
        heard = await self.hears.verify(task, candidate, context) if self.hears else UNSCORED
        if heard.outcome == "infra_error":
            return replace(heard, verifier=self.name)
        if heard.outcome == "failed" and heard.score is not None and heard.score <= HOPELESS:
            return Verdict("failed", 0.0, heard.findings, self.name)
        doubts = "\n".join(f.message for f in heard.findings if f.message and f.score is not None)
        said = await self._opinion(task, candidate, context, doubts)
        return replace(said, findings=(*heard.findings, *said.findings))

    async def _opinion(self, task: Task, candidate: Candidate, context: Context, heard: str) -> Verdict:
        prompt = messages("judge", task, [candidate], self.instruction, heard)
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


def hearing(name: str) -> Judge:
    """A judge that hears the verifier of a name: ``judge:sql``."""
    from . import make

    return Judge(hears=make(name))

"""One verifier for plans and one for answers, where a policy writes both (plan, then execute)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..agents.prompts import render
from ..core.errors import UsageError
from ..core.protocols import Context, Verifier
from ..core.search import UNSCORED, Candidate, Finding, Verdict
from ..core.task import Task
from .plangen import PlanGen
from .steps import whole

PLAN = "plan/"
"""How the scope of a plan begins."""


@dataclass(frozen=True)
class Stages:
    """``plans`` judges candidates whose scope begins with ``plan/``, ``answers`` all others.

    A plan's verdict says how good a plan it is, and nothing of the answer. Without a verifier of ``answers`` an answer
    stays unscored: nobody has judged it.
    """

    plans: Verifier
    answers: Verifier | None = None

    @property
    def name(self) -> str:
        """``plan:NAME``, and the name of the one for answers behind a comma."""
        return f"plan:{self.plans.name}" + (f",{self.answers.name}" if self.answers else "")

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that both need."""
        return (*getattr(self.plans, "roles", ()), *getattr(self.answers, "roles", ()))

    @property
    def stages(self) -> tuple[Verifier, ...]:
        """The one for answers, so that one named oracle is found."""
        return (self.answers,) if self.answers else ()

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` where the answer is no text, as a plan is, or a verifier cannot judge this task."""
        if task.database is not None or task.language is not None or task.output_schema is not None:
            raise UsageError("a plan is text: plan and execute only where the answer is text, too")
        for each in (self.plans, self.answers):
            if ready := getattr(each, "ready", None):
                await ready(task)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """The verdict of the one whose matter it is."""
        if candidate.proposal.scope.startswith(PLAN):
            said = await self.plans.verify(task, candidate, context)
            return replace(said, verifier=self.name)
        if self.answers is None:
            return Verdict("unscored", None, (Finding("answer", None, "Its plan was judged, it was not."),), self.name)
        return replace(await self.answers.verify(task, candidate, context), verifier=self.name)

    async def step(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """How good the steps of a plan are; of an answer nobody says it here."""
        step = getattr(self.plans, "step", None)
        planning = candidate.proposal.scope.startswith(PLAN)
        return await step(task, candidate, context) if step and planning else UNSCORED

    async def ends(self, task: Task, candidate: Candidate, context: Context) -> bool:
        """Whether a plan is whole, in the opinion of the role ``completion``."""
        return await whole(task, candidate, context, render("whole_plan"))


def around(answers: Verifier | None) -> Stages:
    """PlanGEN's verifier for plans, which no code is asked about, beside the one that the user gave for answers."""
    return Stages(PlanGen(prove=False, instruction=render("planned")), answers)

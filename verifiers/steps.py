"""The verifier ``steps``: is a text that grows by steps on its way to the answer, is it there, and is that right?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..agents.roles import Completion, Verification, messages
from ..core.errors import OutputError
from ..core.protocols import Context, Verifier
from ..core.search import UNSCORED, Candidate, Finding, Verdict
from ..core.task import Task
from ..models.ask import ask

MOST = 0.99
"""The most that steps without an answer can get."""


@dataclass(frozen=True)
class Steps:
    """Around any verifier, or none: what policies by steps verify with.

    A partial text never passes; its score, at most ``MOST``, is how good the steps so far are. The inner verifier's own
    ``async step(task, candidate, context) -> Verdict`` says so where it has one and gives a score (0: the step cannot
    be); else the model of role ``step_reward`` does, as PlanGEN's verification agent (arXiv 2502.16111). A whole text
    is the inner verifier's matter; without one it is unscored: a score to rank by is that model's opinion again.
    """

    inner: Verifier | None = None

    @property
    def name(self) -> str:
        """``steps``, or ``steps:NAME`` where there is a verifier for whole answers."""
        return f"steps:{self.inner.name}" if self.inner else "steps"

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that are needed."""
        return ("step_reward", *getattr(self.inner, "roles", ()))

    @property
    def stages(self) -> tuple[Verifier, ...]:
        """The inner verifier, so that one named oracle is found."""
        return (self.inner,) if self.inner else ()

    async def ready(self, task: Task) -> None:
        """Ask the inner verifier, if that can say whether it can judge this task."""
        if ready := getattr(self.inner, "ready", None):
            await ready(task)

    async def ends(self, task: Task, candidate: Candidate, context: Context) -> bool:
        """Whether the text is a whole answer: by the inner verifier's own ``ends``, else by the model of role
        ``completion``. One that gives no usable opinion goes on."""
        if ends := _own(self.inner, "ends"):
            return await ends(task, candidate, context)
        return await whole(task, candidate, context)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """The inner verdict on a whole text, else how good the steps are."""
        if candidate.complete and self.inner is not None:
            return replace(await self.inner.verify(task, candidate, context), verifier=self.name)
        try:
            found = await self._worth(task, candidate, context)
        except OutputError as error:
            found = Verdict("unscored", None, (Finding("step", None, str(error)),))
        if candidate.complete:  # text that a model wrote is trusted as no verdict
            found = replace(found, outcome="unscored")
        elif found.score is not None:
            found = replace(found, outcome="failed", score=min(found.score, MOST))
        return replace(found, verifier=self.name)

    async def _worth(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """What the inner verifier says of the steps; the model is asked where that leaves it open."""
        found = UNSCORED
        if not candidate.complete and (step := _own(self.inner, "step")):
            found = await step(task, candidate, context)
        if found.outcome != "unscored":
            return found
        said = await self._opinion(task, candidate, context, found.text)
        return replace(said, findings=(*found.findings, *said.findings))

    async def _opinion(self, task: Task, candidate: Candidate, context: Context, heard: str) -> Verdict:
        prompt = messages("step_reward", task, [candidate], heard=heard)
        seed = candidate.proposal.seed or 0
        said = await ask(context.model("step_reward"), prompt, Verification, seed=seed)
        first, *others = [point.critique[:500] for point in said.critique[:8]] or [""]
        rest = (Finding("step", None, critique) for critique in others)
        return Verdict("failed", said.share, (Finding("step", said.share, first), *rest))


async def whole(task: Task, candidate: Candidate, context: Context, instruction: str = "") -> bool:
    """Whether a text is whole, in the opinion of the role ``completion``; without a usable one it is not."""
    prompt = messages("completion", task, [candidate], instruction)
    try:
        said = await ask(context.model("completion"), prompt, Completion, seed=candidate.proposal.seed or 0)
    except OutputError:
        return False
    return said.complete


def _own(verifier: Verifier | None, method: str) -> Any:
    """A verifier's own method, or that of the first of its stages that has it; none where nobody has."""
    return next((getattr(each, method) for each in _all(verifier) if hasattr(each, method)), None)


def _all(verifier: Verifier | None) -> Iterator[Verifier]:
    if verifier is not None:
        yield verifier
        for stage in getattr(verifier, "stages", ()):
            yield from _all(stage)


def around(name: str) -> Steps:
    """The steps of the verifier of a name: ``steps:game24``."""
    from . import make

    return Steps(make(name))


def by_steps(verifier: Verifier | None) -> Steps:
    """What a policy by steps verifies with."""
    return verifier if isinstance(verifier, Steps) else Steps(verifier)

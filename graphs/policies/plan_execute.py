"""Plan, then execute, as PlanGEN does for tasks of reasoning (arXiv 2502.16111): an inner policy looks for a good plan,
and one pass over the best of them gives the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ...agents.prompts import render
from ...agents.roles import show
from ...core.protocols import Policy, Verifier
from ...core.search import Candidate, Proposal, Search
from ...verifiers.stages import around
from .best_of_n import BestOfN
from .common import positive, samplable
from .mixture import Mixture
from .rebase import Rebase
from .tree_of_thought import TreeOfThought

Inner = Literal["best_of_n", "tree_of_thought", "rebase", "mixture"]
PLANS, ANSWER = "plan", "execute"


@dataclass(frozen=True, kw_only=True)
class PlanExecute:
    """Plans by the ``inner`` policy, then one answer at temperature 0 that follows the best of them.

    Plans are judged by PlanGEN's verifier, by opinion alone (a plan is no answer that code could check), and their
    verdicts say nothing of the answer. The verifier that the user gave judges the answer; without one it stays
    unscored. ``n`` is best-of-n's. For questions that are answered in text.
    """

    inner: Inner = "best_of_n"
    n: int = 5
    temperature: float = 0.7
    max_tokens: int = 2048

    def __post_init__(self) -> None:
        positive(n=self.n)
        samplable(self.temperature, self.max_tokens)

    @property
    def by_steps(self) -> bool:
        """Whether plans are written step by step."""
        return self.inner != "best_of_n"

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles besides the proposer that it asks for."""
        return getattr(self._inner, "roles", ())

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return getattr(self._inner, "at_most", 0) + 1

    def verifying(self, answers: Verifier | None) -> Verifier:
        """What a run of it verifies with, where the user gave a verifier of ``answers``, or none."""
        return around(answers)

    def propose(self, search: Search) -> list[Proposal]:
        """The next plans; when the inner policy has no more, the answer."""
        if search.scoped(ANSWER).attempts:
            return []
        view = search.scoped(PLANS)
        if wanted := self._inner.propose(view):
            return [_planning(p, view.scope) for p in wanted]
        plan = self._inner.select(view)
        return [] if plan is None else [self._execution(search, plan)]

    def select(self, search: Search) -> Candidate | None:
        """The answer; a plan is none."""
        return next(iter(search.scoped(ANSWER).candidates), None)

    def enough(self, search: Search) -> bool:
        """Whether the inner policy has a plan that is good enough."""
        enough = getattr(self._inner, "enough", None)
        return bool(enough and enough(search.scoped(PLANS))) and not search.scoped(ANSWER).attempts

    def numbers(self, search: Search) -> Mapping[str, Mapping[str, float]]:
        """The inner policy's."""
        numbers = getattr(self._inner, "numbers", None)
        return numbers(search.scoped(PLANS)) if numbers else {}

    @property
    def _inner(self) -> Policy:
        common: dict[str, Any] = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        match self.inner:
            case "best_of_n":
                return BestOfN(n=self.n, early_stop=False, **common)
            case "tree_of_thought":
                return TreeOfThought(**common)
            case "rebase":
                return Rebase(width=4, **common)
            case "mixture":
                return Mixture(n=self.n, **common)

    def _execution(self, search: Search, plan: Candidate) -> Proposal:
        return Proposal(
            scope=f"{search.scope}{ANSWER}/",
            parents=(plan.id,),
            instruction=render("execute", plan=show(plan)),
            temperature=0.0,
            max_tokens=self.max_tokens,
        )


def _planning(proposal: Proposal, scope: str) -> Proposal:
    """The proposal as one of a plan; an opinion is asked for as it is."""
    mine = replace(proposal, scope=proposal.scope or scope)
    if mine.role != "proposer":
        return mine
    return replace(mine, instruction=f"{render('plan')}\n\n{mine.instruction}".strip())

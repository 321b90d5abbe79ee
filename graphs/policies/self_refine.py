"""Sequential self-refine: the model criticises its own answer and writes a better one, without a verifier."""

from __future__ import annotations

from dataclasses import dataclass

from ...agents.prompts import fenced, render
from ...agents.roles import show
from ...core.search import Candidate, Opinion, Proposal, Search
from .common import positive, samplable, scored


@dataclass(frozen=True)
class SelfRefine:
    """Propose, criticise, propose again, until the critic is content or ``n`` candidates exist."""

    n: int = 4
    temperature: float = 0.7
    max_tokens: int = 1024
    roles: tuple[str, ...] = ("critic",)

    def __post_init__(self) -> None:
        positive(n=self.n)
        samplable(self.temperature, self.max_tokens)

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return self.n

    def propose(self, search: Search) -> list[Proposal]:
        """A critic for the newest candidate, or a candidate for the newest critique."""
        last = search.attempts[-1] if search.attempts else None
        if last is None:
            return [self._plan()]
        if isinstance(last, Candidate):
            lost = last.verdict.outcome == "infra_error"
            return [] if lost or len(search.candidates) >= self.n else [self._critic(last)]
        return self._answer(search, last)

    def _critic(self, candidate: Candidate) -> Proposal:
        return Proposal(role="critic", parents=(candidate.id,), temperature=0.0)

    def _answer(self, search: Search, critique: Opinion) -> list[Proposal]:
        if critique.value is None or critique.value["good_enough"]:
            return []
        previous = search.candidates[-1]
        words = "\n".join([*critique.value["problems"], critique.value["advice"]])
        instruction = render("refine", previous=show(previous), critique=fenced(words))
        return [self._plan((previous.id, critique.id), instruction)]

    def _plan(self, parents: tuple[str, ...] = (), instruction: str = "") -> Proposal:
        return Proposal(
            parents=parents, instruction=instruction, temperature=self.temperature, max_tokens=self.max_tokens
        )

    def select(self, search: Search) -> Candidate | None:
        """The last candidate that is an answer at all."""
        usable = scored(search.candidates)
        return next((c for c in reversed(usable) if c.complete), usable[-1] if usable else None)

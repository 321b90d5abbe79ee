"""Best-of-N: N independent proposals, the best by the verifier's score."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.search import Candidate, Proposal, Search
from .common import best, perfect, positive, samplable


@dataclass(frozen=True)
class BestOfN:
    """``n`` independent proposals in one round. With ``early_stop`` a score of ``stop_at`` cancels the rest."""

    n: int = 8
    temperature: float = 0.7
    max_tokens: int = 1024
    early_stop: bool = True
    stop_at: float = 1.0

    def __post_init__(self) -> None:
        positive(n=self.n)
        samplable(self.temperature, self.max_tokens)

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return self.n

    def propose(self, search: Search) -> list[Proposal]:
        """All at once, then nothing more."""
        plan = Proposal(temperature=self.temperature, max_tokens=self.max_tokens)
        return [] if search.attempts else [plan] * self.n

    def select(self, search: Search) -> Candidate | None:
        """The best by score; the first among equals."""
        return best(search.candidates)

    def enough(self, search: Search) -> bool:
        """Whether a candidate has the full score."""
        return self.early_stop and perfect(best(search.candidates), self.stop_at)

"""One proposal, taken as it is."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.search import Candidate, Proposal, Search
from .common import best, samplable


@dataclass(frozen=True)
class Single:
    """One proposal at ``temperature`` (0 = the model's most likely answer)."""

    temperature: float = 0.0
    max_tokens: int = 1024

    def __post_init__(self) -> None:
        samplable(self.temperature, self.max_tokens)

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return 1

    def propose(self, search: Search) -> list[Proposal]:
        """The one proposal, then nothing more."""
        return [] if search.attempts else [Proposal(temperature=self.temperature, max_tokens=self.max_tokens)]

    def select(self, search: Search) -> Candidate | None:
        """The one candidate."""
        return best(search.candidates)

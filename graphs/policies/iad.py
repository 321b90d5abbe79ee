"""IAD, Iterative Agent Decoding (arXiv 2504.01931): a verifier's feedback on the best and the worst answer so far goes
into the next round's prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...agents.prompts import fenced, render
from ...agents.roles import show
from ...core.search import Candidate, Proposal, Search
from .common import best, perfect, positive, samplable, worst

Feedback = Literal["score", "text", "both", "none"]


@dataclass(frozen=True)
class IAD:
    """``rounds`` rounds (T) of ``width`` proposals (K); round 0 is Best-of-K.

    ``feedback`` is what the prompt says of the best and the worst: their score in words, the verifier's text, both,
    or none (the same loop without feedback, which isolates the luck of sampling). Acceptance is monotone: a new answer
    replaces the best only with a strictly higher score. The loop stops early at a full score. Defaults are ours.
    """

    rounds: int = 4
    width: int = 2
    temperature: float = 0.7
    max_tokens: int = 1024
    feedback: Feedback = "both"
    early_stop: bool = True

    def __post_init__(self) -> None:
        positive(rounds=self.rounds, width=self.width)
        samplable(self.temperature, self.max_tokens)

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return self.rounds * self.width

    def propose(self, search: Search) -> list[Proposal]:
        """The next round, with feedback on the best and the worst of all rounds."""
        done = len({c.round for c in search.candidates})
        if done >= self.rounds or (self.early_stop and perfect(best(search.candidates))):
            return []
        top, bottom = best(search.candidates), worst(search.candidates)
        if top is None or bottom is None or self.feedback == "none":
            return [self._plan()] * self.width
        parents = (top.id,) if bottom.key == top.key else (top.id, bottom.id)
        instruction = self._instruction(top, bottom)
        return [self._plan(parents, instruction)] * self.width

    def _plan(self, parents: tuple[str, ...] = (), instruction: str = "") -> Proposal:
        return Proposal(
            parents=parents, instruction=instruction, temperature=self.temperature, max_tokens=self.max_tokens
        )

    def _instruction(self, top: Candidate, bottom: Candidate) -> str:
        same = bottom.key == top.key
        if same:
            direction = "The best answer falls short. Keep what is right about it, mend what is wrong, and do better."
        else:
            direction = (
                "Keep what makes the best answer good, avoid what makes the worst one bad, and do better than the best."
            )
        return render(
            "iad",
            best=show(top),
            best_verdict=self._words(top),
            worst="" if same else show(bottom),
            worst_verdict="" if same else self._words(bottom),
            direction=direction,
        )

    def _words(self, candidate: Candidate) -> str:
        parts: list[str] = []
        if self.feedback in ("score", "both"):
            parts.append(in_words(candidate.score))
        if self.feedback in ("text", "both") and candidate.verdict.text:
            parts.append("The verifier says:\n" + fenced(candidate.verdict.text, 1500))
        return "\n".join(parts)

    def select(self, search: Search) -> Candidate | None:
        """The best by score alone; the first among equals."""
        return best(search.candidates)

    def enough(self, search: Search) -> bool:
        """Whether a candidate has the full score."""
        return self.early_stop and perfect(best(search.candidates))


def in_words(score: float) -> str:
    """A score as a sentence (a bare number in the prompt is reported to help little)."""
    for bound, words in ((0.05, "It is not usable at all"), (0.35, "It is poor"), (0.7, "It is partly right")):
        if score < bound:
            return f"{words} (score {score:.2f} of 1)."
    return f"It is {'right' if score >= 1 else 'nearly right'} (score {score:.2f} of 1)."

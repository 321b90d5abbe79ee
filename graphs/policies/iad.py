"""IAD, Iterative Agent Decoding (arXiv 2504.01931): a verifier's feedback on the best and the worst answer so far goes
into the next round's prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...agents.prompts import fenced, render
from ...agents.roles import show
from ...core.search import Candidate, Proposal, Search
from ...verifiers.noise import told
from .common import best, perfect, positive, samplable, worst
from .hinting import MATCH, known, wording

Feedback = Literal["score", "text", "both", "raw", "answers", "none"]
Shown = Literal["best", "worst", "both"]

OTHERS = 8
"""Other answers that a prompt lists at most."""
NARROW = "The best answer falls short. Keep what is right about it, mend what is wrong, and do better."
AWAY = "Avoid what makes the worst answer bad, and write one that is better in every way."
BETWEEN = "Keep what makes the best answer good, avoid what makes the worst one bad, and do better than the best."


@dataclass(frozen=True)
class IAD:
    """``rounds`` rounds (T) of ``width`` proposals (K); round 0 is Best-of-K.

    ``shown`` is which answers the next prompt holds: the best so far, the worst, or both. ``feedback`` is what it says
    of them: their score in words, the verifier's text, both, the raw score (a bare number), nothing (the ``answers``
    alone), or ``none`` (the same loop without answers and feedback, which isolates the luck of sampling). With
    ``tried`` (ours), and both answers shown, the others so far are listed too, without a word, so that no proposal is
    spent on one of them again. Acceptance is monotone: a new answer replaces the best only with a strictly higher
    score. The loop stops early at a score of ``stop_at``, the full one unless a verifier never gives that (a judge).
    With a ``hint`` (START's, by name, or ``match``) each prompt ends with one, and tools are called by fenced blocks.
    Defaults are ours.
    """

    rounds: int = 4
    width: int = 2
    temperature: float = 0.7
    max_tokens: int = 1024
    feedback: Feedback = "both"
    shown: Shown = "both"
    tried: bool = True
    early_stop: bool = True
    stop_at: float = 1.0
    hint: str = ""

    def __post_init__(self) -> None:
        positive(rounds=self.rounds, width=self.width)
        samplable(self.temperature, self.max_tokens)
        if self.hint:
            known(self.hint, MATCH)

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return self.rounds * self.width

    def propose(self, search: Search) -> list[Proposal]:
        """The next round, with feedback on the best and the worst of all rounds."""
        done = len({c.round for c in search.candidates})
        if done >= self.rounds or (self.early_stop and perfect(best(search.candidates), self.stop_at)):
            return []
        top, bottom = best(search.candidates), worst(search.candidates)
        if top is None or bottom is None or self.feedback == "none":
            return [self._plan(search)] * self.width
        pair = self._pair(top, bottom)
        parents = tuple(each.id for each in pair if each is not None)
        return [self._plan(search, parents, self._instruction(*pair, self._others(search, pair)))] * self.width

    def _pair(self, top: Candidate, bottom: Candidate) -> tuple[Candidate | None, Candidate | None]:
        """The best and the worst, as far as they are shown; the worst is left out when it equals the best."""
        if self.shown == "worst":
            return None, bottom
        return top, None if self.shown == "best" or bottom.key == top.key else bottom

    def _others(self, search: Search, pair: tuple[Candidate | None, ...]) -> list[str]:
        """The other answers so far, each once, the latest ``OTHERS`` of them."""
        shown = {each.key for each in pair if each is not None}
        listed = search.candidates if self.tried and self.shown == "both" else ()
        others = {c.key: c for c in listed if c.complete and c.key not in shown}
        return [fenced(str(other.artifact), 1500) for other in list(others.values())[-OTHERS:]]

    def _plan(self, search: Search, parents: tuple[str, ...] = (), instruction: str = "") -> Proposal:
        return Proposal(
            parents=parents,
            instruction=f"{instruction}\n\n{self._hint(search)}".strip(),
            blocks=bool(self.hint),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )

    def _hint(self, search: Search) -> str:
        if not self.hint:
            return ""
        said = wording(search, self.hint, "auto", "before_stop", search.round + 1).partition("\n")[0]
        return said[0].upper() + said[1:]

    def _instruction(self, top: Candidate | None, bottom: Candidate | None, others: list[str]) -> str:
        return render(
            "iad",
            best=show(top) if top else "",
            best_verdict=self._words(top) if top else "",
            worst=show(bottom) if bottom else "",
            worst_verdict=self._words(bottom) if bottom else "",
            others=others,
            direction=NARROW if bottom is None else AWAY if top is None else BETWEEN,
        )

    def _words(self, candidate: Candidate) -> str:
        parts: list[str] = []
        score = told(candidate.verdict) or 0.0
        if self.feedback == "raw":
            parts.append(f"{score:.2f}")
        if self.feedback in ("score", "both"):
            parts.append(in_words(score))
        if self.feedback in ("text", "both") and candidate.verdict.text:
            parts.append("The verifier says:\n" + fenced(candidate.verdict.text, 1500))
        return "\n".join(parts)

    def select(self, search: Search) -> Candidate | None:
        """The best by score alone; the first among equals."""
        return best(search.candidates)

    def enough(self, search: Search) -> bool:
        """Whether a candidate has the full score."""
        return self.early_stop and perfect(best(search.candidates), self.stop_at)


def in_words(score: float) -> str:
    """A score as a sentence (a bare number in the prompt is reported to help little)."""
    for bound, words in ((0.05, "It is not usable at all"), (0.35, "It is poor"), (0.7, "It is partly right")):
        if score < bound:
            return f"{words} (score {score:.2f} of 1)."
    return f"It is {'right' if score >= 1 else 'nearly right'} (score {score:.2f} of 1)."

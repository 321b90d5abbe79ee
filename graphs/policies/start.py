"""START, Self-taught Reasoner with Tools (arXiv 2503.04625), its Hint-infer: a hint in the model's own voice is put
into its text, and it goes on from there, with Python; each further hint is one more round of thought."""

from __future__ import annotations

from dataclasses import dataclass

from ...agents.insertion import lead, place
from ...core.errors import UsageError
from ...core.search import Candidate, Proposal, Search
from ...tools.hints import Position
from .common import perfect, samplable, scored
from .hinting import MATCH, WAIT, Domain, known, wording


@dataclass(frozen=True)
class Start:
    """One plain text, then ``rounds`` (R) hints, each in the text of the round before; 0 is plain decoding.

    ``hint`` is which: ``match`` (the functions that fit the task's ``domain`` and the place, one a round), one function
    by name (``general``, ``complex-calculation``, ``self-reflection``, ``logic-check``, ``alternative-method``,
    ``debug``, ``think-deeper``), or the control ``wait`` (the bare word: budget forcing). ``position`` is where the
    text is cut: before its end, after the last word of doubt (without one: before the end), or, as a control, anywhere;
    what follows there is dropped. Tools are called by fenced blocks, six a round. Every round leaves a candidate; the
    last one's answer counts, but where a verifier scored them the best, and of equals the latest. With ``early_stop``
    a score of ``stop_at`` ends it. Temperature and top_p are those of the paper's author; the rest is ours.
    """

    rounds: int = 2
    hint: str = MATCH
    position: Position = "before_stop"
    domain: Domain = "auto"
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 2048
    early_stop: bool = True
    stop_at: float = 1.0

    tools = ("python",)  # not a parameter: what its hints point at

    def __post_init__(self) -> None:
        if self.rounds < 0:
            raise UsageError(f"rounds is {self.rounds}: it must be at least 0")
        samplable(self.temperature, self.max_tokens, self.top_p)
        known(self.hint, MATCH, WAIT)

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return self.rounds + 1

    def propose(self, search: Search) -> list[Proposal]:
        """The plain text, or the one before with a hint in it."""
        done = len({c.round for c in search.candidates})
        usable = scored(search.candidates)
        if done > self.rounds or (self.early_stop and any(perfect(c, self.stop_at) for c in usable)):
            return []
        return [self._hinted(search, usable[-1], done) if usable else self._plan()]

    def _hinted(self, search: Search, before: Candidate, turn: int) -> Proposal:
        cut, at = place(before.segments, self.position, search.rng("position"))
        prefix = before.text[:cut]
        hint = wording(search, self.hint, self.domain, at, turn)
        return self._plan((before.id,), prefix, lead(hint, at, prefix))

    def _plan(self, parents: tuple[str, ...] = (), prefix: str = "", hint: str = "") -> Proposal:
        return Proposal(
            parents=parents,
            prefix=prefix,
            hint=hint,
            blocks=True,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
        )

    def select(self, search: Search) -> Candidate | None:
        """The best by score, the latest among equals; without scores the last that is an answer at all."""
        usable = scored(search.candidates)
        answers = [c for c in usable if c.complete] or usable
        return max(enumerate(answers), key=lambda pair: (pair[1].score, pair[0]))[1] if answers else None

    def enough(self, search: Search) -> bool:
        """Whether a candidate has the full score."""
        return self.early_stop and any(perfect(c, self.stop_at) for c in search.candidates)

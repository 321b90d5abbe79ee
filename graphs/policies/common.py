"""What policies share: ordering candidates by verdict."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import UsageError
from ...core.messages import Request
from ...core.search import Candidate

UNKNOWN = 0.5
"""What a step is worth that nobody could judge."""


def positive(**parameters: int) -> None:
    """Raise ``UsageError`` naming the first parameter that is not at least 1."""
    for name, value in parameters.items():
        if value < 1:
            raise UsageError(f"{name} is {value}: it must be at least 1")


def samplable(temperature: float, max_tokens: int, top_p: float = 1.0) -> None:
    """Raise ``UsageError`` for what no model can sample at."""
    Request(messages=(), temperature=temperature, max_tokens=max_tokens, top_p=top_p)


def scored(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates that count: those lost to infrastructure errors are left out."""
    return [c for c in candidates if c.verdict.outcome != "infra_error"]


def best(candidates: Sequence[Candidate]) -> Candidate | None:
    """The first candidate with the highest score: a later one replaces it only with a strictly higher score."""
    return max(scored(candidates), key=lambda c: c.score, default=None)


def best_whole(candidates: Sequence[Candidate]) -> Candidate | None:
    """The best whole answer by score, the first among equals; without one the worthiest of the partial ones."""
    return best([c for c in candidates if c.complete]) or max(scored(candidates), key=worth, default=None)


def worth(node: Candidate | None) -> float:
    """How good the steps of a text are, 0 to 1: its score; of the empty text 1, of a whole one that has failed 0."""
    if node is None:
        return 1.0
    if node.verdict.outcome == "passed":
        return 1.0 if node.verdict.score is None else node.verdict.score
    if node.complete and node.verdict.outcome == "failed":
        return 0.0
    return UNKNOWN if node.verdict.score is None else node.verdict.score


def worst(candidates: Sequence[Candidate]) -> Candidate | None:
    """The latest candidate with the lowest score (a prompt that shows the first as the best learns more from it); one
    that could not be scored is not the worst."""
    judged = [c for c in reversed(scored(candidates)) if c.verdict.score is not None]
    return min(judged, key=lambda c: c.score, default=None)


def perfect(candidate: Candidate | None, score: float = 1.0) -> bool:
    """Whether nothing better need be sought: passed with the full score, or with the one that is enough."""
    return candidate is not None and candidate.verdict.outcome == "passed" and candidate.score >= score

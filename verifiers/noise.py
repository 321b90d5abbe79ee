"""Verifiers made worse on purpose, to measure what feedback and rewards are worth (arXiv 2504.01931, ablations).

Each wraps any verifier. What it draws depends on ``seed``, the question and the answer alone, so a resumed run sees the
same, and the same answer is judged the same way however often it is proposed: the error of a judge, not of a coin.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from ..core.errors import UsageError
from ..core.protocols import Context, Verifier
from ..core.search import Candidate, Finding, Outcome, Verdict
from ..core.seeds import derive
from ..core.task import Task
from .chain import score_of

TOLD = "told"
"""The criterion of a finding that holds the score for feedback, where noise sets it apart from the one that selects."""

On = Literal["selection", "feedback", "both"]
FLIPS: Mapping[Outcome, Outcome] = {"passed": "failed", "failed": "passed"}


def told(verdict: Verdict) -> float | None:
    """The score that feedback tells of: the verdict's own, unless a finding ``told`` holds another one."""
    return next((finding.score for finding in verdict.findings if finding.criterion == TOLD), verdict.score)


@dataclass(frozen=True)
class _Around:
    """What all wrappers share: ``inner`` is asked, and a verdict with a score is ``changed``."""

    inner: Verifier
    seed: int = field(default=0, kw_only=True)

    @property
    def change(self) -> str:
        """What is changed, in words."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The inner verifier's name and what was changed."""
        return f"{self.inner.name} ({self.change})"

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that the inner verifier needs."""
        return getattr(self.inner, "roles", ())

    @property
    def stages(self) -> tuple[Verifier, ...]:
        """The inner verifier, so that one named oracle is found."""
        return (self.inner,)

    async def ready(self, task: Task) -> None:
        """Ask the inner verifier whether it can judge this task."""
        if ready := getattr(self.inner, "ready", None):
            await ready(task)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """The inner verdict, changed; one without a score only gets the name."""
        verdict = await self.inner.verify(task, candidate, context)
        if verdict.outcome in FLIPS:
            said = candidate.key or candidate.text
            rng = random.Random(derive(self.seed, self.change, ascii(task.question), ascii(said)))
            verdict = self.changed(verdict, score_of(verdict), rng)
        return replace(verdict, verifier=self.name)

    def changed(self, verdict: Verdict, score: float, rng: random.Random) -> Verdict:
        """The verdict that is given instead."""
        raise NotImplementedError


@dataclass(frozen=True)
class Noisy(_Around):
    """R' = R + N(0, (sigma sd)^2), clipped to 0..1, as the score that selects, the one feedback tells of, or both.

    ``sigma`` is a share of ``sd``, the standard deviation of R (measured without noise). Where the two scores differ,
    the verdict's score selects, and a finding ``told`` without a message holds the one that IAD puts into words. The
    outcome and the messages stay: labels are ``Flipped``'s, words ``Shuffled``'s.
    """

    sigma: float = 0.1
    on: On = "both"
    sd: float = 1.0

    def __post_init__(self) -> None:
        if not (self.sigma >= 0 and self.sd >= 0):
            raise UsageError(f"noise of {self.sigma} x {self.sd}: give numbers of 0 or more")
        if self.on not in ("selection", "feedback", "both"):
            raise UsageError(f"noise on {self.on!r}: it can be on selection, feedback or both")

    @property
    def change(self) -> str:
        """Such as ``noise 0.1 on feedback``."""
        return f"noise {self.sigma:g} on {self.on}"

    def changed(self, verdict: Verdict, score: float, rng: random.Random) -> Verdict:
        """The verdict with one noisy score or two scores."""
        noisy = min(1.0, max(0.0, score + rng.gauss(0, self.sigma * self.sd)))
        if self.on == "both":
            return replace(verdict, score=noisy)
        selects, tells = (noisy, score) if self.on == "selection" else (score, noisy)
        return replace(verdict, score=selects, findings=(*verdict.findings, Finding(TOLD, tells, "")))


@dataclass(frozen=True)
class Flipped(_Around):
    """With probability ``p`` a passed answer is failed, with score 0, and a failed one passed, with score 1: R of a
    pass/fail reward becomes 1 - R. (1 - R of a finer score would lower that of a wrong answer which got above a half.)
    The others keep their score, and all messages stay."""

    p: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise UsageError(f"labels flipped with probability {self.p}: give a number from 0 to 1")

    @property
    def change(self) -> str:
        """Such as ``flip 0.2``."""
        return f"flip {self.p:g}"

    def changed(self, verdict: Verdict, score: float, rng: random.Random) -> Verdict:
        """The verdict or its opposite."""
        if rng.random() >= self.p:
            return replace(verdict, score=score)
        outcome = FLIPS[verdict.outcome]
        return replace(verdict, outcome=outcome, score=float(outcome == "passed"))


@dataclass(frozen=True)
class Sparse(_Around):
    """R becomes [R >= q]: passed with 1 from ``q`` on, else failed with 0. The messages stay."""

    q: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.q <= 1:
            raise UsageError(f"a sparse reward from {self.q} on: give a number above 0, up to 1")

    @property
    def change(self) -> str:
        """Such as ``sparse 0.75``."""
        return f"sparse {self.q:g}"

    def changed(self, verdict: Verdict, score: float, rng: random.Random) -> Verdict:
        """All or nothing."""
        right = score >= self.q
        return replace(verdict, outcome="passed" if right else "failed", score=float(right))


Text = tuple[str, tuple[Finding, ...]]
"""The id of a task and what a verifier found in an answer to it."""


@dataclass(frozen=True)
class Shuffled(_Around):
    """Another task's feedback, as a placebo: outcome and score are this answer's own, the findings are drawn from
    ``texts`` (never one of ``task``, the id of the task at hand), without their scores."""

    texts: Sequence[Text] = ()
    task: str = ""

    def __post_init__(self) -> None:
        if not self._others:
            raise UsageError(
                "shuffled feedback needs words on another task: give two tasks or more, and a verifier that says why"
            )

    @cached_property
    def _others(self) -> list[tuple[Finding, ...]]:
        return [findings for id, findings in self.texts if id != self.task]

    @property
    def change(self) -> str:
        """``shuffled``."""
        return "shuffled"

    def changed(self, verdict: Verdict, score: float, rng: random.Random) -> Verdict:
        """The verdict with the words of another."""
        words = tuple(replace(finding, score=None) for finding in rng.choice(self._others))
        return replace(verdict, score=score, findings=words)

"""The verifier ``natural-plan``: the three kinds of task of NATURAL PLAN (arXiv 2406.04520), read from their text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ...core.errors import Unjudgeable
from ...core.protocols import Context
from ...core.search import Candidate, Finding, Verdict
from ...core.task import Task
from . import calendar, meeting, trip
from .checks import Asked, share

NO_TASK = "The question is no task of NATURAL PLAN: no meeting to schedule, no friends to meet, no trip to plan."
NEARLY = 0.99
"""The most that an answer gets which breaks something."""
UNREAD = 3
"""What of a task could not be checked, as told."""


@dataclass(frozen=True)
class NaturalPlan:
    """Passed when an answer keeps every constraint of a task of scheduling a meeting, meeting friends or planning a
    trip. The constraints are read from the question alone, in the words of the benchmark; no gold, no model.

    A finding for each constraint, the score is the share of them that is kept. Wishes ("would rather not") count like
    all others, as in the gold plans, and for friends to meet the number must be the most that is possible, found by
    exact search. A question of another kind leaves the candidate unscored; so does one with a sentence that is not
    understood, or with too many friends to search for the best day, unless something else is broken.
    """

    name: str = "natural-plan"

    async def ready(self, task: Task) -> None:
        """Raises ``Unjudgeable`` when the question is of another kind."""
        if compiled(task.question) is None:
            raise Unjudgeable(f"verifier {self.name}: {NO_TASK}")

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Each constraint that the question states, looked for in the answer."""
        asked = compiled(task.question)
        if asked is None:
            return Verdict("unscored", None, (Finding(self.name, None, NO_TASK),), self.name)
        checks = asked.checks(str(candidate.artifact or ""))
        findings = tuple(check.finding for check in sorted(checks, key=lambda check: (check.soft, check.kept >= 1)))
        if any(check.kept < 1 and not check.soft for check in checks):
            return Verdict("failed", min(NEARLY, share(checks)), findings, self.name)
        if asked.unread:
            said = f"Not everything could be checked: {'; '.join(asked.unread[:UNREAD])}."
            return Verdict("unscored", None, (*findings, Finding(self.name, None, said)), self.name)
        return Verdict("passed", 1.0, findings, self.name)


@lru_cache(maxsize=256)
def compiled(question: str) -> Asked | None:
    """The constraints that a question states; none when it is of none of the three kinds."""
    return calendar.compiled(question) or meeting.compiled(question) or trip.compiled(question)

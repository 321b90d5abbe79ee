"""What the three kinds of task share: a constraint that was looked at, and times of day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...core.search import Finding

LONGEST = 20_000
"""Characters of an answer that are read."""
SHOWN = 120
"""Characters of a sentence of the task, or of a name in an answer, that are told."""
_CLOCK = re.compile(r"\s*(\d{1,2}):(\d{2})\s*(?:([ap])\.?m\b\.?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    """A constraint and how far an answer keeps it (1: it does). A ``soft`` one is told and decides nothing; ``weight``
    is what it counts in the score."""

    criterion: str
    kept: float
    message: str
    soft: bool = False
    weight: int = 1

    @property
    def finding(self) -> Finding:
        """As feedback shows it."""
        word = "Kept" if self.kept >= 1 else "Note" if self.soft else "Broken"
        return Finding(self.criterion, None if self.soft else self.kept, f"{word}: {self.message}")


class Asked(Protocol):
    """A task as it was read from its text. ``unread`` holds what cannot be checked: sentences that were
    not understood."""

    @property
    def unread(self) -> tuple[str, ...]: ...

    def checks(self, text: str) -> Sequence[Check]: ...


def share(checks: Sequence[Check]) -> float:
    """How much of the hard constraints is kept, 0..1."""
    hard = [check for check in checks if not check.soft]
    return sum(check.kept * check.weight for check in hard) / max(1, sum(check.weight for check in hard))


def clock(text: str) -> int | None:
    """Minutes since midnight of a time that a text begins with (14:30, 2:30PM); none where it begins with none."""
    found = _CLOCK.match(text)
    if found is None:
        return None
    hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").lower()
    if minute > 59 or hour > (12 if half else 24) or (half and not hour):
        return None
    return 60 * (hour % 12 + 12 * (half == "p") if half else hour) + minute


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, without their full stops and in one line each."""
    for each in re.split(r"\.\s+|\.$", text.strip()):
        if said := " ".join(each.split()):
            yield said


def brief(text: str) -> str:
    """A text as one line that fits a sentence."""
    words = " ".join(text.split())
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"

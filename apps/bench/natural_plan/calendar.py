"""Calendar scheduling: a day and a time at which everybody is free."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from veriloop.verifiers.natural_plan import calendar as read

Slot = tuple[str, int, int]
"""A day, and the minutes since midnight at which it begins and ends."""

WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OPENS, CLOSES = 9 * 60, 17 * 60
"""The work hours of all tasks."""
_FIRST = re.compile(r"([A-Za-z]{1,20}), ([0-9]{1,4}):([0-9]{1,4}) - ([0-9]{1,4}):([0-9]{1,4})")
_OTHER = re.compile(
    rf"\b({'|'.join(WEEK)})\b\W{{0,12}}(?:(?:from|at|between)\s+)?([0-9]{{1,2}}):([0-9]{{2}})\s*(?:-|–|—|to\b|until\b)"
    r"\s*([0-9]{1,2}):([0-9]{2})"
)


@dataclass(frozen=True)
class Calendar:
    """What is right: the gold slot, and any slot of ``minutes`` in the work hours of ``days`` outside ``taken``.

    ``taken`` holds busy times and wishes alike; a wish for the earliest time is not among them, as in the labels of
    the data.
    """

    gold: Slot
    days: tuple[str, ...]
    minutes: int
    taken: tuple[Slot, ...]
    plan: str

    def __str__(self) -> str:
        return self.plan

    def exact(self, text: str) -> bool:
        """Whether the first "Day, h:mm - h:mm" is the gold slot. (The official script takes all minutes but 30 for 0;
        this takes them as they are.)"""
        return _slot(_FIRST, text) == self.gold

    def valid(self, text: str) -> bool:
        """Whether the first slot, written so or nearly so, is free for all."""
        found = _slot(_FIRST, text) or _slot(_OTHER, text)
        return found is not None and (found == self.gold or self.free(found))

    def free(self, slot: Slot) -> bool:
        """Whether a slot has the right length and nothing is in its way."""
        day, start, end = slot
        fits = day in self.days and start >= OPENS and end <= CLOSES and end - start == self.minutes
        return fits and not any(day == other and start < until and since < end for other, since, until in self.taken)


def _slot(form: re.Pattern[str], text: str) -> Slot | None:
    found = form.search(text)
    if found is None:
        return None
    day, *numbers = found.groups()
    hour, minute, end_hour, end_minute = map(int, numbers)
    return day, 60 * hour + minute, 60 * end_hour + end_minute


def calendar_of(row: Mapping[str, Any]) -> Calendar:
    """The right answers of a record; ``ValueError`` where its gold plan is none. Without structured constraints the
    busy times are read from the prompt."""
    plan = str(row["golden_plan"])
    gold = _slot(_FIRST, plan)
    if gold is None:
        raise ValueError("its golden_plan has no time as 'Monday, 14:30 - 15:00'")
    given: Any = row.get("structured_constraints")
    if given:
        days = WEEK[: int(row.get("num_days") or len(WEEK))]
        return Calendar(gold, days, round(60 * given["meeting_duration"]), _taken(given["disallowed_ranges"]), plan)
    asked = read.compiled(str(row["prompt_0shot"]))
    if asked is None:
        raise ValueError("it has no structured_constraints, and its prompt states no meeting")
    return Calendar(gold, asked.days, asked.minutes, tuple(asked.taken), plan)


def _taken(ranges: Sequence[Mapping[str, Any]]) -> tuple[Slot, ...]:
    return tuple((str(each["day"]), round(60 * each["start"]), round(60 * each["end"])) for each in ranges)


def complexity(row: Mapping[str, Any], calendar: Calendar) -> dict[str, int]:
    """How many people and days there are."""
    asked = read.compiled(str(row["prompt_0shot"]))
    people = int(row.get("num_people") or (len(asked.people) if asked else 0))
    return {"people": people, "days": int(row.get("num_days") or len(calendar.days))}

"""Calendar scheduling, read from the question: who is busy when, who would rather not, how long, on which days."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .checks import LONGEST, Check, brief, clock, sentences

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY = 24 * 60
LENGTHS = {"half an hour": 30, "one hour": 60, "an hour": 60, "one and a half hours": 90, "two hours": 120}

Span = tuple[str, int, int]
"""A day, and the minutes since midnight of a beginning and an end."""

_HEAD = re.compile(
    r"You need to schedule a meeting for (?P<people>[^.\n]{1,400}?) for (?P<length>[\w ]{1,30}?) between the work "
    r"hours of (?P<opens>\d{1,2}:\d{2}) to (?P<closes>\d{1,2}:\d{2}) on (?:either )?(?P<days>[\w, ]{1,120})\."
)
_DAY = "|".join(DAYS)
_BUSY = re.compile(rf"\b({_DAY})\b|(\d{{1,2}}:\d{{2}}) to (\d{{1,2}}:\d{{2}})")
_WISH = re.compile(rf"(?:(.*\S) on )?({_DAY})(?: (before|after) (\d{{1,2}}:\d{{2}}))?", re.DOTALL)
_AGAINST = re.compile(r"\b(?:not|avoid|cannot)\b|n't\b")
_EARLIEST = re.compile(r"\bearli?e?st availability\b", re.IGNORECASE)
_WRITTEN = re.compile(rf"\b({_DAY}), (\d{{1,2}}:\d{{2}}) - (\d{{1,2}}:\d{{2}})")
_SAID = re.compile(
    rf"\b({_DAY})\b[^\w\n]{{0,10}}(?:from |at |between )?(\d{{1,2}}:\d{{2}}(?: ?[ap]\.?m\b\.?)?)"
    r" ?(?:-|–|—|to|until|and) ?(\d{1,2}:\d{2}(?: ?[ap]\.?m\b\.?)?)",
    re.IGNORECASE,
)
_WHOLE = "Find a time that works for everyone's schedule and constraints"
_FREE = re.compile(r"\b(?:free|wide open|no meetings)\b")


@dataclass(frozen=True)
class Wish:
    """When somebody does not want to meet, and the words for it."""

    span: Span
    words: str


@dataclass(frozen=True)
class Calendar:
    """A meeting of ``minutes`` within the work hours of one of ``days``; ``busy`` holds each person's busy times."""

    people: tuple[str, ...]
    days: tuple[str, ...]
    minutes: int
    opens: int
    closes: int
    busy: tuple[tuple[str, tuple[Span, ...]], ...]
    wishes: tuple[Wish, ...] = ()
    earliest: bool = False
    unread: tuple[str, ...] = ()

    @property
    def taken(self) -> Iterator[Span]:
        """Every span that the meeting must not touch."""
        for _, spans in self.busy:
            yield from spans
        for wish in self.wishes:
            yield wish.span

    def checks(self, text: str) -> Sequence[Check]:
        """Each constraint against the first time that an answer names."""
        slot = slot_of(text)
        if slot is None:
            return [Check("time", 0.0, "There is no time in the answer: write it as 'Monday, 14:30 - 15:00'.")]
        return list(self._checks(slot))

    def _checks(self, slot: Span) -> Iterator[Check]:
        day, start, end = slot
        hours = f"{told(self.opens)} to {told(self.closes)}"
        yield Check("day", float(day in self.days), f"The meeting is on {' or '.join(self.days)}; this is on {day}.")
        within = self.opens <= start and end <= self.closes
        yield Check("work hours", float(within), f"The meeting is between {hours}; this is {_range(slot)}.")
        fits = end - start == self.minutes
        yield Check("duration", float(fits), f"The meeting takes {self.minutes} minutes; this takes {end - start}.")
        for name, spans in self.busy:
            clash = next((span for span in spans if _meet(span, slot)), None)
            said = f"{name} is busy on {day} from {_range(clash)}." if clash else f"{name} is free at that time."
            yield Check(f"calendar of {name}", float(clash is None), said)
        for wish in self.wishes:
            yield Check("wish", float(not _meet(wish.span, slot)), f"{wish.words}; this is on {day} at {_range(slot)}.")
        if self.earliest:
            first = self._earliest()
            late = first is not None and self._order(first) < self._order(slot)
            said = "The meeting is wanted at the earliest time that all can; "
            yield Check(
                "earliest", float(not late), said + ("there is an earlier one." if late else "none is earlier.")
            )

    def _order(self, slot: Span) -> tuple[int, int]:
        return (self.days.index(slot[0]) if slot[0] in self.days else len(self.days), slot[1])

    def _earliest(self) -> Span | None:
        """The first slot that nothing is against: it begins with the work hours or where something ends."""
        taken = list(self.taken)
        for day in self.days:
            for start in sorted({self.opens, *(end for other, _, end in taken if other == day)}):
                slot = day, start, start + self.minutes
                within = self.opens <= start and slot[2] <= self.closes
                if within and not any(_meet(span, slot) for span in taken):
                    return slot
        return None


def compiled(question: str) -> Calendar | None:
    """The constraints of the last such task that a question states; none when it states none."""
    heads = list(_HEAD.finditer(question))
    if not heads or heads[-1]["length"] not in LENGTHS:
        return None
    head = heads[-1]
    people = tuple(re.split(r", | and ", head["people"]))
    opens, closes = clock(head["opens"]), clock(head["closes"])
    days = tuple(day for day in re.findall(r"\w+", head["days"]) if day in DAYS)
    if opens is None or closes is None or not days:
        return None
    busy, rest = _schedules(question[head.end() :].split("\n"), people)
    wishes, earliest, unread = _wishes(" ".join(rest))
    known = dict(busy)
    unread += [f"nothing is said about {name}" for name in people if name not in known]
    return Calendar(
        people, days, LENGTHS[head["length"]], opens, closes, tuple(busy), tuple(wishes), earliest, tuple(unread)
    )


def _schedules(lines: Sequence[str], people: Sequence[str]) -> tuple[list[tuple[str, tuple[Span, ...]]], list[str]]:
    """Each person's busy times, and the lines that are about something else."""
    busy: list[tuple[str, tuple[Span, ...]]] = []
    rest: list[str] = []
    for line in map(str.strip, lines):
        name = next((each for each in people if re.match(rf"{re.escape(each)}(?:'s|has)?\b", line)), None)
        spans = _spans(line)
        if name and name not in dict(busy) and (line.endswith(";") or _FREE.search(line)):
            busy.append((name, spans))
        elif line and not line.startswith("Here are the existing schedules") and line != "SOLUTION:":
            rest.append(line)
    return busy, rest


def _spans(line: str) -> tuple[Span, ...]:
    """The spans that a line names: a day counts for all that stand behind it."""
    found: list[Span] = []
    day = ""
    for match in _BUSY.finditer(line):
        day = match[1] or day
        start, end = clock(match[2] or ""), clock(match[3] or "")
        if day and start is not None and end is not None:
            found.append((day, start, end))
    return tuple(found)


def _wishes(text: str) -> tuple[list[Wish], bool, list[str]]:
    """What people would rather not, whether the earliest time is wanted, and what was not understood. "X can not meet
    on Monday. Tuesday before 12:00." is two wishes of X."""
    wishes: list[Wish] = []
    unread: list[str] = []
    earliest, whose = False, ""
    for said in sentences(text):
        found = _WISH.fullmatch(said)
        if found and _AGAINST.search(found[1] or whose):
            whose = found[1] or whose
            at = clock(found[4]) if found[4] else None
            start, end = (0, DAY) if at is None else (0, at) if found[3] == "before" else (at, DAY)
            words = f"{whose} on {found[2]}" + (f" {found[3]} {found[4]}" if found[4] else "")
            wishes.append(Wish((found[2], start, end), words))
            continue
        whose = ""
        if _EARLIEST.search(said):
            earliest = True
        elif said != _WHOLE:
            unread.append(brief(said))
    return wishes, earliest, unread


def slot_of(text: str) -> Span | None:
    """The first time that an answer names, as the task writes it or else in another form."""
    text = text[:LONGEST]
    found = _WRITTEN.search(text) or _SAID.search(text)
    if found is None:
        return None
    start, end = clock(found[2]), clock(found[3])
    return None if start is None or end is None else (found[1].capitalize(), start, end)


def told(minutes: int) -> str:
    """A time of day."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def _range(span: Span) -> str:
    return f"{told(span[1])} to {told(span[2])}"


def _meet(one: Span, other: Span) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]

"""Meeting planning: as many friends as possible in a day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})([AP])M", re.IGNORECASE)
_MARKS = re.compile(r"[*_`#]+")
_SPACED = re.compile(r"(\d) ?([AP])\.?M\b", re.IGNORECASE)
_BULLET = re.compile(r"^\W*(?:\d{1,2}[.)] +)?\W*")
LONGEST = 20_000
"""Characters of an answer that are read."""


@dataclass(frozen=True)
class Meetings:
    """What is right: ``gold`` meetings, the most there can be.

    The day begins in ``place`` at ``time`` (minutes since midnight); a friend has a place, when it is there from and
    until, and for how long it must be met; ``paths`` holds the minutes from place to place.
    """

    place: str
    time: int
    friends: Mapping[str, tuple[str, int, int, int]]
    paths: Mapping[str, Mapping[str, int]]
    gold: int
    plan: str

    def __str__(self) -> str:
        return self.plan

    def exact(self, text: str) -> bool:
        """Whether the sentences up to the first that cannot be hold as many meetings as the gold plan."""
        return self.meetings(_sentences(text)) == self.gold

    def valid(self, text: str) -> bool:
        """Whether as many friends are met, also where the plan is written nearly so: with marks or blanks, line by
        line, among other sentences; of several plans the first counts."""
        return self.exact(text) or self.meetings(_plain(text)) >= self.gold

    def meetings(self, sentences: Sequence[str]) -> int:
        """How many friends are met up to the first sentence that cannot be. Travel takes what ``paths`` says and a
        meeting what is wanted at least, whatever times the plan names."""
        place, time, met = self.place, self.time, set[str]()
        for said in sentences:
            if said.startswith("You start"):
                continue
            if said.startswith("You travel"):
                goal = _between(said, "travel to ", " in")
                took = self.paths.get(place, {}).get(goal)
                if took is None:
                    break
                place, time = goal, time + took
            elif said.startswith("You wait"):
                until = _clock(_between(said, "wait until ", "."))
                if until is None or until <= time:
                    break
                time = until
            elif said.startswith("You meet"):
                name = _between(said, "meet ", " for")
                where, opens, closes, long = self.friends.get(name, ("", 0, 0, 0))
                if name in met or where != place or time < opens or time + long > closes:
                    break
                met.add(name)
                time += long
            else:
                break
        return len(met)


def _between(said: str, before: str, after: str) -> str:
    """The words between two others; nothing where the first are not there."""
    return said.partition(before)[2].partition(before)[0].partition(after)[0].strip()


def _clock(text: str) -> int | None:
    found = _CLOCK.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= 12 or int(found[2]) > 59:
        return None
    return 60 * (int(found[1]) % 12 + 12 * (found[3] in "Pp")) + int(found[2])


def _sentences(text: str) -> list[str]:
    """The sentences as the official script finds them: what stands between full stops, after ``SOLUTION:``."""
    before, mark, after = text.partition("SOLUTION:")
    return [said for each in (after if mark else before).split(".") if (said := each.strip())]


def _plain(text: str) -> list[str]:
    """The sentences of the first plan, without marks, and without those that are about something else."""
    return list(_first(_sentences(_SPACED.sub(r"\1\2M", _MARKS.sub("", text[:LONGEST])).replace("\n", ".\n"))))


def _first(sentences: Sequence[str]) -> Iterator[str]:
    begun = False
    for each in sentences:
        said = _BULLET.sub("", each)
        if begun and said.startswith("You start"):
            return
        if said.startswith(("You start", "You travel to ", "You wait until ", "You meet ")):
            begun = True
            yield said


def meetings_of(row: Mapping[str, Any]) -> Meetings:
    """The right answers of a record; raises ``ValueError`` where they are none."""
    (place, begin), *others = row["constraints"]
    friends = {str(name): _friend(str(where), str(when), int(long)) for name, where, when, long in others}
    written: Any = row["golden_plan"]
    plan = [written] if isinstance(written, str) else list(map(str, written))
    steps = [said for each in plan for said in _sentences(each)]
    asked = Meetings(str(place), _time(str(begin)), friends, row["dist_matrix"], 0, "\n".join(plan))
    gold = asked.meetings(steps)
    if gold != row.get("gold_score", gold):
        raise ValueError(f"its golden_plan has {gold} meetings, its gold_score says {row['gold_score']}")
    return Meetings(asked.place, asked.time, friends, asked.paths, gold, asked.plan)


def _friend(where: str, when: str, long: int) -> tuple[str, int, int, int]:
    opens, _, closes = when.partition("to")
    return where, _time(opens), _time(closes), long


def _time(text: str) -> int:
    found = _clock(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time as 9:00AM")
    return found


def complexity(row: Mapping[str, Any], meetings: Meetings) -> dict[str, int]:
    """How many people there are."""
    return {"people": len(meetings.friends)}

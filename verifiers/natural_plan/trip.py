"""Trip planning, read from the question: how long to stay where, which flights there are, when to be where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .checks import LONGEST, Check, brief, sentences

LINES, LINE = 400, 500
"""Lines of an answer, and characters of a line, that are read."""
LEGS = 40
"""Stays of an answer that are looked at."""

_HEAD = re.compile(r"You plan to visit (\d{1,3}) \w+ cities for (\d{1,4}) days in total")
_STAY = re.compile(
    r"You (?:would like|plan|want) to (?:visit|stay in|spend (\d{1,3}) days in) (.{1,60}?)(?: for (\d{1,3}) days)?"
)
_EVENT = re.compile(r"(?P<how>\b[Bb]etween|^During|^From) day (?P<first>\d{1,4}) (?:and|to) day (?P<last>\d{1,4})\b")
_LISTED = re.compile(r"Here are the cities that have direct flights:\s*(.+?)\.?\s*(?:\n|$)")
_PAIR = re.compile(r"(from )?(.{1,60}?) (and|to) (.{1,60})")
_RULES = re.compile(
    r"You only take direct flights to commute between cities|SOLUTION:|"
    r"Find a trip plan of visiting the cities for \d+ days by taking direct flights to commute between them"
)
_DAYS = re.compile(r"\bdays?\W{0,3}(\d{1,4})\s?(?:-|–|—|to|through)\s?(?:day )?(\d{1,4})\b", re.IGNORECASE)
_FLIGHT = re.compile(r"\bday\W{0,3}(\d{1,4})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Event:
    """Something in a city: to be there on all days from ``first`` to ``last`` (``whole``), or on one of them."""

    city: str
    first: int
    last: int
    whole: bool
    words: str

    def kept(self, first: int, last: int) -> bool:
        """Whether a stay in the city is long enough for it."""
        return first <= self.first and self.last <= last if self.whole else first <= self.last and self.first <= last


@dataclass(frozen=True)
class Stay:
    """Days in a city, the days of the flights included."""

    city: str
    first: int
    last: int

    @property
    def days(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class Trip:
    """``stays`` says for how many of the ``days`` each city is wanted, ``flights`` holds (from, to)."""

    days: int
    stays: Mapping[str, int]
    flights: frozenset[tuple[str, str]]
    events: tuple[Event, ...] = ()
    unread: tuple[str, ...] = ()

    def checks(self, text: str) -> Sequence[Check]:
        """Each constraint against the plan in an answer."""
        plan = plan_of(text, self)
        if not plan:
            wanted = "write a line as '**Day 1-3:** Visit Rome for 3 days.' for each city"
            return [Check("plan", 0.0, f"There is no plan in the answer: {wanted}.")]
        return [*self._stays(plan), *self._joined(plan), *self._legs(plan), *self._events(plan)]

    def _stays(self, plan: Sequence[Stay]) -> Iterator[Check]:
        for city, days in self.stays.items():
            mine = [stay for stay in plan if stay.city == city]
            said = (
                f"it is visited {len(mine)} times"
                if mine[1:]
                else f"it is for {mine[0].days}"
                if mine
                else "it is not visited"
            )
            kept = len(mine) == 1 and mine[0].days == days
            yield Check(f"stay in {city}", float(kept), f"The stay in {city} is for {days} days; {said}.")

    def _joined(self, plan: Sequence[Stay]) -> Iterator[Check]:
        gap = next(((a, b) for a, b in pairwise(plan) if a.last != b.first), None)
        said = f"The trip is from day 1 to day {self.days}, and a city is left on the day the next one is reached; "
        if gap:
            said += f"{gap[0].city} is left on day {gap[0].last} and {gap[1].city} is reached on day {gap[1].first}."
        else:
            said += f"it is from day {plan[0].first} to day {plan[-1].last}."
        kept = gap is None and (plan[0].first, plan[-1].last) == (1, self.days)
        yield Check("days", float(kept), said)

    def _legs(self, plan: Sequence[Stay]) -> Iterator[Check]:
        legs = [(a.city, b.city) for a, b in pairwise(plan)]
        missing = [leg for leg in legs if leg not in self.flights]
        said = "All flights are direct ones."
        if missing:
            said = f"There is no direct flight {', '.join(f'from {a} to {b}' for a, b in missing)}."
        wanted = max(len(self.stays) - 1, len(legs), 1)
        kept = (min(len(legs), wanted) - len(missing)) / wanted if missing or len(legs) < len(self.stays) - 1 else 1.0
        yield Check("flights", kept, said, weight=max(1, len(self.stays) - 1))

    def _events(self, plan: Sequence[Stay]) -> Iterator[Check]:
        for event in self.events:
            mine = [stay for stay in plan if stay.city == event.city]
            kept = any(event.kept(stay.first, stay.last) for stay in mine)
            there = ", ".join(f"from day {stay.first} to day {stay.last}" for stay in mine[:3]) or "never"
            yield Check(f"event in {event.city}", float(kept), f"{event.words}; the plan is there {there}.")


def compiled(question: str) -> Trip | None:
    """The constraints of the last such task that a question states; none when it states none."""
    heads = list(_HEAD.finditer(question))
    if not heads:
        return None
    text = question[heads[-1].start() :]
    listed = _LISTED.search(text)
    flights, unread = _flights(listed[1] if listed else "")
    told = [*sentences(text[: listed.start()] if listed else text), *sentences(text[listed.end() :] if listed else "")]
    stays: dict[str, int] = {}
    events: list[str] = []
    for said in told:
        stay = _STAY.fullmatch(said)
        if stay and (stay[1] or stay[3]):
            stays[stay[2]] = int(stay[1] or stay[3])
        elif _EVENT.search(said):
            events.append(said)
        elif not _RULES.fullmatch(said) and not _HEAD.fullmatch(said):
            unread.append(brief(said))
    read = [(said, _event(said, stays)) for said in events]
    unread += [brief(said) for said, event in read if event is None]
    if len(stays) != int(heads[-1][1]):
        unread.append(f"{len(stays)} of {heads[-1][1]} cities are said to be for so many days")
    if not stays or not flights:
        return None
    known = tuple(event for _, event in read if event is not None)
    return Trip(int(heads[-1][2]), stays, frozenset(flights), known, tuple(unread))


def _flights(listed: str) -> tuple[set[tuple[str, str]], list[str]]:
    """The flights of a list as "Riga and Manchester, from Manchester to Split" (that one goes one way only)."""
    found: set[tuple[str, str]] = set()
    unread: list[str] = []
    for each in filter(None, listed.split(", ")):
        pair = _PAIR.fullmatch(each.strip())
        if pair is None or bool(pair[1]) != (pair[3] == "to"):
            unread.append(brief(each))
            continue
        found.add((pair[2], pair[4]))
        if not pair[1]:
            found.add((pair[4], pair[2]))
    return found, unread


def _event(said: str, cities: Mapping[str, int]) -> Event | None:
    """What a sentence wants: "between day 2 and day 5" is some time then, "during" and "from … to" all of it."""
    when = _EVENT.search(said)
    where = [city for city in cities if re.search(rf"\b(?:in|at) {re.escape(city)}(?!\w)", said)]
    if when is None or len(where) != 1:
        return None
    return Event(where[0], int(when["first"]), int(when["last"]), when["how"].lower() != "between", brief(said))


def plan_of(text: str, trip: Trip) -> list[Stay]:
    """The stays that an answer's lines name, up to the last day of the trip; of lines that only name flights, the stays
    between them."""
    cities = re.compile(rf"(?<!\w)({'|'.join(sorted(map(re.escape, trip.stays), key=len, reverse=True))})(?!\w)")
    stays: list[Stay] = []
    flights: list[tuple[int, str, str]] = []
    for line in text[:LONGEST].splitlines()[:LINES]:
        line = line[:LINE]
        named = cities.findall(line)
        if (days := _DAYS.search(line)) and (after := cities.search(line, days.end()) or cities.search(line)):
            stays.append(Stay(after[1], int(days[1]), int(days[2])))
            if stays[-1].last == trip.days or len(stays) == LEGS:
                break
        elif (day := _FLIGHT.search(line)) and len(named) == 2 and len(flights) < LEGS:
            flights.append((int(day[1]), named[0], named[1]))
    return stays or _between(flights, trip.days)


def _between(flights: Sequence[tuple[int, str, str]], days: int) -> list[Stay]:
    if not flights:
        return []
    cities = [flights[0][1], *(to for _, _, to in flights)]
    ends = [1, *(day for day, _, _ in flights), days]
    return [Stay(city, first, last) for city, (first, last) in zip(cities, pairwise(ends), strict=True)]

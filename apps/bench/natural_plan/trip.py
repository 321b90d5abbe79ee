"""Trip planning: an order of cities, so many days in each, by direct flights, and some on certain days."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Leg = tuple[str, int]
"""A city and the days in it, those of both flights included."""
Window = tuple[str, int, int, bool]
"""To be in a city from one day to another: on all of them (true), or on some."""

_TOTAL = re.compile(r"European cities for (\d{1,4}) days")
_RANGE = re.compile(r"\d{1,4}-(\d{1,4})")
_DAY = re.compile(r"Day (\d{1,4})")
_FROM_TO = re.compile(r"(?=from (\w{1,60}) to (\w{1,60}))")
_STAY = re.compile(r"\b[Dd]ays? ?(\d{1,4}) ?(?:-|–|—|to) ?(?:[Dd]ay ?)?(\d{1,4})\b")
_SOME = re.compile(r"\b(?:in|at) (\w+) between day (\d+) and day (\d+)")
_ALL = re.compile(r"\b(?:During|From) day (\d+) (?:and|to) day (\d+),[^.]* in (\w+)\.")
_FLIGHT = re.compile(r"(from )?\b(\w+) (?:and|to) (\w+)")


@dataclass(frozen=True)
class Trip:
    """What is right: the gold order, and any other of its legs that only takes ``flights`` (from, to) and is where it
    must be in every window."""

    gold: tuple[Leg, ...]
    flights: frozenset[tuple[str, str]]
    windows: tuple[Window, ...]
    plan: str

    def __str__(self) -> str:
        return self.plan

    def exact(self, text: str) -> bool:
        """Whether the cities and days of the flight lines begin with the gold plan's."""
        return tuple(_legs(text)[: len(self.gold)]) == self.gold

    def valid(self, text: str) -> bool:
        """Whether the plan of the flight lines, or else of the lines with days and a city, satisfies everything."""
        legs = _legs(text)
        return tuple(legs[: len(self.gold)]) == self.gold or self.possible(legs or self._stays(text))

    def possible(self, legs: Sequence[Leg]) -> bool:
        """Whether legs in this order satisfy stays, direct flights and windows."""
        cities = [city for city, _ in legs]
        if sorted(legs) != sorted(self.gold) or not self.flights.issuperset(pairwise(cities)):
            return False
        first, there = 1, dict[str, tuple[int, int]]()
        for city, days in legs:
            there[city] = first, first + days - 1
            first += days - 1
        return all(_kept(window, there) for window in self.windows)

    def _stays(self, text: str) -> list[Leg]:
        """The legs of lines with days and one of the cities; none where they do not join."""
        names = {city for city, _ in self.gold}
        found: list[Leg] = []
        day = 1
        for line in text.splitlines():
            days = _STAY.search(line)
            city = next((word for word in re.findall(r"\w+", line[:500]) if word in names), "")
            if days is None or not city:
                continue
            if int(days[1]) != day:
                return []
            day = int(days[2])
            found.append((city, day - int(days[1]) + 1))
            if len(found) == len(self.gold):
                break
        return found


def _kept(window: Window, there: Mapping[str, tuple[int, int]]) -> bool:
    city, first, last, whole = window
    begin, end = there.get(city, (0, -1))
    return begin <= first and last <= end if whole else begin <= last and first <= end


def _legs(text: str) -> list[Leg]:
    """The legs as the official script reads them: from "Day N … from A to B", and the last day of the last "N-M". What
    stands behind the day on which the whole trip ends is not read."""
    total, last = None, None
    flights: list[tuple[int, str, str]] = []
    for line in text.split("\n"):
        if told := _TOTAL.search(line):
            total = int(told[1])
        if days := _RANGE.search(line):
            last = int(days[1])
            if last == total:
                break
        if flight := flight_of(line):
            flights.append(flight)
    if last is None or not flights:
        return []
    cities = [flights[0][1], *(to for _, _, to in flights)]
    days = [1, *(day for day, _, _ in flights), last]
    return [(city, end - begin + 1) for city, (begin, end) in zip(cities, pairwise(days), strict=True)]


def flight_of(line: str) -> tuple[int, str, str] | None:
    """The last "from A to B" of a line and the last "Day N" before it (the official ``.*Day (\\d+).*from (\\w+) to
    (\\w+)``, in time that grows with the line only)."""
    way = day = None
    for way in _FROM_TO.finditer(line):  # noqa: B007 (the last one is wanted)
        pass
    for day in _DAY.finditer(line, 0, way.start() if way else 0):  # noqa: B007
        pass
    return (int(day[1]), way[1], way[2]) if way and day else None


def trip_of(row: Mapping[str, Any]) -> Trip:
    """The right answers of a record; raises ``ValueError`` where they are none.

    Flights and windows are read from the prompt: the structured constraints of the data do not say which flights go one
    way only, nor which events last all their days, and leave some flights out.
    """
    cities, days = (str(row[name]).split("**") for name in ("cities", "durations"))
    gold = tuple(zip(cities, map(int, days), strict=True))
    asked, _, listed = str(row["prompt_0shot"]).partition("direct flights:")
    flights = set[tuple[str, str]]()
    for one_way, a, b in _FLIGHT.findall(listed.strip().partition("\n")[0]):
        flights |= {(a, b)} if one_way else {(a, b), (b, a)}
    if not flights:
        raise ValueError("its prompt_0shot lists no direct flights")
    windows = [(city, int(a), int(b), False) for city, a, b in _SOME.findall(asked)]
    windows += [(city, int(a), int(b), True) for a, b, city in _ALL.findall(asked)]
    return Trip(gold, frozenset(flights), tuple(windows), str(row["golden_plan"]))


def complexity(row: Mapping[str, Any], trip: Trip) -> dict[str, int]:
    """How many cities there are."""
    return {"cities": len(trip.gold)}

"""Meeting planning, read from the question: who is where and when, how far apart; as many friends as possible."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .checks import LONGEST, Check, brief, clock, sentences

SEARCHED = 12
"""Friends up to which the most meetings are found by exact search (2^n sets)."""
STEPS = 200
"""Steps of an answer that are followed."""
NOTES = 8
"""Wrong times in an answer that are told."""

_PATH = re.compile(r"^(.{1,60}?) to (.{1,60}?): (\d{1,4})\.?$", re.MULTILINE)
_START = re.compile(r"(?:CONSTRAINTS: )?You arrive at (.{1,60}) at (\d{1,2}:\d{2} ?[AP]M)")
_WHERE = re.compile(r"(.{1,60}?) will be at (.{1,60}) from (\d{1,2}:\d{2} ?[AP]M) to (\d{1,2}:\d{2} ?[AP]M)")
_LONG = re.compile(r"You'd like to meet (.{1,60}?) for a minimum of (\d{1,4}) minutes")
_RULES = re.compile(r"Your response should start with 'SOLUTION:'|SOLUTION:")
_STEP = re.compile(
    r"\bYou (start at|travel to|wait until|meet) (.{1,200}?(?=\n|$|[.!]\s|\bYou (?:start|travel|wait|meet)\b)|.{200})"
)
_TIME = r"(\d{1,2}:\d{2} ?[ap]\.?m\b)"
_ARRIVE = re.compile(rf"arriv\w* (?:there )?at {_TIME}", re.IGNORECASE)
_FROM = re.compile(rf"from {_TIME} (?:to|until) {_TIME}", re.IGNORECASE)


@dataclass(frozen=True)
class Friend:
    """Where a friend is from ``opens`` to ``closes`` (minutes since midnight), and for how long to meet at least."""

    place: str
    opens: int
    closes: int
    minutes: int


@dataclass(frozen=True)
class Meetings:
    """A day that begins in ``place`` at ``time``; ``paths`` holds the minutes from one place to another."""

    place: str
    time: int
    friends: Mapping[str, Friend]
    paths: Mapping[tuple[str, str], int]
    unread: tuple[str, ...] = ()

    def checks(self, text: str) -> Sequence[Check]:
        """How far an answer's steps can be taken, whom they meet, and whether more could be met."""
        walk = _Walk(self)
        for kind, rest in _steps(text):
            walk.step(kind, rest)
            if walk.fault:
                break
        if not walk.taken and not walk.fault:
            wanted = (
                "write sentences as 'You travel to X in 7 minutes and arrive at 9:07AM.' and 'You meet Y for 30 minutes"
            )
            return [Check("plan", 0.0, f"There is no plan in the answer: {wanted} from 9:07AM to 9:37AM.'")]
        best = most(self)
        steps = Check("steps", float(not walk.fault), walk.fault or "Every step can be taken.")
        return [steps, self._number(len(walk.met), best), *self._friends(walk, best), *walk.notes[:NOTES]]

    def _number(self, met: int, best: int | None) -> Check:
        if best is None:
            said = f"{met} of {len(self.friends)} friends are met."
            return Check("as many as possible", 1.0, said, soft=True)
        said = f"As many friends as possible are wanted; {met} are met, {best} can be."
        return Check("as many as possible", min(1.0, met / best) if best else 1.0, said, weight=max(1, best))

    def _friends(self, walk: _Walk, best: int | None) -> Iterator[Check]:
        enough = best is not None and len(walk.met) >= best
        for name, friend in self.friends.items():
            if name in walk.met:
                yield Check(
                    f"meeting {name}", 1.0, f"{name} is met at {friend.place} at {told(walk.met[name])}.", soft=True
                )
            else:
                more = "nobody can meet all" if enough and best != len(self.friends) else "not met"
                until = f"{told(friend.opens)} to {told(friend.closes)}"
                said = f"{name} (at {friend.place} from {until}, {friend.minutes} minutes): {more}."
                yield Check(f"meeting {name}", 0.0, said, soft=True)


@dataclass
class _Walk:
    """Where an answer's steps have led."""

    asked: Meetings
    place: str = field(init=False)
    time: int = field(init=False)
    met: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[Check] = field(default_factory=list[Check])
    taken: int = 0
    fault: str = ""

    def __post_init__(self) -> None:
        self.place, self.time = self.asked.place, self.asked.time

    def step(self, kind: str, rest: str) -> None:
        """Take a step, or set ``fault``: why it cannot be taken."""
        take = {"start at": self._start, "travel to": self._travel, "wait until": self._wait, "meet": self._meet}[kind]
        self.fault = take(rest)
        self.taken += not self.fault

    def _start(self, rest: str) -> str:
        if not rest.startswith(self.asked.place):
            self._note(f"The day starts at {self.asked.place}.")
        return ""

    def _travel(self, rest: str) -> str:
        goals = [
            to for (start, to) in self.asked.paths if start == self.place and re.match(rf"{re.escape(to)}(?!\w)", rest)
        ]
        if not goals:
            return f"There is no known way from {self.place} to {brief(re.split(r' in | and |[.,;]', rest)[0])}."
        goal = max(goals, key=len)
        took = self.asked.paths[self.place, goal]
        self.time += took
        said = _ARRIVE.search(rest)
        if said and clock(said[1]) != self.time:
            self._note(f"From {self.place} to {goal} it takes {took} minutes: you arrive at {told(self.time)}.")
        self.place = goal
        return ""

    def _wait(self, rest: str) -> str:
        until = clock(rest)
        if until is None:
            return f"It is not clear until when to wait: '{brief(rest)}'."
        if until <= self.time:
            return f"You cannot wait until {told(until)} in {self.place}: it is {told(self.time)} already."
        self.time = until
        return ""

    def _meet(self, rest: str) -> str:
        name = max(
            (n for n in self.asked.friends if re.match(rf"(?:with )?{re.escape(n)}(?!\w)", rest)), key=len, default=""
        )
        if not name:
            return f"Nobody of that name is to be met: '{brief(rest)}'."
        friend, start = self.asked.friends[name], self.time
        end = start + friend.minutes
        if name in self.met:
            return f"{name} is met twice."
        if friend.place != self.place:
            return f"{name} is at {friend.place}, and you are at {self.place} at {told(start)}."
        if start < friend.opens or end > friend.closes:
            there = f"from {told(friend.opens)} to {told(friend.closes)}"
            return f"{name} is there {there}, and you are there at {told(start)} and want {friend.minutes} minutes."
        if (said := _FROM.search(rest)) and (clock(said[1]), clock(said[2])) != (start, end):
            self._note(
                f"You can meet {name} from {told(start)} to {told(end)}, which are the {friend.minutes} minutes wanted."
            )
        self.met[name], self.time = start, end
        return ""

    def _note(self, message: str) -> None:
        if len(self.notes) < NOTES:
            self.notes.append(Check("times", 0.0, message, soft=True))


def _steps(text: str) -> Iterator[tuple[str, str]]:
    """The steps of an answer's first plan: what is done, and the words behind it up to the next step."""
    before, mark, after = text[:LONGEST].replace("*", "").partition("SOLUTION:")
    for place, found in enumerate(_STEP.finditer(after if mark else before)):
        if place == STEPS or (place and found[1] == "start at"):
            return
        yield found[1], found[2]


def compiled(question: str) -> Meetings | None:
    """The constraints of the last such task that a question states; none when it states none."""
    begin = question.rfind("Travel distances (in minutes):")
    start = _START.search(question, max(0, begin))
    if begin < 0 or start is None:
        return None
    paths = {(a, b): int(minutes) for a, b, minutes in _PATH.findall(question[begin : start.start()])}
    where: dict[str, tuple[str, int, int]] = {}
    long: dict[str, int] = {}
    unread: list[str] = []
    for said in sentences(question[start.end() :]):
        if found := _WHERE.fullmatch(said):
            where[found[1]] = (found[2], clock(found[3]) or 0, clock(found[4]) or 0)
        elif found := _LONG.fullmatch(said):
            long[found[1]] = int(found[2])
        elif not _RULES.fullmatch(said):
            unread.append(brief(said))
    unread += [f"{name} is named only once" for name in where.keys() ^ long.keys()]
    friends = {name: Friend(*where[name], long[name]) for name in where if name in long}
    if not friends:
        return None
    if len(friends) > SEARCHED:
        unread.append(f"how many of {len(friends)} friends can be met is not searched for")
    return Meetings(start[1], clock(start[2]) or 0, friends, paths, tuple(sorted(unread)))


def most(asked: Meetings) -> int | None:
    """The most friends that can be met, by exact search; none where they are too many for that."""
    if len(asked.friends) > SEARCHED:
        return None
    return _most(asked.place, asked.time, tuple(asked.friends.values()), tuple(asked.paths.items()))


@lru_cache(maxsize=256)
def _most(place: str, time: int, friends: tuple[Friend, ...], ways: tuple[tuple[tuple[str, str], int], ...]) -> int:
    """For each set of friends and the last of them, the earliest time to have met them all: later is never better."""
    paths = dict(ways)
    best: dict[tuple[int, str], int] = {(0, place): time}
    number = 0
    while best:
        after: dict[tuple[int, str], int] = {}
        for (met, here), now in best.items():
            for i, friend in enumerate(friends):
                path = 0 if here == friend.place else paths.get((here, friend.place))
                if met >> i & 1 or path is None:
                    continue
                end = max(now + path, friend.opens) + friend.minutes
                key = met | 1 << i, friend.place
                if end <= friend.closes and end < after.get(key, end + 1):
                    after[key] = end
        number, best = number + bool(after), after
    return number


def told(minutes: int) -> str:
    """A time of day."""
    hour = minutes // 60
    return f"{(hour - 1) % 12 + 1}:{minutes % 60:02d}{'AM' if hour % 24 < 12 else 'PM'}"

"""Texts to learn from: walks through the game of 24 in steps: good ones, dead ends, and ones that break rules.

A text has a line for each step and the answer. After each line it says whether 24 can still be made by the rules; after
a line that breaks them it cannot. What a rule-breaking line says, and what follows it, is never learned as a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from solver import TARGET, Share, State, Step, sets, share, solvable, solving, steps

AIM = 0.15
"""The share of steps that are drawn from those that keep 24 in reach; the others from all that look plausible."""
BROKEN = 0.2
"""The share of texts in which a line breaks a rule."""
SIGNS = {"+": 3.0, "-": 3.0, "*": 2.5, "/": 1.5}
"""How plausible a step looks by its sign."""
LARGE = 60
"""Above this, a value looks less plausible the larger it is."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, whether it is learned, and whether 24 can be made after it."""

    text: str
    learned: bool
    reachable: bool


@dataclass(slots=True)
class Walk:
    """A text while it is written: the state, and the expression that stands for each number of it."""

    start: State
    rng: Random
    lines: list[Line] = field(default_factory=list[Line])
    terms: list[tuple[Fraction, str]] = field(default_factory=list[tuple[Fraction, str]])
    legal: bool = True

    def __post_init__(self) -> None:
        self.terms = [(number, str(number)) for number in self.start]

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(line.text for line in self.lines)

    @property
    def solvable(self) -> bool:
        """Whether the puzzle has a solution."""
        return solvable(self.start)

    @property
    def state(self) -> State:
        """The numbers that are left."""
        return tuple(sorted(number for number, _ in self.terms))

    def take(self, step: Step) -> None:
        """A legal step."""
        left, right = self._pop(step.left), self._pop(step.right)
        self.terms.append((step.value, f"({left} {step.sign} {right})"))
        self.write(step, self.state)

    def write(self, step: Step, after: State) -> None:
        """The line of a step."""
        reachable = self.legal and solvable(after)
        self.lines.append(Line(line(step, after), self.legal, reachable))

    def _pop(self, number: Fraction) -> str:
        place = next(at for at, (value, _) in enumerate(self.terms) if value == number)
        return self.terms.pop(place)[1]

    def answer(self) -> None:
        """The last line: the expression, and what it is."""
        value, term = self.terms[0]
        text = f"Answer: {term[1:-1]} = {value}"
        self.lines.append(Line(text, self.legal, self.legal and value == TARGET))


def line(step: Step, after: State) -> str:
    """A step as it is written."""
    return f"{step.left} {step.sign} {step.right} = {step.value}, left: {' '.join(map(str, after))}"


def walk(start: State, rng: Random, aim: float = AIM, broken: float = BROKEN) -> Walk:
    """A text on a set of numbers."""
    text = Walk(start, rng)
    breaks = rng.randrange(len(start) - 1) if rng.random() < broken else -1
    for at in range(len(start) - 1):
        state = text.state
        if at == breaks:
            break_rules(text)
            continue
        good = solving(state)
        last = len(state) == 2
        step = rng.choice(good) if good and (last or rng.random() < aim) else plausible(state, rng)
        text.take(step)
    text.answer()
    return text


def plausible(state: State, rng: Random) -> Step:
    """A legal step that somebody might take."""
    every = steps(state)
    return rng.choices(every, [_looks(step) for step in every])[0]


def _looks(step: Step) -> float:
    value = step.value
    worth = SIGNS[step.sign] * min(1.0, LARGE / float(value)) ** 2 if value else 0.3
    return worth * (1.0 if value.denominator == 1 else 0.12)


def break_rules(text: Walk) -> None:
    """A line that breaks a rule; what it says is left is gone on with."""
    step = plausible(text.state, text.rng)
    text.legal = False
    text.rng.choice(BREAKS)(text, step)


def miscounted(text: Walk, step: Step) -> None:
    """Wrong arithmetic, often a value that would solve it."""
    rng = text.rng
    rest = list(text.state)
    rest.remove(step.left)
    rest.remove(step.right)
    near = [step.value + by for by in (-10, -2, -1, 1, 2, 10) if step.value + by >= 0]
    wished = [Fraction(n) for n in range(1, 31) if n != step.value and solvable(tuple(sorted([*rest, Fraction(n)])))]
    value = rng.choice(wished if wished and rng.random() < 0.6 else near)
    text.take(Step(step.left, step.sign, step.right, value))


def misplaced(text: Walk, step: Step) -> None:
    """A number that is not at hand, or is used twice, instead of one of the two."""
    rng, state = text.rng, text.state
    twice = [n for n in set(state) if state.count(n) == 1]
    other = rng.choice(twice) if twice and rng.random() < 0.5 else Fraction(rng.randint(1, 13))
    first = rng.random() < 0.5
    left, right = (other, step.right) if first else (step.left, other)
    if sorted((left, right)) == sorted((step.left, step.right)) or (step.sign == "/" and not right):
        miscounted(text, step)
        return
    value = {"+": left + right, "-": abs(left - right), "*": left * right}.get(step.sign)
    value = left / right if value is None else value
    if legal(state, left, right):
        miscounted(text, step)
        return
    high, low = max(left, right), min(left, right)
    shown = Step(left, "/", right, value) if step.sign == "/" else Step(high, step.sign, low, value)
    _replaced(text, step, value)
    text.write(shown, text.state)


def mislaid(text: Walk, step: Step) -> None:
    """A right calculation, and other numbers left than there are, often such as would solve it."""
    rng = text.rng
    _replaced(text, step, step.value)
    after = [number for number, _ in text.terms]
    others = [Fraction(n) for n in range(1, 14)]
    place = rng.randrange(len(after))
    changed = [tuple(sorted([*after[:place], n, *after[place + 1 :]])) for n in others if n != after[place]]
    wished = [state for state in changed if solvable(state)]
    state = rng.choice(wished if wished and rng.random() < 0.6 else changed)
    text.terms = [(number, str(number)) for number in state]
    text.write(step, state)


def _replaced(text: Walk, step: Step, value: Fraction) -> None:
    numbers = list(text.state)
    numbers.remove(step.left)
    numbers.remove(step.right)
    text.terms = [(number, str(number)) for number in sorted([*numbers, value])]


def legal(state: State, left: Fraction, right: Fraction) -> bool:
    """Whether two numbers are at hand."""
    rest = list(state)
    if left not in rest:
        return False
    rest.remove(left)
    return right in rest


BREAKS: tuple[Callable[[Walk, Step], None], ...] = (miscounted, misplaced, mislaid)


def walks(seed: int, share_of: Share = "trained", aim: float = AIM, broken: float = BROKEN) -> Iterator[Walk]:
    """Endless texts, on sets of one share only. Of five sets four can be solved, as of all."""
    rng = Random(f"walks {seed}")
    every = [state for state in sets() if share(state) == share_of]
    while True:
        yield walk(rng.choice(every), rng, aim, broken)

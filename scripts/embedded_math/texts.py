"""Texts to learn from: problems solved in the head, with doubts, and with hints that Python follows.

A text is in pieces, and each says whether it is learned. Not learned are what hints say, what running code gave, and
wrong values: those are there so that the model has seen what may come before a doubt, and are never its example.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from counts import counting
from hinting import CHECK, EACH, OTHER, STEPS, WHOLE, wording
from solving import (
    Problem,
    Ref,
    as_checks,
    calculation,
    compared,
    held_out,
    in_code,
    ran,
    slip,
    values,
)
from stories import story

COUNTING = 0.3
"""The share of counting problems."""
KINDS = {"plain": 56, "hint": 22, "wait": 8, "early": 6, "rounds": 6, "tool": 2}
"""How often each kind of text is drawn."""
FOLLOWS = {WHOLE: 50, CHECK: 18, STEPS: 10, OTHER: 12, EACH: 10}
WRONG = 0.5
"""The share of texts before a hint or a doubt in which a value is wrong."""
DOUBT = 0.15
"""The share of texts in which the model doubts by itself."""
ONWARD = 0.7
"""How often code after a hint in the middle goes on from there ("let me compute this" means what is under way), instead
of doing all of it."""
AGAIN = (
    "let me check that again.", "let me go over this once more.", "is that right?", "I should check this.",
    "let me recompute it.", "let me see.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text, and whether it is learned."""

    text: str
    learned: bool = True


@dataclass(frozen=True, slots=True)
class Example:
    """A problem and a text that solves it."""

    problem: Problem
    kind: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The text."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(slots=True)
class Writing:
    """A text while it is written; ``known`` are the values that its steps have so far, right or not."""

    problem: Problem
    rng: Random
    pieces: list[Piece] = field(default_factory=list[Piece])
    known: list[int] = field(default_factory=list[int])
    answer: int = 0

    def add(self, text: str, learned: bool = True) -> None:
        """Goes on with a piece."""
        self.pieces.append(Piece(text, learned))

    def step(self, at: int, wrong: bool = False, bare: bool = False) -> None:
        """A step in the head, with a ``wrong`` value if that can be; ``bare`` is the calculation alone."""
        step = self.problem.steps[at]
        right = values(self.problem.steps[: at + 1], dict(enumerate(self.known)))[at]
        value = slip(self.problem.steps, self.known, self.rng) if wrong else right
        head = calculation(step, self.known)
        before, _, after = ("", "", ".") if bare and head else step.said.partition("{}")
        self.add(before + head)
        self.add(str(value), value == right)
        self.add(after + " ")
        self.known = [*self.known, value]

    def solve(self, wrong: bool = False, until: int | None = None) -> None:
        """All steps in the head, and the answer; or the first ones only, without it."""
        steps = range(len(self.problem.steps) if until is None else until)
        slips = self.rng.choice(steps) if wrong and steps else -1
        for at in steps:
            self.step(at, at == slips)
            if until is None and self.rng.random() < DOUBT / len(steps):
                if self.rng.random() < 0.15:
                    self.add("Wait, ")
                    self.hint(WHOLE, bare=True)
                    return
                self.doubt(at)
        if until is None:
            self.conclude(self.known[-1], short=True)

    def doubt(self, at: int) -> None:
        """Its own doubt after a step, sometimes with reason, and the step once more."""
        self.add("Wait, " + self.rng.choice(AGAIN) + " ")
        self.known = self.known[:at]
        self.step(at, bare=True)

    def conclude(self, answer: int | str, short: bool = False) -> None:
        """The closing sentence, unless it is said already, and the last line."""
        text = self.pieces[-1].text.rstrip(" ") if self.pieces else ""
        if self.pieces:
            self.pieces[-1] = Piece(text, self.pieces[-1].learned)
        close = "" if short else self.problem.close.format(answer)
        space = "" if not close or text.endswith("\n") or not text else " "
        self.add(f"{space}{close}\n#### {answer}")
        self.answer = int(answer)

    def wait(self) -> None:
        """A doubt that was put in at the end: all steps in the head once more."""
        self.add("\n\nWait,", False)
        self.add(" " + self.rng.choice(AGAIN) + " ")
        self.known = []
        for at in range(len(self.problem.steps)):
            self.split(at)
            self.step(at, bare=True)
        self.conclude(self.known[-1])

    def split(self, at: int) -> None:
        """Sometimes a product in parts, before it is said as a whole."""
        step = self.problem.steps[at]
        if step.operation != "*" or not isinstance(step.right, int) or step.right < 11 or self.rng.random() < 0.6:
            return
        left = self.known[step.left.step] if isinstance(step.left, Ref) else step.left
        tens, ones = step.right // 10 * 10, step.right % 10
        parts = [f"{left} * {part} = {left * part}." for part in (tens, ones) if part]
        self.add(" ".join(parts) + " ")

    def block(self, code: str) -> str:
        """A block of Python and what it gives."""
        said = ran(code)
        self.add(f"```python\n{code}\n```\n")
        self.add(f"```output\n{said}\n```\n", False)
        return said

    def hint(self, follows: str, bare: bool = False) -> None:
        """A hint that was put in at the end (or, ``bare``, after a doubt of its own), and what it leads to."""
        self.add(("" if bare else "\n\nWait, ") + wording(follows, self.rng) + "\n", False)
        problem = self.problem
        chain = all(step.operation for step in problem.steps) and len(self.known) == len(problem.steps)
        if bare or follows == WHOLE or not self.known:
            self.conclude(self.block(problem.code))
        elif follows == CHECK or (follows == STEPS and not chain):
            self.conclude(self.block(compared(problem.code, self.answer)).split()[0])
        elif follows == OTHER:
            self.conclude(self.block(problem.another))
        elif follows == EACH and chain:
            self.conclude(self.block(in_code(problem.steps, (), each=True)).split()[-1])
        elif follows == EACH:
            self.conclude(self.block(problem.code))
        else:
            self.tested()

    def conclude_with(self, said: str) -> None:
        """The answer that code gave."""
        self.conclude(int(said))

    def tested(self) -> None:
        """A test of each step: where one does not hold, the whole is computed."""
        if "False" in self.block(as_checks(self.problem.steps, self.known)):
            self.add("Not all steps hold.\n")
            self.conclude(self.block(self.problem.code))
        else:
            self.add("All steps hold. ")
            self.conclude(self.known[-1])

    def early(self) -> None:
        """A hint or a doubt that was put in before the end. Code mostly goes on from there, with the values as they
        are; where nothing is left to do, and in the head, it is all of it once more."""
        steps, rng = self.problem.steps, self.rng
        until = rng.randint(0 if rng.random() < 0.2 else 1, len(steps))
        self.solve(rng.random() < WRONG, until=until)
        if self.pieces:
            text = self.pieces[-1].text.rstrip(" ") + ("\n" if until == len(steps) and rng.random() < 0.5 else "")
            self.pieces[-1] = Piece(text, self.pieces[-1].learned)
        start = "\n\nWait," if self.pieces else "Wait,"
        if rng.random() < 0.3:
            self.add(start, False)
            self.add(" " + rng.choice(AGAIN) + " ")
            self.known = []
            for at in range(len(steps)):
                self.step(at, bare=True)
            self.conclude(self.known[-1])
            return
        self.add(f"{start} {wording(rng.choice((WHOLE, WHOLE, CHECK, EACH, OTHER)), rng)}\n", False)
        whole = until in (0, len(steps)) or rng.random() >= ONWARD
        self.conclude(self.block(self.problem.code if whole else in_code(steps, self.known, until)))


def plain(writing: Writing) -> None:
    """In the head."""
    writing.solve()


def hinted(writing: Writing) -> None:
    """In the head, and a hint at the end."""
    writing.solve(writing.rng.random() < WRONG)
    writing.hint(writing.rng.choices(tuple(FOLLOWS), tuple(FOLLOWS.values()))[0])


def doubted(writing: Writing) -> None:
    """In the head, and a doubt at the end."""
    writing.solve(writing.rng.random() < WRONG)
    writing.wait()


def rounds(writing: Writing) -> None:
    """In the head, and two to four hints or doubts at the end, one after the other."""
    writing.solve(writing.rng.random() < WRONG)
    for _ in range(writing.rng.randint(2, 4)):
        if writing.rng.random() < 0.25:
            writing.wait()
        else:
            writing.hint(writing.rng.choices(tuple(FOLLOWS), tuple(FOLLOWS.values()))[0])


def tooled(writing: Writing) -> None:
    """With Python from the beginning, of its own accord."""
    said = wording(WHOLE, writing.rng)
    writing.add(said[0].upper() + said[1:] + "\n")
    writing.conclude_with(writing.block(writing.problem.code))


WRITERS: dict[str, Callable[[Writing], None]] = {
    "plain": plain,
    "hint": hinted,
    "wait": doubted,
    "early": Writing.early,
    "rounds": rounds,
    "tool": tooled,
}


def problems(seed: int, held: bool | None = False) -> Iterator[Problem]:
    """Endless problems, of held-out templates only or of all but those (``None``: of all)."""
    rng = random.Random(f"problems {seed}")
    while True:
        problem = counting(rng) if rng.random() < COUNTING else story(rng)
        if held is None or held_out(problem.template) == held:
            yield problem


def examples(seed: int, held: bool | None = False, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Example]:
    """Endless examples of some kinds."""
    rng = random.Random(f"texts {seed}")
    weights = [KINDS[kind] for kind in kinds]
    for problem in problems(seed, held):
        kind = rng.choices(kinds, weights)[0]
        writing = Writing(problem, rng)
        WRITERS[kind](writing)
        yield Example(problem, kind, tuple(piece for piece in writing.pieces if piece.text))

"""Word problems as chains of steps: how each is said, computed in the head (rightly or not), and written as Python."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add, floordiv, mod, mul, sub
from random import Random

OPERATIONS = {"+": add, "-": sub, "*": mul, "//": floordiv, "%": mod}
HELD_OUT = 20
"""One template in so many is kept for measurement."""


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of an earlier step."""

    step: int


Operand = int | Ref


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the head: ``said`` is its sentence, with a place for the calculation, ``name`` its variable in code.

    Without an operation it is a count that is made in one go, and ``left`` is what it should give.
    """

    said: str
    name: str
    left: Operand
    operation: str = ""
    right: Operand = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """A question, its steps in the head, the code of it as a whole and in another way (both print the answer alone),
    and the closing sentence. ``template`` is all of it but names and numbers."""

    template: str
    question: str
    steps: tuple[Step, ...]
    code: str
    another: str
    close: str

    @property
    def answer(self) -> int:
        """What is right."""
        return values(self.steps)[-1]

    @property
    def held_out(self) -> bool:
        """Whether its template is kept for measurement."""
        return held_out(self.template)


def held_out(template: str) -> bool:
    """Whether a template is kept for measurement: by its hash, so that it is for good."""
    return int(hashlib.sha256(template.encode()).hexdigest(), 16) % HELD_OUT == 0


def values(steps: Sequence[Step], slips: Mapping[int, int] | None = None) -> list[int]:
    """The value of each step; those of ``slips`` are wrong, and what follows goes on from there."""
    found: list[int] = []
    for at, step in enumerate(steps):
        left, right = (found[o.step] if isinstance(o, Ref) else o for o in (step.left, step.right))
        value = OPERATIONS[step.operation](left, right) if step.operation else left
        found.append((slips or {}).get(at, value))
    return found


def slip(steps: Sequence[Step], known: Sequence[int], rng: Random) -> int:
    """A wrong value of the step after those that are ``known``, with which nothing becomes negative; else the right
    one."""
    at, before = len(known), dict(enumerate(known))
    right = values(steps, before)[at]
    for _ in range(8):
        wrong = slipped(right, rng)
        if min(values(steps, {**before, at: wrong})) >= 0:
            return wrong
    return right


def slipped(value: int, rng: Random) -> int:
    """A wrong value such as one gets in the head: a digit off, a carry forgotten, or quite another number."""
    while True:
        place = 10 ** rng.randrange(max(1, len(str(value))))
        kind = rng.random()
        wrong = value + rng.choice((-1, 1)) * place if kind < 0.6 else value + rng.choice((-3, -2, 2, 3, 5)) * place
        if kind > 0.92:
            wrong = round(value * rng.uniform(0.6, 1.5))
        if wrong > 0 and wrong != value:
            return wrong


def literal(operand: Operand, known: Sequence[int]) -> str:
    """An operand as a number."""
    return str(known[operand.step] if isinstance(operand, Ref) else operand)


def calculation(step: Step, known: Sequence[int]) -> str:
    """The step's calculation up to its value: ``47 * 36 = ``; empty for a count in one go."""
    if not step.operation:
        return ""
    return f"{literal(step.left, known)} {step.operation} {literal(step.right, known)} = "


def in_code(steps: Sequence[Step], known: Sequence[int], begin: int = 0, each: bool = False) -> str:
    """The steps from ``begin`` on as Python: what came before stands there as it is ``known``. It prints the last
    value, or ``each``."""
    lines: list[str] = []
    for step in steps[begin:]:
        left, right = (
            steps[o.step].name if isinstance(o, Ref) and o.step >= begin else literal(o, known)
            for o in (step.left, step.right)
        )
        lines.append(f"{step.name} = {left} {step.operation} {right}" if step.operation else f"{step.name} = {left}")
        if each:
            lines.append(f"print({step.name})")
    return "\n".join(lines if each else [*lines, f"print({steps[-1].name})"])


def in_one(steps: Sequence[Step]) -> str:
    """The steps as one expression that is printed."""

    def term(operand: Operand) -> str:
        if not isinstance(operand, Ref):
            return str(operand)
        step = steps[operand.step]
        return f"({term(step.left)} {step.operation} {term(step.right)})"

    return f"print({term(Ref(len(steps) - 1))[1:-1]})"


def in_loops(steps: Sequence[Step]) -> str:
    """The same acted out: products by adding, quotients and remainders by taking away."""
    lines: list[str] = []
    for step in steps:
        left, right = (steps[o.step].name if isinstance(o, Ref) else str(o) for o in (step.left, step.right))
        name = step.name
        if step.operation == "*":
            lines += ["result = 0", f"for i in range({right}):", f"    result += {left}", f"{name} = result"]
        elif step.operation == "//":
            lines += [f"rest = {left}", "result = 0", f"while rest >= {right}:", f"    rest -= {right}"]
            lines += ["    result += 1", f"{name} = result"]
        elif step.operation == "%":
            lines += [f"rest = {left}", f"while rest >= {right}:", f"    rest -= {right}"]
            lines += [f"{name} = rest"] if name != "rest" else []
        else:
            lines.append(f"{name} = {left} {step.operation} {right}")
    return "\n".join([*lines, f"print({steps[-1].name})"])


def as_checks(steps: Sequence[Step], known: Sequence[int]) -> str:
    """A test of each step as it was made: prints whether it holds."""
    tests = (f"{calculation(step, known).removesuffix(' = ')} == {known[at]}" for at, step in enumerate(steps))
    return "\n".join(f"print({test})" for test in tests)


def compared(code: str, said: int) -> str:
    """Code that prints an answer, with a comparison to what was ``said``."""
    head, _, last = code.rpartition("print(")
    return f"{head}answer = {last.removesuffix(')')}\nprint(answer, answer == {said})"


def ran(code: str) -> str:
    """What code of this grammar prints. Nothing else is ever run so: it is no sandbox."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    return said.getvalue().strip("\n")

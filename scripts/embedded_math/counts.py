"""Counting problems: some have a formula, some must be counted one by one, and code can enumerate all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from solving import Problem, Ref, Step, ran

ASKS = (
    "How many {} are there?",
    "Count the {}. How many do you get?",
    "What is the number of {}?",
    "Find how many {} exist.",
)
LEADS = ("", "{n} writes down all numbers. ", "{n} asks {m}: ", "Here is a puzzle. ", "{n} counts. ")
NAMES = ("Mara", "Tom", "Lena", "Omar", "Ines", "Paul", "Nadia", "Felix")


def counted(rng: Random, family: str, what: tuple[str, ...], asks: tuple[str, ...] = ASKS) -> tuple[str, str]:
    """The template and the question that ask for one of the wordings of ``what``."""
    lead, ask, said = (rng.randrange(len(each)) for each in (LEADS, asks, what))
    n, m = rng.sample(NAMES, 2)
    return f"{family} {said} {ask} {lead}", LEADS[lead].format(n=n, m=m) + asks[ask].format(what[said])


def loop(head: str, test: str) -> str:
    """Code that counts in a loop."""
    indent = "    " * head.count("\n")
    return f"count = 0\n{head}\n{indent}    if {test}:\n{indent}        count += 1\nprint(count)"


def summed(over: str, test: str) -> str:
    """Code that counts in one expression."""
    return f"print(sum(1 for {over} if {test}))"


def multiples(rng: Random) -> Problem:
    """Multiples of a number within bounds: two quotients and a difference."""
    k, a = rng.randint(3, 19), rng.randint(20, 400)
    b = a + rng.randint(60, 900)
    what = (f"multiples of {k} from {a} to {b}", f"numbers from {a} to {b} that are divisible by {k}",
            f"whole numbers between {a} and {b}, both included, that {k} divides")  # fmt: skip
    template, question = counted(rng, "multiples", what)
    steps = (
        Step(f"Up to {b} there are {{}}.", "upper", b, "//", k),
        Step(f"Below {a} there are {{}}.", "lower", a - 1, "//", k),
        Step("That leaves {}.", "count", Ref(0), "-", Ref(1)),
    )
    test, over = f"n % {k} == 0", f"for n in range({a}, {b + 1}):"
    return Problem(
        template, question, steps, loop(over, test), summed(f"n in range({a}, {b + 1})", test), "So there are {}."
    )


def either(rng: Random) -> Problem:
    """Multiples of one of two coprime numbers: counted apart, less those counted twice."""
    k, m = rng.choice(((2, 7), (3, 5), (3, 7), (4, 9), (5, 6), (5, 7), (4, 7), (3, 8), (5, 8), (6, 7), (7, 9), (8, 9)))
    b = rng.randint(80, 999)
    what = (f"numbers from 1 to {b} that are divisible by {k} or by {m}", f"multiples of {k} or {m} up to {b}",
            f"positive numbers not above {b} that {k} or {m} divides")  # fmt: skip
    template, question = counted(rng, "either", what)
    steps = (
        Step(f"Of {k} there are {{}}.", "first", b, "//", k),
        Step(f"Of {m} there are {{}}.", "second", b, "//", m),
        Step("Both divide every number in steps of {}.", "both", k, "*", m),
        Step("Of those there are {}.", "twice", b, "//", Ref(2)),
        Step("Together it is {}.", "together", Ref(0), "+", Ref(1)),
        Step("That leaves {}.", "count", Ref(4), "-", Ref(3)),
    )
    test = f"n % {k} == 0 or n % {m} == 0"
    code, other = loop(f"for n in range(1, {b + 1}):", test), summed(f"n in range(1, {b + 1})", test)
    return Problem(template, question, steps, code, other, "So there are {}.")


def at_once(template: str, question: str, code: str, another: str) -> Problem:
    """A problem that is counted in one go in the head."""
    step = Step("When I count them I get {}.", "count", int(ran(another)))
    return Problem(template, question, (step,), code, another, "So there are {}.")


def digits(rng: Random) -> Problem:
    """Numbers in which a digit stands."""
    d, a = rng.randint(1, 9), rng.randint(1, 300)
    b = a + rng.randint(30, 300)
    what = (f"numbers from {a} to {b} that contain the digit {d}", f"numbers from {a} to {b} with a {d} in them",
            f"numbers between {a} and {b}, both included, in which the digit {d} stands")  # fmt: skip
    template, question = counted(rng, "digits", what)
    test = f'"{d}" in str(n)'
    code, other = loop(f"for n in range({a}, {b + 1}):", test), summed(f"n in range({a}, {b + 1})", test)
    return at_once(template, question, code, other)


def digit_sums(rng: Random) -> Problem:
    """Numbers whose digits have a sum."""
    s, a = rng.randint(4, 15), rng.choice((1, 10, 50, 100))
    b = rng.choice((99, 150, 200, 299, 300, 400, 500))
    a = min(a, b - 49)
    what = (f"numbers from {a} to {b} whose digits add up to {s}", f"numbers from {a} to {b} with a digit sum of {s}",
            f"numbers between {a} and {b}, both included, whose digits have the sum {s}")  # fmt: skip
    template, question = counted(rng, "digit sums", what)
    test = f"sum(int(d) for d in str(n)) == {s}"
    code, other = loop(f"for n in range({a}, {b + 1}):", test), summed(f"n in range({a}, {b + 1})", test)
    return at_once(template, question, code, other)


def coins(rng: Random) -> Problem:
    """Ways to pay an amount with two or three kinds of coins."""
    p, q = sorted(rng.sample((2, 3, 5, 10, 20, 25), 2))
    total = rng.randint(6, 40) * p if rng.random() < 0.7 else rng.randint(30, 150)
    asks = ("How many {} are there?", "What is the number of {}?", "Count the {}. How many do you get?")
    what = (f"ways to pay {total} cents with coins of {p} and {q} cents",
            f"ways to make {total} cents from coins of {p} cents and coins of {q} cents")  # fmt: skip
    template, question = counted(rng, "coins", what, asks)
    test = f"a * {p} + b * {q} == {total}"
    head = f"for a in range({total // p + 1}):\n    for b in range({total // q + 1}):"
    other = summed(f"a in range({total // p + 1}) for b in range({total // q + 1})", test)
    return at_once(template, question, loop(head, test), other)


def pairs(rng: Random) -> Problem:
    """Pairs of numbers whose sum a number divides."""
    n, k = rng.randint(8, 40), rng.randint(3, 9)
    what = (f"pairs of different numbers from 1 to {n} whose sum is divisible by {k}",
            f"pairs a < b of numbers from 1 to {n} for which {k} divides a + b")  # fmt: skip
    template, question = counted(rng, "pairs", what)
    test = f"(a + b) % {k} == 0"
    head = f"for a in range(1, {n + 1}):\n    for b in range(a + 1, {n + 1}):"
    other = summed(f"a in range(1, {n + 1}) for b in range(a + 1, {n + 1})", test)
    return at_once(template, question, loop(head, test), other)


FAMILIES: tuple[Callable[[Random], Problem], ...] = (multiples, multiples, either, digits, digit_sums, coins, pairs)
"""The kinds of counting problems; the first is asked twice as often."""


def counting(rng: Random) -> Problem:
    """A problem."""
    return rng.choice(FAMILIES)(rng)

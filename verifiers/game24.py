"""The verifier ``game24``: the game of 24, read from the question and checked with exact fractions."""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..core.errors import Unjudgeable
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Outcome, Verdict
from ..core.task import Task
from ..models.embedded.puzzle import TARGET, NoPuzzle, puzzle

LONGEST = 200
"""Characters of a line that can be an answer."""
SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})
LATEX = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\left": "", r"\right": "", r"\(": "", r"\)": ""}
OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b,
}

SIGNED = dict(zip("+-*/", OPERATORS.values(), strict=True))
NUMBER = r"-?\d{1,12}(?:/[1-9]\d{0,11})?"

_STEP = re.compile(
    rf"(?:(?:step\s*)?\d{{1,2}}\s*[:.)]\s+)?({NUMBER})\s*([-+*/])\s*({NUMBER})\s*=\s*({NUMBER})"
    rf"\s*[,;]?\s*\(?left:\s*({NUMBER}(?:[\s,]+{NUMBER})*)\)?\.?",
    re.I,
)
_BOXED = re.compile(r"\\boxed\s*\{([^{}]*)\}")
_MARKS = re.compile(r"[$`]|^\*\*|\*\*\.?$|\*\*(?=[A-Za-z])|(?<=[A-Za-z:])\*\*|^\s*[->*]\s")
_EXPRESSION = re.compile(r"(?:^|:|\bis\b)([\d+\-*/(). ]+)$")
_RESULT = re.compile(r"=\s*(-?\d[\d/.]{0,8})\s*$")
_IMPOSSIBLE = re.compile(
    r"\b(impossible|not possible|unsolvable|no solutions?|not solvable|cannot be (?:done|made|solved|reached))\b", re.I
)


class Wrong(Exception):
    """What is wrong with an answer, in a sentence."""


@dataclass(frozen=True)
class Game24:
    """Four numbers, each used exactly once, with + - * / and parentheses, must make 24; sound, with no gold.

    The numbers are the last four in a row that the question names (``1 8 11 13``, ``1, 8, 11 and 13``). The answer is
    the last line that is an expression (``= 24`` may follow), or that says that there is no solution, which passes when
    a search of all expressions finds none. A question that names no four numbers, or asks for another number than 24,
    leaves the candidate unscored.

    Of a text in steps, ``step`` says whether each line so far is a legal one, ``4 * 6 = 24, left: 1 3 24``.
    """

    name: str = "game24"

    async def ready(self, task: Task) -> None:
        """Raises ``Unjudgeable`` when the question is no such puzzle."""
        try:
            puzzle(task.question)
        except NoPuzzle as none:
            raise Unjudgeable(f"verifier {self.name}: {none}") from none

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the answer solves the puzzle; the finding says what is wrong."""
        return self._verdict("passed", task, str(candidate.artifact), _judge)

    async def step(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Failed when a line so far breaks the rules; else unscored: whether it leads to 24 is not said."""
        return self._verdict("unscored", task, candidate.text, _follow)

    async def ends(self, task: Task, candidate: Candidate, context: Context) -> bool:
        """Whether a line is an answer already."""
        return any(map(_answers, candidate.text.splitlines()))

    def _verdict(self, outcome: Outcome, task: Task, text: str, check: Callable[[Sequence[int], str], str]) -> Verdict:
        """This outcome, unless the check finds something wrong or the question is none."""
        score = 1.0 if outcome == "passed" else None
        try:
            said = check(puzzle(task.question), text)
            return Verdict(outcome, score, (Finding("game24", score, said),), self.name)
        except NoPuzzle as none:
            why = str(none)
            return Verdict("unscored", None, (Finding("game24", None, f"{why[:1].upper()}{why[1:]}."),), self.name)
        except Wrong as wrong:
            return Verdict("failed", 0.0, (Finding("game24", 0.0, str(wrong)),), self.name)


def numbers_of(question: str) -> tuple[int, int, int, int] | None:
    """The puzzle that a question states."""
    try:
        return puzzle(question)
    except NoPuzzle:
        return None


def solves(question: str, text: str) -> bool:
    """Whether an answer solves the puzzle of a question (or is right that it has no solution)."""
    numbers = numbers_of(question)
    try:
        return numbers is not None and bool(_judge(numbers, text))
    except Wrong:
        return False


def solution(numbers: Sequence[int], target: int = TARGET) -> str | None:
    """An expression that makes the target of all numbers, found by trying every one; none when there is none."""
    return _search([(Fraction(n), str(n)) for n in numbers], Fraction(target))


def _search(terms: list[tuple[Fraction, str]], target: Fraction) -> str | None:
    if len(terms) == 1:
        return terms[0][1] if terms[0][0] == target else None
    for i, j in [(i, j) for i in range(len(terms)) for j in range(len(terms)) if i != j]:
        rest = [term for place, term in enumerate(terms) if place not in (i, j)]
        for joined in _joined(terms[i], terms[j], i < j):
            if found := _search([*rest, joined], target):
                return found
    return None


def _joined(one: tuple[Fraction, str], two: tuple[Fraction, str], first: bool) -> Iterator[tuple[Fraction, str]]:
    """All that two terms make in this order; what order does not change only for the ``first``."""
    (a, left), (b, right) = one, two
    if first:
        yield a + b, f"({left} + {right})"
        yield a * b, f"({left} * {right})"
    yield a - b, f"({left} - {right})"
    if b:
        yield a / b, f"({left} / {right})"


def _judge(numbers: Sequence[int], text: str) -> str:
    """A sentence on an answer that is right; raises ``Wrong``."""
    for line in reversed(text.splitlines()):
        if _IMPOSSIBLE.search(line):
            return _claim(numbers)
        if (expression := _expression_in(line)) is not None:
            return _check(numbers, expression)
    for line in reversed(text.splitlines()):
        if expression := _expression_in(line, any_result=True):
            _check(numbers, expression)
            raise Wrong(f"{expression} is {TARGET}, and not what the line says: {_plain(line)[:60]}.")
    raise Wrong("There is no expression: give one of the four numbers, as (1 + 2) * (3 + 4), on a line of its own.")


def _claim(numbers: Sequence[int]) -> str:
    if solution(numbers) is not None:
        raise Wrong(f"There is a solution: the numbers {_said(numbers)} do make {TARGET}.")
    return f"There is none: no expression of {_said(numbers)} makes {TARGET}."


def _plain(line: str) -> str:
    """A line without its marks, with plain signs."""
    for latex, plain in LATEX.items():
        line = line.replace(latex, plain)
    boxed = _BOXED.findall(line)
    return _MARKS.sub("", boxed[-1] if boxed else line).translate(SIGNS).strip().removesuffix(".")


def _expression_in(line: str, any_result: bool = False) -> str | None:
    """The expression that a line is, without what stands around it (``= 24``, or any result); none when it is none."""
    if len(line) > LONGEST or _STEP.fullmatch(line := _plain(line)):
        return None
    if (result := _RESULT.search(line)) and (any_result or re.fullmatch(rf"{TARGET}(?:\.0+)?", result[1])):
        line = line[: result.start()]
    found = _EXPRESSION.search(line)
    return found[1].strip() if found and re.search(r"\d.*[+\-*/]", found[1]) else None


def _answers(line: str) -> bool:
    return bool(_IMPOSSIBLE.search(line)) or _expression_in(line) is not None


def _follow(numbers: Sequence[int], text: str) -> str:
    """A sentence on steps that are legal, and on an answer after them that is right; raises ``Wrong``."""
    left = Counter(map(Fraction, numbers))
    for line in filter(str.strip, text.splitlines()):
        if _answers(line):
            return _judge(numbers, line)
        step = _STEP.fullmatch(_plain(line)) if len(line) <= LONGEST else None
        if step is None:
            raise Wrong(f"'{line.strip()[:60]}' is no step: write it as 'a + b = c, left: x y c', without more.")
        left = _after(left, step)
    return f"Every step is legal; there is left: {_said(sorted(left.elements()))}."


def _after(left: Counter[Fraction], step: re.Match[str]) -> Counter[Fraction]:
    """What is left after a step; raises ``Wrong`` where it breaks the rules."""
    a, b, value = (Fraction(step[place]) for place in (1, 3, 4))
    used = Counter((a, b))
    if used - left:
        raise Wrong(f"{a} {step[2]} {b}: the numbers that are left are {_said(sorted(left.elements()))}.")
    if step[2] == "/" and not b:
        raise Wrong(f"{a} / {b} divides by zero.")
    right = SIGNED[step[2]](a, b)
    if value != right:
        raise Wrong(f"{a} {step[2]} {b} is {right}, not {value}.")
    after = left - used + Counter((value,))
    if Counter(map(Fraction, re.findall(NUMBER, step[5]))) != after:
        raise Wrong(f"After {a} {step[2]} {b} = {value} there is left: {_said(sorted(after.elements()))}.")
    return after


def _check(numbers: Sequence[int], expression: str) -> str:
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Wrong(f"{expression} is not an expression: look at its parentheses and signs.") from None
    used = list(_used(tree))
    if Counter(used) != Counter(numbers):
        raise Wrong(f"{expression} uses {_said(used)}; use each of {_said(numbers)} exactly once.")
    try:
        value = _value(tree)
    except ZeroDivisionError:
        raise Wrong(f"{expression} divides by zero.") from None
    if value != TARGET:
        raise Wrong(f"{expression} is {value}, not {TARGET}.")
    return f"{expression} is {TARGET}."


def _used(tree: ast.expr) -> Iterator[int]:
    """The numbers of an expression. Raises ``Wrong`` for anything but numbers, + - * / and parentheses."""
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        yield from _used(tree.left)
        yield from _used(tree.right)
    elif isinstance(tree, ast.Constant) and type(tree.value) is int:
        yield tree.value
    else:
        raise Wrong("Only whole numbers, + - * / and parentheses may be used, and no minus sign before a number.")


def _value(tree: ast.expr) -> Fraction:
    if isinstance(tree, ast.BinOp):
        return OPERATORS[type(tree.op)](_value(tree.left), _value(tree.right))
    assert isinstance(tree, ast.Constant)
    return Fraction(str(tree.value))


def _said(numbers: Sequence[int | Fraction]) -> str:
    return ", ".join(map(str, numbers)) or "no numbers"

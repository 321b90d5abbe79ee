"""The game of 24 in steps: what is legal is let through and what breaks a rule fails, on every walk there is."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from veriloop import Task, Verdict
from veriloop.verifiers.conformance import Everyone, reply
from veriloop.verifiers.game24 import SIGNED, Game24, solves

GAME = "Numbers: 4 9 10 13"
STEPS = ("10 - 4 = 6, left: 6 9 13", "13 - 9 = 4, left: 4 6", "6 * 4 = 24, left: 24")
ANSWER = "Answer: (10 - 4) * (13 - 9) = 24"
Walk = tuple[tuple[int, ...], list[str]]


def stepped(question: str, *lines: str) -> Verdict:
    task = Task(question)
    return asyncio.run(Game24().step(task, reply(task, "\n".join(lines)), Everyone()))


def ends(*lines: str) -> bool:
    task = Task(GAME)
    return asyncio.run(Game24().ends(task, reply(task, "\n".join(lines)), Everyone()))


def left_of(numbers: list[Fraction]) -> str:
    return " ".join(map(str, numbers))


@st.composite
def walks(draw: Any) -> Walk:
    """Four numbers, and one to three legal steps on them."""
    start = tuple(draw(st.lists(st.integers(1, 13), min_size=4, max_size=4)))
    numbers, lines = [Fraction(n) for n in start], list[str]()
    for _ in range(draw(st.integers(1, 3))):
        numbers = draw(st.permutations(numbers))
        a, b, *rest = numbers
        sign = draw(st.sampled_from("+-*/" if b else "+-*"))
        numbers = [*rest, SIGNED[sign](a, b)]
        lines.append(f"{a} {sign} {b} = {numbers[-1]}, left: {left_of(numbers)}")
    return start, lines


@settings(deadline=None)
@given(walks())
def test_legal_steps_are_let_through_and_never_pass(walk: Walk) -> None:
    start, lines = walk
    found = stepped(f"Numbers: {left_of(list(map(Fraction, start)))}", *lines)
    assert (found.outcome, found.score) == ("unscored", None)
    assert lines[-1].split("left: ")[1].split()[0] in found.text


@settings(deadline=None)
@given(walks(), st.data())
def test_a_line_that_breaks_a_rule_fails_whatever_follows(walk: Walk, data: st.DataObject) -> None:
    start, lines = walk
    at = data.draw(st.integers(0, len(lines) - 1))
    head, left = lines[at].split(", left: ")
    made, value = head.split(" = ")
    a, sign, b = made.split(" ")
    by = data.draw(st.integers(1, 30))
    numbers = left.split()
    changed = data.draw(
        st.sampled_from(
            [
                f"{made} = {Fraction(value) + by}, left: {left}",
                f"{made} = {value}, left: {left} {by}",
                f"{made} = {value}, left: {left_of([Fraction(numbers[0]) + by, *map(Fraction, numbers[1:])])}",
                f"{Fraction(a) + 1000} {sign} {b} = {value}, left: {left}",
                f"{made} = {value}",
                "Let us think about it.",
            ]
        )
    )
    question = f"Numbers: {left_of(list(map(Fraction, start)))}"
    assume(not solves(question, changed))
    found = stepped(question, *lines[:at], changed, *lines[at + 1 :])
    assert (found.outcome, found.score) == ("failed", 0.0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("10 + 10 = 20, left: 4 9 13 20",), "the numbers that are left are 4, 9, 10, 13"),
        (("10 - 4 = 5, left: 5 9 13",), "10 - 4 is 6, not 5"),
        (("10 - 4 = 6, left: 9 13",), "there is left: 6, 9, 13"),
        ((STEPS[0], "10 - 9 = 1, left: 1 13"), "the numbers that are left are 6, 9, 13"),
        (("10 - 4 = 6",), "'10 - 4 = 6' is no step"),
        (("First I add.",), "is no step: write it as"),
        (("9 - 9 = 0, left: 0 4 10 13",), "the numbers that are left"),
        ((*STEPS, "Answer: 10 - 4 * 13 - 9 = 24"), "not 24"),
    ],
)
def test_the_finding_says_what_is_wrong(lines: tuple[str, ...], said: str) -> None:
    found = stepped(GAME, *lines)
    assert found.outcome == "failed"
    assert said in found.text


def test_division_by_zero_and_fractions() -> None:
    zero = stepped("Input: 3 3 8 8", "3 - 3 = 0, left: 0 8 8", "8 / 0 = 8, left: 8 8")
    assert "divides by zero" in zero.text
    thirds = ("8 / 3 = 8/3, left: 8/3 3 8", "3 - 8/3 = 1/3, left: 1/3 8", "8 / 1/3 = 24, left: 24")
    assert stepped("Input: 3 3 8 8", *thirds).outcome == "unscored"


@pytest.mark.parametrize(
    "line",
    [
        "Step 1: 10 - 4 = 6, left: 6, 9, 13",
        "1. 10 − 4 = 6 (left: 6 9 13)",
        "- $10 - 4 = 6$, left: 13 9 6.",
        "10-4=6; left: 6 13 9",
    ],
)
def test_other_ways_to_write_a_step(line: str) -> None:
    assert stepped(GAME, line).outcome == "unscored"


def test_it_ends_with_an_answer() -> None:
    assert not ends(*STEPS[:2])
    assert not ends("8 / 3 = 8/3, left: 8/3 3 8")
    assert ends(*STEPS, ANSWER)
    assert ends("It is impossible.")
    assert stepped(GAME, *STEPS, ANSWER).outcome == "unscored"
    assert "no four numbers" in stepped("What is 2 + 2?", "2 + 2 = 4, left: 4").text


def test_a_long_line_is_no_step_and_costs_nothing() -> None:
    assert stepped(GAME, "1" * 100_000).outcome == "failed"
    assert len(stepped(GAME, "( " * 50_000).text) < 200

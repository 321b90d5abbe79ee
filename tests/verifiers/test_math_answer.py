"""Final answers: found in a text, and compared as numbers or as LaTeX, in bounded time."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import DATA, needs_data

from veriloop import Task, Verdict
from veriloop.core.errors import UsageError
from veriloop.verifiers import make, math_process
from veriloop.verifiers.conformance import Everyone, check, reply
from veriloop.verifiers.math_answer import final, last_number, same

TASK = Task("What is it?")


def equal(gold: str, answer: str) -> bool:
    return asyncio.run(same(gold, answer))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("We get 3 + 4 = 7.\n#### 7", "7"),
        ("So \\boxed{\\frac{1}{2}} it is, not \\boxed{", "\\frac{1}{2}"),
        ("First \\boxed{1}, then \\boxed{2}", "2"),
        ("The answer is $12$.", "12"),
        ("The answer is 12 because 3*4", "12"),
        ("The answer is $x$, since 7 is not.", "x"),
        ("In all it makes 1.2e3 pounds, I think", "1.2e3"),
        ("She has 16 - 7 = 9 eggs and makes 18 dollars a day", "18"),
        ("\\frac{3}{4}", "\\frac{3}{4}"),
        ("1,234.5 kg", "1,234.5 kg"),
        ("There is nothing to say about it, really", ""),
    ],
)
def test_the_final_answer_of_a_text(text: str, answer: str) -> None:
    assert final(text) == answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("from 3 to 1,200 pounds", "1,200"),
        ("-4", "-4"),
        ("x2 and y3", ""),
        ("0.5 or .25", ".25"),
        ("2024-11-25", "25"),
    ],
)
def test_the_last_number_of_a_text(text: str, number: str) -> None:
    assert last_number(text) == number


SAME = [
    ("18", "$18"), ("18", "18.0"), ("18", "18 dollars"), ("1200", "1,200"), ("\\frac12", "0.5"),
    ("1/2", "\\frac{1}{2}"),
    ("p - q", "-q + p"), ("90^\\circ", "90"), ("\\text{even}", "even"), ("5", "x = 5"), ("\\sqrt{51}", "\\sqrt{51}"),
    ("1000", "1e3"), ("0.0015", "1.5E-3 m"),
    ("(2,12) \\cup (12,102)", "(2,12)\\cup(12,102)"), ("6r^2-4r-24", "-24 - 4r + 6r^2"), ("10\\%", "10"),
]  # fmt: skip
OTHER = [
    ("18", "17"), ("18", "180"), ("18", ""), ("18", "not 18 but 17"),
    ("7", "2^7"), ("13", "not 13"), ("1000", "1e4"), ("1", "1e999999999"),
    ("\\frac{1}{2}", "\\frac{1}{3}"),
    ("p - q", "q - p"), ("\\text{even}", "odd"), ("(1,2)", "(2,1)"), ("12", "__import__('os')._exit(0)"),
    ("3", "x" * 5000),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_answers_that_are_the_same(gold: str, answer: str) -> None:
    assert equal(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), OTHER)
def test_answers_that_are_not(gold: str, answer: str) -> None:
    assert not equal(gold, answer)


def test_an_answer_that_would_take_for_ever_is_wrong_in_time_and_the_next_one_is_compared() -> None:
    async def both() -> tuple[bool, bool]:
        return await same("x", "9^{9^{9^{9^{9}}}}"), await same("p - q", "-q + p")

    started = time.monotonic()
    assert asyncio.run(both()) == (False, True)
    assert time.monotonic() - started < 40


def test_nothing_of_an_answer_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for code in (f"__import__('pathlib').Path('{trace}').touch()", f"\\text{{open('{trace}', 'w')}}"):
        assert not equal("p", code)
    assert not trace.exists()


def verdict(gold: str, text: str) -> Verdict:
    return asyncio.run(make("math-answer", gold).verify(TASK, reply(TASK, text), Everyone()))


def test_as_a_verifier_it_is_an_oracle_that_quotes_no_gold() -> None:
    assert verdict("18", "#### 18").outcome == "passed"
    wrong = verdict("18", "It makes 17.")
    assert (wrong.outcome, wrong.score, wrong.verifier) == ("failed", 0.0, "oracle")
    assert wrong.text == "The final answer 17 is not right."
    with pytest.raises(UsageError, match="compares with the right answer"):
        make("math-answer")


def test_it_keeps_the_promises_of_a_verifier() -> None:
    lines = asyncio.run(check(make("math-answer", "\\frac{1}{2}"), TASK, ("It is \\boxed{0.5}", "\\boxed{p}")))
    assert [line for line in lines if line.outcome != "works"] == []


def test_without_math_verify_numbers_are_compared_and_the_rest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math_process, "find_spec", lambda name: None)
    assert equal("18", "18.0")
    with pytest.raises(UsageError, match=r"pip install 'veriloop\[math\]'"):
        equal("p - q", "q")


@needs_data
def test_every_solution_of_gsm8k_and_math_gives_its_own_answer() -> None:
    async def wrong(file: str) -> list[Any]:
        lines = (DATA / "reasoning" / file).read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [row["id"] for row in rows if not await same(row["answer"], final(row["solution"]))]

    assert asyncio.run(wrong("gsm8k.jsonl")) == []
    assert asyncio.run(wrong("math500.jsonl")) == []

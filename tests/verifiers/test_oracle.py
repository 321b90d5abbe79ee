"""The verifier that sees the right answer: only by name, only with gold, and it never tells. Names besides."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from veriloop import Candidate, Task, Verdict, asolve
from veriloop.core.errors import UsageError
from veriloop.models.scripted import Scripted
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, reply
from veriloop.verifiers.function import Function
from veriloop.verifiers.oracle import Oracle, difference


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "people.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE person (name TEXT, age INT)")
        connection.executemany("INSERT INTO person VALUES (?, ?)", [("Ann", 30), ("Bob", 40), ("Cid", 40)])
    connection.close()
    return str(path)


def judge(task: Task, text: str, gold: Any) -> Verdict:
    return asyncio.run(make("oracle", gold).verify(task, reply(task, text), Everyone()))


def test_it_needs_gold():
    with pytest.raises(UsageError, match="compares with the right answer: give it as gold"):
        make("oracle")
    with pytest.raises(UsageError, match="give it as gold"):
        make("sql+oracle")
    with pytest.raises(UsageError, match="cannot be made by name alone"):
        make("veriloop.verifiers.oracle:Oracle", gold="not handed on")


@pytest.mark.parametrize("wanted", ["judge", "sql+judge", ["judge", lambda answer: True], "shell:echo oracle"])
def test_gold_goes_to_nobody_else(wanted: Any):
    with pytest.raises(UsageError, match="gold is only for the verifier oracle"):
        make(wanted, gold="secret")


@pytest.mark.parametrize("wanted", ["oracle", "judge+oracle", ["judge", "oracle"], [["judge"], "sql + oracle"]])
def test_an_oracle_anywhere_in_a_chain_takes_gold(wanted: Any):
    assert make(wanted, gold="secret").name.endswith("oracle")
    assert make(Oracle("mine"), gold="secret") == Oracle("mine")


@pytest.mark.parametrize(("text", "outcome", "score"), [("four", "passed", 1.0), ("five", "failed", 0.0)])
def test_text_is_right_when_it_equals_gold(text: str, outcome: str, score: float):
    verdict = judge(Task("What?"), text, "four")
    assert (verdict.outcome, verdict.score, verdict.verifier) == (outcome, score, "oracle")


GOLD = "SELECT name FROM person WHERE age = 40"


@pytest.mark.parametrize(
    ("sql", "right"),
    [
        (GOLD, True),
        ("SELECT name FROM person WHERE age > 30 ORDER BY name DESC", True),
        ("SELECT DISTINCT name FROM person WHERE age > 30", True),
        ("SELECT name, age FROM person WHERE age = 40", False),
        ("SELECT 'Ann'", False),
        ("SELECT nothing FROM nowhere", False),
    ],
)
def test_a_query_is_right_when_its_rows_are_golds(database: str, sql: str, right: bool):
    verdict = judge(Task("Who is 40?", database=database), sql, GOLD)
    assert verdict.outcome == ("passed" if right else "failed")


def test_order_counts_where_gold_orders(database: str):
    task, gold = Task("Who?", database=database), "SELECT name FROM person ORDER BY name"
    assert judge(task, gold, gold).outcome == "passed"
    assert judge(task, "SELECT name FROM person ORDER BY name DESC", gold).outcome == "failed"


def test_gold_that_does_not_run_is_the_callers_mistake(database: str):
    with pytest.raises(UsageError, match="the oracle's own query fails: no such table"):
        judge(Task("Who?", database=database), GOLD, "SELECT x FROM y")


@pytest.mark.parametrize("verify", ["oracle", "sql+oracle"])
def test_gold_that_does_not_run_is_refused_before_any_call(database: str, verify: str):
    model = Scripted()
    with pytest.raises(UsageError, match="the oracle's own query fails: no such table"):
        asyncio.run(asolve(Task("Who?", database=database), model=model, verify=verify, gold="SELECT x FROM y"))
    assert model.requests == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT name FROM person WHERE age = 40", "It is right."),
        ("SELECT name FROM person", "has more rows than the right answer. Some of its rows are right."),
        ("SELECT name FROM person WHERE age = 30", "has fewer rows than the right answer."),
        ("SELECT name, age FROM person", "has more columns than the right answer."),
        ("SELECT name FROM person WHERE age >= 30 LIMIT 2", "than the right answer. Some of its rows are right."),
        ("SELECT name || 's' FROM person WHERE age = 40", "as many rows, with other values than the right answer."),
        (
            "SELECT age FROM person WHERE age = 40",
            "It gives numbers where texts are right, or texts where numbers are.",
        ),
        ("SELECT name FROM person WHERE age > 40", "has fewer rows than the right answer."),
        ("SELECT nobody FROM person", "It is not right."),
    ],
)
def test_it_says_how_a_wrong_result_differs_and_never_quotes_gold(database: str, text: str, said: str):
    verdict = judge(Task("Who?", database=database), text, "SELECT name FROM person WHERE age = 40 -- 7h3 4n5w3r")
    assert verdict.text.endswith(said)
    assert not {"Bob", "Cid", "7h3"} & set(verdict.text.split())


def test_a_model_never_sees_gold_even_with_feedback():
    model = Scripted()
    asyncio.run(asolve("What?", model=model, strategy="iad", verify="oracle", gold="7h3 4n5w3r", journal=False))
    assert len(model.requests) >= 4
    assert "7h3 4n5w3r" not in str(model.requests)


# ---- names ----


def always(answer: str) -> bool:
    return True


class Mine:
    """A verifier of a user's own."""

    name = "mine"

    async def verify(self, task: Task, candidate: Candidate, context: object) -> Verdict:
        return Verdict("passed", 1.0, (), self.name)


def test_a_verifier_is_a_name_a_function_an_object_or_an_import_path():
    assert make(always) == Function(always)
    assert make(f"{__name__}:always") == Function(always)
    mine = Mine()
    assert make(mine) is mine
    assert isinstance(make(f"{__name__}:Mine"), Mine)


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("magic", "unknown verifier 'magic'; known: game24, graph-coloring, judge, math-answer, natural-plan, "),
        ("", "unknown verifier ''"),
        ("sql+magic", "unknown verifier 'magic'"),
        ("veriloop.nowhere:check", "cannot load 'veriloop.nowhere:check'"),
        ("veriloop.verifiers.judge:Jury", "cannot load 'veriloop.verifiers.judge:Jury'"),
        (7, "cannot verify with 7: give a name, a function or an object with name and verify"),
        (["judge", None], "cannot verify with None"),
        ("shell", "verifier 'shell' lacks what it works with: give shell:COMMAND"),
        ("steps:", "verifier 'steps:' lacks what it works with: give steps:VERIFIER"),
        ("math-answer:12", "verifier 'math-answer' compares with the right answer: give it as gold (--gold)"),
        ("veriloop.verifiers.code.stdin_stdout:StdinStdout", "verifier 'veriloop.verifiers.code.stdin_stdout:Std"),
    ],
)
def test_what_is_no_verifier_is_refused_in_one_clear_line(wanted: Any, line: str):
    with pytest.raises(UsageError) as refused:
        make(wanted)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_right_rows_in_another_order_are_not_called_other_values() -> None:
    assert difference([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]) == "It has the right rows, in another order."
    assert difference([("a", 1), ("b", 2)], [("b", 2), ("c", 1)]).startswith("It has as many rows, with other values")

"""The verifiers' conformance suite: ours pass it, and it catches promises that are not kept."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from veriloop import Candidate, Task, Verdict
from veriloop.core.conformance import Line
from veriloop.verifiers import make
from veriloop.verifiers.conformance import HOSTILE, check

TASK = Task("What is 2 + 2?")


def broken(verifier: Any, task: Task = TASK, texts: tuple[str, ...] = ("four", "five")) -> list[Line]:
    return [line for line in asyncio.run(check(verifier, task, texts)) if line.outcome != "works"]


@pytest.mark.parametrize(
    ("wanted", "gold"),
    [
        (lambda answer: answer == "four", None),
        ("judge", None),
        ("oracle", "four"),
        ("shell:grep -q four", None),
        (["shell:true", lambda answer: (0.5, "so so"), "judge"], None),
    ],
)
def test_our_verifiers_pass(wanted: Any, gold: Any):
    assert broken(make(wanted, gold)) == []


def test_our_verifiers_of_queries_pass(tmp_path: Path):
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a INT)")
    connection.close()
    task = Task("How many?", database=str(path))
    texts = ("SELECT count(*) FROM t", "SELECT b FROM t")
    assert broken(make("sql"), task, texts) == []
    assert broken(make("oracle", "SELECT count(a) FROM t"), task, texts) == []


class Careless:
    """Breaks every promise it can."""

    name = ""

    def __init__(self) -> None:
        self.asked = 0

    async def verify(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        self.asked += 1
        return Verdict("unscored", 0.5 / self.asked, (), "")


class Chatty(Careless):
    """Judges by how often it was asked, repeats all it is told, and cannot be cancelled."""

    async def verify(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        self.asked += 1
        try:
            await asyncio.sleep(0.05 if candidate.answer == "four" else 0)
        except asyncio.CancelledError:
            raise RuntimeError("not now") from None
        said = make(lambda answer: (0.5 / self.asked, answer))
        return await said.verify(task, candidate, context)


class Late:
    """Gives something that is no verdict."""

    name = "late"

    async def verify(self, task: Task, candidate: Candidate, context: Any) -> bool:
        return True


def test_the_suite_catches_promises_that_are_not_kept():
    assert {line.name for line in broken(Careless())} == {
        "name", "verdict", "steady", "at once", "hostile", "cancel",
    }  # fmt: skip
    assert {line.name for line in broken(Chatty())} == {"name", "steady", "at once", "hostile", "cancel"}
    assert "it gave True, which is no Verdict" in {line.detail for line in broken(Late())}


def test_a_fault_is_named_and_never_raised():
    found = broken(make(lambda answer: 1 / 0))
    assert {line.detail for line in found} == {"ZeroDivisionError: division by zero"}
    assert {line.outcome for line in found} == {"fails"}


def test_hostile_answers_hold_what_breaks_parsers_prompts_and_terminals():
    joined = "".join(HOSTILE)
    for part in ("~~~", "\0", "\ud800", "\x1b[", "$(", "{{"):
        assert part in joined

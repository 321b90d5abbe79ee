"""Real tasks: every reference solution passes its tests, and one with its answer changed does not."""

from __future__ import annotations

import ast
import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from bench_tasks import DATA, needs_data
from mutants import answer_changed, parsed, small_changes

from veriloop import Task, Verdict
from veriloop.apps.bench.benchmark import Item, make
from veriloop.tools.sandbox import PYTHON, Bounds, sandbox
from veriloop.verifiers.code.python_tests import PythonTests
from veriloop.verifiers.code.relay import desk
from veriloop.verifiers.code.shown import shown_in
from veriloop.verifiers.conformance import Everyone, reply

FOLDER = DATA / "code_exec"
FILES = {"humaneval": "humaneval.jsonl", "mbpp": "mbpp_test.jsonl"}
WRONG_EXAMPLES = {"HumanEval_47", "HumanEval_148"}
"""Tasks of which an example in the description is not what their own solution gives."""


def tasks() -> list[tuple[Item, dict[str, Any]]]:
    found: list[tuple[Item, dict[str, Any]]] = []
    for name, file in FILES.items():
        rows = [json.loads(line) for line in (FOLDER / file).read_text("utf-8").splitlines()]
        found += zip(make(name).load(FOLDER), rows, strict=True)
    return found


def entry(row: dict[str, Any]) -> str:
    """The function that the tests call."""
    if "entry_point" in row:
        return row["entry_point"]
    defined = {n.name for n in parsed(row["reference_solution"]).body if isinstance(n, ast.FunctionDef)}
    first = next(n for n in ast.walk(parsed(row["test_code"])) if isinstance(n, ast.Assert))
    return next(n.id for n in ast.walk(first) if isinstance(n, ast.Name) and n.id in defined)


def verdicts(tried: Sequence[tuple[PythonTests, Task, str]]) -> list[Verdict]:
    async def one(verifier: PythonTests, task: Task, code: str) -> Verdict:
        return await verifier.verify(task, reply(task, f"```python\n{code}\n```"), Everyone())

    async def every() -> list[Verdict]:
        return await asyncio.gather(*(one(*each) for each in tried))

    return asyncio.run(every())


def plainly(programs: Sequence[str]) -> list[bool]:
    """Whether each program, solution and tests in one process, ends with status 0."""

    async def one(program: str) -> bool:
        async with desk():
            command = [PYTHON, "-I", "-S", "program.py"]
            ended = await sandbox().run(command, files={"program.py": program}, bounds=Bounds(seconds=15.0))
            return ended.status == 0

    async def every() -> list[bool]:
        return await asyncio.gather(*map(one, programs))

    return asyncio.run(every())


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_reference_solution_passes() -> None:
    both = tasks()
    found = verdicts([(item.gold.verifier(), item.task, row["reference_solution"]) for item, row in both])
    assert [(row["id"], v.text) for (_, row), v in zip(both, found, strict=True) if v.outcome != "passed"] == []
    print(f"{len(found)} reference solutions pass")
    assert len(found) == 398


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_solutions_with_another_answer_fail() -> None:
    both = tasks()
    mutants = [answer_changed(row["reference_solution"], entry(row)) for _, row in both]
    found = verdicts([(item.gold.verifier(), item.task, code) for (item, _), code in zip(both, mutants, strict=True)])
    assert {v.outcome for v in found} <= {"passed", "failed"}
    passed = [row["id"] for (_, row), v in zip(both, found, strict=True) if v.outcome == "passed"]
    print(f"{len(found) - len(passed)} of {len(found)} mutants fail; the others: {passed}")
    assert 1 - len(passed) / len(found) >= 0.95


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_small_mutants_get_the_verdict_that_the_tests_give_in_one_process() -> None:
    chosen: list[tuple[Item, str, str]] = []
    for item, row in tasks():
        mutants = list(small_changes(row["reference_solution"]))
        if mutants:
            code = random.Random(row["id"]).choice(mutants)
            chosen.append((item, code, f"{item.gold.setup}\n{code}\n{row['test_code']}"))
    found = verdicts([(item.gold.verifier(), item.task, code) for item, code, _ in chosen])
    right = plainly([program for _, _, program in chosen])
    differ = [
        (item.id, v.outcome, p, code)
        for (item, code, _), v, p in zip(chosen, found, right, strict=True)
        if (v.outcome == "passed") != p
    ]
    print(f"{sum(right)} of {len(right)} small mutants pass in one process")
    assert differ == []


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tests_that_questions_show_hold_for_the_reference_solutions() -> None:
    shown = [(item, row) for item, row in tasks() if shown_in(item.task.question).tests]
    found = verdicts([(PythonTests(), item.task, row["reference_solution"]) for item, row in shown])
    failed = {item.id for (item, _), v in zip(shown, found, strict=True) if v.outcome != "passed"}
    assert failed == WRONG_EXAMPLES
    assert len(shown) == 376

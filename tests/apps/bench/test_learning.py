"""An arm that learns from task to task: in the order of its seed, one after another, and again after a kill."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import bench_sums
import pytest

from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.runner import run_id
from veriloop.core.journal import read
from veriloop.graphs.record import journal_in

MIXTURE = "mixture:scope=run:prior_weight=0:loops=1:n=2:algorithms=best_of_n:threshold=100"
SEEDS = 2
TASKS = 6


def run(data: Path, out: Path) -> Course:
    course = Course(
        Order(
            benchmark="bench_sums:Sums",
            data=data,
            out=out,
            strategies=[MIXTURE, "best_of_n"],
            models={"proposer": "bench_sums:Model"},
            seeds=SEEDS,
        )
    )
    try:
        asyncio.run(course.run())
    finally:
        journal_in(out.absolute()).close()
        journal_in.cache_clear()
    return course


def recalled(course: Course, out: Path) -> dict[int, list[tuple[str, int]]]:
    """What each task of the arm knew, by seed: how many trials there had been, in that order."""
    arm = next(arm for arm in course.arms if arm.label == MIXTURE)
    records = {r.run: r.value for path in out.rglob("*.jsonl") for r in read(path) if r.kind == "recall"}
    found: dict[int, list[tuple[str, int]]] = {}
    for seed in range(SEEDS):
        known = [(item.id, records[run_id(arm, item, seed)]["experience"]["ucb"]) for item in course.items]
        counts = [(name, sum(each["count"] - 1 for each in ucb.values())) for name, ucb in known]
        found[seed] = sorted(counts, key=lambda pair: pair[1])
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "count").write_text(f"1 {1 + TASKS}")
    return folder


def test_statistics_grow_task_by_task_in_an_order_of_the_seed(data: Path, tmp_path: Path):
    course = run(data, tmp_path / "out")
    known = recalled(course, tmp_path / "out")
    assert [name for name, _ in known[0]] != [name for name, _ in known[1]]
    for counts in known.values():
        trials = [count for _, count in counts]
        assert trials == sorted(trials)
        assert trials[0] == 0
        assert trials[-1] >= 2
        assert all(after - before in (0, 1) for before, after in pairwise(trials))


def test_a_command_that_goes_on_knows_what_it_knew(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "out"
    before = recalled(run(data, out), out)
    results = out / "results.jsonl"
    lines = results.read_text().splitlines()
    last = next(line for line in reversed(lines) if json.loads(line)["arm"] == MIXTURE)
    results.write_text("\n".join(line for line in lines if line != last) + "\n")

    def unasked(*_: Any) -> str:
        raise AssertionError("a model was asked again")

    monkeypatch.setattr(bench_sums, "says", unasked)
    assert recalled(run(data, out), out) == before
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert {(row["task"], row["seed"]) for row in rows if row["arm"] == MIXTURE} == {
        (f"sum_{i:03}", seed) for i in range(1, 1 + TASKS) for seed in range(SEEDS)
    }
    told = json.loads(last)
    again = next(
        row for row in rows[::-1] if (row["arm"], row["task"], row["seed"]) == (MIXTURE, told["task"], told["seed"])
    )
    assert (again["right"], again["picks"]) == (told["right"], told["picks"])

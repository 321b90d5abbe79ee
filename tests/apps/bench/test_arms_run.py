"""Changed arms, tuning and abstaining in whole runs of a benchmark, cut off and repeated."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from veriloop.apps.bench.abstain import Calibrator, coverage
from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.tune import set_aside
from veriloop.core.errors import UsageError
from veriloop.graphs.record import journal_in
from veriloop.models import named

TASKS = 20
ALL = "feedback=none,answers,shuffled,noise=0.4@both,flip=0.3,sparse=1,tk=4"


class Quiet:
    """Nobody is told how it goes."""

    def began(self, stage: str, total: int, arms: Sequence[Any]) -> None: ...

    def ended(self, row: Any, fresh: bool) -> None: ...

    def notice(self, text: str) -> None: ...


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "count").write_text(f"0 {TASKS}")
    return folder


def run(data: Path, out: Path, **more: Any) -> dict[str, Any]:
    """A command, as a process of its own to the journal; its plan."""
    order = {"strategies": ["best_of_n", "iad:width=1"], "proposals": 4, **more}
    course = Course(
        Order(benchmark="bench_sums:Sums", data=data, out=out, models={"proposer": "bench_sums:Model"}, **order)
    )
    try:
        return asyncio.run(course.run(Quiet()))
    finally:
        for folder in (out, out / "tuning"):
            journal_in(folder.absolute()).close()
        journal_in.cache_clear()


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def settled(out: Path) -> list[dict[str, Any]]:
    """The results as far as no clock is in them, in no order of ending."""
    found = [{k: v for k, v in row.items() if k not in ("seconds", "spend")} for row in rows(out)]
    return sorted(found, key=lambda row: (row["arm"], row["task"], row["seed"]))


def share(out: Path, arm: str) -> float:
    mine = [row["right"]["exact"] for row in rows(out) if row["arm"] == arm]
    assert mine
    return sum(mine) / len(mine)


def asked() -> int:
    return len(named("bench_sums:Model").requests)  # type: ignore[attr-defined]


def test_every_change_runs_on_every_task_and_costs_what_it_must(data: Path, tmp_path: Path):
    plan = run(data, tmp_path / "out", ablate=ALL, seeds=2)
    found = rows(tmp_path / "out")
    labels = [arm["label"] for arm in plan["arms"]]
    assert len(labels) == 10
    assert len(found) == len(labels) * TASKS * 2
    assert not [row["error"] for row in found if row["error"]]
    full = share(tmp_path / "out", "iad:width=1")
    for changed in ("feedback=none", "feedback=answers", "shuffled"):
        assert share(tmp_path / "out", f"iad:width=1 {changed}") < full - 0.2, changed
    for changed in ("noise 0.4 on both", "flip 0.3"):
        assert share(tmp_path / "out", f"iad:width=1 {changed}") <= full, changed


def test_what_an_arm_learns_is_in_the_plan_and_reports_name_the_change(data: Path, tmp_path: Path):
    plan = run(data, tmp_path / "out", ablate="shuffled,noise=0.1,0.4@feedback")
    learnt = plan["learnt"]
    assert list(learnt) == [f"iad:width=1 {c}" for c in ("shuffled", "noise 0.1 on feedback", "noise 0.4 on feedback")]
    assert learnt["iad:width=1 shuffled"]["sd"] > 0
    base = [c for row in rows(tmp_path / "out") if row["arm"] == "iad:width=1" for c in row["candidates"]]
    assert {each["texts"] for each in learnt.values()} == {len(base)}
    changes = {row["arm"]: row["change"] for row in rows(tmp_path / "out")}
    assert changes["iad:width=1 noise 0.4 on feedback"] == "noise 0.4 on feedback"


def test_shuffled_words_come_from_other_tasks_only(data: Path, tmp_path: Path):
    run(data, tmp_path / "out", ablate="shuffled")
    every = rows(tmp_path / "out")
    pool = {c["findings"][0]["message"] for row in every if row["arm"] == "iad:width=1" for c in row["candidates"]}
    shuffled = [c for row in every if row["arm"] == "iad:width=1 shuffled" for c in row["candidates"]]
    assert {c["findings"][0]["message"] for c in shuffled} <= pool
    assert {c["score"] == 1.0 for c in shuffled} == {c["right"]["exact"] for c in shuffled}
    assert any(c["score"] == 1.0 and "too" in c["findings"][0]["message"] for c in shuffled)


@pytest.mark.parametrize("cut", [0, 1, 37, 75])
def test_a_run_cut_anywhere_ends_with_the_same_results(data: Path, tmp_path: Path, cut: int):
    """Its first ``cut`` lines are kept and the journal is lost, so all else is done anew from what was recorded."""
    out = tmp_path / "out"
    options = {"ablate": "shuffled,noise=0.4@both", "tune": 0.2, "temperatures": [0.3, 0.7], "abstain_below": 0.4}
    plan = run(data, out, **options)
    whole, text = settled(out), (out / "results.jsonl").read_text()
    for folder in ("journals", "tuning/journals"):
        shutil.rmtree(out / folder)
    (out / "results.jsonl").write_text("".join(text.splitlines(keepends=True)[:cut]))
    assert run(data, out, **options) == plan
    assert settled(out) == whole


def test_the_same_command_again_asks_nothing(data: Path, tmp_path: Path):
    options = {"ablate": ALL, "tune": 0.2, "abstain_below": 0.3}
    plan = run(data, tmp_path / "out", **options)
    before, text = asked(), (tmp_path / "out" / "results.jsonl").read_text()
    assert run(data, tmp_path / "out", **options) == plan
    assert asked() == before
    assert (tmp_path / "out" / "results.jsonl").read_text() == text


# ---- tuning ----


def test_each_strategy_is_measured_at_its_own_best_temperature_on_tasks_it_was_not_chosen_on(
    data: Path, tmp_path: Path
):
    strategies = ["best_of_n", "iad:temperature=0.5"]
    plan = run(
        data, tmp_path / "out", strategies=strategies, tune=0.25, temperatures=[1.0, 0.3, 0.7], ablate="flip=0.1"
    )
    tuning = plan["tuning"]
    assert (tuning["tasks"], plan["tasks"]) == (5, 15)
    measured = {row["task"] for row in rows(tmp_path / "out")}
    assert not measured & set(tuning["on"])
    assert len(measured | set(tuning["on"])) == TASKS
    (best_of_n, iad) = tuning["arms"]
    tried = {each["temperature"]: each["right"] for each in best_of_n["tried"]}
    assert tried[0.3] == 0.0
    assert best_of_n["chosen"] == max((0.3, 0.7, 1.0), key=lambda t: (tried[t], -t))
    assert best_of_n["chosen"] > 0.3
    assert [each["temperature"] for each in iad["tried"]] == [0.5]
    temperatures = {row["arm"]: row["temperature"] for row in rows(tmp_path / "out")}
    assert temperatures == {
        "best_of_n": best_of_n["chosen"], "iad:temperature=0.5": 0.5, "iad:temperature=0.5 flip 0.1": 0.5,
    }  # fmt: skip


def test_tuning_on_another_folder_measures_all_tasks_here(data: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "count").write_text(f"{TASKS - 2} {TASKS + 4}")
    plan = run(data, tmp_path / "out", tune_on=other, temperatures=[0.7])
    assert plan["tuning"]["on"] == [f"sum_{i:03}" for i in range(TASKS, TASKS + 4)]
    assert plan["tasks"] == TASKS


# ---- abstaining ----


def test_an_answer_that_is_hardly_right_is_taken_back_and_kept_in_the_record(data: Path, tmp_path: Path):
    (data / "count").write_text("0 60")
    options: dict[str, Any] = {"strategies": ["best_of_n"], "tune": 0.4, "temperatures": [0.7]}
    plain = run(data, tmp_path / "plain", **options)
    held = run(data, tmp_path / "held", **options, abstain_below=0.5)
    calibrator = Calibrator.read(held["tuning"]["calibrators"]["best_of_n"])
    before = {row["task"]: row for row in rows(tmp_path / "plain")}
    kept, taken = 0, 0
    for row in rows(tmp_path / "held"):
        said = before[row["task"]]
        assert (row["best"], row["candidates"]) == (said["best"], said["candidates"])
        likely = {c["id"] for c in row["candidates"] if calibrator.chance(c) >= 0.5}
        assert row["picks"] == [pick if pick in likely else None for pick in said["picks"]]
        assert row["abstained"] == (calibrator.p(said) < 0.5)
        assert row["right"] == ({"exact": False, "close": False} if row["abstained"] else said["right"])
        taken, kept = taken + row["abstained"], kept + (not row["abstained"])
    assert taken
    assert kept
    points = coverage(list(before.values()), calibrator, "exact")
    assert coverage(rows(tmp_path / "held"), calibrator, "exact") == points
    at = next(point for point in points if point.below >= 0.5)
    assert at.coverage == kept / len(before)
    assert plain["tuning"]["arms"] == held["tuning"]["arms"]


def test_abstaining_needs_tasks_to_learn_from(data: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="--tune") as refused:
        run(data, tmp_path / "out", abstain_below=0.5)
    assert "\n" not in str(refused.value)


def test_set_aside_is_what_the_run_sets_aside(data: Path, tmp_path: Path):
    course = Course(
        Order(
            benchmark="bench_sums:Sums",
            data=data,
            out=tmp_path / "out",
            strategies=["single"],
            models={"proposer": "bench_sums:Model"},
            tune=0.3,
        )
    )
    everything = course.benchmark.load(data)
    assert (course.tuning, course.items) == set_aside(everything, 0.3)

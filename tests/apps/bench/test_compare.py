"""Two runs side by side, and a run as a data frame."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_made import ARMS, Arm, Made

from veriloop.apps.bench.compare import compare, plans_differ
from veriloop.apps.bench.frame import frame
from veriloop.apps.cli import bench_more
from veriloop.core.errors import UsageError

BEST = Arm("best_of_n · sql", verify="sql")


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """The same arm twice, 30 and 40 tasks; in the second run its samples are better."""
    a = Made([BEST, Arm("single", "single", "none", proposals=1)], tasks=30, broken=0).write(tmp_path / "a")
    better = Arm("best_of_n · sql", verify="sql", logit=1.5, sharp=3.0)
    plan = {"commit": "fedcba", "models": {"proposer": "other"}}
    return a, Made([better], tasks=40, broken=0, plan=plan).write(tmp_path / "b")


def test_what_two_runs_share_is_paired(two: tuple[Path, Path]):
    found = compare(*two)
    assert (found["tasks"], found["tasks_a"], found["tasks_b"]) == (30, 30, 40)
    assert (found["only_a"], found["only_b"]) == (["single"], [])
    (arm,) = found["arms"]
    one = arm["metrics"]["spider"]
    assert one["value"] == pytest.approx(one["b"] - one["a"])
    assert one["low"] > 0
    assert one["p"] < 0.05
    differ = {each["name"]: (each["a"], each["b"]) for each in found["plans"]}
    assert differ["commit"] == ("0123456789abcdef", "fedcba")
    assert differ["models.judge"] == ("embedded:sql", None)
    assert differ["arms.single.verify"] == ("none", None)
    assert "created" not in differ


def test_a_run_does_not_differ_from_itself(two: tuple[Path, Path]):
    found = compare(two[0], two[0])
    assert found["plans"] == []
    assert all(arm["metrics"]["spider"]["value"] == 0 and arm["metrics"]["spider"]["p"] == 1 for arm in found["arms"])


def test_runs_with_nothing_in_common_are_one_line(tmp_path: Path):
    a = Made([BEST], tasks=3).write(tmp_path / "a")
    b = Made([Arm("iad · sql", "iad", "sql")], tasks=3).write(tmp_path / "b")
    with pytest.raises(UsageError, match="no arm in common"):
        compare(a, b)


def test_the_order_of_arms_is_no_difference():
    one, other = {"label": "x", "n": 1}, {"label": "y", "n": 2}
    assert plans_differ({"arms": [one, other]}, {"arms": [other, one]}) == []
    assert plans_differ({"arms": [one]}, {"arms": [{"label": "x", "n": 2}]}) == [{"name": "arms.x.n", "a": 1, "b": 2}]


def test_a_comparison_is_printed_and_as_json(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    bench_more.compare(*two)
    said = capsys.readouterr().out
    assert "30 tasks in common (30 in A, 40 in B)" in said
    assert "only in A: single" in said
    bench_more.compare(*two, json_=True)
    assert json.loads(capsys.readouterr().out) == compare(*two)


def test_a_frame_has_a_row_for_each_cell_or_candidate(tmp_path: Path):
    out = Made(ARMS, tasks=4).write(tmp_path / "out")
    cells, candidates = frame(out), frame(out, candidates=True)
    assert len(cells) == 4 * 3 * len(ARMS)
    assert len(candidates) == cells["candidates"].sum()
    whole: Any = cells[cells["error"] == ""]
    assert candidates["best"].sum() == len(whole)
    share = cells.groupby("arm")["right_spider"].mean()
    assert 0 <= share["single"] <= share["best_of_n · oracle"] <= 1
    assert candidates["score_judge"].between(0, 1).sum() > 0
    assert (cells["tokens"] == cells["tokens_in"] + cells["tokens_out"]).all()


def test_without_pandas_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"pip install 'veriloop\[bench\]'"):
        frame(Made(tasks=2).write(tmp_path / "out"))

"""Temperatures are chosen on tasks that are not measured, and by the main metric."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Task
from veriloop.apps.bench.ablate import ablated
from veriloop.apps.bench.arms import Wanted, arms_of
from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.tune import Tuned, set_aside, trials, unmeasured
from veriloop.core.errors import UsageError

ITEMS = [Item(f"task_{i:03}", Task(f"What is {i}?"), i, group="a") for i in range(100)]
ARMS = arms_of(Wanted(["best_of_n", "iad:temperature=0.5"], ["judge"], proposals=8))


def rows(label: str, right: int, of: int = 10, score: float = 0.5) -> list[dict[str, Any]]:
    return [
        {
            "task": f"t{i}", "seed": 0, "arm": label, "best": "0.0", "right": {"main": i < right, "other": True},
            "candidates": [{"id": "0.0", "score": score, "right": {"main": i < right}}],
        }
        for i in range(of)
    ]  # fmt: skip


def tuned(shares: dict[str, int], pinned: int = 5) -> Tuned:
    found = [row for label, right in shares.items() for row in rows(label, right)]
    return Tuned(ARMS, (1.0, 0.3, 0.7), "main", [*found, *rows("iad:temperature=0.5 @ 0.5", pinned)])


@given(st.floats(0.01, 0.9), st.integers(2, 100))
def test_a_share_of_the_tasks_is_set_aside_and_not_measured(share: float, count: int):
    items = ITEMS[:count]
    if max(1, round(share * count)) >= count:
        return
    aside, left = set_aside(items, share)
    assert len(aside) == max(1, round(share * count))
    assert not {item.id for item in aside} & {item.id for item in left}
    assert sorted([*aside, *left], key=lambda item: item.id) == items


def test_which_tasks_are_set_aside_does_not_depend_on_their_order_nor_on_the_share():
    aside, _ = set_aside(ITEMS, 0.1)
    more, _ = set_aside(ITEMS[::-1], 0.3)
    assert {item.id for item in aside} < {item.id for item in more}
    assert aside != ITEMS[:10]


@pytest.mark.parametrize(
    ("share", "count", "line"),
    [(0.0, 9, "above 0 and below 1"), (1.0, 9, "above 0 and below 1"), (0.9, 1, "leaves none of 1 tasks to measure")],
)
def test_a_share_that_leaves_nothing_is_refused(share: float, count: int, line: str):
    with pytest.raises(UsageError, match=line):
        set_aside(ITEMS[:count], share)


def test_of_another_folder_no_task_that_is_measured_is_tuned_on():
    same = Item("another id", Task("  what IS 3?"), 3, group="a")
    elsewhere = Item("z", Task("What is 3?"), 3, group="b")
    assert unmeasured([same, elsewhere], ITEMS) == [elsewhere]
    with pytest.raises(UsageError, match="its 1 tasks are all measured too"):
        unmeasured([same], ITEMS)


def test_every_arm_is_tried_at_every_temperature_but_one_whose_own_was_given():
    found = [(trial.label, trial.temperature) for trial in trials(ARMS, (1.0, 0.3))]
    assert found == [("best_of_n @ 0.3", 0.3), ("best_of_n @ 1", 1.0), ("iad:temperature=0.5 @ 0.5", 0.5)]
    assert all(
        trial.strategy.make().temperature == t for trial, (_, t) in zip(trials(ARMS, (1.0, 0.3)), found, strict=True)
    )  # type: ignore[attr-defined]


def test_without_temperatures_each_strategy_is_tried_at_its_own_too():
    arms = arms_of(Wanted(["single", "iad"], ["judge"]))
    found = [(trial.strategy.name, trial.temperature) for trial in trials(arms, ())]
    assert found == [("single", t) for t in (0.0, 0.3, 0.7, 1.0)] + [("iad", t) for t in (0.3, 0.7, 1.0)]
    records = [row for trial in trials(arms, ()) for row in rows(trial.label, 5 if trial.temperature else 9)]
    tuned = Tuned(arms, (), "main", records)
    assert [tuned.chosen(arm).temperature for arm in arms] == [0.0, 0.3]
    assert tuned.plain["temperatures"] == [0.0, 0.3, 0.7, 1.0]


@pytest.mark.parametrize(
    ("cold", "mild", "hot", "chosen"), [(3, 6, 5, 0.7), (3, 6, 7, 1.0), (6, 6, 6, 0.3), (5, 6, 6, 0.7)]
)
def test_the_best_share_is_chosen_and_of_equal_ones_the_lower_temperature(
    cold: int, mild: int, hot: int, chosen: float
):
    found = tuned({"best_of_n @ 0.3": cold, "best_of_n @ 0.7": mild, "best_of_n @ 1": hot})
    arm = found.chosen(ARMS[0])
    assert (arm.temperature, arm.label) == (chosen, "best_of_n")
    assert found.chosen(ARMS[1]) == ARMS[1]
    assert found.plain == {
        "tasks": 10,
        "metric": "main",
        "temperatures": [0.3, 0.7, 1.0],
        "arms": [
            {
                "label": "best_of_n",
                "tried": [
                    {"temperature": 0.3, "right": cold / 10},
                    {"temperature": 0.7, "right": mild / 10},
                    {"temperature": 1.0, "right": hot / 10},
                ],
                "chosen": chosen,
            },
            {"label": "iad:temperature=0.5", "tried": [{"temperature": 0.5, "right": 0.5}], "chosen": 0.5},
        ],
    }


def test_answers_are_calibrated_at_the_temperature_that_was_chosen_and_copies_like_their_base():
    (iad,) = arms_of(Wanted(["iad"], ["judge"]))
    found = Tuned([iad], (0.3, 1.0), "main", [*rows("iad @ 0.3", 8), *rows("iad @ 1", 2)])
    at = {"best": "0.0", "candidates": [{"id": "0.0", "score": 0.5}]}
    assert found.calibrator(iad).p(at) == pytest.approx(0.8, abs=0.1)
    (copy,) = ablated([found.chosen(iad)], "shuffled")
    assert found.calibrator(copy) == found.calibrator(iad)

"""P(right) from scores: it rises with the score, is calibrated, and holds answers back."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.apps.bench.abstain import FEW, Calibrator, Point, calibrate, coverage, held_back, withheld

scores = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]), st.floats(0, 1))
answers = st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=250)


def row(score: float | None, right: bool | float = True) -> dict[str, Any]:
    """A record: its best candidate has this score and worth, another one the opposite of both."""
    best = {"id": "0.1", "score": score, "right": {"main": right}}
    other = {"id": "0.0", "score": None if score is None else 1 - score, "right": {"main": not right}}
    return {"best": "0.1", "candidates": [other, best], "right": {"main": right}}


SILENT = {"best": None, "candidates": [], "right": {"main": False}}


def drawn(size: int, seed: int = 0) -> list[dict[str, Any]]:
    """Answers with a score that says too much: P(right) is its square."""
    rng = random.Random(seed)
    return [row(score := rng.random(), rng.random() < score**2) for _ in range(size)]


@given(answers)
def test_p_never_falls_with_the_score_and_is_never_sure(found: list[tuple[float | None, bool]]):
    calibrator = calibrate([row(*each) for each in found], "main")
    ladder = [calibrator.p(row(step / 50)) for step in range(51)]
    assert ladder == sorted(ladder)
    assert 0 < ladder[0] <= ladder[-1] < 1
    assert 0 < calibrator.p(row(None)) < 1


@pytest.mark.parametrize(("size", "error"), [(FEW, 0.15), (4000, 0.06)])
def test_p_is_the_share_that_is_right(size: int, error: float):
    calibrator = calibrate(drawn(size), "main")
    for score in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert calibrator.p(row(score)) == pytest.approx(score**2, abs=error)


def test_many_answers_are_fitted_by_pooling_neighbours_that_fall():
    """By hand: shares 0.2, 0.6, 0.4, 0.9 become 0.2, 0.5, 0.5, 0.9 (but for the smoothing)."""
    shares = {0.0: 0.2, 0.25: 0.6, 0.5: 0.4, 1.0: 0.9}
    rows = [row(score, i < share * 1000) for score, share in shares.items() for i in range(1000)]
    calibrator = calibrate(rows, "main")
    assert [p for _, p in calibrator.knots] == pytest.approx([0.2, 0.5, 0.5, 0.9], abs=0.002)
    assert calibrator.p(row(0.75)) == pytest.approx(0.7, abs=0.002)


def test_few_answers_are_enough_for_a_score_that_tells_right_from_wrong_within_a_narrow_range():
    calibrator = calibrate([row(1.0 if i % 2 else 0.9, i % 2 == 1) for i in range(24)], "main")
    assert calibrator.p(row(1.0)) > 0.85
    assert 0.05 < calibrator.p(row(0.0)) < calibrator.p(row(0.9)) < 0.15


@pytest.mark.parametrize("size", [20, 400])
def test_a_score_that_misleads_is_not_believed(size: int):
    """Right ones score lower: the curve stays flat instead of falling."""
    calibrator = calibrate([row(i % 2, i % 2 == 0) for i in range(size)], "main")
    assert calibrator.p(row(0.0)) == calibrator.p(row(1.0)) == pytest.approx(0.5)


def test_where_nothing_is_scored_p_is_the_share_that_is_right():
    calibrator = calibrate([row(None, i < 30) for i in range(40)], "main")
    assert calibrator.p(row(None)) == pytest.approx(31 / 42)
    assert calibrator.p(row(0.9)) == calibrator.p(row(None))


def test_an_answer_that_nothing_scored_counts_as_the_worst_where_none_was_seen():
    calibrator = calibrate(drawn(300), "main")
    assert calibrator.p(row(None)) == min(p for _, p in calibrator.knots)


def test_records_without_an_answer_teach_nothing_and_are_never_right():
    assert calibrate([*drawn(50), SILENT], "main") == calibrate(drawn(50), "main")
    assert calibrate(drawn(50), "main").p(SILENT) == 0
    assert calibrate([SILENT], "main").p(row(0.9)) == 0.5


@pytest.mark.parametrize("rows", [drawn(50), drawn(300), [row(None)]])
def test_a_calibrator_is_kept_as_plain_data(rows: list[dict[str, Any]]):
    calibrator = calibrate(rows, "main")
    assert Calibrator.read(json.loads(json.dumps(calibrator.plain))) == calibrator


STEPS = Calibrator(((0.0, 0.1), (1.0, 0.9)), unscored=0.3, answers=10)


def test_an_answer_is_held_back_below_p():
    assert [held_back(row(score), STEPS, 0.5) for score in (0.0, 0.4, 0.5, 1.0, None)] == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert not held_back(SILENT, STEPS, 0.5)
    assert not held_back(row(0.0), STEPS, 0.0)


def test_what_is_held_back_is_held_back_at_every_budget():
    record = {**row(1.0), "picks": ["0.0", "0.0", "0.1"]}  # the other one scores 0
    assert withheld(record, STEPS, 0.0) == record
    assert withheld(record, STEPS, 0.5) == {**record, "picks": [None, None, "0.1"]}
    silent = withheld(record, STEPS, 0.95)
    assert silent == {**record, "picks": [None] * 3, "abstained": True, "right": {"main": False}}


def test_coverage_goes_from_all_answers_to_the_surest_alone():
    records = [row(1.0, True), row(1.0, True), row(0.5, True), row(0.5, False), row(0.0, False), SILENT]
    assert coverage(records, STEPS, "main") == [
        Point(0.1, 5 / 6, 3 / 5),
        Point(0.5, 4 / 6, 3 / 4),
        Point(0.9, 2 / 6, 1.0),
    ]


@given(answers)
def test_a_higher_bar_answers_fewer_and_each_point_is_what_abstaining_there_gives(
    found: list[tuple[float | None, bool]],
):
    records = [row(*each) for each in found]
    points = coverage(records, STEPS, "main")
    assert [point.below for point in points] == sorted({point.below for point in points})
    for below, share, accuracy in points:
        kept = [record for record in records if not held_back(record, STEPS, below)]
        assert share == pytest.approx(len(kept) / len(records))
        assert accuracy == pytest.approx(sum(record["right"]["main"] for record in kept) / len(kept))


def test_an_answer_held_back_counts_as_what_it_would_have_said():
    said = row(1.0, True)
    assert coverage([{**said, "abstained": True, "right": {"main": False}}], STEPS, "main") == [Point(0.9, 1.0, 1.0)]

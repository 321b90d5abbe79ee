"""Estimates agree with brute force, with hand-computed values, and with simulated truths."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.apps.bench import estimates


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_all_draws_that_hold_a_right_one(drawn: tuple[int, int, int]):
    n, c, k = drawn
    hits = [any(i < c for i in draw) for draw in combinations(range(n), k)]
    assert estimates.pass_at_k(np.array([n]), np.array([c]), k)[0] == pytest.approx(np.mean(hits))


def test_pass_at_k_needs_k_samples_and_stays_finite_for_many():
    assert np.isnan(estimates.pass_at_k(np.array([3]), np.array([1]), 4)[0])
    assert estimates.pass_at_k(np.array([100_000]), np.array([1]), 1000)[0] == pytest.approx(0.01)
    with pytest.raises(ValueError, match="cannot be right"):
        estimates.pass_at_k(np.array([3]), np.array([4]), 1)


def test_wilson_as_in_a_textbook():
    assert estimates.wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert estimates.wilson(0, 10).low == 0.0
    assert estimates.wilson(10, 10).high == pytest.approx(1.0)
    assert np.isnan(estimates.wilson(0, 0).value)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.9]), st.booleans()), min_size=1, max_size=30))
def test_auc_counts_pairs_and_half_of_the_ties(drawn: list[tuple[float, bool]]):
    scores, right = np.array([s for s, _ in drawn]), np.array([r for _, r in drawn])
    pairs = [(a > b) + (a == b) / 2 for a, b in product(scores[right], scores[~right])]
    found = estimates.auc(scores, right)
    assert np.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))


def test_the_interval_of_auc_holds_it():
    rng = np.random.default_rng(1)
    right = rng.random(3000) < 0.5
    scores = np.clip(rng.normal(0.4 + 0.2 * right, 0.2), 0, 1)
    found = estimates.auc_interval(scores, right, np.arange(3000) // 10, estimates.draws(300))
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(0.76, abs=0.02)  # two normals one sd apart: Phi(1 / sqrt 2)


def test_reliability_ece_and_brier_by_hand():
    scores, right = np.array([0.0, 0.05, 0.95, 1.0]), np.array([False, True, True, True])
    bins = estimates.reliability(scores, right)
    assert [(b.low, b.high, b.count) for b in bins] == [(0.0, 0.1, 2), (0.9, 1.0, 2)]
    assert [b.right.value for b in bins] == [0.5, 1.0]
    assert estimates.ece(bins) == pytest.approx((2 * 0.475 + 2 * 0.025) / 4)
    assert estimates.brier(scores, right) == pytest.approx((0 + 0.95**2 + 0.05**2 + 0) / 4)


@given(st.lists(st.sampled_from([-1.0, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0]), min_size=1, max_size=7))
def test_sign_flips_are_exact_where_few_tasks_differ(drawn: list[float]):
    differences = np.array(drawn)
    sums = [sum(s * d for s, d in zip(signs, drawn, strict=True)) for signs in product((1, -1), repeat=len(drawn))]
    expected = np.mean([abs(s) >= abs(sum(drawn)) - 1e-9 for s in sums])
    assert estimates.sign_flip(differences) == pytest.approx(expected)


def test_many_sign_flips_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch):
    differences = np.random.default_rng(2).normal(0.4, 1.0, 12)
    exact = estimates.sign_flip(differences)
    monkeypatch.setattr(estimates, "EXACT", 0)
    assert estimates.sign_flip(differences) == pytest.approx(exact, abs=0.02)
    assert estimates.sign_flip(np.ones(100)) == pytest.approx(1 / 10_001)  # never 0


def test_p_values_are_uniform_where_nothing_differs():
    rng = np.random.default_rng(3)
    found = np.array([estimates.sign_flip(rng.normal(0, 1, 40)) for _ in range(400)])
    for share in (0.05, 0.25, 0.5, 0.75):
        assert np.mean(found <= share) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 400))


def simulated(rng: np.random.Generator, tasks: int = 80, seeds: int = 3) -> np.ndarray:
    """Shares right per task whose true mean is 0.5: tasks differ, seeds differ within."""
    chance = rng.beta(1.0, 1.0, tasks)
    return (rng.random((tasks, seeds)) < chance[:, None]).mean(axis=1)


def test_intervals_hold_the_truth_95_times_in_100():
    rng, held = np.random.default_rng(4), 0
    weights = estimates.draws(80, 500)
    for _ in range(600):
        (found,) = estimates.means(simulated(rng)[:, None], weights)
        held += found.low <= 0.5 <= found.high
    assert held / 600 == pytest.approx(0.947, abs=0.028)


def test_tasks_that_were_not_measured_are_left_out():
    values = np.array([[1.0, np.nan], [0.0, np.nan], [np.nan, np.nan]])
    first, second = estimates.means(values, estimates.draws(3))
    assert first.value == 0.5
    assert (first.low, first.high) == (0.0, 1.0)
    assert np.isnan(second.value)
    assert second.plain == {"value": None, "low": None, "high": None}


def test_the_same_data_gives_the_same_numbers():
    assert (estimates.draws(20) == estimates.draws(20)).all()
    assert (estimates.draws(20).sum(axis=1) == 20).all()

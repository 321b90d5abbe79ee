"""How many samples are worth it: the formulas against simulation, and what must hold of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_made import Arm, Made
from hypothesis import given
from hypothesis import strategies as st

from veriloop.apps.bench.worth import Rates, fit_beta, worth, worth_of


def simulated(rates: Rates, k: int, tasks: int = 60_000) -> tuple[float, float, float]:
    """Shares right, wrong and withheld when each task is sampled until something passes, at most ``k`` times."""
    rng = np.random.default_rng(5)
    chance = rng.beta(rates.a, rates.b, tasks)
    right = rng.random((tasks, k)) < chance[:, None]
    passed = rng.random((tasks, k)) < np.where(right, rates.true_positive, rates.false_positive)
    first = passed.argmax(axis=1)
    answered = passed.any(axis=1)
    good = right[np.arange(tasks), first] & answered
    return float(good.mean()), float((answered & ~good).mean()), float((~answered).mean())


@pytest.mark.parametrize("rates", [Rates(0.6, 0.9, 0.9, 0.2), Rates(5.0, 2.0, 0.7, 0.05), Rates(0.05, 0.3, 1.0, 0.4)])
@pytest.mark.parametrize("k", [1, 3, 12])
def test_expectations_agree_with_a_simulation(rates: Rates, k: int):
    found, (right, wrong, withheld) = worth_of(rates), simulated(rates, k)
    assert found.right[k - 1] == pytest.approx(right, abs=0.008)
    assert found.wrong[k - 1] == pytest.approx(wrong, abs=0.008)
    assert found.abstained[k - 1] == pytest.approx(withheld, abs=0.008)


def test_a_perfect_verifier_has_no_ceiling():
    found = worth_of(Rates(2.0, 2.0, 1.0, 0.0))
    assert found.ceiling == pytest.approx(1.0)
    assert found.best is None
    assert found.wrong[-1] == 0


def test_with_false_positives_more_samples_end_up_hurting():
    found = worth_of(Rates(0.8, 0.8, 0.9, 0.15))
    assert found.best is not None
    assert 1 < found.best < 10  # "often fewer than 10"
    assert found.gain[found.best - 1] > found.gain[-1]
    assert found.right[-1] <= found.ceiling < 1
    assert found.sure[found.best - 1] >= 0.5 > found.sure[found.best]  # abstain from what passes later


def test_a_dear_mistake_makes_the_budget_smaller_until_nothing_is_worth_it():
    rates = Rates(0.8, 0.8, 0.9, 0.15)
    best = [worth_of(rates, cost).best for cost in (0.5, 1.0, 2.0, 4.0, 100.0)]
    assert best == sorted(best, key=lambda k: -(k or 0))
    assert best[-1] == 0


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.floats(0.05, 1), st.floats(0, 1), st.sampled_from([0.0, 1.0, 3.0]))
def test_shares_are_shares(a: float, b: float, true_positive: float, false_positive: float, cost: float):
    found = worth_of(Rates(a, b, true_positive, false_positive), cost, 32)
    for share in (found.right, found.wrong, found.abstained):
        assert (share > -1e-9).all()
        assert (share < 1 + 1e-9).all()
    assert (np.diff(found.right) > -1e-12).all()
    assert found.right[-1] <= found.ceiling + 1e-9


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.7), (3.0, 1.5), (8.0, 30.0)])
def test_the_spread_of_tasks_is_found_again(a: float, b: float):
    rng = np.random.default_rng(6)
    right = rng.binomial(24, rng.beta(a, b, 4000))
    found = fit_beta(right, np.full(4000, 24))
    assert found == pytest.approx((a, b), rel=0.12)


def test_tasks_that_do_not_differ_give_a_narrow_spread():
    right = np.random.default_rng(7).binomial(8, 0.3, 3000)
    a, b = fit_beta(right, np.full(3000, 8))
    assert a / (a + b) == pytest.approx(0.3, abs=0.02)
    assert a + b > 50


def test_a_run_is_measured_and_an_oracle_left_out(tmp_path: Path):
    arms = [Arm("best_of_n · judge", verify="judge"), Arm("best_of_n · oracle", verify="oracle")]
    (found,) = worth(Made(arms, tasks=150).write(tmp_path / "out"))
    assert (found["verify"], found["arm"]) == ("judge", "best_of_n · judge")
    assert found["rates"]["false_positive"] < 0.3 < 0.7 < found["rates"]["true_positive"]
    assert found["ceiling"]["low"] < found["ceiling"]["value"] < found["ceiling"]["high"] < 1
    assert found["best_low"] <= found["best"] <= found["best_high"]
    assert found["abstain_below"] == 0.5
    assert [row["samples"] for row in found["budgets"]][:2] == [1, 2]

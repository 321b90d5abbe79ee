"""PlanGEN's modified UCB, against values computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.graphs.policies.ucb import MOST_EXPLORING, UCB, Record, pick, records

NAMES = ("a", "b", "c")
PRIORS = {"a": 0.4, "b": 0.1, "c": 0.9}
PLAIN = UCB(prior_weight=10.0, diversity=0.0, recovery=0.0)


def test_at_the_first_pick_only_the_priors_count():
    values = PLAIN.values(records(NAMES, [], 0.975), PRIORS)
    assert values == pytest.approx({"a": 4.0, "b": 1.0, "c": 9.0})
    assert pick(values) == "c"


def test_after_one_trial():
    """c ran with 0.6: R = .6, C = 2, T = 1, so the prior weighs 10/2 and the others explore with sqrt(2 ln 2)."""
    values = PLAIN.values(records(NAMES, [("c", 0.6)], 0.975), PRIORS)
    exploring = 1.177410022515475  # sqrt(2 ln 2)
    assert values["a"] == pytest.approx(exploring + 5 * 0.4)
    assert values["b"] == pytest.approx(exploring + 5 * 0.1)
    assert values["c"] == pytest.approx(0.6 / (2 * 0.6) + 0.832554611157698 + 5 * 0.9)  # sqrt(ln 2)


def test_after_three_trials_with_all_terms():
    """a: .2 then .98 (a failure, then a recovery); b: .5. T = 3, Rmax = 1.18, sqrt(2 ln 4 / C)."""
    known = records(NAMES, [("a", 0.2), ("b", 0.5), ("a", 0.98)], 0.975)
    assert known["a"] == Record(reward=pytest.approx(1.18), count=3, failures=1, recoveries=1)
    assert known["b"] == Record(reward=0.5, count=2, failures=1)
    values = UCB(prior_weight=10.0, diversity=1.0, recovery=0.5).values(known, PRIORS)
    assert values["a"] == pytest.approx(1.18 / (3 * 1.18) + 0.961351 + 2.5 * 0.4 + 1 / 4 + 0.5, abs=1e-6)
    assert values["b"] == pytest.approx(0.5 / (2 * 1.18) + 1.177410 + 2.5 * 0.1 + 1 / 3, abs=1e-6)
    assert values["c"] == pytest.approx(0.0 + 1.665109 + 2.5 * 0.9 + 1 / 2, abs=1e-6)
    assert pick(values) == "c"


def test_a_success_without_a_failure_before_it_is_no_recovery():
    assert Record().after(0.99, 0.975) == Record(0.99, 2, 0, 0)
    assert Record().after(0.975, 0.975).after(0.5, 0.975).after(1.0, 0.975).recoveries == 1


def test_exploration_is_bounded_and_the_prior_fades():
    """After e^13 trials of one, the others would explore with more than 5."""
    many = {"a": Record(1.0, round(math.e**13)), "b": Record()}
    values = PLAIN.values(many, {"a": 0.0, "b": 1.0})
    assert values["b"] == pytest.approx(MOST_EXPLORING, abs=1e-3)


def test_equals_go_in_order_and_no_rewards_are_no_trouble():
    assert pick(PLAIN.values(records(NAMES, [], 0.5), {})) == "a"
    assert PLAIN.values(records(NAMES, [("a", 0.0)], 0.5), {})["a"] == pytest.approx(math.sqrt(math.log(2)))


trials = st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 1)), max_size=30)


@given(trials, st.floats(0, 1))
def test_records_count_every_trial_once(ran: list[tuple[str, float]], threshold: float):
    known = records(NAMES, ran, threshold)
    assert sum(record.count - 1 for record in known.values()) == len(ran)
    assert sum(record.failures for record in known.values()) == sum(score < threshold for _, score in ran)
    assert sum(record.reward for record in known.values()) == pytest.approx(sum(score for _, score in ran))
    assert all(record.recoveries <= record.count - 1 - record.failures for record in known.values())


@given(trials, st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)), st.floats(0, 50))
def test_a_better_prior_never_lowers_a_value(ran: list[tuple[str, float]], priors: dict[str, float], weight: float):
    known = records(NAMES, ran, 0.975)
    before = UCB(weight).values(known, priors)
    after = UCB(weight).values(known, {**priors, "b": 1.0})
    assert after["b"] >= before["b"]
    assert all(after[name] == before[name] for name in ("a", "c"))

"""What is reserved and spent never passes a limit, and what is given back can be spent again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.core.budget import Budget, Reservation, left
from veriloop.core.errors import BudgetSpent, UsageError
from veriloop.core.messages import Usage
from veriloop.core.search import Spend
from veriloop.core.task import Limits


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_reservation_holds_until_it_is_settled() -> None:
    budget = Budget(Limits(calls=3))
    held = budget.reserve(2, 0)
    assert budget.remaining.calls == 1
    with pytest.raises(BudgetSpent, match="the budget of calls is spent"):
        budget.reserve(2, 0)
    budget.settle(held, 1, Usage(5, 6), 0.5)
    assert budget.remaining.calls == 2
    assert (budget.spend.calls, budget.spend.tokens, budget.spend.money) == (1, 11, 0.5)


def test_a_released_reservation_costs_nothing() -> None:
    budget = Budget(Limits(tokens=100))
    budget.release(budget.reserve(1, 100))
    budget.release(None)
    assert budget.remaining.tokens == 100
    assert budget.spend.calls == 0


@pytest.mark.parametrize(("name", "limits"), [("calls", Limits(calls=1)), ("tokens", Limits(tokens=9))])
def test_the_error_names_the_limit(name, limits) -> None:
    with pytest.raises(BudgetSpent) as refused:
        Budget(limits).reserve(2, 10)
    assert refused.value.limit == name


def test_an_unknown_price_leaves_the_money_unknown_for_good() -> None:
    budget = Budget(Limits())
    budget.settle(None, 1, Usage(), 1.0)
    budget.settle(None, 1, Usage(), None)
    budget.settle(None, 1, Usage(), 1.0)
    assert budget.spend.money is None


def test_seconds_count_from_earlier_sittings_on() -> None:
    clock = Clock()
    budget = Budget(Limits(seconds=10), elapsed=6.0, clock=clock)
    clock.now += 3
    assert (budget.seconds, budget.remaining.seconds) == (9.0, 1.0)
    budget.reserve(1, 0)
    clock.now += 2
    assert budget.remaining.seconds == 0
    with pytest.raises(BudgetSpent, match="seconds"):
        budget.reserve(1, 0)


def test_tool_runs_are_counted_and_replayed_ones_are_never_refused() -> None:
    budget = Budget(Limits(tool_runs=1))
    budget.take_tool_run()
    with pytest.raises(BudgetSpent, match="tool_runs"):
        budget.take_tool_run()
    budget.take_tool_run(replayed=True)
    assert budget.spend.tool_runs == 2


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="limit calls is -1: give a number of 0 or more"):
        Limits(calls=-1)


def test_what_is_left_is_never_below_zero_and_none_where_nothing_limits() -> None:
    spent = Spend(calls=5, tokens_in=70, tokens_out=50, money=2.0, seconds=9.0, tool_runs=4)
    assert left(Limits(calls=3, tokens=100, money=1.0, seconds=5.0, tool_runs=1), spent) == Limits(
        calls=0, tokens=0, money=0, seconds=0, tool_runs=0
    )
    assert left(Limits(), spent) == Limits()


step = st.tuples(st.integers(1, 4), st.integers(0, 300), st.floats(0, 2), st.floats(0, 1), st.booleans(), st.booleans())


@given(
    limits=st.builds(
        Limits,
        calls=st.none() | st.integers(0, 20),
        tokens=st.none() | st.integers(0, 2000),
        money=st.none() | st.floats(0, 10),
    ),
    steps=st.lists(step, max_size=40),
)
def test_no_limit_is_passed_in_whatever_order_calls_begin_and_end(limits, steps) -> None:
    budget = Budget(limits)
    held: list[tuple[Reservation, float]] = []

    def end(paid: bool) -> None:
        reservation, part = held.pop(0)
        if not paid:
            budget.release(reservation)
            return
        used = Usage(0, int(reservation.tokens * part))
        budget.settle(reservation, reservation.calls, used, reservation.money * part)

    for calls, tokens, money, part, end_one, paid in steps:
        with suppress(BudgetSpent):
            held.append((budget.reserve(calls, tokens, money), part))
        if end_one and held:
            end(paid)
    while held:
        end(True)
    spend = budget.spend
    assert limits.calls is None or spend.calls <= limits.calls
    assert limits.tokens is None or spend.tokens <= limits.tokens
    assert limits.money is None or (spend.money or 0) <= limits.money * (1 + 1e-9)

"""Spider's and BIRD's rules for equal results."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.tools.sql.match import drop_distinct, same_result, set_match

CELLS = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["a", "b", "1", ""]), st.sampled_from([0.5, 0.25]))


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[object, ...]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=6))


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(rows: list[tuple[object, ...]], rng: random.Random) -> None:
    order = rng.sample(range(len(rows[0])), len(rows[0]))
    turned = [tuple(row[i] for i in order) for row in rows]
    assert same_result(rows, turned, ordered=True)
    assert same_result(rows, rng.sample(turned, len(turned)), ordered=False)


@given(tables(), st.data())
def test_a_cell_that_occurs_nowhere_else_always_matters(rows: list[tuple[object, ...]], data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows[0]) - 1))
    changed = [list(each) for each in rows]
    changed[row][column] = "changed"
    assert not same_result(rows, changed, ordered=False)
    assert not same_result(changed, rows, ordered=True)


@given(tables())
def test_a_row_more_matters_to_spider_and_not_to_bird(rows: list[tuple[object, ...]]) -> None:
    assert not same_result(rows, [*rows, rows[0]], ordered=False)
    assert set_match(rows, [*rows, rows[0]])


@pytest.mark.parametrize(
    ("gold", "rows", "ordered", "same"),
    [
        ([], [], True, True),
        ([(1,)], [], False, False),
        ([(1, 2)], [(1,)], False, False),
        ([(1,), (2,)], [(2,), (1,)], False, True),
        ([(1,), (2,)], [(2,), (1,)], True, False),
        ([(1, 1), (2, 2)], [(1, 2), (2, 1)], False, False),
        ([(1, "a"), (2, "b")], [("b", 2), ("a", 1)], False, True),
        ([(1, "a"), (2, "b")], [("a", 2), ("b", 1)], False, False),
        ([(0.1 + 0.2,)], [(0.3,)], False, True),
        ([(0.3, "b"), (0.1 + 0.2, "a")], [(0.3, "a"), (0.1 + 0.2, "b")], False, True),
        ([(12345678.125,)], [(12345678.125000001,)], False, True),
        ([(1_000_000.0,)], [(1_000_001.0,)], False, False),
        ([(10**12,)], [(10**12 + 1,)], False, False),
        ([(3,)], [(3.0,)], False, True),
        ([(3,)], [("3",)], False, False),
        ([(None,)], [(0,)], False, False),
        ([(0.0,)], [(1e-15,)], False, True),
    ],
)
def test_spider_s_rule(
    gold: list[tuple[object, ...]], rows: list[tuple[object, ...]], ordered: bool, same: bool
) -> None:
    assert same_result(gold, rows, ordered=ordered) is same
    assert same_result(rows, gold, ordered=ordered) is same


def test_bird_s_rule_keeps_columns_and_forgets_duplicates() -> None:
    assert set_match([(1, "a"), (2, "b")], [[2, "b"], [1, "a"], [1, "a"]])
    assert not set_match([(1, "a")], [("a", 1)])


@pytest.mark.parametrize("columns", [12, 60, 400])
def test_many_columns_alike_take_no_factorial_time(columns: int) -> None:
    identity = [tuple(int(row == column) for column in range(columns)) for row in range(columns)]
    turned = [tuple(row[(i + 5) % columns] for i in range(columns)) for row in identity]
    rings = [tuple(int(column in (row, (row + 1) % columns)) for column in range(columns)) for row in range(columns)]
    half = columns // 2
    split = [
        tuple(int(column in (row, (row + 1) % half + (half if row >= half else 0))) for column in range(columns))
        for row in range(columns)
    ]
    started = time.perf_counter()
    assert same_result(identity, turned, ordered=False)
    assert not same_result(rings, split, ordered=False)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("sql", "without"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT a FROM t"),
        ("select count(distinct a) from t", "select count(a) from t"),
        ("SELECT 'distinct', \"distinct\", [distinct], `distinct` -- distinct", None),
        ("SELECT 'it''s distinct' /* distinct */", None),
        ("SELECT a IS NOT DISTINCT FROM b", None),
        ("SELECT distinctive FROM t", None),
        ("SELECT 'unclosed distinct", None),
    ],
)
def test_distinct_is_dropped_where_it_is_the_keyword(sql: str, without: str | None) -> None:
    assert drop_distinct(sql) == (sql if without is None else without)


@pytest.mark.parametrize("sql", ["/*" * 50_000, "'" * 99_999, "[" * 100_000, "is " + " " * 100_000, "-" * 100_000])
def test_dropping_distinct_takes_linear_time(sql: str) -> None:
    started = time.perf_counter()
    drop_distinct(sql)
    assert time.perf_counter() - started < 1

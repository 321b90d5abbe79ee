"""What is read out of a model's reply."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Task
from veriloop.agents.formats import JsonFormat, SqlFormat, TextFormat, format_of, json_values

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
data = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
containers = st.lists(data) | st.dictionaries(st.text(), data)


def test_the_format_follows_from_the_task():
    assert format_of(Task("q", database="x.sqlite")) == SqlFormat()
    assert format_of(Task("q", output_schema={"type": "object"})) == JsonFormat()
    assert format_of(Task("q")) == TextFormat()


@given(data)
def test_any_json_is_found_alone_and_in_a_fence(value: Any):
    text = json.dumps(value)
    assert next(json_values(f" {text}\n")) == value
    assert next(json_values(f"Here it is:\n```json\n{text}\n```\nDone.")) == value


@given(containers)
def test_an_object_or_array_is_found_in_prose(value: Any):
    assert next(json_values(f"The answer, as asked: {json.dumps(value)} and that is all.")) == value


@given(st.text())
def test_no_text_breaks_a_format(text: str):
    for format in (TextFormat(), JsonFormat(), SqlFormat()):
        parsed = format.parse(text)
        assert parsed is None or isinstance(parsed.key, str)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "9" * 5000, "NaN", "[Infinity]", "", "{"])
def test_what_is_no_json_is_none(text: str):
    assert JsonFormat().parse(text) is None


def test_equal_data_has_an_equal_key():
    one, other = JsonFormat().parse('{"a": 1, "b": 2}'), JsonFormat().parse('{"b":2,"a":1}')
    assert one
    assert other
    assert one.key == other.key


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("```sql\nSELECT 1;\n```", "SELECT 1"),
        ("First ```sql\nSELECT 1\n``` no, better:\n```\nSELECT 2\n```", "SELECT 2"),
        ("```python\nprint()\n```\nSELECT 3 ;", "SELECT 3"),
        ("The query is with t as (select 1) select * from t", "with t as (select 1) select * from t"),
        ("I selected nothing.", None),
        ("``` \n;\n```", None),
    ],
)
def test_sql_is_the_last_block_or_what_begins_like_a_query(text: str, sql: str | None):
    parsed = SqlFormat().parse(text)
    assert (parsed.artifact if parsed else None) == sql


def test_queries_that_differ_in_case_and_space_share_a_key():
    one, other = SqlFormat().parse("select  A\nfrom t"), SqlFormat().parse("SELECT a FROM t;")
    assert one
    assert other
    assert one.key == other.key


def test_a_wall_of_blanks_after_a_fence_is_read_at_once():
    started = time.perf_counter()
    for format in (TextFormat(), JsonFormat(), SqlFormat()):
        format.parse("```" + " " * 100_000)
    assert time.perf_counter() - started < 1


def test_literals_keep_their_case_in_the_key_of_a_query():
    upper, lower, spaced = (
        SqlFormat().parse(f"SELECT  a FROM b WHERE c = {value}") for value in ("'X'", "'x'", "'X' ")
    )
    assert upper
    assert lower
    assert spaced
    assert upper.key != lower.key
    assert upper.key == spaced.key == "select a from b where c = 'X'"

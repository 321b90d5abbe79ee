"""What the verifier ``sql`` says of a query, knowing the database and the question and no right answer."""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from veriloop.core.errors import UsageError
from veriloop.core.messages import ToolCall
from veriloop.core.protocols import Context, Verifier
from veriloop.core.search import Candidate, Proposal, ToolRun, Verdict
from veriloop.core.task import Task
from veriloop.verifiers.sql import SqlVerifier

SCRIPT = """
CREATE TABLE state (state_name TEXT, area INT, motto TEXT);
CREATE TABLE city (city_name TEXT, state_name TEXT, population INT, mayor TEXT);
INSERT INTO state VALUES ('texas', 700, NULL), ('ohio', 100, NULL), ('New York', 120, NULL);
INSERT INTO city VALUES ('austin', 'texas', 50, NULL), ('dayton', 'ohio', 9, NULL);
INSERT INTO city VALUES ('waco', 'texas', 9, 'x' || char(27) || '[31m');
"""
NOBODY = cast(Context, None)


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "geo.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SCRIPT)
    connection.executemany("INSERT INTO city VALUES (?, 'ohio', 1, 'm')", [(f"town {n}",) for n in range(20)])
    connection.commit()
    connection.close()
    return str(path)


def judge(
    database: str | None, sql: object, question: str = "Tell me of the country.", runs: Sequence[ToolRun] = ()
) -> Verdict:
    candidate = Candidate(id="c", proposal=Proposal(), round=0, artifact=sql, tool_runs=tuple(runs))
    return asyncio.run(SqlVerifier().verify(Task(question, database=database), candidate, NOBODY))


def said(verdict: Verdict, criterion: str) -> tuple[float | None, str]:
    return next((f.score, f.message) for f in verdict.findings if f.criterion == criterion)


def test_it_is_a_verifier() -> None:
    verifier: Verifier = SqlVerifier()
    assert verifier.name == "sql"


def test_a_query_with_nothing_against_it_passes_and_shows_its_rows(database: str) -> None:
    verdict = judge(database, "SELECT city_name, population FROM city WHERE state_name = 'texas'")
    assert (verdict.outcome, verdict.score, verdict.verifier) == ("passed", 1.0, "sql")
    assert [f.criterion for f in verdict.findings] == [
        *("parses", "select", "runs", "non_empty", "values", "plausible", "preview")
    ]
    assert verdict.text == "Rows: 2. Columns: city_name, population. First: ('austin', 50); ('waco', 9)"
    assert said(verdict, "preview")[0] is None


@pytest.mark.parametrize("sql", [None, "", "  \n", 7])
def test_no_sql_is_zero_and_asks_for_some(database: str, sql: object) -> None:
    verdict = judge(database, sql)
    assert (verdict.outcome, verdict.score) == ("failed", 0.0)
    assert "no SQL" in said(verdict, "parses")[1]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FROM WHERE",
        "SELECT (1",
        "SELECT 'open",
        "SELECT city_name FROM city WHERE",
        "SELECT 1 AS",
        "-- x",
    ],
)
def test_what_does_not_parse_is_zero_with_sqlite_s_words(database: str, sql: str) -> None:
    verdict = judge(database, sql)
    assert (verdict.outcome, verdict.score) == ("failed", 0.0)
    assert verdict.text.isprintable()


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE city",
        "REPLACE INTO city VALUES (1)",
        "PRAGMA table_info(city)",
        "EXPLAIN SELECT 1",
        "VACUUM",
        "SELECT 1; DELETE FROM city",
        "SELECT 1; SELECT 2",
        "WITH a AS (SELECT 1) DELETE FROM city",
        "SELECT load_extension('x')",
        "SELECT * FROM pragma_table_info('city')",
        "The answer is 42.",
    ],
)
def test_anything_but_one_select_is_zero_and_logs_nothing(
    database: str, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        verdict = judge(database, sql)
    assert (verdict.outcome, verdict.score) == ("failed", 0.0)
    assert "select" in verdict.text.lower()
    assert not caplog.records


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1;", "-- a\nSELECT 1", "VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a", "SELECT 1 UNION SELECT 2"],
)
def test_every_form_of_one_select_may_pass(database: str, sql: str) -> None:
    assert judge(database, sql).outcome == "passed"


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT name FROM citys", "The tables are called: city."),
        ("SELECT name FROM zzz", "The tables are called: city, state."),
        ("SELECT citi_name FROM city", "The nearest columns: city.city_name"),
        ("SELECT c.area FROM city AS c", "It is a column of: state.area."),
        ("SELECT state_name FROM city, state", "Say which one is meant: state.state_name, city.state_name."),
        ("SELECT nosuchfunction(1)", "no such function: nosuchfunction."),
        (
            "WITH t(x) AS (SELECT 1 UNION ALL SELECT x FROM t) SELECT sum(x) FROM t",
            "a join without a condition",
        ),
    ],
)
def test_a_failing_query_scores_a_tenth_and_names_what_comes_near(database: str, sql: str, hint: str) -> None:
    verdict = judge(database, sql)
    assert (verdict.outcome, verdict.score) == ("failed", 0.1)
    assert hint in said(verdict, "runs")[1]


@pytest.mark.parametrize(
    ("sql", "score"),
    [
        ("SELECT city_name FROM city WHERE population > 1000", 0.3),
        ("SELECT motto FROM state", 0.3),
        ("SELECT max(population) FROM city WHERE population > 1000", 0.3),
        ("SELECT count(*) FROM city WHERE population > 1000", 1.0),
    ],
)
def test_an_empty_or_null_result_scores_low_and_a_zero_does_not(database: str, sql: str, score: float) -> None:
    verdict = judge(database, sql)
    assert verdict.score == said(verdict, "non_empty")[0] == score


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("s.state_name = 'austin'", "'austin' is not a state.state_name; it is a city.city_name."),
        ("state_name = 'Texas'", "'Texas' is not a state.state_name; it is written 'texas'."),
        ("'new york' = state_name", "'new york' is not a state.state_name; it is written 'New York'."),
        ('state_name = "texsa"', "'texsa' is not a state.state_name; the nearest there is 'texas'."),
        ("state_name IN ('ohio', 'qqq')", "'qqq' is not a state.state_name."),
        ("area > (SELECT max(population) FROM city WHERE city_name = 'wacoo')", "the nearest there is 'waco'."),
    ],
)
def test_a_text_that_its_column_does_not_hold_is_named_with_what_does(
    database: str, condition: str, message: str
) -> None:
    verdict = judge(database, f"SELECT count(*) FROM state AS s WHERE {condition}")
    assert (verdict.outcome, verdict.score) == ("failed", 0.5)
    assert said(verdict, "values")[1].endswith(message)


def test_names_in_the_feedback_are_on_one_line(database: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute('CREATE TABLE "odd\n\nObey" ("a\n\nb" TEXT)')
    connection.execute('INSERT INTO "odd\n\nObey" VALUES (?)', ("there",))
    connection.commit()
    connection.close()
    for sql in (
        """SELECT count(*) FROM "odd\n\nObey" WHERE "a\n\nb" = 'threr'""",
        "SELECT count(*) FROM state WHERE state_name = 'there'",
        'SELECT "a\n\nc" FROM state AS s WHERE s."a\n\nc" = 1',
    ):
        verdict = judge(database, sql)
        assert verdict.outcome == "failed"
        assert verdict.text.replace("\n", " ", len([f for f in verdict.findings if f.message]) - 1).isprintable()


@pytest.mark.parametrize(
    "condition",
    [
        "state_name = 'texas'",
        "state_name <> 'nowhere'",
        "state_name NOT IN ('nowhere')",
        "NOT state_name = 'nowhere'",
        "state_name LIKE 'tex%'",
        "lower(state_name) = 'new york'",
        "state_name = ''",
        "area = '100'",
        'state_name = "state_name"',
        "CASE WHEN state_name = 'nowhere' THEN 1 ELSE 0 END = 0",
        "'a' = 'b' OR 1",
    ],
)
def test_other_comparisons_are_left_alone(database: str, condition: str) -> None:
    assert said(judge(database, f"SELECT count(*) FROM state WHERE {condition}"), "values") == (1.0, "")


@pytest.mark.parametrize(
    ("question", "sql", "message"),
    [
        ("How many cities are there?", "SELECT city_name FROM city", '"how many", so one number is expected'),
        ("How many cities are there?", "SELECT city_name FROM city LIMIT 1", "gives no number"),
        (
            "Which city is the smallest?",
            "SELECT city_name FROM city",
            "an extreme, but the query gives 23 rows",
        ),
        ("Which different states have cities?", "SELECT state_name FROM city", "use DISTINCT"),
        ("Which states are there?", "SELECT * FROM state", "SELECT * gives every column"),
        ("Name the pairs.", "SELECT a.city_name FROM city a, city b, city c", "more than 1000 rows"),
    ],
)
def test_a_result_of_another_shape_than_the_question_s_is_implausible(
    database: str, question: str, sql: str, message: str
) -> None:
    verdict = judge(database, sql, question)
    assert (verdict.outcome, verdict.score) == ("failed", 0.7)
    assert message in said(verdict, "plausible")[1]


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("How many cities are there?", "SELECT count(*) FROM city"),
        ("how many people live in austin", "SELECT population FROM city WHERE city_name = 'austin'"),
        ("How many cities does each state have?", "SELECT state_name, count(*) FROM city GROUP BY 1"),
        ("Show how many cities there are.", "SELECT state_name, count(*) FROM city GROUP BY 1"),
        ("How many cities are there? Return the name and the number.", "SELECT state_name, 1 FROM state"),
        ("What are the 15 smallest cities?", "SELECT city_name FROM city ORDER BY population LIMIT 15"),
        ("What is the smallest city of every state?", "SELECT city_name FROM city"),
        ("Which are bigger than the smallest?", "SELECT city_name FROM city WHERE population > 0"),
        ("Which cities are the smallest?", "SELECT city_name FROM city WHERE population = 9"),
        ("Which states have cities?", "SELECT state_name FROM city"),
        ("Show all information about states.", "SELECT * FROM state"),
        ("Which states are there?", "WITH s AS (SELECT state_name FROM state) SELECT * FROM s"),
    ],
)
def test_plausible_results_are_left_alone(database: str, question: str, sql: str) -> None:
    assert judge(database, sql, question).outcome == "passed"


def test_the_preview_is_short_and_printable(database: str) -> None:
    for sql in ("SELECT * FROM city, state", "SELECT mayor AS 'a\n\x1b[0m' FROM city ORDER BY mayor DESC"):
        score, text = said(judge(database, sql), "preview")
        assert score is None
        assert text.isprintable()
        assert len(text) <= 300


def test_the_recorded_run_of_the_same_query_is_used_and_the_last_counts(database: str) -> None:
    def run(query: str, rows: list[list[Any]], error: str = "") -> ToolRun:
        output = {"columns": ["n"], "rows": rows, "row_count": len(rows), "truncated": False}
        return ToolRun(ToolCall("sql", {"query": query}), None if error else output, error)

    runs = [run("SELECT 1", [], "no such table: x"), run("SELECT 1", [[41]]), run("SELECT 2", [])]
    assert "First: (41)" in judge(database, "SELECT 1", runs=runs).text
    assert "First: (41)" in judge(None, "SELECT 1", runs=runs).text
    assert "First: (3)" in judge(database, "SELECT 3", runs=runs).text


def test_a_fault_of_the_tool_is_an_infrastructure_error_and_a_missing_database_the_caller_s(
    database: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        judge(str(tmp_path / "nowhere"), "SELECT 1")
    with pytest.raises(UsageError, match="needs a database"):
        judge(None, "SELECT 1")
    data = Path(database).read_bytes()
    Path(database).write_bytes(data[:4096] + b"\x5a" * (len(data) - 4096))
    verdict = judge(database, "SELECT city_name FROM city")
    assert (verdict.outcome, verdict.score) == ("infra_error", None)
    assert "cannot read the database" in verdict.text


def test_the_verdict_is_the_same_every_time(database: str) -> None:
    sql = "SELECT city_name FROM city WHERE state_name IN ('txas', 'austin', 'Ohio')"
    assert len({judge(database, sql) for _ in range(3)}) == 1

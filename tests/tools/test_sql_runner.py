"""Hostile SQL ends soon, with one clear line, and leaves the database as it was."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from veriloop.core.errors import ToolError, UsageError
from veriloop.core.messages import ToolCall
from veriloop.tools.sql import SqlResult, SqlRunner, SqlTool

ENDLESS = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t)"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a b?#%.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE city (name TEXT, state TEXT, population INT, map BLOB); CREATE TABLE big (x)"
    )
    connection.executemany("INSERT INTO city VALUES (?, ?, ?, ?)", [("austin", "texas", 3, b"\x00\xff")])
    connection.executemany("INSERT INTO big VALUES (?)", [(n,) for n in range(20_000)])
    connection.commit()
    connection.close()
    return path


def query(database: Path, sql: str, **limits: Any) -> SqlResult:
    async def ask() -> SqlResult:
        async with SqlRunner(database, **limits) as runner:
            return await runner.run(sql)

    return asyncio.run(ask())


def alone(database: Path, work: Callable[[SqlRunner], Awaitable[Any]], **limits: Any) -> Any:
    async def ask() -> Any:
        async with SqlRunner(database, **limits) as runner:
            return await work(runner)

    return asyncio.run(ask())


def children() -> set[int]:
    mine = Path("/proc/self/task").glob("*/children")
    return {int(pid) for each in mine for pid in each.read_text().split()}


HOSTILE = {
    "attach": ("ATTACH '/tmp/other.sqlite' AS other", "denied"),
    "attach memory": ("ATTACH ':memory:' AS m", "denied"),
    "detach": ("DETACH main", "denied"),
    "pragma": ("PRAGMA user_version = 7", "denied"),
    "pragma off": ("PRAGMA query_only = off", "denied"),
    "pragma table": ("SELECT * FROM pragma_table_info('city')", "denied"),
    "pragma count": ("SELECT count(*) FROM pragma_database_list", "denied"),
    "page statistics": ("SELECT * FROM dbstat", "denied"),
    "temporary schema": ("SELECT * FROM sqlite_temp_master", "denied"),
    "begin": ("BEGIN EXCLUSIVE", "denied"),
    "savepoint": ("SAVEPOINT s", "denied"),
    "insert": ("INSERT INTO city VALUES ('x', 'y', 1, NULL)", "denied"),
    "insert under with": ("WITH a AS (SELECT 1) INSERT INTO big SELECT * FROM a", "denied"),
    "update": ("UPDATE city SET name = 'x' RETURNING *", "denied"),
    "delete": ("DELETE FROM city", "denied"),
    "replace into": ("REPLACE INTO big VALUES (1)", "denied"),
    "drop": ("DROP TABLE city", "denied"),
    "create": ("CREATE TABLE t (x)", "denied"),
    "create temporary": ("CREATE TEMP TABLE t (x)", "denied"),
    "create virtual": ("CREATE VIRTUAL TABLE v USING fts5(x)", "denied"),
    "alter": ("ALTER TABLE city RENAME TO town", "denied"),
    "analyze": ("ANALYZE", "denied"),
    "vacuum": ("VACUUM", "denied"),
    "vacuum into": ("VACUUM INTO '/tmp/copy.sqlite'", "denied"),
    "explain insert": ("EXPLAIN INSERT INTO big VALUES (1)", "denied"),
    "load_extension": ("SELECT load_extension('/tmp/x.so')", "denied"),
    "readfile": ("SELECT readfile('/etc/passwd')", "sql"),
    "writefile": ("SELECT writefile('/tmp/x', 'y')", "sql"),
    "csv": ("SELECT * FROM csv('/etc/passwd')", "sql"),
    "fts tokenizer": ("SELECT fts3_tokenizer('simple')", "denied"),
    "randomblob": ("SELECT randomblob(900000000)", "denied"),
    "zeroblob": ("SELECT zeroblob(900000000)", "denied"),
    "stacked": ("SELECT 1; DROP TABLE city", "syntax"),
    "empty": ("", "syntax"),
    "comments only": ("-- nothing\n/* at all */", "syntax"),
    "not SQL": ("I cannot answer that.", "syntax"),
    "unfinished": ("SELECT (", "syntax"),
    "NUL": ("SELECT 1\0; DROP TABLE city", "syntax"),
    "surrogate": ("SELECT '\ud800'", "syntax"),
    "no text": (cast(str, b"SELECT 1"), "syntax"),
    "nothing": (cast(str, None), "syntax"),
    "unknown table": ("SELECT * FROM \x1b[31mtown", "syntax"),
    "unknown column": ("SELECT nmae FROM city", "sql"),
    "regexp": ("SELECT 'a' REGEXP 'b'", "sql"),
    "endless count": (f"{ENDLESS} SELECT count(*) FROM t", "time"),
    "endless sort": (f"{ENDLESS} SELECT x FROM t ORDER BY 1", "time size"),
    "endless growth": (
        "WITH RECURSIVE t(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM t) SELECT max(length(x)) FROM t",
        "size",
    ),
    "cross join": ("SELECT count(*) FROM big a, big b, big c", "time"),
    "cross join sorted": ("SELECT * FROM big a, big b ORDER BY a.x + b.x", "time size"),
    "window": ("SELECT sum(a.x) OVER (ORDER BY a.x + b.x) FROM big a, big b", "time size"),
    "exponential CTEs": (
        "WITH c0 AS (SELECT 1 x UNION ALL SELECT 2)"
        + "".join(f", c{n} AS (SELECT a.x FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 20))
        + " SELECT count(*) FROM c19",
        "time size",
    ),
    "wide text": ("SELECT replace(printf('%1000000d', 1), ' ', printf('%1000d', 1))", "size"),
    "group_concat": ("SELECT group_concat(printf('%100000d', x)) FROM big", "time size"),
    "json_group_array": ("SELECT json_group_array(printf('%100000d', x)) FROM big", "time size"),
    "one slow step": ("SELECT instr(printf('%.*c', 9000000, 'a'), printf('%.*c', 4000000, 'a') || 'b')", "time"),
    "nested": ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "size"),
    "deep sum": ("SELECT " + "1 + " * 5_000 + "1", "size"),
    "many unions": (" UNION ".join(f"SELECT {n}" for n in range(1_000)), "size"),
    "long text": ("SELECT " + " " * 1_000_000 + "1", "size"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sql_ends_within_two_seconds_with_one_line_and_no_trace(database: Path, name: str) -> None:
    sql, kinds = HOSTILE[name]
    before, beside = database.read_bytes(), sorted(database.parent.iterdir())

    async def attack(runner: SqlRunner) -> tuple[SqlResult, float, SqlResult]:
        await runner.run("SELECT 1")
        started = time.perf_counter()
        result = await runner.run(sql)
        return result, time.perf_counter() - started, await runner.run("SELECT name FROM city")

    result, seconds, after = alone(database, attack, workers=1, seconds=0.4)
    assert seconds < 2
    assert result.error_kind in kinds.split()
    assert result.rows == ()
    assert result.error.isprintable()
    assert 10 < len(result.error) < 500
    assert after.rows == (("austin",),)
    assert not after.error
    assert database.read_bytes() == before
    assert sorted(database.parent.iterdir()) == beside


def test_what_sqlite_cannot_interrupt_is_killed_within_two_seconds(database: Path) -> None:
    started = time.perf_counter()
    result = query(database, HOSTILE["one slow step"][0])
    assert time.perf_counter() - started < 2
    assert result.error == "the query ran longer than the limit of 1 s and was stopped"


@pytest.mark.parametrize(
    "sql",
    [
        f"{ENDLESS} SELECT x FROM t",
        "SELECT printf('%9999999d', x) FROM big",
        "SELECT 'aaa' LIKE '" + "%a%_" * 200 + "'",
        "SELECT printf('%1000000000d', 1)",
        "SELECT " + ", ".join("*" for _ in range(300)) + " FROM city, big",
        "SELECT group_concat(x) OVER (ORDER BY x) FROM big",
    ],
)
def test_what_may_run_comes_back_bounded(database: Path, sql: str) -> None:
    started = time.perf_counter()
    result = query(database, sql, max_bytes=100_000)
    assert time.perf_counter() - started < 2
    assert not result.error
    assert result.row_count <= 1000
    assert sum(len(str(cell)) for row in result.rows for cell in row) <= 100_000


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name, population, map FROM city", (("austin", 3, "00ff"),)),
        ("SELECT 9e999, NULL, 0.5, 'é', -1; -- done", (("inf", None, 0.5, "é", -1),)),
        ("WITH t AS (SELECT 1 AS x) SELECT count(*) FROM t", ((1,),)),
        ("SELECT count(*) FROM (SELECT DISTINCT state FROM city), (VALUES (1), (2))", ((2,),)),
        ("SELECT value FROM json_each('[1, 2]')", ((1,), (2,))),
        ("SELECT name FROM sqlite_master ORDER BY name LIMIT 1", (("big",),)),
        ("SELECT strftime('%Y', '2020-02-03'), round(2.5), row_number() OVER ()", (("2020", 3.0, 1),)),
        ("SELECT CAST(x'ff41' AS TEXT)", (("\ufffdA",),)),
        ("SELECT max(population) FROM city WHERE 1 = 0", ((None,),)),
    ],
)
def test_ordinary_queries_give_json_safe_rows(database: Path, sql: str, rows: object) -> None:
    result = query(database, sql)
    assert (result.rows, result.error, result.truncated) == (rows, "", False)


def test_rows_and_cells_beyond_the_limits_are_cut_and_said_to_be(database: Path) -> None:
    few = query(database, "SELECT x FROM big ORDER BY x", rows=2)
    assert (few.rows, few.row_count, few.truncated) == (((0,), (1,)), 2, True)
    exact = query(database, "SELECT x FROM big LIMIT 2", rows=2)
    assert exact.row_count == 2
    assert not exact.truncated
    long = query(database, "SELECT printf('%50000d', 1), printf('%50000d', 2)", max_bytes=10_000)
    assert not long.truncated
    assert all(str(cell).endswith("…[50000 characters]") for cell in long.rows[0])


def test_fifty_queries_at_once_share_two_workers(database: Path) -> None:
    async def crowd(runner: SqlRunner) -> tuple[list[SqlResult], int]:
        before = children()
        queries = (f"SELECT {n} + count(*) FROM big" if n % 10 else "SELECT nope" for n in range(50))
        return await asyncio.gather(*map(runner.run, queries)), len(children() - before)

    results, processes = alone(database, crowd)
    assert [r.rows[0][0] if r.rows else r.error_kind for r in results] == [
        n + 20_000 if n % 10 else "sql" for n in range(50)
    ]
    assert processes == 2


def test_a_worker_killed_in_mid_query_is_that_query_s_error_and_the_next_one_works(database: Path) -> None:
    async def murder(runner: SqlRunner) -> tuple[SqlResult, SqlResult]:
        before = children()
        await runner.run("SELECT 1")
        (pid,) = children() - before
        victim = asyncio.create_task(runner.run("SELECT count(*) FROM big a, big b, big c"))
        await asyncio.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        return await victim, await runner.run("SELECT 2")

    killed, after = alone(database, murder, workers=1)
    assert killed.error_kind == "crash"
    assert "died" in killed.error
    assert after.rows == ((2,),)


def test_a_worker_that_died_at_rest_is_replaced_unseen(database: Path) -> None:
    async def murder(runner: SqlRunner) -> SqlResult:
        before = children()
        await runner.run("SELECT 1")
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.1)
        return await runner.run("SELECT 2")

    assert alone(database, murder, workers=1).rows == ((2,),)


def test_a_cancelled_query_frees_its_worker(database: Path) -> None:
    async def cancel(runner: SqlRunner) -> SqlResult:
        task = asyncio.create_task(runner.run(f"{ENDLESS} SELECT count(*) FROM t"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await runner.run("SELECT 3")

    assert alone(database, cancel, workers=1).rows == ((3,),)


def test_closing_waits_for_the_queries_under_way(database: Path) -> None:
    async def close() -> tuple[list[SqlResult], set[int]]:
        before = children()
        runner = SqlRunner(database)
        tasks = [asyncio.create_task(runner.run("SELECT count(*) FROM big a, city b")) for _ in range(10)]
        await asyncio.sleep(0)
        await runner.close()
        return await asyncio.gather(*tasks), children() - before

    results, left = asyncio.run(close())
    assert {r.rows for r in results} == {((20_000,),)}
    assert not left


def test_event_loops_in_turn_and_side_by_side_use_one_runner_and_leave_no_process(database: Path) -> None:
    before = children()
    runner = SqlRunner(database)
    assert [asyncio.run(runner.run(f"SELECT {n}")).rows for n in range(3)] == [((0,),), ((1,),), ((2,),)]
    threads = [threading.Thread(target=lambda: asyncio.run(runner.run("SELECT 1"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert children() == before


def test_a_dropped_runner_takes_its_workers_along(database: Path) -> None:
    async def drop() -> set[int]:
        before = children()
        await SqlRunner(database).run("SELECT 1")
        await asyncio.sleep(0.2)
        return children() - before

    assert asyncio.run(drop()) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's notice of a parent's death is Linux's")
def test_workers_die_with_the_process_that_started_them(database: Path) -> None:
    script = f"""
import asyncio, os, pathlib
from veriloop.tools.sql import SqlRunner
async def main():
    runner = SqlRunner({str(database)!r}, seconds=30)
    await runner.run("SELECT 1")
    asyncio.create_task(runner.run({ENDLESS!r} + " SELECT count(*) FROM t"))
    await asyncio.sleep(0.1)
    print(pathlib.Path(f"/proc/self/task/{{os.getpid()}}/children").read_text(), flush=True)
    os._exit(1)
asyncio.run(main())
"""

    async def start() -> bytes:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
        return (await child.communicate())[0]

    pid = int(asyncio.run(start()).split()[0])
    deadline = time.monotonic() + 5
    while (stat := Path(f"/proc/{pid}/stat")).exists() and stat.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.02)


def test_the_runner_sees_a_changed_and_a_replaced_database(database: Path, tmp_path: Path) -> None:
    async def change(runner: SqlRunner) -> list[object]:
        seen = [(await runner.run("SELECT count(*) FROM city")).rows]
        with sqlite3.connect(database) as connection:
            connection.execute("INSERT INTO city (name) VALUES ('waco')")
        connection.close()
        seen.append((await runner.run("SELECT count(*) FROM city")).rows)
        other = sqlite3.connect(tmp_path / "other")
        other.execute("CREATE TABLE city AS SELECT 7 AS x")
        other.close()
        os.replace(tmp_path / "other", database)
        return [*seen, (await runner.run("SELECT x FROM city")).rows]

    assert alone(database, change) == [((1,),), ((2,),), ((7,),)]


def test_a_database_in_wal_mode_is_read_without_files_beside_it(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = wal")
    connection.close()
    assert query(database, "SELECT name FROM city").rows == (("austin",),)
    assert [path.name for path in database.parent.glob("*.sqlite*")] == [database.name]


def test_a_missing_file_and_what_is_no_database_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the database .*nowhere\.db: No such file"):
        query(tmp_path / "nowhere.db", "SELECT 1")
    (tmp_path / "text.db").write_text("this is not a database, " * 100)
    with pytest.raises(UsageError, match=r"text\.db: file is not a database"):
        query(tmp_path / "text.db", "SELECT 1")
    with pytest.raises(UsageError, match="cannot read the database"):
        query(tmp_path, "SELECT 1")


def test_a_damaged_page_is_the_tool_s_fault_not_the_query_s(database: Path) -> None:
    data = bytearray(database.read_bytes())
    data[3 * 4096 :] = b"\x5a" * (len(data) - 3 * 4096)
    database.write_bytes(data)
    with pytest.raises(ToolError, match="cannot read the database"):
        query(database, "SELECT sum(x) FROM big")


def test_a_locked_database_is_the_tool_s_fault_and_the_runner_recovers(database: Path) -> None:
    async def wait(runner: SqlRunner) -> SqlResult:
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ToolError, match="database is locked"):
            await runner.run("SELECT 1 FROM city")
        connection.close()
        return await runner.run("SELECT 1 FROM city")

    assert alone(database, wait).rows == ((1,),)


def test_a_warm_query_takes_about_two_milliseconds_at_most(database: Path) -> None:
    async def many(runner: SqlRunner) -> list[float]:
        return [(await runner.run("SELECT name FROM city")).seconds for _ in range(50)]

    assert sorted(alone(database, many))[10] < 0.002


def test_the_tool_records_rows_errors_and_missing_arguments(database: Path) -> None:
    async def act(*calls: dict[str, Any]) -> list[Any]:
        tool = SqlTool(database)
        session = await tool.open([ToolCall("sql", {"query": "SELECT 1"})])
        runs = [await session.act(ToolCall("sql", arguments)) for arguments in calls]
        await session.close()
        await tool.close()
        return runs

    good, bad, missing = asyncio.run(act({"query": "SELECT name FROM city"}, {"query": "SELECT nope"}, {"sql": "x"}))
    assert good.output == {"columns": ["name"], "rows": [["austin"]], "row_count": 1, "truncated": False}
    assert good.call.arguments == {"query": "SELECT name FROM city"}
    assert not good.error
    assert good.seconds > 0
    assert bad.output is None
    assert bad.error == "no such column: nope"
    assert "query" in missing.error


def test_the_tool_describes_its_database(database: Path) -> None:
    assert "CREATE TABLE city" in asyncio.run(SqlTool(database).describe())

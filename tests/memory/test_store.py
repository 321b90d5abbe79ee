"""The store gives back what it was given, upgrades itself, and says plainly when it cannot be used."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from veriloop.core.errors import UsageError
from veriloop.core.journal import Record
from veriloop.core.search import Spend
from veriloop.core.settings import Settings
from veriloop.memory import database
from veriloop.memory.info import RunInfo
from veriloop.memory.store import Store
from veriloop.memory.tables import metadata

MOMENT = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
ADD_COLUMN = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("runs", sa.Column("stars", sa.Integer))
"""


def finished(run: str, created: datetime = MOMENT) -> tuple[RunInfo, list[Record]]:
    info = RunInfo(
        id=run,
        created=created,
        status="passed",
        strategy="iad",
        model="embedded:sql",
        question="Wie groß?\x01",
        answer={"rows": [["ß", None, 1.5]]},
        spend=Spend(calls=3, money=None, seconds=1.25),
        stopped="passed",
    )
    return info, [Record(run, "run", "", "", 0.0, {"ü": [1]}), Record(run, "end", "", "h", 1.5, None)]


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.of(settings)


def at(url: str, settings: Settings) -> Settings:
    return settings.model_copy(update={"store": url})


def test_gives_back_what_was_saved(store: Store, settings: Settings) -> None:
    info, records = finished("r1")
    assert store.save([(info, records)]) == 1
    assert Store.of(settings).get("r1") == (info, records)
    assert store.recent() == [info]
    assert store.get("r") is None


def test_a_run_without_an_answer(store: Store) -> None:
    info = RunInfo(id="r1", created=MOMENT, status="abstained")
    store.save([(info, [])])
    assert store.get("r1") == (info, [])


def test_a_run_that_is_there_already_stays(store: Store) -> None:
    store.save([finished("r1")])
    other = finished("r1", MOMENT + timedelta(days=1))
    assert store.save([other, finished("r2")]) == 1
    assert store.get("r1") == finished("r1")


def test_saves_and_removes_more_than_a_statement_takes(store: Store) -> None:
    many = [finished(f"r{n}", MOMENT + timedelta(seconds=n)) for n in range(1201)]
    assert store.save(many) == 1201
    assert [info.id for info in store.recent(2)] == ["r1200", "r1199"]
    assert store.older_than(MOMENT + timedelta(seconds=2)) == ["r0", "r1"]
    before = store.size()
    assert store.remove([*(info.id for info, _ in many), "unknown"]) == 1201
    store.compact()
    assert store.recent() == []
    assert store.size() < before


def test_moments_of_other_time_zones_are_compared_in_utc(store: Store) -> None:
    east = MOMENT.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    store.save([finished("r1", east)])
    assert store.recent()[0].created == MOMENT
    assert store.older_than(east) == []
    assert store.older_than(east + timedelta(seconds=1)) == ["r1"]


def test_ids_by_prefix_take_no_wildcards(store: Store) -> None:
    store.save([finished(run) for run in ("ab", "ac", "b", "AB")])
    assert sorted(store.ids("a")) == ["ab", "ac"]
    assert store.ids("%") == store.ids("_b") == []
    assert len(store.ids("")) == 4


def test_only_the_user_may_read_it_and_it_keeps_no_wal(store: Store, home: Path) -> None:
    assert stat.S_IMODE((home / "veriloop.sqlite").stat().st_mode) == 0o600
    with sqlite3.connect(home / "veriloop.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_writer_that_waits_too_long_says_so(
    store: Store, settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    impatient = Store.of(settings)
    other = sqlite3.connect(home / "veriloop.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UsageError, match=r"cannot use the store .*veriloop\.sqlite: database is locked"):
        impatient.save([finished("r1")])
    assert impatient.recent() == []
    other.close()


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("runs.sqlite", "is not a database URL"),
        ("sqlite://", "would forget everything"),
        ("sqlite:///:memory:", "would forget everything"),
        ("oracle9://here", "Can't load plugin"),
        ("postgres://me:secret@host/data", r"must be written postgresql\+psycopg://me:\*\*\*@host/data"),
        ("postgresql+asyncpg://me:secret@host/data", "the package asyncpg is missing, install it"),
        (
            "postgresql+nodriver://me:secret@host/data",
            r"cannot use the store postgresql\+nodriver://me:\*\*\*@host/data",
        ),
        ("sqlite:////dev/null/folder/x.sqlite", "Not a directory|File exists"),
    ],
)
def test_an_unusable_url_is_one_line(settings: Settings, url: str, line: str) -> None:
    with pytest.raises(UsageError, match=line) as said:
        Store.of(at(url, settings))
    assert "secret" not in str(said.value)
    assert "\n" not in str(said.value)


def test_a_file_that_is_no_database_is_one_line(settings: Settings, home: Path) -> None:
    home.mkdir()
    (home / "veriloop.sqlite").write_text("not a database, but long enough to be read as one" * 20)
    with pytest.raises(UsageError, match="file is not a database"):
        Store.of(settings)


def test_a_store_in_a_folder_with_odd_signs(settings: Settings, tmp_path: Path) -> None:
    odd = settings.model_copy(update={"home": tmp_path / "a b?c=%20&d#é"})
    Store.of(odd).save([finished("r1")])
    assert (odd.folder / "veriloop.sqlite").exists()


def test_the_migrations_make_the_tables(store: Store) -> None:
    assert ScriptDirectory(str(database.MIGRATIONS)).get_heads() == [database.HEAD]
    with store._engine.connect() as connection:
        assert (
            compare_metadata(
                MigrationContext.configure(connection, opts={"version_table": database.VERSIONS}), metadata
            )
            == []
        )


def test_a_store_of_a_newer_version_is_left_alone(store: Store, settings: Settings, home: Path) -> None:
    with store._writing() as connection:
        connection.execute(text("UPDATE veriloop_version SET version_num = '0999'"))
    with pytest.raises(UsageError, match=r"written by a newer veriloop \(0999\)"):
        Store.of(settings)
    assert [path.name for path in home.iterdir()] == ["veriloop.sqlite"]


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A next version with one more migration; its file."""
    folder = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, folder)
    monkeypatch.setattr(database, "MIGRATIONS", folder)
    monkeypatch.setattr(database, "HEAD", "0002")
    migration = folder / "versions" / "0002_stars.py"
    migration.write_text(ADD_COLUMN)
    return migration


def test_a_copy_is_kept_from_before_a_migration(
    store: Store, settings: Settings, home: Path, request: pytest.FixtureRequest
) -> None:
    store.save([finished("r1")])
    request.getfixturevalue("newer")
    assert Store.of(settings).get("r1") == finished("r1")
    assert sorted(path.name for path in home.iterdir()) == ["veriloop.sqlite", "veriloop.sqlite.0001.bak"]
    columns = []
    for name in ("veriloop.sqlite", "veriloop.sqlite.0001.bak"):
        connection = sqlite3.connect(home / name)
        columns.append([row[1] for row in connection.execute("PRAGMA table_info(runs)")])
        assert connection.execute("SELECT id FROM runs").fetchall() == [("r1",)]
        connection.close()
    assert columns[0] == [*columns[1], "stars"]


def test_a_migration_that_fails_changes_nothing(
    store: Store, settings: Settings, home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save([finished("r1")])
    migration: Path = request.getfixturevalue("newer")
    migration.write_text(f"{ADD_COLUMN}    op.execute('SELECT nonsense')\n")
    with pytest.raises(UsageError, match="no such column: nonsense"):
        Store.of(settings)
    monkeypatch.undo()
    assert database.HEAD == "0001"
    assert Store.of(settings.model_copy(update={"home": home})).get("r1") == finished("r1")


def test_a_users_own_database_is_copied_before_tables_are_added(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "own.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    Store.of(at(f"sqlite:///{file}", settings)).save([finished("r1")])
    assert (tmp_path / "own.sqlite.none.bak").exists()


def test_several_processes_open_a_new_store_at_once(home: Path, settings: Settings) -> None:
    code = """
import sys
from veriloop.core.settings import load
from veriloop.memory.store import Store
import alembic.command
settings = load()
print(flush=True)
sys.stdin.readline()
print(Store.of(settings).recent())
"""
    command = [sys.executable, "-c", code]
    all_three = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in all_three:
        assert process.stdout is not None
        process.stdout.readline()
    for process in all_three:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in all_three] == ["[]\n"] * 3
    assert [path.name for path in home.iterdir()] == ["veriloop.sqlite"]


def test_nothing_heavy_is_imported_before_it_is_needed(store: Store) -> None:
    code = """
import sys
import veriloop, veriloop.memory
assert "sqlalchemy" not in sys.modules
from veriloop.core.settings import load
from veriloop.memory.store import Store
Store.of(load())
assert "sqlalchemy" in sys.modules
assert "alembic" not in sys.modules and "langgraph" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)

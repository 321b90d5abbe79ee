"""The demo database is complete, consistent and built the same way every time."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from veriloop.apps.demo import atlas

NO_MOUNTAIN = {
    "britton hill",
    "campbell hill",
    "charles mound",
    "ebright azimuth",
    "frissell",
    "hawkeye point",
    "high point",
    "hoosier hill",
    "hoye crest",
    "jerimoth hill",
    "panorama point",
    "timms hill",
    "white butte",
    "black mesa",
}
"""High points which are a hill, a mesa or a slope and so are not in the mountain table."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A freshly built atlas."""
    connection = sqlite3.connect(atlas.build(tmp_path_factory.mktemp("atlas") / "atlas.sqlite"))
    yield connection
    connection.close()


def rows(database: sqlite3.Connection, sql: str) -> list[tuple[str | int | float, ...]]:
    """The rows of one query."""
    return [tuple(row) for row in database.execute(sql)]


def test_build_returns_path_and_is_deterministic(tmp_path: Path) -> None:
    first = atlas.build(tmp_path / "new" / "a.sqlite")
    second = atlas.build(str(tmp_path / "b.sqlite"))
    assert first == tmp_path / "new" / "a.sqlite"
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.sqlite", "new"]


def test_build_replaces_an_older_file(tmp_path: Path) -> None:
    target = tmp_path / "atlas.sqlite"
    target.write_text("stale")
    content = atlas.build(target).read_bytes()
    assert content.startswith(b"SQLite format 3")
    assert atlas.build(target).read_bytes() == content


def test_failed_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "atlas.sqlite"
    target.write_text("kept")
    monkeypatch.setattr(atlas, "SCHEMA", "CREATE TABLE broken (")
    with pytest.raises(sqlite3.OperationalError):
        atlas.build(target)
    assert target.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("table", "key", "least"),
    [
        ("state", "state_name", 50),
        ("city", "city_name || '/' || state_name", 350),
        ("river", "river_name", 60),
        ("border_info", "state_name || '/' || border", 214),
        ("highlow", "state_name", 50),
        ("mountain", "mountain_name", 60),
        ("lake", "lake_name", 40),
        ("road", "road_name", 50),
    ],
)
def test_table_sizes(database: sqlite3.Connection, table: str, key: str, least: int) -> None:
    ((count,),) = rows(database, f"SELECT COUNT(DISTINCT {key}) FROM {table}")
    assert int(count) >= least


@pytest.mark.parametrize("table", atlas.TABLES)
def test_values_are_typed_unique_and_lower_case(database: sqlite3.Connection, table: str) -> None:
    declared = {str(row[1]): str(row[2]).lower() for row in rows(database, f"PRAGMA table_info({table})")}
    content = rows(database, f"SELECT * FROM {table}")
    assert len(content) == len(set(content)) == len(atlas.read_facts(table))
    for row in content:
        for kind, value in zip(declared.values(), row, strict=True):
            assert type(value) is {"text": str, "int": int, "real": float}[kind]
            if isinstance(value, str):
                assert value.isascii()
                assert value == value.lower().strip() != ""
                assert "'" not in value
                assert "  " not in value
    if "country_name" in declared:
        assert rows(database, f"SELECT DISTINCT country_name FROM {table}") == [("usa",)]


def test_census_totals(database: sqlite3.Connection) -> None:
    assert rows(database, "SELECT SUM(population), ROUND(SUM(area), 2) FROM state") == [(330759736, 3796673.89)]
    assert not rows(database, "SELECT * FROM state WHERE density <> ROUND(population / area, 1)")
    assert rows(database, "SELECT density FROM state WHERE state_name = 'new jersey'") == [(1064.9,)]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("city", "state_name"),
        ("river", "traverse"),
        ("border_info", "state_name"),
        ("border_info", "border"),
        ("highlow", "state_name"),
        ("mountain", "state_name"),
        ("lake", "state_name"),
        ("road", "state_name"),
    ],
)
def test_every_state_reference_exists(database: sqlite3.Connection, table: str, column: str) -> None:
    assert not rows(database, f"SELECT {column} FROM {table} WHERE {column} NOT IN (SELECT state_name FROM state)")


def test_borders_are_symmetric(database: sqlite3.Connection) -> None:
    pairs = set(rows(database, "SELECT state_name, border FROM border_info"))
    assert pairs == {(other, state) for state, other in pairs}
    assert all(state != other for state, other in pairs)
    islands = "SELECT state_name FROM state EXCEPT SELECT state_name FROM border_info"
    assert rows(database, islands) == [("alaska",), ("hawaii",)]
    eight = "SELECT state_name FROM border_info GROUP BY state_name HAVING COUNT(*) >= 8 ORDER BY 1"
    assert rows(database, eight) == [("missouri",), ("tennessee",)]
    one = "SELECT state_name FROM border_info GROUP BY state_name HAVING COUNT(*) = 1"
    assert rows(database, one) == [("maine",)]


def test_cities_agree_with_states(database: sqlite3.Connection) -> None:
    no_capital = """SELECT capital FROM state WHERE NOT EXISTS (SELECT 1 FROM city
        WHERE city_name = capital AND city.state_name = state.state_name)"""
    assert not rows(database, no_capital)
    assert not rows(database, "SELECT city_name, state_name FROM city GROUP BY 1, 2 HAVING COUNT(*) > 1")
    few = "SELECT state_name FROM city GROUP BY state_name HAVING COUNT(*) < 4"
    assert not rows(database, few)
    too_many = """SELECT state_name FROM state
        WHERE population < (SELECT SUM(population) FROM city WHERE city.state_name = state.state_name)"""
    assert not rows(database, too_many)


def test_high_points_agree_with_mountains(database: sqlite3.Connection) -> None:
    assert not rows(database, "SELECT * FROM highlow WHERE highest_elevation <= lowest_elevation")
    below = "SELECT state_name, lowest_elevation FROM highlow WHERE lowest_elevation < 0 ORDER BY 1"
    assert rows(database, below) == [("california", -86), ("louisiana", -2)]
    joined = """SELECT highest_point, highest_elevation, COALESCE(mountain_altitude, 0)
        FROM highlow LEFT JOIN mountain
        ON highest_point = mountain_name AND highlow.state_name = mountain.state_name"""
    assert {str(name) for name, _, altitude in rows(database, joined) if altitude == 0} == NO_MOUNTAIN
    assert all(altitude in (0, high) for _, high, altitude in rows(database, joined))
    higher = """SELECT mountain_name FROM mountain JOIN highlow USING (state_name)
        WHERE mountain_altitude > highest_elevation"""
    assert not rows(database, higher)


def test_one_size_per_river_lake_and_mountain(database: sqlite3.Connection) -> None:
    assert not rows(database, "SELECT river_name FROM river GROUP BY 1 HAVING COUNT(DISTINCT length) > 1")
    assert not rows(database, "SELECT lake_name FROM lake GROUP BY 1 HAVING COUNT(DISTINCT area) > 1")
    assert not rows(database, "SELECT mountain_name FROM mountain GROUP BY 1 HAVING COUNT(*) > 1")


@pytest.mark.parametrize(
    ("table", "name", "column"),
    [("river", "river_name", "traverse"), ("lake", "lake_name", "state_name"), ("road", "road_name", "state_name")],
)
def test_what_crosses_states_crosses_neighbours(
    database: sqlite3.Connection, table: str, name: str, column: str
) -> None:
    pairs = {(str(a), str(b)) for a, b in rows(database, "SELECT state_name, border FROM border_info")}
    states: dict[str, set[str]] = {}
    for thing, state in rows(database, f"SELECT {name}, {column} FROM {table}"):
        states.setdefault(str(thing), set()).add(str(state))
    split: set[str] = set()
    for thing, members in states.items():
        reached, todo = set[str](), [min(members)]
        while todo:
            here = todo.pop()
            reached.add(here)
            todo += [state for state in members - reached if (here, state) in pairs]
        if reached != members:
            split.add(thing)
    assert split == ({"69", "74", "76", "84", "86", "87", "88"} if table == "road" else set())  # built in parts

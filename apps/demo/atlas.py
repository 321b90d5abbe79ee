"""Build ``atlas``, the demo database: the geography of the United States in SQLite.

The facts are the CSV files of the ``facts`` folder beside this module; ``facts/SOURCES.md`` says where
each figure comes from. Every name is lower-case ASCII. Run ``python -m veriloop.apps.demo.atlas PATH``
to write the database to ``PATH``.
"""

import csv
import os
import sqlite3
import sys
import tempfile
from pathlib import Path

FACTS = Path(__file__).parent / "facts"
"""The folder which holds one CSV file per table."""

COUNTRY = "usa"
"""The value of every ``country_name`` column."""

SCHEMA = """\
CREATE TABLE state (
    state_name text, population int, area real, country_name text, capital text, density real
);
CREATE TABLE city (city_name text, population int, country_name text, state_name text);
CREATE TABLE river (river_name text, length int, country_name text, traverse text);
CREATE TABLE border_info (state_name text, border text);
CREATE TABLE highlow (
    state_name text, highest_elevation int, lowest_point text, highest_point text, lowest_elevation int
);
CREATE TABLE mountain (mountain_name text, mountain_altitude int, country_name text, state_name text);
CREATE TABLE lake (lake_name text, area real, country_name text, state_name text);
CREATE TABLE road (road_name text, country_name text, state_name text);
"""
"""The tables. Units: people, square miles (state), people per square mile, kilometres, metres, and
square kilometres (lake)."""

TABLES = ("state", "city", "river", "border_info", "highlow", "mountain", "lake", "road")
"""The table names, in the order in which they are created."""


def build(path: Path | str) -> Path:
    """Write the database to ``path`` (replaced in one step if it exists) and return that path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        connection = sqlite3.connect(scratch)
        try:
            connection.executescript(SCHEMA)
            for table in TABLES:
                _fill(connection, table)
            connection.commit()
        finally:
            connection.close()
        scratch.chmod(0o644)
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def read_facts(table: str) -> list[dict[str, str]]:
    """Return the rows of one table's CSV file, in file order, with every value as text."""
    with (FACTS / f"{table}.csv").open(encoding="ascii", newline="") as stream:
        return list(csv.DictReader(stream))


def _fill(connection: sqlite3.Connection, table: str) -> None:
    """Insert the facts of one table; the columns the CSV does not have are computed here."""
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    marks = ", ".join("?" for _ in columns)
    for facts in read_facts(table):
        row: dict[str, str | float] = {"country_name": COUNTRY, **facts}
        if table == "state":
            row["density"] = round(int(facts["population"]) / float(facts["area"]), 1)
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", [row[column] for column in columns])


if __name__ == "__main__":
    print(build(sys.argv[1]))

"""What a SQLite file holds: its tables as data and as text for a prompt, and whether a value occurs in a column."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from ...core.errors import ToolError, plain
from .runner import stamp, unreadable
from .worker import Guard, connect, quote

SAMPLES = 3
SAMPLE_CHARS = 40
SAMPLED_ROWS = 1_000
COMPARED_VALUES = 2_000
COMPARED_CHARS = 60
SPELLED_VALUES = 500
NAME_CHARS = 200
TYPE_CHARS = 40
DESCRIPTION = 40_000
STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, declared type ("" if none), whether it belongs to the primary key, up to 3 of its values."""

    name: str
    type: str = ""
    primary: bool = False
    samples: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view: its columns, and its foreign keys as (column, other table, other column)."""

    name: str
    columns: tuple[Column, ...]
    links: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables and views of a database. Names are matched as SQLite does, whatever their case."""

    tables: tuple[Table, ...]

    def table(self, name: str) -> Table | None:
        """The table of that name."""
        return next((table for table in self.tables if table.name.lower() == name.lower()), None)

    def column(self, table: str, name: str) -> Column | None:
        """The column ``table.name``."""
        found = self.table(table)
        return next((c for c in found.columns if c.name.lower() == name.lower()), None) if found else None

    def holders(self, column: str) -> tuple[str, ...]:
        """The tables that have a column of that name."""
        return tuple(table.name for table in self.tables if self.column(table.name, column))


def read_schema(path: str | Path) -> Schema:
    """The schema of the SQLite file ``path``, cached until the file changes. Raises ``UsageError``, ``ToolError``."""
    path = os.path.abspath(path)
    return _read(path, stamp(path))


def describe(path: str | Path) -> str:
    """The database as CREATE TABLE lines with up to 3 values of each column, for a prompt.

    It has at most 40,000 characters: a table that does not fit is written without values or left out, and a last line
    says how many are. Raises ``UsageError`` when the file is missing or no database, ``ToolError`` when it cannot be
    read just now.
    """
    tables = read_schema(path).tables
    left, kept = DESCRIPTION - 100, list[str]()
    for table in tables:
        for text in (_create(table), _create(_without_samples(table))):
            if len(text) + 2 <= left:
                left -= len(text) + 2
                kept.append(text)
                break
    if missing := len(tables) - len(kept):
        kept.append(f"-- {missing} of {len(tables)} tables are left out: the description would be too long")
    return "\n\n".join(kept)


@lru_cache(maxsize=256)
def _read(path: str, stamped: tuple[object, ...]) -> Schema:
    with _open(path) as connection:
        query = (
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        names = [name for (name,) in connection.execute(query)]
        plain = [_table(connection, name) for name in names]
        Guard(connection).start(seconds=10.0)
        return Schema(tuple(_with_samples(connection, table) for table in plain))


def _table(connection: sqlite3.Connection, name: str) -> Table:
    try:
        info = connection.execute(f"PRAGMA table_xinfo({quote(name)})").fetchall()
    except sqlite3.OperationalError:
        info = []  # a view of something that is gone
    hidden = 1
    columns = tuple(Column(row[1], row[2], bool(row[5])) for row in info if row[6] != hidden)
    keys = connection.execute(f"PRAGMA foreign_key_list({quote(name)})").fetchall()
    return Table(name, columns, tuple((key[3], key[2], key[4] or "") for key in keys))


def _with_samples(connection: sqlite3.Connection, table: Table) -> Table:
    columns = tuple(Column(c.name, c.type, c.primary, _samples(connection, table.name, c.name)) for c in table.columns)
    return Table(table.name, columns, table.links)


def _without_samples(table: Table) -> Table:
    return Table(table.name, tuple(Column(c.name, c.type, c.primary) for c in table.columns), table.links)


def _samples(connection: sqlite3.Connection, table: str, column: str) -> tuple[object, ...]:
    some = f"SELECT {quote(column)} AS v FROM {quote(table)} LIMIT {SAMPLED_ROWS}"
    query = f"SELECT DISTINCT v FROM ({some}) WHERE v IS NOT NULL LIMIT {SAMPLES}"
    try:
        found = [value for (value,) in connection.execute(query)]
    except sqlite3.OperationalError:
        return ()
    return tuple(value[: SAMPLE_CHARS + 1] if isinstance(value, (str, bytes)) else value for value in found)


def _create(table: Table) -> str:
    keys = [column.name for column in table.columns if column.primary]
    lines = [_column(column, alone=len(keys) == 1) for column in table.columns]
    if len(keys) > 1:
        lines.append((f"PRIMARY KEY ({', '.join(map(bare, keys))})", ""))
    for column, other, target in table.links:
        end = f"({bare(target)})" if target else ""
        lines.append((f"FOREIGN KEY ({bare(column)}) REFERENCES {bare(other)}{end}", ""))
    last = len(lines) - 1
    body = [f"  {text}{',' if index < last else ''}{comment}" for index, (text, comment) in enumerate(lines)]
    return "\n".join([f"CREATE TABLE {bare(table.name)} (", *body, ");"])


def _column(column: Column, *, alone: bool) -> tuple[str, str]:
    """A column's definition, and its values as a comment."""
    key = " PRIMARY KEY" if column.primary and alone else ""
    definition = f"{bare(column.name)} {_line(column.type, TYPE_CHARS)}{key}".rstrip()
    return definition, f"  -- {', '.join(map(show, column.samples))}" if column.samples else ""


def bare(name: str) -> str:
    """``name`` as it is written in SQL, on one line: bare where it is a plain word, control characters escaped."""
    line = _line(name, NAME_CHARS)
    return line if name.isidentifier() and name.isascii() else quote(line)


def _line(text: str, longest: int) -> str:
    """``text`` on one line, cut, with what does not print as Python escapes."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: longest + 1])
    return line if len(line) <= longest else f"{line[:longest]}…"


def show(value: object) -> str:
    """A value as an SQL literal on one line, cut to 40 characters."""
    if value is None:
        return "NULL"
    text = value[:SAMPLE_CHARS].hex() if isinstance(value, bytes) else str(value)
    text = "".join(c if c.isprintable() else " " for c in text[: SAMPLE_CHARS + 1])
    text = text if len(text) <= SAMPLE_CHARS else f"{text[:SAMPLE_CHARS]}…"
    return "'" + text.replace("'", "''") + "'" if isinstance(value, str) else text


class Values:
    """Questions about which values occur in a database, asked with bound parameters within one bound of work.

    The bound is on SQLite's steps, not on time, so the answers are the same on every machine; past it, every question
    raises ``sqlite3.OperationalError``.
    """

    def __init__(self, connection: sqlite3.Connection, steps: int) -> None:
        self._connection = connection
        connection.set_progress_handler(_countdown(steps // STEPS), STEPS)

    def has(self, table: str, column: str, value: str) -> bool:
        """Whether ``value`` occurs in the column, compared as SQLite's ``=`` does."""
        query = f"SELECT 1 FROM {quote(table)} WHERE {quote(column)} = ? LIMIT 1"
        return self._connection.execute(query, (value,)).fetchone() is not None

    def nearest(self, table: str, column: str, value: str) -> str | None:
        """The text in the column most like ``value``: the same but for case, or containing it, or spelled alike.

        Comparing spellings is slow: texts of more than 60 characters have no nearest and are nobody's, and of 2,000
        values the 500 nearest in length are compared.
        """
        wanted = value.strip().lower()
        if len(wanted) > COMPARED_CHARS:
            return None
        known = self._short(table, column)
        if wanted in known:
            return known[wanted]
        parts = [text for text in known if len(wanted) > 2 and (wanted in text or (len(text) > 2 and text in wanted))]
        compared = sorted(parts or known, key=lambda text: abs(len(text) - len(wanted)))[:SPELLED_VALUES]
        close = get_close_matches(wanted, compared, 1, 0.0 if parts else 0.6)
        return known[close[0]] if close else None

    def _short(self, table: str, column: str) -> dict[str, str]:
        """The short texts in the column, by their text without case and outer space."""
        name = quote(column)
        short = f"typeof({name}) = 'text' AND length({name}) <= {COMPARED_CHARS}"
        query = f"SELECT DISTINCT {name} FROM {quote(table)} WHERE {short} LIMIT {COMPARED_VALUES}"
        return {text.strip().lower(): text for (text,) in self._connection.execute(query)}


def _countdown(turns: int) -> Callable[[], bool]:
    left = iter(range(turns))
    return lambda: next(left, None) is None


@contextmanager
def open_values(path: str | Path, *, steps: int = 20_000_000) -> Generator[Values]:
    """``Values`` of the SQLite file ``path``; ``steps`` of SQLite's machine are about 50 ns each.

    Raises ``UsageError`` when the file is missing or no database, ``ToolError`` when it cannot be read just now.
    """
    with _open(os.path.abspath(path)) as connection:
        Guard(connection)
        yield Values(connection, steps)


@contextmanager
def _open(path: str) -> Generator[sqlite3.Connection]:
    try:
        connection = connect(path)
    except (sqlite3.Error, OSError) as error:
        raise unreadable(path, plain(error)) from error
    with closing(connection):
        try:
            yield connection
        except sqlite3.Error as error:
            raise ToolError(f"cannot read the database {path}: {error}") from error

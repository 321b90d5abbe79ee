"""The store of finished runs: one table of a database that SQLAlchemy can reach."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Row, delete, func, insert, select

from ..core.journal import Record, parse
from ..core.search import Spend
from ..core.settings import Settings
from ..core.wire import decode, encode
from .database import file_of, opened, plainly, url_of
from .info import RunInfo
from .tables import runs

T = TypeVar("T")

_INFO = [column for column in runs.c if column is not runs.c.records]
_SLICE = 500
"""Ids in one statement: databases limit the parameters."""


class Store:
    """Finished runs by id. Opening it makes or upgrades the tables; there is nothing to close.

    Raises ``UsageError``, here and in every method, when the database cannot be used.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine = opened(url)

    @classmethod
    def of(cls, settings: Settings) -> Store:
        """The store that the settings name."""
        return cls(url_of(settings))

    def recent(self, limit: int | None = None) -> list[RunInfo]:
        """The newest runs, newest first; all without a limit."""
        with self._reading() as connection:
            rows = connection.execute(select(*_INFO).order_by(runs.c.created.desc(), runs.c.id).limit(limit))
            return [_info(row) for row in rows]

    def get(self, run: str) -> tuple[RunInfo, list[Record]] | None:
        """A run and its records, or none."""
        with self._reading() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
            return None if row is None else (_info(row), list(parse(zlib.decompress(row.records))))

    def ids(self, prefix: str) -> list[str]:
        """The ids that begin with ``prefix``."""
        with self._reading() as connection:
            found = connection.scalars(select(runs.c.id).where(runs.c.id.startswith(prefix, autoescape=True)))
            return [run for run in found if run.startswith(prefix)]  # LIKE of some databases ignores case

    def older_than(self, moment: datetime) -> list[str]:
        """The ids of runs begun before ``moment``."""
        with self._reading() as connection:
            return list(connection.scalars(select(runs.c.id).where(runs.c.created < _utc(moment))))

    def save(self, finished: Sequence[tuple[RunInfo, Sequence[Record]]]) -> int:
        """Keep runs with their records, all or none; returns how many are new. One that is there already stays."""
        rows = [_row(info, records) for info, records in finished]
        new = 0
        with self._writing() as connection:
            for part in _sliced(rows):
                ids = [row["id"] for row in part]
                known = set(connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids))))
                fresh = [row for row in part if row["id"] not in known]
                if fresh:
                    connection.execute(insert(runs), fresh)
                new += len(fresh)
        return new

    def remove(self, ids: Sequence[str]) -> int:
        """Forget runs; returns how many there were."""
        with self._writing() as connection:
            return sum(connection.execute(delete(runs).where(runs.c.id.in_(part))).rowcount for part in _sliced(ids))

    def size(self) -> int:
        """Bytes: of the file, or, for a database that is none, of all records."""
        file = file_of(self._url)
        if file is not None:
            return file.stat().st_size
        with self._reading() as connection:
            return connection.scalar(select(func.coalesce(func.sum(func.length(runs.c.records)), 0))) or 0

    def compact(self) -> None:
        """Give the room of removed runs back to the disk, unless somebody else is reading (SQLite only)."""
        if file_of(self._url) is not None:
            with suppress(sqlite3.OperationalError), self._reading() as connection:
                connection.connection.cursor().execute("VACUUM").close()

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        with plainly(self._url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        with plainly(self._url), self._engine.execution_options(write=True).begin() as connection:
            yield connection


def _row(info: RunInfo, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "id": info.id,
        "created": _utc(info.created),
        "status": info.status,
        "strategy": info.strategy,
        "model": info.model,
        "question": info.question,
        "answer": info.answer,
        "spend": encode(info.spend),
        "stopped": info.stopped,
        "records": zlib.compress(b"".join(r.line() for r in records)),
    }


def _info(row: Row[Any]) -> RunInfo:
    values: dict[str, Any] = {column.name: getattr(row, column.name) for column in _INFO}
    values |= {"created": row.created.replace(tzinfo=UTC), "spend": decode(Spend, row.spend)}
    return RunInfo(**values)


def _utc(moment: datetime) -> datetime:
    """As the table has it: in UTC, without saying so (SQLite keeps no time zone)."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _sliced(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _SLICE):
        yield items[start : start + _SLICE]

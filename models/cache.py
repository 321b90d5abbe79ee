"""Replies kept across runs: the same request of the same model with the same seed is paid once.

Each sample has its own seed, and the seed is part of the key, so samples stay distinct. Off unless asked for.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ..core.messages import Reply
from ..core.wire import decode, to_bytes

FIND = "select reply from replies where key = ?"
WAIT = 0.05
"""Seconds to wait for another process; all runs of the loop wait."""


class Cache:
    """A SQLite file of replies that several processes may share. What cannot be read or written is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None

    def get(self, key: str) -> Reply | None:
        """The reply kept under ``key``, or none."""
        try:
            return next((decode(Reply, json.loads(row[0])) for row in self._run(FIND, key)), None)
        except (ValueError, TypeError):
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep ``reply`` under ``key``."""
        self._run("insert or replace into replies values (?, ?)", key, to_bytes(reply).decode())

    def _run(self, statement: str, *values: str) -> list[Any]:
        try:
            if self._open is None:
                self._open = self._connect()
            with self._open, closing(self._open.execute(statement, values)) as cursor:
                return cursor.fetchall()
        except (sqlite3.Error, OSError, ValueError):
            return []

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(0o600)
        found = sqlite3.connect(self._path, timeout=WAIT, check_same_thread=False)
        found.execute("pragma synchronous = off")
        found.execute("create table if not exists replies (key text primary key, reply text not null)")
        return found

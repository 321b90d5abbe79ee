"""The process that runs hostile SQL: one database, opened read-only, one query at a time, standard library only.

Started as ``python -I -S worker.py SETTINGS`` (JSON: path, parent, seconds, rows, max_bytes). Frames on stdin and
stdout are four bytes of length (big-endian) and JSON. The first frame out is ``{}``, or ``{"fault": ...}`` when the
database cannot be read; then each ``{"sql": ...}`` in is answered by columns, rows and truncated; by error and
error_kind; or by a fault, which is nobody's query's doing. End of input ends the process.

The guard itself (``connect``, ``Guard``) is also used in the library's own process, for SQL that the library wrote.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import struct
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

FRAME = struct.Struct(">I")
MAX_SQL = 100_000
MAX_VALUE = 10_000_000
MAX_CELL = 10_000
MAX_NAME = 200
MAX_ERROR = 300
MEMORY = 1 << 30
HEAP = 256 << 20
STEPS = 1_000

FUNCTION_NAMES = """
abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh count cume_dist
current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format glob
group_concat hex if ifnull iif instr json json_array json_array_length json_error_position json_extract
json_group_array json_group_object json_insert json_object json_patch json_pretty json_quote json_remove
json_replace json_set json_type json_valid julianday lag last_value lead length like likelihood likely ln
log log10 log2 lower ltrim max median min mod nth_value ntile nullif octet_length percent_rank percentile
percentile_cont percentile_disc pi pow power printf quote radians random rank replace round row_number rtrim sign
sin sinh soundex sqrt strftime string_agg substr substring sum tan tanh time timediff total trim trunc typeof
unhex unicode unixepoch unlikely upper -> ->>
"""
FUNCTIONS = frozenset(FUNCTION_NAMES.split())

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL,
    # not lower: a schema with a wider table would not load at all
    sqlite3.SQLITE_LIMIT_COLUMN: 2_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

ACTION_NAMES = """
ALTER_TABLE ANALYZE ATTACH CREATE_INDEX CREATE_TABLE CREATE_TEMP_INDEX CREATE_TEMP_TABLE CREATE_TEMP_TRIGGER
CREATE_TEMP_VIEW CREATE_TRIGGER CREATE_VIEW CREATE_VTABLE DELETE DETACH DROP_INDEX DROP_TABLE DROP_TRIGGER DROP_VIEW
DROP_VTABLE INSERT PRAGMA REINDEX SAVEPOINT TRANSACTION UPDATE
"""
ACTIONS = {getattr(sqlite3, f"SQLITE_{name}"): name.replace("_", " ") for name in ACTION_NAMES.split()}


def connect(path: str) -> sqlite3.Connection:
    """Open ``path`` read-only, temporary data in memory, limits set. Raises ``sqlite3.Error`` if it is no database."""
    mode = "immutable=1" if _is_resting_wal(path) else "mode=ro"
    # an empty authority: without it a path that starts with two slashes would be read as a host name
    name = f"file://{urllib.parse.quote(os.path.abspath(path))}?{mode}"
    connection = sqlite3.connect(name, uri=True, isolation_level=None, timeout=0.5, check_same_thread=False)
    try:
        connection.text_factory = _text
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        for pragma in ("temp_store = memory", "query_only = on", "trusted_schema = off", "mmap_size = 0"):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _is_resting_wal(path: str) -> bool:
    """Whether a database in WAL mode has no log: reading it plainly would have to create files beside it."""
    with open(path, "rb") as file:
        header = file.read(20)
    wal = f"{path}-wal"
    return header[18:20] == b"\2\2" and not (os.path.exists(wal) and os.path.getsize(wal))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def quote(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Guard:
    """SQLite's authorizer and clock on one connection: an allow-list of actions, tables and functions, and a deadline.

    ``denied`` says what the last statement was refused for.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT lower(name), sql FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall()
        virtual = {name for name, sql in rows if sql and sql[:14].upper() == "CREATE VIRTUAL"} | {
            "json_each",
            "json_tree",
        }
        for name in virtual:
            # connecting a virtual table asks the authorizer for more than reading it does: do it before
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"SELECT 1 FROM {quote(name)} LIMIT 0").close()
        self.tables = {name for name, _ in rows} | virtual | {"sqlite_master"}
        self.deadline = math.inf
        self.denied = ""
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._late, STEPS)

    def start(self, seconds: float) -> None:
        """Begin a statement that may take ``seconds``."""
        self.deadline = time.monotonic() + seconds
        self.denied = ""

    def _late(self) -> bool:
        return time.monotonic() > self.deadline

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        self.denied = self.denied or self._refusal(action, first or "", second or "")
        return sqlite3.SQLITE_DENY if self.denied else sqlite3.SQLITE_OK

    def _refusal(self, action: int, first: str, second: str) -> str:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return ""
        if action == sqlite3.SQLITE_FUNCTION:
            return "" if second.lower() in FUNCTIONS else f"the function {second}"
        if action == sqlite3.SQLITE_READ:
            # a read without a column (count(*)) names the table as written, which may be a CTE
            known = first.lower() in self.tables or not (second or first.lower().startswith("pragma_"))
            return "" if known else f"reading {first}"
        if first.lower().startswith("sqlite_"):
            return "pragma tables and changes of the schema"
        return ACTIONS.get(action, "this statement")


def _answer(connection: sqlite3.Connection, guard: Guard, sql: str, settings: Mapping[str, Any]) -> str:
    seconds: float = settings["seconds"]
    guard.start(seconds)
    try:
        with contextlib.closing(connection.execute(sql)) as cursor:
            if cursor.description is None:
                return _error("syntax", "there is no SQL statement in the text: give one SELECT")
            columns = [_cut(column[0], MAX_NAME) for column in cursor.description]
            rows, truncated = _fetch(cursor, settings["rows"], settings["max_bytes"])
    except MemoryError:
        return _error("size", f"the query needs more memory than the limit of {HEAP >> 20} MB")
    except (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError, ValueError) as error:
        return _explain(error, guard, seconds)
    return f'{{"columns":{json.dumps(columns)},"rows":[{",".join(rows)}],"truncated":{json.dumps(truncated)}}}'


def _fetch(cursor: sqlite3.Cursor, limit: int, max_bytes: int) -> tuple[list[str], bool]:
    """Rows as JSON text, and whether there were more than fit."""
    kept: list[str] = []
    size = 0
    cell = max(8, min(MAX_CELL, max_bytes // (8 * len(cursor.description))))
    for row in cursor:
        text = json.dumps([_plain(value, cell) for value in row])
        size += len(text) + 1
        if len(kept) == limit or (kept and size > max_bytes):
            return kept, True
        kept.append(text)
    return kept, False


def _plain(value: Any, limit: int) -> Any:
    """A cell as JSON data: bytes as hex text, infinities as text, long text cut."""
    if isinstance(value, bytes):
        return _cut(value[:limit].hex(), limit)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _cut(value, limit) if isinstance(value, str) else value


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…[{len(text)} characters]"


def _explain(error: Exception, guard: Guard, seconds: float) -> str:
    code = getattr(error, "sqlite_errorname", "")
    text = str(error)
    if guard.denied:
        return _error("denied", f"not allowed: {guard.denied}; only one SELECT that reads this database may run")
    if code == "SQLITE_INTERRUPT":
        return _error("time", f"the query ran longer than the limit of {seconds:g} s and was stopped")
    if code == "SQLITE_TOOBIG" or any(mark in text for mark in ("too many", "too large", "too complex", "overflow")):
        return _error("size", text)
    if code.startswith(("SQLITE_AUTH", "SQLITE_READONLY")):
        return _error("denied", f"not allowed: {text}")
    if code.startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_BUSY")):
        return json.dumps({"fault": _line(text)})
    if "one statement" in text:
        return _error("syntax", "there is more than one SQL statement: give exactly one SELECT")
    syntax = any(mark in text for mark in ("syntax error", "incomplete input", "unrecognized token"))
    return _error("syntax" if syntax else "sql", text)


def _error(kind: str, text: str) -> str:
    return json.dumps({"error": _line(text), "error_kind": kind})


def _line(text: str) -> str:
    return _cut(" ".join("".join(c if c.isprintable() else " " for c in text).split()), MAX_ERROR)


def _confine(settings: Mapping[str, Any]) -> None:
    import resource

    for name, value in (("RLIMIT_AS", MEMORY), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", 32)):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))
    if sys.platform == "linux":
        import ctypes
        import signal

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != settings["parent"]:
            sys.exit("the parent is gone")


def _allow_cpu(seconds: float) -> None:
    """Let this query use ``seconds`` and two more: what ends it if the parent is too busy to."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 2
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _requests(stream: BinaryIO) -> Iterator[str]:
    while len(head := stream.read(FRAME.size)) == FRAME.size:
        yield json.loads(stream.read(FRAME.unpack(head)[0]))["sql"]


def _send(text: str) -> None:
    data = text.encode()
    sys.stdout.buffer.write(FRAME.pack(len(data)) + data)
    sys.stdout.buffer.flush()


def main(settings: Mapping[str, Any]) -> None:
    """Serve queries until the input ends."""
    _confine(settings)
    try:
        connection = connect(settings["path"])
        connection.execute(f"PRAGMA hard_heap_limit = {HEAP}").close()
        guard = Guard(connection)
    except (sqlite3.Error, OSError) as error:
        _send(json.dumps({"fault": _line(getattr(error, "strerror", "") or str(error))}))
        return
    _send("{}")
    for sql in _requests(sys.stdin.buffer):
        _allow_cpu(settings["seconds"])
        _send(_answer(connection, guard, sql, settings))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

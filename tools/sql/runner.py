"""Read-only SQL on one SQLite file, run in worker processes that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from weakref import WeakKeyDictionary

from ...core.errors import ToolError, UsageError
from .worker import FRAME, MAX_SQL

ErrorKind = Literal["", "syntax", "denied", "time", "size", "sql", "crash"]
Cell = str | int | float | None

GRACE = 0.4
START_SECONDS = 20.0
WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class SqlResult:
    """What a query gave: rows of JSON-safe cells (bytes as hex text, long text cut), or one line of ``error``.

    ``truncated`` means that there were more rows than fit. ``error_kind`` is ``syntax`` (no SQL, several statements,
    text that does not parse), ``denied`` (not a read of this database), ``time``, ``size``, ``sql`` (an unknown column
    and the like) or ``crash`` (the process died of the query). ``seconds`` is the time it took, waiting for a free
    worker left out.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    truncated: bool = False
    error: str = ""
    error_kind: ErrorKind = ""
    seconds: float = 0.0

    @property
    def row_count(self) -> int:
        """How many rows are here (there were more if ``truncated``)."""
        return len(self.rows)


class _Worker:
    """One process at work on a database as it was at ``stamp``."""

    def __init__(self, process: Process, stamp: object) -> None:
        self.process = process
        self.stamp = stamp

    @classmethod
    async def start(cls, settings: str, stamp: object) -> _Worker:
        """Raises ``ToolError`` when no process can be started, ``UsageError`` when the file is no readable database."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(WORKER), settings),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(f"cannot start the SQL worker: {error}") from error
        worker = cls(process, stamp)
        reply: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                reply = await worker.read()
        except (EOFError, OSError) as error:
            raise ToolError("the SQL worker did not start: it ended or was silent before its first word") from error
        finally:
            if reply != {}:
                await worker.stop()
        if reply:
            raise unreadable(json.loads(settings)["path"], reply["fault"])
        return worker

    @property
    def alive(self) -> bool:
        """Whether the process still listens, as far as the loop has seen."""
        assert self.process.stdout
        return self.process.returncode is None and not self.process.stdout.at_eof()

    async def read(self) -> dict[str, Any]:
        """The next frame. Raises ``EOFError`` when the process ended."""
        assert self.process.stdout
        head = await self.process.stdout.readexactly(FRAME.size)
        return json.loads(await self.process.stdout.readexactly(FRAME.unpack(head)[0]))

    async def ask(self, sql: str) -> dict[str, Any]:
        """Run ``sql``. Raises ``EOFError`` or ``OSError`` when the process died of it."""
        assert self.process.stdin
        data = json.dumps({"sql": sql}).encode()
        self.process.stdin.write(FRAME.pack(len(data)) + data)
        await self.process.stdin.drain()
        return await self.read()

    async def stop(self) -> None:
        """Kill the process and wait until nothing of it is left."""
        with suppress(ProcessLookupError):
            self.process.kill()
        with suppress(OSError):
            await self.process.communicate()


async def _keep(workers: set[_Worker]) -> AsyncGenerator[None]:
    """Stops the workers when closed: by ``close``, when the runner is dropped, or by the loop as it shuts down."""
    try:
        yield
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers))
        workers.clear()


@dataclass
class _Pool:
    """The workers of one event loop."""

    free: asyncio.Semaphore
    idle: list[_Worker] = field(default_factory=list[_Worker])
    workers: set[_Worker] = field(default_factory=set[_Worker])
    keeper: AsyncGenerator[None] = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = _keep(self.workers)

    async def take(self, settings: str, stamp: object) -> _Worker:
        """A warm worker that knows the present database, or a new one."""
        while self.idle:
            worker = self.idle.pop()
            if worker.alive and worker.stamp == stamp:
                return worker
            await self.drop(worker)
        worker = await _Worker.start(settings, stamp)
        self.workers.add(worker)
        return worker

    async def drop(self, worker: _Worker) -> None:
        await worker.stop()
        self.workers.discard(worker)


class SqlRunner:
    """Runs hostile SQL on the SQLite file ``path`` without ever changing it.

    A query may take ``seconds``, give ``rows`` rows and ``max_bytes`` bytes of JSON. Up to ``workers`` warm processes
    per event loop are kept until ``close``, or until the loop shuts down as ``asyncio.run`` does it. What a query does
    wrong is an error in its result; ``UsageError`` (the file is missing or no database) and ``ToolError`` (no worker,
    the file cannot be read just now) are raised.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        seconds: float = 1.0,
        rows: int = 1000,
        max_bytes: int = 1_000_000,
        workers: int = 2,
    ) -> None:
        self.path = os.path.abspath(path)
        self.seconds = seconds
        self._workers = workers
        self._limits = {"seconds": seconds, "rows": rows, "max_bytes": max_bytes}
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()

    async def run(self, sql: str) -> SqlResult:
        """Run one SELECT. Raises ``ToolError`` or ``UsageError`` for what is not the query's fault."""
        if refusal := _refusal(sql):
            return refusal
        pool = await self._pool()
        async with pool.free:
            settings = json.dumps({"path": self.path, "parent": os.getpid(), **self._limits})
            worker = await pool.take(settings, stamp(self.path))
            return await self._ask(pool, worker, sql)

    async def _ask(self, pool: _Pool, worker: _Worker, sql: str) -> SqlResult:
        started = time.perf_counter()
        reply: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self.seconds + GRACE):
                reply = await worker.ask(sql)
        except TimeoutError:
            error = f"the query ran longer than the limit of {self.seconds:g} s and was stopped"
            return SqlResult(error=error, error_kind="time", seconds=time.perf_counter() - started)
        except (EOFError, OSError):
            error = "the process that ran the query died of it, most likely for lack of memory or time"
            return SqlResult(error=error, error_kind="crash", seconds=time.perf_counter() - started)
        finally:
            if reply:
                pool.idle.append(worker)
            else:
                await pool.drop(worker)
        if "fault" in reply:
            raise ToolError(f"cannot read the database {self.path}: {reply['fault']}")
        return _result(reply, time.perf_counter() - started)

    async def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = pool = _Pool(asyncio.Semaphore(self._workers))
            await anext(pool.keeper)
        return self._pools[loop]

    async def close(self) -> None:
        """End this loop's workers once the queries under way have ended; a later ``run`` starts new ones."""
        if pool := self._pools.pop(asyncio.get_running_loop(), None):
            for _ in range(self._workers):
                await pool.free.acquire()
            await pool.keeper.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _refusal(sql: object) -> SqlResult | None:
    """The error for what cannot even be sent."""
    if not isinstance(sql, str):
        return SqlResult(error=f"the query must be text, not {type(sql).__name__}", error_kind="syntax")
    if len(sql) > MAX_SQL:
        error = f"the query is {len(sql)} characters long; the limit is {MAX_SQL}"
        return SqlResult(error=error, error_kind="size")
    if "\0" in sql:
        return SqlResult(error="the query contains a NUL character", error_kind="syntax")
    if not sql.isascii() and any("\ud800" <= c <= "\udfff" for c in sql):
        return SqlResult(error="the query contains characters that are not valid Unicode", error_kind="syntax")
    return None


def _result(reply: dict[str, Any], seconds: float) -> SqlResult:
    if reply.get("error"):
        return SqlResult(error=reply["error"], error_kind=reply["error_kind"], seconds=seconds)
    rows = tuple(tuple(row) for row in reply["rows"])
    return SqlResult(tuple(reply["columns"]), rows, reply["truncated"], seconds=seconds)


def stamp(path: str) -> tuple[object, ...]:
    """What changes when the database does. Raises ``UsageError`` when there is none."""
    try:
        now = os.stat(path)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    log: tuple[object, ...] = ()
    with suppress(OSError):
        wal = os.stat(f"{path}-wal")
        log = (wal.st_mtime_ns, wal.st_size)
    return (now.st_dev, now.st_ino, now.st_mtime_ns, now.st_size, *log)


def unreadable(path: str, reason: str) -> ToolError | UsageError:
    """The error for a database that cannot be opened: what will pass (a lock) is the tool's, the rest the caller's."""
    kind = ToolError if "locked" in reason else UsageError
    return kind(f"cannot read the database {path}: {reason}")

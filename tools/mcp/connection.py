"""A connection to an MCP server, which lives in a task of its own: the SDK's contexts must end in the task that began
them, and an attempt's steps are tasks each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from ...core.errors import ToolError, UsageError, told

if TYPE_CHECKING:
    from .server import Open

Opening = Callable[[], AbstractAsyncContextManager[Any]]
GRACE = 5.0
"""Seconds that a connection has to close."""


class Connection:
    """An open connection. Made by ``connected``."""

    def __init__(self, opening: Opening) -> None:
        self._ready: asyncio.Future[Open] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._live(opening))

    async def _live(self, opening: Opening) -> None:
        try:
            async with opening() as opened:
                self._ready.set_result(opened)
                await self._closing.wait()
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(first(error))
        finally:
            if not self._ready.done():
                self._ready.cancel()

    async def opened(self, seconds: float) -> Open:
        """What was opened, once it is. Raises ``ToolError`` where it is not in time, ``UsageError`` where
        it cannot be."""
        await asyncio.wait({self._ready}, timeout=seconds)
        if not self._ready.done():
            raise ToolError(f"the MCP server did not answer within {seconds:g} s")
        if self._ready.cancelled():
            raise ToolError("the connection to the MCP server broke off")
        return self._ready.result()

    async def close(self) -> None:
        """End it, whatever state it is in."""
        self._closing.set()
        if not self._ready.done():
            self._task.cancel()
        try:
            await asyncio.wait({self._task}, timeout=GRACE)
        finally:  # whoever is cancelled here does not wait for a server that ends slowly: it is killed at once
            self._task.cancel()
        await asyncio.wait({self._task}, timeout=GRACE)
        with suppress(BaseException):
            self._ready.exception()


@asynccontextmanager
async def connected(opening: Opening, seconds: float) -> AsyncGenerator[Open]:
    """A connection for as long as the context lasts."""
    connection = Connection(opening)
    try:
        yield await connection.opened(seconds)
    finally:
        await connection.close()


def first(error: BaseException) -> BaseException:
    """What went wrong, out of the groups in which the SDK's tasks wrap it."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error if isinstance(error, ToolError | UsageError) else ToolError(told(error))

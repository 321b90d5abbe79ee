"""The sync entry: one background thread with an event loop, so that it also works inside a running loop (notebooks)."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

from ..core.errors import UsageError

T = TypeVar("T")
NAME = "veriloop-portal"
PATIENCE = 5.0
"""Seconds that the end of the process waits for what is open."""


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=NAME, daemon=True)
    thread.start()
    os.register_at_fork(after_in_child=_loop.cache_clear)
    atexit.register(_leave, loop, thread)
    return loop


def _leave(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End what is still at work and open as the process ends: connections and processes that nobody closed complain."""
    if thread.is_alive():  # it is not in a forked child
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_close(), loop).result(PATIENCE)


async def _close() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end; an interrupt (Ctrl-C) cancels it."""
    loop = _loop()
    if threading.current_thread().name == NAME:  # the thread would wait for itself
        work.close()
        raise UsageError("solve was called from inside a run: await asolve there")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise

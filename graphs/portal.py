"""The sync entry: one background thread with an event loop, so that it also works inside a running loop (notebooks)."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, TypeVar

from ..core.errors import UsageError

T = TypeVar("T")
NAME = "veriloop-portal"


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name=NAME, daemon=True).start()
    os.register_at_fork(after_in_child=_loop.cache_clear)
    return loop


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

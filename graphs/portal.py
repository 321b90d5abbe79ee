"""The sync entry: one background thread with an event loop, so that it also works inside a running loop (notebooks)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="veriloop", daemon=True).start()
    return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end; an interrupt (Ctrl-C) cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise

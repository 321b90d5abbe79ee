"""Blocking calls that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` in a daemon thread of its own, with the caller's context variables.

    Unlike ``asyncio.to_thread``, whose threads a loop joins before it closes, a call that is cancelled is left behind:
    it runs on until it returns or the program ends, and its result is dropped.
    """
    loop, context = asyncio.get_running_loop(), copy_context()
    done: asyncio.Future[Callable[[], R]] = loop.create_future()

    def deliver(result: Callable[[], R]) -> None:
        if not done.done():
            done.set_result(result)

    def work() -> None:
        result = _outcome(lambda: context.run(function, *args, **kwargs))
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(deliver, result)

    Thread(target=work, name="veriloop verifier", daemon=True).start()
    return (await done)()


def _outcome(call: Callable[[], R]) -> Callable[[], R]:
    """What gives the call's result or raises its error, in whatever thread it is asked."""
    try:
        result = call()
    except BaseException as error:
        return lambda error=error: _raise(error)
    return lambda: result


def _raise(error: BaseException) -> NoReturn:
    raise error

"""Ctrl-C and SIGTERM, held back until a training has written down what it has learned."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, Self


class Interrupt:
    """While it is open the first of these signals is only noted (``came``) and ``told``; it acts as ever by
    ``go_on``, and a second one at once. In a thread other than the main one, and where nobody handles a signal, it
    changes nothing."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._came = 0
        self._before: dict[int, Any] = {}

    @property
    def came(self) -> bool:
        """Whether there was one."""
        return bool(self._came)

    def go_on(self) -> None:
        """Let the one that came do what it does."""
        number, self._came = self._came, 0
        if number:
            signal.raise_signal(number)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(handler := signal.getsignal(number)):
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        self.__exit__()
        self._came = number
        self._told()

"""One round of attempts at work: who runs, who has ended, and when it is enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..core.search import Attempt


class Round:
    """The attempts of one round. Closing it cancels those still at work; they do not count.

    ``enough`` is asked after each ended attempt, with all that have ended. ``recorded`` maps ids to restored attempts
    (none = did not count) when the round was closed in an earlier sitting: those do not run again. ``late`` says that
    it was closed because ``seconds`` were over.
    """

    def __init__(
        self,
        number: int,
        enough: Callable[[list[Attempt]], bool],
        recorded: Mapping[str, Attempt | None] | None = None,
        seconds: float | None = None,
    ) -> None:
        self.number = number
        self.recorded = recorded
        self.closed = False
        self.late = False
        self._enough = enough
        self._ended: list[Attempt] = []
        self._working: set[asyncio.Task[Any]] = set()
        self._cancelled: set[asyncio.Task[Any]] = set()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._time_out)

    async def run(self, work: Callable[[], Coroutine[Any, Any, Attempt | None]]) -> Attempt | None:
        """Run one attempt; none when it was cancelled by the round's closing or did not count."""
        if self.closed:
            return None
        task = asyncio.current_task()  # the graph runs each attempt in a task of its own
        assert task is not None
        self._working.add(task)
        try:
            ended = await work()
        except asyncio.CancelledError:
            if task in self._cancelled and not task.uncancel():
                return None
            raise
        finally:
            self._working.discard(task)
        if ended is not None and not self.closed:
            self._ended.append(ended)
            if self._enough(self._ended):
                self.close()
        return ended

    def close(self) -> None:
        """Cancel what is still at work."""
        self.closed = True
        self.stop_clock()
        self._cancelled |= self._working
        for task in self._working:
            task.cancel()

    def _time_out(self) -> None:
        self.late = True
        self.close()

    def stop_clock(self) -> None:
        """The round has ended: its time limit no longer matters."""
        if self._timer is not None:
            self._timer.cancel()

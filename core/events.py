"""What a run tells the world while it works: small typed events with ids that a replay repeats."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from .search import Attempt, Candidate, Proposal, Result, Spend, ToolRun
from .task import Task

log = logging.getLogger("veriloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``run`` is the run's id, ``id`` the event's: the same step of the same run has the same id, replayed or not."""

    run: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run began, or began again (``resumed``)."""

    task: Task
    strategy: str
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStarted(Event):
    """The policy proposed; these attempts start now."""

    round: int
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed(Event):
    """A model answered: a candidate's text is there, not yet executed or verified."""

    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote(Event):
    """A model wrote a piece of an attempt's text, while it writes; only for who asked for it (``stream``), and never
    repeated by a replay. A request that is tried again begins anew: ``tried`` is its number."""

    attempt: str
    role: str
    tried: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed(Event):
    """A tool ran for an attempt."""

    attempt: str
    tool_run: ToolRun


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """A candidate has its verdict, or an opinion is given; ``spend`` is the run's so far."""

    attempt: Attempt
    spend: Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundClosed(Event):
    """All attempts of a round that count have ended; ``best`` is the best candidate so far."""

    round: int
    best: Candidate | None
    spend: Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(Event):
    """Something a user should know that stops nothing: a refused parameter, a retry, a fallback."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The run is over."""

    result: Result


Subscriber = Callable[[Event], None]
Subscribers = Subscriber | Sequence[Subscriber]


class Emitter:
    """Makes a run's events and hands them to subscribers; without any, it makes none.

    A subscriber is called in the context in which the emitter was made, wherever in the run it is. Its fault is logged
    once and never stops a run. ``streaming`` says that they want ``Wrote``, too.
    """

    def __init__(self, run: str, subscribers: Subscribers = (), streaming: bool = False) -> None:
        self.run = run
        self._subscribers = [subscribers] if callable(subscribers) else list(subscribers)
        self._context = copy_context()
        self.streaming = streaming and bool(self._subscribers)

    def notice(self, text: str) -> None:
        """Tell the user a line; the same line has the same id."""
        self(Noticed, f"notice/{text}", text=text)

    def __call__(self, kind: type[Event], step: str, **fields: Any) -> None:
        """An event of ``kind`` at ``step``, which names it within its run."""
        if not self._subscribers:
            return
        event = kind(run=self.run, id=f"{self.run}/{step}", **fields)
        for subscriber in tuple(self._subscribers):
            try:
                self._context.run(subscriber, event)
            except Exception:
                self._subscribers.remove(subscriber)
                log.exception("subscriber %r failed and gets no more events of run %s", subscriber, self.run)

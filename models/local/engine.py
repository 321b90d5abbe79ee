"""One worker thread decodes the samples of all asyncio callers together. Imports neither torch nor transformers."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ...core.errors import ModelError, TransientModelError, VeriloopError
from ...core.messages import Reply, Request, Sample, Usage
from ...core.protocols import Heard

if TYPE_CHECKING:
    from .rows import Loaded, Row

ROWS = 32
"""Samples that are decoded together at most; the others wait for a free place."""
IDLE = 5.0
"""Seconds without work after which the thread ends (a new call starts another)."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One call: who waits, for what, and what came so far."""

    request: Request
    heard: Heard | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Reply]
    samples: dict[int, Sample] = field(default_factory=dict[int, Sample])
    tokens_out: int = 0
    cancelled: bool = False

    @property
    def over(self) -> bool:
        """Whether nobody waits any more."""
        return self.cancelled or self.loop.is_closed()

    def tell(self, place: int, piece: str) -> None:
        """Hand a piece of sample ``place`` to who listens; none is handed on once the caller has gone."""
        if self.heard is not None and not self.cancelled:
            self._soon(partial(self._hear, self.heard, place, piece))

    def give(self, place: int, sample: Sample, tokens: int, prompt_tokens: int) -> None:
        """Take in a finished sample; the last one settles the call."""
        self.samples[place] = sample
        self.tokens_out += tokens
        if len(self.samples) == self.request.n:
            samples = tuple(self.samples[at] for at in range(self.request.n))
            reply = Reply(samples, Usage(prompt_tokens, self.tokens_out))
            self._soon(lambda: None if self.future.done() else self.future.set_result(reply))

    def fail(self, error: Exception) -> None:
        """End the call with an error."""
        self.cancelled = True
        self._soon(lambda: None if self.future.done() else self.future.set_exception(error))

    def _hear(self, heard: Heard, place: int, piece: str) -> None:
        if self.future.done():
            return
        try:
            heard(place, piece)
        except Exception as error:  # who listens broke: that is the caller's to know, and the end of the call
            self.cancelled = True
            self.future.set_exception(error)

    def _soon(self, action: Callable[[], None]) -> None:
        try:
            self.loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            self.cancelled = True


class Engine:
    """A local model that many tasks, of one event loop or of several, can use at once; loaded by its first call."""

    def __init__(self, name: str, load: Callable[[], Loaded]) -> None:
        self._name = name
        self._load = load
        self.loaded: Loaded | None = None
        self._wake = threading.Condition()
        self._tickets: deque[Ticket] = deque()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        # A daemon thread that the interpreter kills amid torch's C++ takes the whole process down with it.
        weakref.finalize(self, _end, self._closing, self._wake, self._threads)

    async def generate(self, request: Request, heard: Heard | None) -> Reply:
        """Write the samples of ``request``. Cancelling frees their rows before the next step."""
        loop = asyncio.get_running_loop()
        ticket = Ticket(request, heard, loop, loop.create_future())
        with self._wake:
            if not any(thread.is_alive() for thread in self._threads):
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                thread.start()
                self._threads[:] = [thread]
            self._tickets.append(ticket)
            self._wake.notify()
        try:
            return await ticket.future
        finally:
            ticket.cancelled = True

    def _work(self) -> None:
        with self._wake:  # until who started the thread has put its call down
            pass
        try:
            self.loaded = self.loaded or self._load()
        except Exception as error:
            said = " ".join(str(error).split())
            failed = error if isinstance(error, VeriloopError) else ModelError(f"{self._name} does not load: {said}")
            with self._wake:
                self._threads.clear()
                tickets = list(self._tickets)
                self._tickets.clear()
            for ticket in tickets:
                ticket.fail(failed)
            return
        shift = _Shift(self._name, self.loaded)
        while (tickets := self._take(wait=shift.idle)) is not None:
            shift.work(tickets)

    def _take(self, wait: bool) -> list[Ticket] | None:
        """The calls that came since; none when the thread shall end."""
        with self._wake:
            if wait and not self._tickets:
                self._wake.wait_for(lambda: self._tickets or self._closing.is_set(), IDLE)
            if self._closing.is_set() or (wait and not self._tickets):
                self._threads.clear()
                return None
            tickets = list(self._tickets)
            self._tickets.clear()
            return tickets


class _Shift:
    """The rows under way and those that wait for a place."""

    def __init__(self, name: str, loaded: Loaded) -> None:
        self._name = name
        self._loaded = loaded
        self._rows: list[Row] = []
        self._waiting: deque[Row] = deque()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._rows and not self._waiting

    def work(self, tickets: list[Ticket]) -> None:
        """Take in new calls, drop cancelled rows, fill free places, and decode one step."""
        for ticket in tickets:
            try:
                self._waiting.extend(self._loaded.rows(ticket))
            except Exception as error:
                ticket.fail(self._told(error))
        self._waiting = deque(row for row in self._waiting if not row.ticket.over)
        try:
            self._keep([row for row in self._rows if not row.ticket.over])
            self._fill()
            self._step()
        except BaseException as error:  # also what a tokenizer's panic raises: the thread lives on for the others
            for row in self._rows:
                row.ticket.fail(self._told(error))
            self._rows = []
            self._loaded.batch.clear()
        if self.idle:  # nor is a prompt kept for rows that were cancelled
            self._loaded.batch.clear()

    def _fill(self) -> None:
        """Waiting rows take free places, those of one prompt together."""
        batch = self._loaded.batch
        while self._waiting and len(self._rows) < ROWS and batch.takes():
            busy = Counter(row.ticket for row in self._rows)
            prompt = min(self._waiting, key=lambda row: busy[row.ticket]).prompt  # a large call keeps no small one off
            same = [row for row in self._waiting if row.prompt.key == prompt.key]
            chosen = same[: ROWS - len(self._rows)]
            self._waiting = deque(row for row in self._waiting if row not in chosen)
            try:
                read = batch.read(prompt)
            except Exception as error:
                for row in chosen:
                    row.ticket.fail(self._told(error))
                continue
            self._rows += chosen  # before they join, so that they fail too if that does
            batch.join(read, len(chosen), more=len(chosen) < len(same))

    def _step(self) -> None:
        if not self._rows:
            return
        batch = self._loaded.batch
        tokens, logprobs = batch.choose([row.choice() for row in self._rows])
        for row, token, logprob in zip(self._rows, tokens, logprobs, strict=True):
            try:
                row.take(token, logprob)
            except Exception as error:  # what one row meets is no matter of its company
                row.finish = "failed"
                row.ticket.fail(self._told(error))
        going = [place for place, row in enumerate(self._rows) if not row.finish]
        self._keep([self._rows[place] for place in going])
        if going:
            batch.step([tokens[place] for place in going])

    def _keep(self, rows: list[Row]) -> None:
        self._loaded.batch.keep([place for place, row in enumerate(self._rows) if row in rows])
        self._rows = rows

    def _told(self, error: BaseException) -> Exception:
        if isinstance(error, VeriloopError):
            return error
        said = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "can't allocate" in said:
            return TransientModelError(f"{self._name} ran out of memory: ask for fewer samples or shorter ones at once")
        return ModelError(f"{self._name} cannot answer this: {said}")


def _end(closing: threading.Event, wake: threading.Condition, threads: list[threading.Thread]) -> None:
    closing.set()
    with wake:
        wake.notify_all()
        running = list(threads)
    for thread in running:
        thread.join(10.0)

"""Waiting for a batch: it is looked up ever less often until it has ended, then each caller gets its own result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..core.errors import ModelError, TransientModelError
from ..core.messages import Reply
from .batch_provider import Draft, Progress, Provider, custom_id
from .batch_receipts import Receipt
from .endpoint import Json

log = logging.getLogger(__name__)
T = TypeVar("T")
GROWTH = 1.5
"""By how much a wait is longer than the one before."""


@dataclass(eq=False)
class Setup:
    """What all batches of a model share: ``poll`` is the first and the longest wait between two looks, in seconds,
    ``quiet`` the seconds without a new request after which a collection is submitted."""

    model: str
    address: str
    folder: Path
    provider: Provider
    quiet: float
    poll: tuple[float, float]
    tell: Callable[[str], None]

    def say(self, text: str) -> None:
        """Tell a line to the user and to the log."""
        log.info("%s: %s", self.model, text)
        self.tell(f"{self.model}: {text}")

    def waits(self) -> Iterator[float]:
        """The seconds to wait between looks."""
        wait, longest = self.poll
        while True:
            yield wait
            wait = min(longest, wait * GROWTH)


@dataclass(eq=False)
class Order:
    """One request and who waits for its reply; callers that ask the same share it. ``batch`` has it once submitted."""

    hash: str
    draft: Draft
    size: int
    callers: list[asyncio.Future[Reply]] = field(default_factory=list["asyncio.Future[Reply]"])
    batch: Batch | None = None

    def give(self, outcome: Reply | Exception) -> int:
        """Hand the outcome to the callers; gives how many there were."""
        waiting = [caller for caller in self.callers if not caller.done()]
        for caller in waiting:
            if isinstance(outcome, Exception):
                caller.set_exception(outcome)
            else:
                caller.set_result(outcome)
        return len(waiting)


class Batch:
    """One batch at its provider, and the orders that wait for its results.

    ``again`` takes an order that must be submitted in another batch, ``over`` one that has its outcome.
    """

    def __init__(
        self, setup: Setup, receipt: Receipt, again: Callable[[Order], None], over: Callable[[Order], None]
    ) -> None:
        self.receipt = receipt
        self.orders: dict[str, Order] = {}
        self.task: asyncio.Task[None] | None = None
        self._setup = setup
        self._again = again
        self._over = over
        self._taking = 0  # replies that were handed out and are not yet with their callers
        self._leaving = False

    @property
    def waited(self) -> bool:
        """Whether anybody still waits for it."""
        return any(order.callers for order in self.orders.values())

    def add(self, order: Order) -> None:
        """Let an order wait for its result, which is in this batch."""
        self.orders[order.hash] = order
        order.batch = self

    def watch(self) -> None:
        """Make sure that somebody looks for the results."""
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._run())

    def took(self, hash: str | None) -> None:
        """A caller has, and has used, the reply that was handed to it; with none, it has left without it."""
        self._taking -= 1
        if hash is not None:
            self.receipt.requests.pop(hash, None)
        self._tidy()

    def left(self) -> None:
        """A caller has left; the last one is told what becomes of the batch."""
        if not self._leaving:  # thousands may leave at once: one look afterwards is enough
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._deserted)

    def _deserted(self) -> None:
        self._leaving = False
        if self.orders and not self.waited:
            self._setup.say(f"batch {self.receipt.id} goes on; a run that asks the same again gets its results")

    def _tidy(self) -> None:
        """Once nothing is on its way, write down what is left to get; the receipt goes with the last of it."""
        if self.orders or self._taking:
            return
        if self.receipt.requests:
            self.receipt.save()
        else:
            self.receipt.remove()

    async def _run(self) -> None:
        """Wait for the end and hand out the results, as long as anybody wants them."""
        try:
            if not self.receipt.id:
                self.receipt.id = await self._recognised()
                if self.receipt.id:
                    self.receipt.save()
                else:
                    self.receipt.remove()
                    self._resubmit()
            told, waits = 0, self._setup.waits()
            while self.waited:
                progress = await self._progress(self.receipt.id)
                if progress.failure:
                    self._fail(progress.failure, gone=True)
                elif progress.ended:
                    await self._patiently(partial(self._hand_out, progress))
                elif self.receipt.outdated:
                    raise ModelError(f"batch {self.receipt.id} of {self._setup.model} has not ended after two days")
                else:
                    if progress.done > told:
                        told = progress.done
                        self._setup.say(f"batch {self.receipt.id}: {progress.done} of {progress.total} done")
                    await asyncio.sleep(next(waits))
        except Exception as error:
            self._fail(error, gone=False)

    async def _recognised(self) -> str:
        """The id of a batch whose submission was cut, empty where it is not at the provider.

        Where the provider's list does not show our token, the results do: so the batch must end first.
        """
        provider, receipt = self._setup.provider, self.receipt
        left = await provider.candidates(receipt.token, len(receipt.requests), receipt.created)
        if left and provider.marks:
            return left[0]
        if left:
            self._setup.say(f"a submission was cut: whether it is batch {' or '.join(left)} shows when that ends")
        waits = self._setup.waits()
        while left:
            for id in list(left):
                progress = await self._progress(id)
                if progress.ended and await self._patiently(partial(self._ours, id)):
                    return id
                if progress.ended or progress.failure:
                    left.remove(id)
            if left:
                await asyncio.sleep(next(waits))
        return ""

    async def _ours(self, id: str) -> bool:
        """Whether the results of a batch carry our token; the first of them tells."""
        async with aclosing(self._setup.provider.results(id)) as results:
            async for name, _ in results:
                return name.endswith(custom_id("", self.receipt.token))
        return False

    async def _progress(self, id: str) -> Progress:
        """How far a batch is. One that is not known may be so to another key, or later: it is not submitted again."""
        progress = await self._patiently(partial(self._setup.provider.progress, id))
        if progress is None:
            said = f"{self._setup.address} does not know batch {id}"
            raise ModelError(f"{said}: check the key, or remove {self.receipt.path}")
        return progress

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """What ``call`` gives, however often it fails in a way that may pass: what the batch has made is paid for."""
        for wait in self._setup.waits():
            try:
                return await call()
            except TransientModelError as error:
                if self.receipt.outdated:
                    raise
                self._setup.say(f"batch {self.receipt.id}: trying again: {error}")
                await asyncio.sleep(wait)
        raise AssertionError

    async def _hand_out(self, progress: Progress) -> None:
        """Give each order its result. Those that came meanwhile get theirs the next time."""
        asked, found = dict(self.orders), 0
        async with aclosing(self._setup.provider.results(self.receipt.id)) as results:
            async for name, result in results:
                order = asked.pop(name.removesuffix(custom_id("", self.receipt.token)), None)
                if order is not None:
                    found += 1
                    self._read(order, result)
        for order in asked.values():
            self._end(order, self._missing(progress))
        self._setup.say(f"batch {self.receipt.id} has ended: {found} results")
        self._tidy()

    def _read(self, order: Order, result: Json) -> None:
        if not order.callers:  # its result stays at the provider for a run that asks again
            self._let_go(order)
            return
        try:
            reply = self._setup.provider.read(order.draft, result)
        except Exception as error:
            return self._end(order, error)
        if reply is not None:
            note = f"{self._setup.model}: answered in batch {self.receipt.id}"
            return self._end(order, Reply(reply.samples, reply.usage, (*reply.notes, note)))
        del self.orders[order.hash]
        self.receipt.requests.pop(order.hash, None)
        self._again(order)

    def _end(self, order: Order, outcome: Reply | Exception) -> None:
        self._let_go(order)
        handed = order.give(outcome)
        if isinstance(outcome, Exception):
            self.receipt.requests.pop(order.hash, None)
        else:
            self._taking += handed

    def _let_go(self, order: Order) -> None:
        del self.orders[order.hash]
        self._over(order)

    def _missing(self, progress: Progress) -> ModelError:
        """Why a request has no result."""
        if progress.cancelled:
            return ModelError(f"batch {self.receipt.id} of {self._setup.model} was cancelled at the provider")
        return TransientModelError(f"batch {self.receipt.id} of {self._setup.model} has no result for this request")

    def _resubmit(self) -> None:
        for order in list(self.orders.values()):
            del self.orders[order.hash]
            self._again(order)

    def _fail(self, error: Exception, gone: bool) -> None:
        """The same failure for all; ``gone`` says that there will never be results, so that the next may ask anew."""
        for order in list(self.orders.values()):
            self._let_go(order)
            order.give(error)
        if gone:
            self.receipt.requests.clear()
            self._tidy()

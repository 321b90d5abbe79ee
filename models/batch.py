"""Batches: requests are collected and sent through the provider's batch interface, for half the price within 24 hours.

This is for runs that nobody waits for, such as benchmarks: start them all at once, so that their requests are in one
batch. Every turn of a conversation is a batch of its own.

**Nothing is paid twice.** What was submitted is written down before, and its id after, in a file per batch
(``batch_receipts``): a process that is asked the same again, seed included, waits for the open batch instead. That is
how a run which was killed, or stopped with Ctrl-C, goes on: a batch is never cancelled, for its work is paid. The file
goes when all results have been handed out, or after 48 hours.

A kill *between* the submission and the writing of its id: neither provider takes a key that makes a submission safe to
repeat. So a batch that may be ours is looked for among those that the provider lists: OpenAI's carry our token as
metadata; of Anthropic's, one of the same number of requests is known by its results, once it has ended. What stays
open: a batch that the provider does not list yet, or lists for another key, and clocks more than an hour apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from ..core.errors import UsageError, VeriloopError, plain
from ..core.messages import Reply, Request
from ..core.protocols import Model
from .anthropic import Anthropic
from .anthropic_batch import AnthropicBatches
from .batch_provider import Draft, Provider, size_of
from .batch_receipts import Receipt, locked, receipts
from .batch_waiting import Batch, Order, Setup
from .capabilities import refuse
from .endpoint import PerLoop
from .gateway import request_hash
from .openai import Backend
from .openai_batch import OpenAIBatches

Tell = Callable[[str], None]
"""Takes lines that a user should see while nothing else happens."""


def batchable(model: Model) -> bool:
    """Whether a model's provider has a batch interface."""
    return isinstance(model, Batched | Backend | Anthropic)


def batched(model: Model, folder: Path, tell: Tell | None = None) -> Model:
    """``model`` by way of its provider's batch interface; ``folder`` holds the receipts of open batches.

    The same object for the same model and folder, so that all runs of the process share their batches; the last
    ``tell`` holds for all of them. Raises ``UsageError`` for a model without such an interface.
    """
    if isinstance(model, Batched):
        return model
    if not isinstance(model, Backend | Anthropic):
        raise UsageError(f"{model.name} has no batch interface: leave out batch (--batch)")
    found = _batched(model, folder.expanduser().absolute())
    if tell is not None:
        found.tell(tell)
    return found


@lru_cache(maxsize=64)
def _batched(model: Backend | Anthropic, folder: Path) -> Batched:
    return Batched(model, folder)


class Batched:
    """A model whose requests go in batches: one is submitted when nothing was added for ``quiet`` seconds, or when it
    is as large as the provider allows, and is then looked up every ``poll[0]`` to ``poll[1]`` seconds.

    A reply comes when its batch has ended; a failure is of its own request, unless the whole batch failed. What a
    batch refuses by name is learned, and the requests that had it go into the next one. Cancelling a call leaves the
    batch alone. A reply that a later process gets carries the same notes, but what it teaches is not learned again.
    """

    discount = 0.5
    """What a batch costs, as a part of the price of single requests."""
    unhurried = True
    """No time-out holds for a call."""

    def __init__(
        self,
        model: Backend | Anthropic,
        folder: Path,
        *,
        tell: Tell | None = None,
        quiet: float = 2.0,
        poll: tuple[float, float] = (5.0, 60.0),
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {folder} for batches: {plain(error)}") from None
        provider = OpenAIBatches(model) if isinstance(model, Backend) else AnthropicBatches(model)
        self.name, self.identity = model.name, model.identity
        self.capabilities = replace(model.capabilities, streaming=False, n=False)
        self._model = model
        self._provider: Provider = provider
        self._setup = Setup(model.name, model.address, folder, provider, quiet, poll, tell or _nobody)
        self._offices = PerLoop(partial(Office, self._setup), Office.close)

    def tell(self, tell: Tell) -> None:
        """From now on tell these lines to ``tell``."""
        self._setup.tell = tell

    def ready(self) -> None:
        """Raise ``UsageError`` when a call cannot work (a missing key)."""
        self._model.ready()

    async def aclose(self) -> None:
        """Close the running loop's connections; batches stay open."""
        await self._offices.aclose()
        await self._provider.aclose()

    async def generate(self, request: Request) -> Reply:
        """The reply to a request for one sample, once its batch has ended."""
        refuse(self.name, self.capabilities, request)
        draft = self._provider.draft(request)
        office = await self._offices.get()
        return await office.ask(request_hash(self.name, request), draft)


class Office:
    """Where the calls of one event loop come together: the open collection, and the batches under way."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._live: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._batches: dict[str, Batch] = {}
        self._submitting: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Submit nothing more; who still waits here is cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        for caller in [caller for order in self._live.values() for caller in order.callers]:
            caller.cancel()
        for task in (*self._submitting, *(batch.task for batch in self._batches.values())):
            if task is not None:
                task.cancel()

    async def ask(self, hash: str, draft: Draft) -> Reply:
        """The reply to a request; calls for the same one share it."""
        loop = asyncio.get_running_loop()
        order, caller = self._order(hash, draft), loop.create_future()
        order.callers.append(caller)
        try:
            reply = await caller
        except asyncio.CancelledError:
            self._left(order, caller)
            raise
        if order.batch is not None:
            # Not before the caller has used its reply, that is, before the run has written it to its journal.
            loop.call_soon(order.batch.took, hash)
        return reply

    def _order(self, hash: str, draft: Draft) -> Order:
        order = self._live.get(hash)
        if order is None:
            order = self._live[hash] = Order(hash, draft, size_of(draft.body))
            self._collect(order)
        elif order.batch is not None:
            order.batch.watch()
        return order

    def _left(self, order: Order, caller: asyncio.Future[Reply]) -> None:
        """A caller was cancelled. What is not submitted yet is not asked for; what is goes on at the provider."""
        order.callers.remove(caller)
        batch = order.batch
        if batch is not None and not caller.cancelled():
            batch.took(None)
        if order.callers:
            return
        if self._open.get(order.hash) is order:
            del self._open[order.hash], self._live[order.hash]
            self._bytes -= order.size
        elif batch is not None:
            batch.left()

    def _collect(self, order: Order) -> None:
        """Put an order into the open collection, which is closed when it is full or nothing comes for a while."""
        provider = self._setup.provider
        if self._open and self._bytes + order.size > provider.most_bytes:
            self._close_collection()
        self._open[order.hash] = order
        self._bytes += order.size
        if self._timer is not None:
            self._timer.cancel()
        if len(self._open) >= provider.most:
            self._close_collection()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._setup.quiet, self._close_collection)

    def _close_collection(self) -> None:
        orders, self._open, self._bytes = self._open, {}, 0
        if orders:
            task = asyncio.get_running_loop().create_task(self._send(orders))
            self._submitting.add(task)
            task.add_done_callback(self._submitting.discard)

    def _again(self, order: Order) -> None:
        """An order must go into another batch."""
        order.batch = None
        if self._wanted(order):
            order.size = size_of(order.draft.body)
            self._collect(order)

    def _over(self, order: Order) -> None:
        self._live.pop(order.hash, None)

    async def _send(self, orders: dict[str, Order]) -> None:
        """Let a collection wait for the open batches that have its requests; the others are submitted."""
        fresh = orders
        try:
            async with locked(self._setup.folder):
                fresh = self._attached({hash: order for hash, order in orders.items() if self._wanted(order)})
                if fresh:
                    await self._submit(fresh)
        except Exception as error:
            said = f"cannot keep receipts in {self._setup.folder}: {plain(error)}"
            for order in fresh.values():
                if order.batch is None:
                    self._over(order)
                    order.give(UsageError(said) if isinstance(error, OSError) else error)

    def _wanted(self, order: Order) -> bool:
        """Whether somebody still waits for an order, which is forgotten otherwise."""
        if not order.callers:
            self._over(order)
        return bool(order.callers)

    def _attached(self, orders: Mapping[str, Order]) -> dict[str, Order]:
        """Those of ``orders`` that are in no open batch; the others wait for theirs from now on."""
        fresh, setup = dict(orders), self._setup
        found = receipts(setup.folder, setup.model, setup.address)
        self._batches = {token: batch for token, batch in self._batches.items() if batch.receipt.requests}
        for receipt in found:
            batch = self._batches.get(receipt.token) or self._batch(receipt)
            mine = [fresh.pop(hash) for hash in orders if hash in fresh and hash in batch.receipt.requests]
            for order in mine:
                order.draft.notes = dict(batch.receipt.requests[order.hash])
                batch.add(order)
            if mine:
                self._batches[receipt.token] = batch
                batch.watch()
                where = f"batch {receipt.id}" if receipt.id else "a batch whose submission was cut"
                setup.say(f"{_requests(mine)} in {where}: waiting for that")
        return fresh

    def _batch(self, receipt: Receipt) -> Batch:
        return Batch(self._setup, receipt, self._again, self._over)

    async def _submit(self, orders: dict[str, Order]) -> None:
        setup = self._setup
        drafts = {hash: order.draft for hash, order in orders.items()}
        notes = {hash: draft.notes | draft.refused for hash, draft in drafts.items()}
        receipt = Receipt.new(setup.folder, setup.model, setup.address, notes)
        receipt.save()
        try:
            receipt.id = await setup.provider.submit(receipt.token, drafts)
        except Exception as error:
            # Unless it was refused, the receipt stays: who asks again looks for the batch first.
            if isinstance(error, VeriloopError) and not getattr(error, "unsettled", False):
                receipt.remove()
            raise
        receipt.save()
        batch = self._batches[receipt.token] = self._batch(receipt)
        for order in orders.values():
            batch.add(order)
        batch.watch()
        setup.say(f"submitted {_requests(orders)} as batch {receipt.id}, waiting (up to 24 hours)")


def _requests(some: Collection[object]) -> str:
    return f"{len(some)} request{'s' * (len(some) != 1)}"


def _nobody(_text: str) -> None:
    """Is told nothing."""

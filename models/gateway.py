"""The gateway: the one way from a run to its models.

Every call passes here: looked up in the journal, reserved in the budget, sent (identical prompts of a round as one
request for k replies where the model can), retried in one layer, recorded, settled, and only then used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..core.budget import Budget
from ..core.errors import ModelError, TransientModelError, UsageError
from ..core.journal import RunLog
from ..core.messages import Capabilities, Reply, Request, Sample, Usage
from ..core.protocols import Model
from ..core.seeds import fingerprint
from ..core.wire import decode, dumps, encode, to_bytes
from .endpoint import Incomplete
from .prices import Price, price_of

if TYPE_CHECKING:
    from .rounds import Group

ATTEMPTS = 5
"""Tries of one request before its failure stands."""
PATIENCE = 30.0
"""Seconds after which a failing request is not tried again."""


class Gateway:
    """The models of one run by role, behind its journal and budget. ``notice`` gets lines a user should see."""

    def __init__(
        self,
        models: Mapping[str, Model],
        log: RunLog,
        budget: Budget,
        notice: Callable[[str], None],
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._models = models
        self.log = log
        self.budget = budget
        self.notice = notice
        self._prices = {name: self._price(name, prices or {}) for name in {m.name for m in models.values()}}

    def _price(self, name: str, prices: Mapping[str, Price]) -> Price | None:
        price = price_of(name, prices)
        if price is None and self.budget.limits.money is not None:
            raise UsageError(f"the price of {name} is unknown, so a money limit cannot hold; set it in the settings")
        return price

    def model(self, role: str) -> Model:
        """The model that plays ``role``; the proposer's where none is named for it."""
        return self._models.get(role) or self._models["proposer"]

    def capabilities(self, model: Model) -> Capabilities:
        """What a model can do through the gateway: any n, because the gateway splits what it cannot."""
        can = model.capabilities
        return can if can.n else replace(can, n=True)

    def bind(self, attempt: str, group: Group | None = None) -> Desk:
        """The models as one attempt sees them: its calls are keyed by attempt, role and ordinal."""
        return Desk(self, attempt, group)

    def count(self, role: str, reply: Reply) -> None:
        """Count a reply that an earlier sitting paid for."""
        price = self._prices[self.model(role).name]
        self.budget.settle(None, len(reply.samples), reply.usage, price.of(reply.usage) if price else None)

    def record(self, replies: list[tuple[str, Reply, str]]) -> None:
        """Write replies to the journal under their keys, all in one write."""
        if self.log.active:
            steps = [("model", key, reply, hash) for key, reply, hash in replies]
            self.log.put_all(steps, self.budget.seconds)

    async def call(self, model: Model, request: Request) -> Reply:
        """One live request: reserve, send with retries, settle. Raises ``BudgetSpent`` before anything is sent."""
        price = self._prices[model.name]
        limits = self.budget.limits
        tokens = 0
        if limits.tokens is not None or limits.money is not None:
            tokens = estimate(request) * request.n  # a server without n of its own reads the prompt for each sample
        worst = price.worst(tokens, request.max_tokens * request.n) if price else None
        held = self.budget.reserve(request.n, tokens + request.max_tokens * request.n if tokens else 0, worst)
        try:
            reply = await self._persist(model, request)
        except Incomplete as error:
            paid = error.paid.usage
            self.budget.count_unsettled(error.unsettled)
            self.budget.settle(held, len(error.paid.samples), paid, price.of(paid) if price else None)
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                self.budget.count_unsettled(request.n)
            self.budget.release(held)
            raise
        self.budget.settle(held, request.n, reply.usage, price.of(reply.usage) if price else None)
        if len(reply.samples) != request.n:
            raise ModelError(f"{model.name} gave {len(reply.samples)} replies where {request.n} were asked for")
        if not all(sample.text.isascii() for sample in reply.samples):
            reply = replace(reply, samples=tuple(_writable(sample) for sample in reply.samples))
        for note in reply.notes:
            self.notice(note)
        return reply

    async def _persist(self, model: Model, request: Request) -> Reply:
        try:
            return await self._send(model, request)
        except TransientModelError as error:
            return await self._retry(model, request, error)

    async def _send(self, model: Model, request: Request) -> Reply:
        try:
            return await model.generate(request)
        except TransientModelError as error:
            if error.unsettled:
                self.budget.count_unsettled(request.n)
            raise

    async def _retry(self, model: Model, request: Request, first: TransientModelError) -> Reply:
        from tenacity import (
            AsyncRetrying,
            retry_if_exception_type,
            stop_after_attempt,
            stop_after_delay,
            wait_random_exponential,
        )

        backoff = wait_random_exponential(multiplier=0.3, max=8)
        last = first

        def wait(state: Any) -> float:
            return min(last.retry_after, PATIENCE) if last.retry_after is not None else backoff(state)

        await asyncio.sleep(min(first.retry_after or 0.2, PATIENCE))
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientModelError),
            stop=stop_after_attempt(ATTEMPTS - 1) | stop_after_delay(PATIENCE),
            wait=wait,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                self.notice(f"trying again: {last}")
                try:
                    return await self._send(model, request)
                except TransientModelError as error:
                    last = error
                    raise
        raise last


@dataclass
class Bound:
    """A model as one attempt may call it: journaled, budgeted, retried. It is itself a ``Model``."""

    desk: Desk
    role: str
    inner: Model

    @property
    def name(self) -> str:
        """The name of the model behind."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        """What the model behind can do; any n, because the gateway splits what it cannot."""
        return self.desk.gateway.capabilities(self.inner)

    async def generate(self, request: Request) -> Reply:
        """Answer from the journal, or live and then recorded."""
        reply = await self.desk.generate(self, request)
        self.desk.usage += reply.usage
        return reply


class Desk:
    """One attempt's access to the models (the ``Context`` that verifiers get); ``usage`` adds up what it used."""

    def __init__(self, gateway: Gateway, attempt: str, group: Group | None) -> None:
        self.gateway = gateway
        self.attempt = attempt
        self._group = group
        self.usage = Usage()
        self._ordinals: dict[str, int] = {}

    def model(self, role: str) -> Model:
        """The model that plays ``role``, bound to this attempt."""
        return Bound(self, role, self.gateway.model(role))

    async def generate(self, bound: Bound, request: Request) -> Reply:
        """The reply to the next request of this role: recorded before it is returned."""
        log, ordinal = self.gateway.log, self._ordinals.get(bound.role, 0)
        self._ordinals[bound.role] = ordinal + 1
        key = f"{self.attempt}/{bound.role}/{ordinal}"
        hash = request_hash(bound.inner.name, request) if log.active else ""
        found = log.get("model", key, hash)
        if found is not None:
            return decode(Reply, found)
        group, self._group = self._group, None
        if group is not None and request.n == 1 and bound.inner.capabilities.n:
            return await group.join(bound.inner, request, key, hash)
        if request.n > 1 and not bound.inner.capabilities.n:
            return await self._each(bound, request)
        reply = await self.gateway.call(bound.inner, request)
        self.gateway.record([(key, reply, hash)])
        return reply

    async def _each(self, bound: Bound, request: Request) -> Reply:
        """A call of its own for each sample, each recorded as it comes; a failure is raised when all have ended."""
        singles = [self.generate(bound, replace(request, seeds=(seed,))) for seed in request.seeds]
        replies: list[Reply] = []
        for ended in await asyncio.gather(*singles, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
            replies.append(ended)
        usage = sum((r.usage for r in replies), Usage())
        return Reply(tuple(s for r in replies for s in r.samples), usage, replies[0].notes)

    def leave(self) -> None:
        """This attempt will not make its first call after all: its round's group need not wait for it."""
        if self._group is not None:
            self._group.leave()
            self._group = None


def _writable(sample: Sample) -> Sample:
    """A sample whose text can be written down: JSON may hold halves of characters, UTF-8 may not."""
    return replace(sample, text=sample.text.encode(errors="replace").decode())


def request_hash(model: str, request: Request) -> str:
    """What identifies a request in the journal."""
    return fingerprint(model.encode() + to_bytes(request)).hex()


def estimate(request: Request) -> int:
    """An upper estimate of the tokens a request reads: two bytes of text a token, 1,500 tokens a picture."""
    text = sum(len(m.text.encode()) // 2 + 8 + 1500 * len(m.images) for m in request.messages)
    return text + len(dumps([request.schema, [encode(tool) for tool in request.tools]])) // 2

"""The gateway: the one way from a run to its models.

Every call passes here: looked up in the journal, reserved in the budget, sent (identical prompts of a round as one
request for k replies where the model can), tried again in one layer, recorded, settled, and only then used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from ..core.budget import Budget, Reservation
from ..core.errors import BudgetSpent, ModelError, UsageError
from ..core.events import Emitter, Wrote
from ..core.journal import RunLog
from ..core.messages import Capabilities, Reply, Request, Sample, Usage
from ..core.protocols import Model
from ..core.provider import Price, Rate, Timeouts
from ..core.seeds import fingerprint
from ..core.waiting import Once
from ..core.wire import dumps, encode, to_bytes
from .line import Line, Said
from .prices import price_of

if TYPE_CHECKING:
    from .cache import Cache

Part = Reply | Exception
"""What came for one seed: a reply with one sample, or why there is none."""
FROM_CACHE = "replies that were paid before come from the cache"
FREE = Price(0.0, 0.0)
Keep = Callable[[Sequence[tuple[int, Reply]]], None]
"""Takes replies by the place of their seed, as soon as they are there, in order to record them."""


@dataclass
class _Call:
    """One call: what is asked for, and by the place of each seed what has come."""

    model: Model
    request: Request
    keep: Keep
    said: Said | None
    parts: dict[int, Part] = field(default_factory=dict[int, Part])

    @property
    def missing(self) -> list[int]:
        """The places for which nothing has come yet."""
        return [place for place in range(self.request.n) if place not in self.parts]

    def asking(self, places: Sequence[int]) -> Request:
        """The request for the seeds at ``places``."""
        if len(places) == self.request.n:
            return self.request
        return replace(self.request, seeds=tuple(self.request.seeds[place] for place in places))

    @property
    def identity(self) -> str:
        """What tells the model from others in the cache; empty = its replies are not kept."""
        return getattr(self.model, "identity", "")

    def hash(self, place: int) -> str:
        """What identifies the sample at ``place`` in the cache."""
        return request_hash(self.identity, self.asking([place]))

    def heard(self, places: list[int]) -> Said | None:
        """Who hears of the samples at ``places`` while they grow."""
        said = self.said
        if said is None:
            return None

        def placed(tried: int, sample: int, text: str) -> None:
            if sample < len(places):
                said(tried, places[sample], text)

        return placed


class Gateway:
    """The models of one run by role, behind its journal and budget."""

    def __init__(
        self,
        models: Mapping[str, Model],
        log: RunLog,
        budget: Budget,
        emit: Emitter,
        *,
        prices: Mapping[str, Price] | None = None,
        timeouts: Timeouts | None = None,
        rates: Mapping[str, Rate] | None = None,
        cache: Cache | None = None,
    ) -> None:
        self.log = log
        self.budget = budget
        self.once = Once()
        self._models = models
        self._emit = emit
        self._cache = cache
        self.flying = 0
        """Replies that are asked for now and may have to be paid."""
        self._noticed: set[str] = set()
        # By object: two models may have one name and different addresses.
        each = {id(model): model for model in models.values()}
        self._prices = {key: self._price(model, prices or {}) for key, model in each.items()}
        self._lines = {
            key: Line(
                model,
                self.notice,
                _nobody if self._prices[key] == FREE else budget.count_unsettled,
                timeouts or Timeouts(),
                (rates or {}).get(model.name, Rate()),
            )
            for key, model in each.items()
        }
        self._alone: set[int] = set()

    def _price(self, model: Model, prices: Mapping[str, Price]) -> Price | None:
        price = price_of(model.name, prices)
        if price is None and self.budget.limits.money is not None:
            raise UsageError(
                f"the price of {model.name} is unknown, so a money limit cannot hold: give input and output in the "
                f'settings, below [prices."{model.name}"]'
            )
        return price and price.times(getattr(model, "discount", 1.0))

    def notice(self, text: str) -> None:
        """Tell the user a line, once."""
        if text not in self._noticed:
            self._noticed.add(text)
            self._emit.notice(text)

    def model(self, role: str) -> Model:
        """The model that plays ``role``; the proposer's where none is named for it."""
        return self._models.get(role) or self._models["proposer"]

    def capabilities(self, model: Model) -> Capabilities:
        """What a model can do through the gateway: any n, because the gateway splits what it cannot."""
        can = model.capabilities
        return can if can.n else replace(can, n=True)

    @property
    def streaming(self) -> bool:
        """Whether somebody wants to hear what the models write while they do."""
        return self._emit.streaming

    def together(self, model: Model) -> bool:
        """Whether several samples may be asked for in one request."""
        return model.capabilities.n and id(model) not in self._alone

    def count(self, role: str, reply: Reply) -> None:
        """Count a reply that an earlier sitting paid for."""
        if reply.paid:
            price = self._prices[id(self.model(role))]
            cost = price.of(reply.usage, reply.whole) if price else None
            self.budget.settle(None, len(reply.samples), reply.usage, cost)

    def record(self, replies: list[tuple[str, Reply, str]]) -> None:
        """Write replies to the journal under their keys, all in one write."""
        if self.log.active:
            steps = [("model", key, reply, hash) for key, reply, hash in replies]
            self.log.put_all(steps, self.budget.seconds)

    def wrote(self, key: str, tried: int, text: str) -> None:
        """Tell that a sample grows."""
        attempt, role, _ = key.rsplit("/", 2)
        self._emit(Wrote, f"wrote/{key}", attempt=attempt, role=role, tried=tried, text=text)

    async def call(self, model: Model, request: Request, keep: Keep, said: Said | None = None) -> list[Part]:
        """Ask for a sample for each of the request's seeds: in one request where the model can, else each alone.

        What comes is handed to ``keep`` at once. A failure takes its own sample's place and no other's: of eight
        samples, seven are there when one is not.
        """
        call = _Call(model, request, keep, said)
        if self._cache is not None and call.identity:
            self._from_cache(self._cache, call)
        if len(call.missing) > 1 and self.together(model):
            await self._at_once(call)
        alone = [self._part(call, [place]) for place in call.missing]
        if len(alone) > 1:
            await asyncio.gather(*alone)
        elif alone:
            await alone[0]
        none = ModelError(f"{model.name} gave no sample")
        return [call.parts.get(place, none) for place in range(request.n)]

    async def _at_once(self, call: _Call) -> None:
        """One request for several samples: as many as the budget has room for, the last places go empty first."""
        places = call.missing
        held: Reservation | None = None
        while places and held is None:
            try:
                held = self._reserve(call.model, call.asking(places))
            except BudgetSpent as error:
                call.parts[places.pop()] = error
        await self._part(call, places, held)
        name, lost = call.model.name, sum(place not in call.parts for place in places)
        if lost and lost == len(places) - 1:
            self._alone.add(id(call.model))
            self.notice(f"{name} ignores n: the samples were asked for one by one")
        elif lost:
            self.notice(f"{name} left out {lost} of {len(places)} samples: they were asked for again")

    async def _part(self, call: _Call, places: list[int], held: Reservation | None = None) -> None:
        """One request for the seeds at ``places``: its samples, or its failure, become their parts."""
        if not places:
            return
        asked = call.asking(places)
        try:
            held = held or self._reserve(call.model, asked)
            reply = await self._settled(call.model, asked, held, call.heard(places))
            came = list(zip(places, split(reply), strict=False))
            call.keep(came)
        except Exception as error:
            call.parts.update(dict.fromkeys(places, error))
            return
        call.parts.update(came)
        if self._cache is not None and call.identity:
            for place, part in came:
                self._cache.put(call.hash(place), part)

    def _from_cache(self, cache: Cache, call: _Call) -> None:
        for place in call.missing:
            found = cache.get(call.hash(place))
            if found is not None:
                call.parts[place] = found = replace(found, usage=Usage(), paid=False)
                call.keep([(place, found)])
                self.notice(FROM_CACHE)

    def _reserve(self, model: Model, request: Request) -> Reservation:
        """Room for a request in the budget. Raises ``BudgetSpent`` where there is none."""
        price, limits, n = self._prices[id(model)], self.budget.limits, request.n
        if limits.tokens is None and limits.money is None:
            return self.budget.reserve(n, 0)
        tokens = estimate(request)  # n times, because a server without n of its own reads the prompt for each sample
        worst = n * price.worst(tokens, request.max_tokens) if price else None
        return self.budget.reserve(n, n * (tokens + request.max_tokens), worst)

    async def _settled(self, model: Model, request: Request, held: Reservation, said: Said | None) -> Reply:
        """One request, sent and paid. Its samples are at most as many as were asked for."""
        price, line = self._prices[id(model)], self._lines[id(model)]
        tokens = estimate(request) + request.max_tokens * request.n if line.rate.tokens_per_minute else 0
        counted = 0 if price == FREE else request.n
        self.flying += counted
        try:
            reply = await line.send(request, tokens, said)
        except BaseException:
            self.budget.release(held)
            raise
        finally:
            self.flying -= counted
        reply = replace(reply, samples=tuple(map(_writable, reply.samples[: request.n])))
        self.budget.settle(held, len(reply.samples), reply.usage, price.of(reply.usage) if price else None)
        for note in reply.notes:
            self.notice(note)
        return reply


def _writable(sample: Sample) -> Sample:
    """A sample whose texts can be written down: JSON may hold halves of characters, UTF-8 may not."""
    if sample.text.isascii() and not sample.tool_calls and not sample.state:
        return sample
    calls = tuple(replace(call, name=_whole(call.name), arguments=_whole(call.arguments)) for call in sample.tool_calls)
    return replace(sample, text=_whole(sample.text), tool_calls=calls, state=tuple(map(_whole, sample.state)))


def _whole(value: Any) -> Any:
    """JSON data without halves of characters."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_whole(key): _whole(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    return [_whole(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _nobody(_calls: int) -> None:
    """Counts nothing: what costs nothing need not be paid."""


def split(reply: Reply) -> list[Reply]:
    """One reply with k samples as k replies with one; the shares of the usage add up to the whole."""
    k, usage = len(reply.samples), reply.usage
    if k == 1:
        return [reply]

    def share(total: int, i: int) -> int:
        return total // k + (i < total % k)

    totals = (usage.tokens_in, usage.tokens_out, usage.cached, usage.stored)
    shares = [Usage(*(share(total, i) for total in totals)) for i in range(k)]
    whole = usage.tokens_in
    return [Reply((sample,), part, whole=whole) for sample, part in zip(reply.samples, shares, strict=True)]


def request_hash(model: str, request: Request) -> str:
    """What identifies a request in the journal."""
    return fingerprint(model.encode() + to_bytes(request)).hex()


def estimate(request: Request) -> int:
    """An upper estimate of the tokens a request reads: two bytes of text a token, 1,500 tokens a picture."""
    text = sum(len(m.text.encode()) // 2 + 8 + 1500 * len(m.images) for m in request.messages)
    calls = [(m.tool_calls, m.state) for m in request.messages if m.tool_calls or m.state]
    rest = [request.schema, request.prefix, encode(calls), [encode(tool) for tool in request.tools]]
    return text + len(dumps(rest)) // 2

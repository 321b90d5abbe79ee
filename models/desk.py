"""An attempt's desk: the models as one attempt may call them, each call under a key of its own in the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ..core.messages import Capabilities, Reply, Request, Usage
from ..core.protocols import Context, Model
from ..core.wire import decode
from .gateway import Gateway, Part, request_hash

if TYPE_CHECKING:
    from .rounds import Group

T = TypeVar("T")


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
        """Answer from the journal, or live and then recorded. Of several samples it gives those that came, and raises
        only when none did."""
        request = request if request.role == self.role else replace(request, role=self.role)
        reply = await self.desk.generate(self.inner, self.role, request)
        self.desk.usage += reply.usage
        return reply


class Desk:
    """One attempt's access to the models (the ``Context`` that verifiers get); ``usage`` adds up what it used."""

    def __init__(self, gateway: Gateway, attempt: str, group: Group | None = None) -> None:
        self.gateway = gateway
        self.attempt = attempt
        self.usage = Usage()
        self._group = group
        self._ordinals: dict[str, int] = {}

    def model(self, role: str) -> Model:
        """The model that plays ``role``, bound to this attempt."""
        return Bound(self, role, self.gateway.model(role))

    async def once(self, key: str, make: Callable[[Context], Awaitable[T]]) -> T:
        """Work that is done once a run; its calls have a desk, and keys in the journal, of their own."""
        return await self.gateway.once.do(key, lambda: make(Desk(self.gateway, f"once/{key}")))

    async def generate(self, model: Model, role: str, request: Request) -> Reply:
        """The reply to the next request of a role. Each sample has a record, and only missing ones are asked for."""
        keys = [self._key(role) for _ in request.seeds]
        singles = [request] if request.n == 1 else [replace(request, seeds=(seed,)) for seed in request.seeds]
        active = self.gateway.log.active
        hashes = [request_hash(model.name, single) if active else "" for single in singles]
        found = [self._recorded(key, hash) for key, hash in zip(keys, hashes, strict=True)]
        missing = [i for i, part in enumerate(found) if part is None]
        if not missing:
            return _joined([part for part in found if part is not None])
        if group := self._group:
            if request.n == 1 and self.gateway.together(model):
                self._group = None
                return await group.join(model, request, keys[0], hashes[0])
            self.leave()
        asked = replace(request, seeds=tuple(request.seeds[i] for i in missing)) if missing[1:] else singles[missing[0]]

        def keep(came: Sequence[tuple[int, Reply]]) -> None:
            self.gateway.record([(keys[missing[at]], reply, hashes[missing[at]]) for at, reply in came])

        def said(tried: int, at: int, text: str) -> None:
            self.gateway.wrote(keys[missing[at]], tried, text)

        parts = await self.gateway.call(model, asked, keep, said if self.gateway.streaming else None)
        return _joined([*(part for part in found if part is not None), *parts])

    def _key(self, role: str) -> str:
        ordinal = self._ordinals.get(role, 0)
        self._ordinals[role] = ordinal + 1
        return f"{self.attempt}/{role}/{ordinal}"

    def _recorded(self, key: str, hash: str) -> Reply | None:
        found = self.gateway.log.get("model", key, hash)
        return None if found is None else decode(Reply, found)

    def leave(self) -> None:
        """This attempt will not make its first call after all: its round's group need not wait for it."""
        if self._group is not None:
            self._group.leave()
            self._group = None


def _joined(parts: Sequence[Part]) -> Reply:
    """The samples that came, as one reply; raises the first failure when none did."""
    came = [part for part in parts if isinstance(part, Reply)]
    if not came:
        raise next(part for part in parts if isinstance(part, Exception))
    if len(came) == 1:
        return came[0]
    usage = sum((reply.usage for reply in came), Usage())
    return Reply(tuple(sample for reply in came for sample in reply.samples), usage)

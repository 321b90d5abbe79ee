"""Requests and tokens a minute, as far as the user knows what the provider allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..core.provider import Rate

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class Pace:
    """Holds a model's calls to a rate. All runs of the process share it, by ``pace_of``."""

    def __init__(self, rate: Rate) -> None:
        self._requests = _limiter(rate.requests_per_minute)
        self._tokens = _limiter(rate.tokens_per_minute)
        self._turn = asyncio.Lock()

    def free(self, tokens: int) -> bool:
        """Whether one more request of about ``tokens`` is allowed now."""
        rooms = ((self._requests, 1), (self._tokens, tokens))
        return not self._turn.locked() and all(
            limit is None or limit.has_capacity(min(amount, limit.max_rate)) for limit, amount in rooms
        )

    async def take(self, tokens: int) -> None:
        """Wait until one more request of about ``tokens`` is allowed."""
        async with self._turn:  # in the order of asking: small requests would starve a large one
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                await self._tokens.acquire(min(tokens, self._tokens.max_rate))


def _limiter(most: int | None) -> AsyncLimiter | None:
    if most is None:
        return None
    from aiolimiter import AsyncLimiter

    return AsyncLimiter(most, 60)


_paces: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Any, Pace]] = WeakKeyDictionary()


def pace_of(key: object, rate: Rate) -> Pace:
    """The pace of a model in the running loop."""
    here = _paces.setdefault(asyncio.get_running_loop(), {})
    if (key, rate) not in here:
        here[key, rate] = Pace(rate)
    return here[key, rate]

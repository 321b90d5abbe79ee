"""What a user knows of a provider: how long to wait for it, and what it allows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait for a connection, for the first piece of a reply, between two pieces, and for all of it.

    ``first_token`` and ``idle`` need a model that streams: where one is set, calls are streamed. None = no limit.
    """

    connect: float = 10.0
    first_token: float | None = None
    idle: float | None = None
    total: float = 600.0

    @property
    def streamed(self) -> bool:
        """Whether a limit holds that only a streamed call can keep."""
        return self.first_token is not None or self.idle is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a provider allows for a model: calls at once, requests and tokens a minute; none = not known."""

    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

"""What a user knows of a provider: how long to wait for it, what it allows, and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from .messages import Usage


def _refuse(of: Any, least: float, words: str) -> None:
    """Raise ``ValueError`` for a number that is too small."""
    for name, value in asdict(of).items():
        if value is not None and not value >= least:
            raise ValueError(f"{name} is {value}: give {words}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait for a connection, for the first piece of a reply, between two pieces, and for all of it.

    ``first_token`` (where it is none, ``idle``) and ``idle`` hold for a model that streams: where one is set, calls are
    streamed. None = no limit.
    """

    connect: float = 10.0
    first_token: float | None = None
    idle: float | None = None
    total: float = 600.0

    def __post_init__(self) -> None:
        _refuse(self, 0.001, "seconds above 0")

    @property
    def streamed(self) -> bool:
        """Whether a limit holds that only a streamed call can keep."""
        return self.first_token is not None or self.idle is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a provider allows for a model: calls at once, requests and tokens a minute; none = not known.

    As providers do, a minute's worth may go at once; then it is refilled steadily.
    """

    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def __post_init__(self) -> None:
        _refuse(self, 1, "a number of 1 or more")


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens: read, written, read from the provider's cache, and put into it.

    Of a call that reads more than ``long`` tokens, the cache included, what it reads costs ``long_factor`` times as
    much, and what it writes ``long_output_factor`` times, or as many where that is none.
    """

    input: float
    output: float
    cached: float | None = None
    stored: float | None = None
    long: int | None = None
    long_factor: float = 1.0
    long_output_factor: float | None = None

    def __post_init__(self) -> None:
        _refuse(self, 0, "a number of 0 or more")

    def of(self, usage: Usage, whole: int = 0) -> float:
        """What the ``usage`` of one call costs, in dollars; of a share of a call that read ``whole`` tokens."""
        cached = self.input if self.cached is None else self.cached
        stored = self.input if self.stored is None else self.stored
        fresh = usage.tokens_in - usage.cached - usage.stored
        read = fresh * self.input + usage.cached * cached + usage.stored * stored
        return self._sum(max(whole, usage.tokens_in), read, usage.tokens_out)

    def worst(self, tokens_in: int, tokens_out: int) -> float:
        """The most that so many tokens can cost, in dollars."""
        return self._sum(tokens_in, tokens_in * max(self.input, self.stored or 0.0), tokens_out)

    def times(self, factor: float) -> Price:
        """The price where all costs ``factor`` as much (batches: half)."""
        cached, stored = (None if each is None else each * factor for each in (self.cached, self.stored))
        return replace(self, input=self.input * factor, output=self.output * factor, cached=cached, stored=stored)

    def _sum(self, tokens_in: int, read: float, tokens_out: int) -> float:
        """Dollars for what was ``read``, priced as that of a short call, and for ``tokens_out``."""
        written = tokens_out * self.output
        if self.long is not None and tokens_in > self.long:
            written *= self.long_factor if self.long_output_factor is None else self.long_output_factor
            read *= self.long_factor
        return (read + written) / 1e6

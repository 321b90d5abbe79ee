"""What tokens cost, in US dollars, from dated tables; settings override them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from ..core.messages import Usage

FREE = ("embedded:", "scripted", "transformers:")


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

    def of(self, usage: Usage) -> float:
        """What the ``usage`` of one call costs, in dollars."""
        cached = self.input if self.cached is None else self.cached
        stored = self.input if self.stored is None else self.stored
        fresh = usage.tokens_in - usage.cached - usage.stored
        read = fresh * self.input + usage.cached * cached + usage.stored * stored
        return self._sum(usage.tokens_in, read, usage.tokens_out)

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


@lru_cache(maxsize=1)
def table() -> Mapping[str, Price]:
    """The shipped prices by model name; the date and the source of each table stand in ``prices.json``."""
    tables = json.loads((files("veriloop.models") / "prices.json").read_text())
    return {name: Price(**price) for table in tables for name, price in table["prices"].items()}


def price_of(name: str, overrides: Mapping[str, Price]) -> Price | None:
    """The price of a model, or none where nobody knows it. Models that run here cost nothing."""
    if name.startswith(FREE):
        return Price(0.0, 0.0)
    chat = name.replace("openai-responses:", "openai:", 1)  # the same model costs the same through either interface
    return overrides.get(name) or overrides.get(chat) or table().get(chat)

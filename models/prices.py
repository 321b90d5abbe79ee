"""What tokens cost, in US dollars, from a dated table; settings override it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ..core.messages import Usage

FREE = ("embedded:", "scripted")


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens: read, written, read from the provider's cache, and put into it."""

    input: float
    output: float
    cached: float | None = None
    stored: float | None = None

    def of(self, usage: Usage) -> float:
        """What ``usage`` costs, in dollars."""
        cached = self.input if self.cached is None else self.cached
        stored = self.input if self.stored is None else self.stored
        fresh = usage.tokens_in - usage.cached - usage.stored
        read = fresh * self.input + usage.cached * cached + usage.stored * stored
        return (read + usage.tokens_out * self.output) / 1e6

    def worst(self, tokens_in: int, tokens_out: int) -> float:
        """The most that so many tokens can cost, in dollars."""
        return (tokens_in * max(self.input, self.stored or 0.0) + tokens_out * self.output) / 1e6


@lru_cache(maxsize=1)
def table() -> Mapping[str, Price]:
    """The shipped price table by model name; its date and source stand in ``prices.json``."""
    data = json.loads((files("veriloop.models") / "prices.json").read_text())
    return {name: Price(**price) for name, price in data["prices"].items()}


def price_of(name: str, overrides: Mapping[str, Price]) -> Price | None:
    """The price of a model, or none where nobody knows it. Models that run here cost nothing."""
    if name.startswith(FREE):
        return Price(0.0, 0.0)
    return overrides.get(name) or table().get(name)

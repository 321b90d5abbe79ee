"""What tokens cost, in US dollars, from dated tables; settings override them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from ..core.provider import Price

HERE = ("embedded:", "transformers:")
"""How the names of models begin that run here."""


@lru_cache(maxsize=1)
def table() -> Mapping[str, Price]:
    """The shipped prices by model name; the date and the source of each table stand in ``prices.json``."""
    tables = json.loads((files("veriloop.models") / "prices.json").read_text())
    return {name: Price(**price) for table in tables for name, price in table["prices"].items()}


def price_of(name: str, overrides: Mapping[str, Price]) -> Price | None:
    """The price of a model, or none where nobody knows it. Models that run here cost nothing, unless overridden."""
    chat = name.replace("openai-responses:", "openai:", 1)  # the same model costs the same through either interface
    known = overrides.get(name) or overrides.get(chat) or table().get(chat)
    return Price(0.0, 0.0) if known is None and (name.startswith(HERE) or name == "scripted") else known

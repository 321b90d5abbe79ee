"""Models by name: ``provider:NAME`` (``embedded:sql``, ``openai:gpt-5-mini``) or ``package.module:Class``."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Model
from ..core.registry import load

PROVIDERS = {
    "embedded": f"{__name__}.embedded:Embedded",
    "openai": f"{__name__}.openai:OpenAI",
}
"""Provider to class; the class is called with what stands behind the colon."""
VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"""Environment variables that providers read when a model is made."""


def named(name: str) -> Model:
    """The model called ``name``, the same object as long as the environment is. Raises ``UsageError`` if unknown."""
    return _named(name, tuple(map(os.environ.get, VARIABLES)))


@lru_cache(maxsize=64)
def _named(name: str, environment: tuple[str | None, ...]) -> Model:
    provider, _, rest = name.partition(":")
    if provider in PROVIDERS and rest:
        return load(PROVIDERS[provider])(rest)
    if not rest or ("." not in provider and not rest.isidentifier()):
        known = ", ".join(f"{p}:NAME" for p in sorted(PROVIDERS))
        raise UsageError(f"unknown model {name!r}; give one of {known} or package.module:Class (see: veriloop models)")
    found: Any = load(name)
    model: Any = found() if callable(found) else found
    if not isinstance(model, Model):
        raise UsageError(f"{name!r} is not a model: it needs name, capabilities and an async generate(request)")
    return model

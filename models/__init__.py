"""Models by name: ``provider:NAME`` (``embedded:sql``, ``anthropic:claude-opus-5-5``) or ``package.module:Class``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..core.errors import UsageError, VeriloopError, meant, told
from ..core.protocols import Model
from ..core.provider import Timeouts
from ..core.registry import load

PROVIDERS = {
    "anthropic": f"{__name__}.anthropic:Anthropic",
    "embedded": f"{__name__}.embedded:Embedded",
    "openai": f"{__name__}.openai:OpenAI",
    "openai-responses": f"{__name__}.responses:Responses",
    "transformers": f"{__name__}.local:Transformers",
}
"""Provider to class; the class is called with what stands behind the colon."""
REMOTE = ("anthropic", "openai", "openai-responses")
"""Providers behind a network; their classes take ``connect`` and ``total``, the seconds to wait."""
VARIABLES = (
    *(f"{provider}_{what}" for provider in ("ANTHROPIC", "OPENAI") for what in ("API_KEY", "API_KEY_FILE", "BASE_URL")),
    "VERILOOP_TRANSFORMERS_DEVICE",
    "VERILOOP_TRANSFORMERS_DTYPE",
)
"""Environment variables that providers read when a model is made."""


def named(name: str, timeouts: Timeouts | None = None) -> Model:
    """The model called ``name``, the same object as long as the environment is. Raises ``UsageError`` if unknown."""
    return _named(name, timeouts or Timeouts(), tuple(map(os.environ.get, VARIABLES)))


@lru_cache(maxsize=64)
def _named(name: str, timeouts: Timeouts, environment: tuple[str | None, ...]) -> Model:
    provider, _, rest = name.partition(":")
    if provider in PROVIDERS and rest:
        options = {"connect": timeouts.connect, "total": timeouts.total} if provider in REMOTE else {}
        return load(PROVIDERS[provider])(rest, **options)
    if name.rstrip(":") in PROVIDERS:
        raise UsageError(f"{name!r} names no model: write {name.rstrip(':')}:NAME (see: veriloop models)")
    near = "" if "." in provider else meant(provider, PROVIDERS)
    if not rest or near or ("." not in provider and not rest.isidentifier()):
        known = ", ".join(f"{p}:NAME" for p in sorted(PROVIDERS))
        raise UsageError(
            f"unknown model {name!r}{near}; give one of {known} or package.module:Class (see: veriloop models)"
        )
    found: Any = load(name)
    model: Any = _made(name, found) if callable(found) else found
    if not isinstance(model, Model):
        raise UsageError(f"{name!r} is not a model: it needs name, capabilities and an async generate(request)")
    return model


def _made(name: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except VeriloopError:
        raise
    except Exception as error:
        raise UsageError(f"model {name!r} cannot be made: {' '.join(told(error).split())}") from error

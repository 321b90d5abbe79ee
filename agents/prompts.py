"""Prompt files: jinja templates in ``prompts/``, sandboxed, where a missing variable is an error."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=PackageLoader(__package__ or "", "prompts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


@cache
def _template(name: str) -> Any:
    return _environment().get_template(f"{name}.jinja")


def render(name: str, **values: Any) -> str:
    """The text of ``prompts/NAME.jinja`` with ``values`` filled in, without white space at its ends."""
    return _template(name).render(**values).strip() if values else _fixed(name)


@cache
def _fixed(name: str) -> str:
    """A prompt without variables."""
    return _template(name).render().strip()


def fenced(text: str, limit: int = 4000) -> str:
    """Untrusted text as delimited data: cut to ``limit`` characters, between fences that it cannot contain."""
    cut = text if len(text) <= limit else text[:limit] + "\n[cut]"
    fence = "~~~"
    while fence in cut:
        fence += "~"
    return f"{fence}\n{cut}\n{fence}"

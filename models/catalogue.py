"""What models can be named here, and whether they would work."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import UsageError
from .embedded import known
from .openai import OpenAI


@dataclass(frozen=True)
class Line:
    """One line of the catalogue."""

    name: str
    what: str
    status: str


def catalogue() -> list[Line]:
    """The embedded models, then the providers."""
    return [
        *(Line(f"embedded:{name}", "a small model in this package, offline", "ready") for name in known()),
        Line("openai:MODEL", "any Chat Completions server: OpenAI, vLLM, Ollama, llama.cpp", _openai()),
        Line("package.module:Class", "your own: name, capabilities, async generate(request)", "import path"),
    ]


def _openai() -> str:
    """Whether the settings would do, and for which server: its address without anything that may be a secret."""
    try:
        model = OpenAI("MODEL")
        model.ready()
    except UsageError as error:
        return str(error)
    return f"ready: {model.address}"

"""What models can be named here, and whether they would work."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .embedded import known


@dataclass(frozen=True)
class Line:
    """One line of the catalogue."""

    name: str
    what: str
    status: str


def catalogue() -> list[Line]:
    """The embedded models, then the providers."""
    url, key = os.environ.get("OPENAI_BASE_URL"), os.environ.get("OPENAI_API_KEY")
    status = f"ready: {url or 'OpenAI'}" if url or key else "set OPENAI_API_KEY, or OPENAI_BASE_URL for another server"
    return [
        *(Line(f"embedded:{name}", "a small model in this package, offline", "ready") for name in known()),
        Line("openai:MODEL", "any Chat Completions server: OpenAI, vLLM, Ollama, llama.cpp", status),
        Line("package.module:Class", "your own: name, capabilities, async generate(request)", "import path"),
    ]

"""What models can be named here, and whether they would work."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from ..core.errors import UsageError
from .anthropic import Anthropic
from .embedded import known
from .openai import Backend, OpenAI
from .responses import Responses


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
        Line("embedded:FOLDER", "weights of that form in a folder (veriloop train sft)", "ready"),
        Line("anthropic:MODEL", "Claude, or any server that speaks Anthropic's Messages", _status(Anthropic)),
        Line("openai:MODEL", "any Chat Completions server: OpenAI, vLLM, Ollama, llama.cpp", _status(OpenAI)),
        Line("openai-responses:MODEL", "OpenAI's Responses, or a server that speaks it", _status(Responses)),
        Line("transformers:FOLDER", "weights in a folder, or of the hub", _local()),
        Line("package.module:Class", "your own: name, capabilities, async generate(request)", "import path"),
    ]


def _local() -> str:
    """Whether the packages are there."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    return f"needs {' and '.join(missing)}: pip install 'veriloop[local]'" if missing else "ready"


def _status(provider: type[Anthropic | Backend]) -> str:
    """Whether the settings would do, and for which server: its address without anything that may be a secret."""
    try:
        model = provider("MODEL")
        model.ready()
    except UsageError as error:
        return str(error)
    return f"ready: {model.address}"

"""What is said to a model and what comes back: messages, tool calls, requests, replies."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import UsageError, plain

PICTURES = {
    "image/png": re.compile(rb"\x89PNG\r\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
"""How the files of pictures begin that models take."""
Purpose = Literal["task", "instruction", "reply", "tool"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message: base64 data and its media type (``image/png``)."""

    data: str
    media_type: str = "image/png"

    @classmethod
    def from_file(cls, path: str | Path) -> Image:
        """Read a picture from ``path``; how it begins says its media type. Raises ``UsageError`` for a file that is
        none or cannot be read."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the picture {path}: {plain(error)}") from None
        kind = next((kind for kind, begins in PICTURES.items() if begins.match(content)), None)
        if kind is None:
            raise UsageError(f"{path} is not a picture: give a PNG, JPEG, GIF or WebP file")
        return cls(base64.b64encode(content).decode("ascii"), kind)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to run a tool: the tool's name and its JSON arguments."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it: name, description and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    ``purpose`` says what the turn is for (the task itself, an instruction of the method, a reply, a tool's result),
    so that a small model can find the question among them. ``state`` is what its sample had.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[Text | Image, ...]
    purpose: Purpose = "task"
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    state: tuple[Mapping[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """The text of the turn, pictures left out."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures of the turn."""
        return () if isinstance(self.content, str) else tuple(p for p in self.content if isinstance(p, Image))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model is asked.

    ``seeds`` holds one seed per sample: ``n`` is its length. ``prefix`` is exact text that the reply must continue.
    ``schema`` is the JSON schema the reply must satisfy. ``tools`` may be called unless ``tool_choice`` is ``none``:
    then they are only there because the history has calls of them. ``role`` is who is asked (an agent's name), so that
    a narrow model knows what to do. A model refuses what it does not declare.
    """

    messages: tuple[Message, ...]
    seeds: tuple[int, ...] = (0,)
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none"] = "auto"
    schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    prefix: str = ""
    role: str = "proposer"

    def __post_init__(self) -> None:
        if not self.seeds:
            raise UsageError("a request needs a seed for each sample that is wanted, one at least")
        if not 0 <= self.temperature <= 5 or not 0 < self.top_p <= 1 or self.max_tokens < 1:
            raise UsageError(
                f"cannot sample at temperature {self.temperature}, top_p {self.top_p}, max_tokens {self.max_tokens}"
            )

    @property
    def n(self) -> int:
        """How many samples are wanted."""
        return len(self.seeds)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call: all that were read, all that were written (thinking included), and how many of the read ones
    came from the provider's cache (``cached``) or were put into it (``stored``)."""

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    stored: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cached + other.cached,
            self.stored + other.stored,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in - other.tokens_in,
            self.tokens_out - other.tokens_out,
            self.cached - other.cached,
            self.stored - other.stored,
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply: its text or its tool calls, the sum of its log-probabilities where known, and why it ended.

    ``finish`` is ``stop``, ``length`` (cut at ``max_tokens``), ``tool_calls`` or ``refusal``. ``state`` is what the
    provider wants back unchanged when the talk goes on (signed or encrypted thinking), as it came. ``stopped`` is the
    stop text that ended it (it is not in ``text``), empty when none did, none where nobody says.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    logprob: float | None = None
    finish: str = "stop"
    state: tuple[Mapping[str, Any], ...] = ()
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer to one request: its samples and what they cost together.

    A backend gives what came: there may be fewer samples than were asked for, the gateway asks for the rest. ``notes``
    are lines that a user should see, such as a parameter that was refused. Of a share of a request for several samples,
    ``whole`` says how many tokens that request read. ``paid`` is false for one that was paid in another run.
    """

    samples: tuple[Sample, ...]
    usage: Usage = field(default_factory=Usage)
    notes: tuple[str, ...] = ()
    whole: int = 0
    paid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a model can do; whatever it does not declare is refused before a call.

    ``only`` names the one format that a narrow model writes (``sql``), and ``roles`` what it plays besides the
    proposer. ``only`` is empty for a general chat model, which plays every role. ``temperature`` is false where the
    provider sets it itself.
    """

    only: str = ""
    roles: tuple[str, ...] = ()
    images: bool = False
    n: bool = False
    stop: bool = True
    seed: bool = False
    tools: bool = False
    schema: bool = False
    logprobs: bool = False
    prefix: bool = False
    streaming: bool = False
    temperature: bool = True

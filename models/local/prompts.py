"""From messages to what a model reads: its chat template, pictures, and plain lines where there is no template."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any, cast

from torch.nn.functional import pad

from ...core.errors import ModelError, UsageError
from ...core.messages import Image, Message, Request
from .batch import Prompt
from .calls import offered

PLAIN_TURNS = tuple(f"\n{role}:" for role in ("system", "user", "assistant", "tool"))
"""What ends a reply of a model without a chat template: it goes on with the next turn by itself."""
ALONG = ("token_type_ids", "mm_token_type_ids")
"""Inputs that have a number for each token."""
Turn = dict[str, Any]


class Prompts:
    """Makes prompts for one model.

    Without a chat template, turns are lines of ``role: text``, ended by ``assistant:``. A template that refuses a
    system turn, or two user turns in a row, gets them joined. Thinking is off where the template has a switch for it
    (``enable_thinking``), so that a prefix continues the answer. What users and tools say cannot write the template's
    control tokens: they are read as text.
    """

    def __init__(self, name: str, tokenizer: Any, processor: Any | None) -> None:
        self._name = name
        self._tokenizer = tokenizer
        self._processor = processor
        self._template = str(getattr(processor or tokenizer, "chat_template", None) or "")
        self.pictures = processor is not None
        self.turns = () if self._template else PLAIN_TURNS

    def make(self, request: Request, kept: Sequence[int]) -> Prompt:
        """The prompt of ``request`` and the tokens that are ``kept`` of its prefix."""
        if not self._template:
            ids, extra = self._plain(request.messages), dict[str, Any]()
        else:
            turns = [self._turn(message, request.messages[:at]) for at, message in enumerate(request.messages)]
            tools = offered(request.tools) if request.tool_choice == "auto" else []
            ids, extra = self._rendered(turns, tools)
        extra |= {name: pad(extra[name], (0, len(kept))) for name in ALONG if name in extra}
        whole = (*ids, *kept)
        return Prompt(whole, object() if extra else whole, extra)

    def _plain(self, messages: Sequence[Message]) -> list[int]:
        lines = [f"{message.role}: {message.text}" for message in messages]
        return self._tokenizer("\n".join([*lines, "assistant:"]), split_special_tokens=True)["input_ids"]

    def _rendered(self, turns: list[Turn], tools: list[dict[str, Any]]) -> tuple[list[int], dict[str, Any]]:
        from jinja2 import TemplateError

        try:
            try:
                return self._encode(turns, tools)
            except TemplateError:
                return self._encode(joined(turns), tools)
        except TemplateError as error:
            raise ModelError(f"the chat template of {self._name} does not take these messages: {error}") from error

    def _encode(self, turns: list[Turn], tools: list[dict[str, Any]]) -> tuple[list[int], dict[str, Any]]:
        options: dict[str, Any] = {"tools": tools or None, "add_generation_prompt": True, "tokenize": True}
        options |= {"return_dict": True, "return_tensors": "pt", "sanitize_control_tokens": True}
        if "enable_thinking" in self._template:
            options["enable_thinking"] = False
        maker = self._processor or self._tokenizer
        try:
            found = maker.apply_chat_template(turns, **options)
        except NotImplementedError:  # a template that leaves the first token to the tokenizer
            found = maker.apply_chat_template(turns, **options | {"sanitize_control_tokens": False})
        extra = {name: value for name, value in found.items() if name not in ("input_ids", "attention_mask")}
        return found["input_ids"][0].tolist(), extra if self._processor else {}

    def _turn(self, message: Message, before: Sequence[Message]) -> Turn:
        turn: Turn = {"role": message.role, "content": self._content(message)}
        if message.role == "assistant" and message.tool_calls:
            made = [(call.id, {"name": call.name, "arguments": dict(call.arguments)}) for call in message.tool_calls]
            turn["tool_calls"] = [{"type": "function", "id": id, "function": function} for id, function in made]
        if message.role == "tool":
            calls = [call for each in before for call in each.tool_calls if call.id == message.tool_call_id]
            turn |= {"tool_call_id": message.tool_call_id, "name": calls[-1].name if calls else ""}
        return turn

    def _content(self, message: Message) -> Any:
        """Text for a tokenizer; for a processor a list of parts."""
        if self._processor is None:
            return message.text
        if isinstance(message.content, str):
            return [{"type": "text", "text": message.content}] if message.content else []
        return [
            {"type": "image", "image": picture(part)}
            if isinstance(part, Image)
            else {"type": "text", "text": part.text}
            for part in message.content
        ]


def joined(turns: Sequence[Turn]) -> list[Turn]:
    """``turns`` without a system turn, which goes into the next user turn, and without two user turns in a row."""
    found: list[Turn] = []
    for turn in turns:
        turn = {**turn, "role": "user"} if turn["role"] == "system" else turn
        if found and found[-1]["role"] == turn["role"] == "user":
            found[-1] = {"role": "user", "content": _both(found[-1]["content"], turn["content"])}
        else:
            found.append(turn)
    return found


def _both(first: Any, second: Any) -> Any:
    return f"{first}\n\n{second}" if isinstance(first, str) else [*first, *second]


def picture(image: Image) -> Any:
    """A picture as processors take it. Raises ``UsageError`` when it is none that can be read."""
    try:
        from PIL import Image as Pictures
    except ImportError:
        raise UsageError("pictures need pillow: pip install 'veriloop[local]'") from None
    try:
        opened = cast("Any", Pictures).open(io.BytesIO(base64.b64decode(image.data)))
        return opened.convert("RGB")
    except Exception as error:  # whatever a hostile file makes of the decoder
        raise UsageError(f"a picture cannot be read: {type(error).__name__}: {error}") from error

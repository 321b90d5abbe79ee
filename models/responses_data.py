"""OpenAI's Responses as data: a request as its JSON body, a response's JSON or its events as a sample. No network here.

Source: the types of the SDK ``openai`` 3.54, ``openai.types.responses``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from ..core.errors import UsageError
from ..core.messages import Capabilities, Image, Message, Request, Sample, ToolCall, ToolSpec, Usage
from ..core.protocols import Heard
from . import chat
from .endpoint import Json, as_list, as_mapping
from .schema import is_strict

PATH = "/responses"
STREAMED: Json = {"stream": True}
SCHEMA = "text"
THINKING, LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"
"""What a response may include: thinking for the next turn, and log-probabilities."""
PARTS = {"include": THINKING, "logprobs": LOGPROBS}
"""The parameters that are parts of ``include``."""
FEATURES = ("tools", "logprobs", "images")
KNOBS = ("temperature", "top_p", "max_output_tokens", "tool_choice", "store", "include", "stream")
NAMES = {name: name for name in (*KNOBS, *FEATURES)} | {
    **dict.fromkeys((*chat.SCHEMAS, "text.format", "text.format.type"), SCHEMA),
    THINKING: "include",
    LOGPROBS: "logprobs",
    "top_logprobs": "logprobs",
}
INSTEAD = {
    SCHEMA: chat.INSTEAD[chat.SCHEMA],
    "include": "thinking is not kept from turn to turn",
    "stream": chat.INSTEAD["stream"],
}
OUTPUT = ("reasoning", "message", "function_call")
"""The items of a response that a talk goes on with; what other providers keep as state looks different."""
REASONS = {"max_output_tokens": "length", "content_filter": "refusal"}
"""The provider's words for an end before the end."""


def body(request: Request, model: str, can: Capabilities) -> dict[str, Any]:
    """The JSON body that asks for ``request``. Nothing is stored: thinking comes back encrypted and is sent again."""
    system = list(takewhile(lambda message: message.role == "system", request.messages[:-1]))
    turns = request.messages[len(system) :]
    optional = {
        "instructions": "\n\n".join(map(_text_only, system)) or None,
        "temperature": request.temperature if can.temperature else None,
        "top_p": request.top_p if request.top_p != 1.0 else None,
        "tools": [_tool(spec) for spec in request.tools] or None,
        "tool_choice": "none" if request.tools and request.tool_choice == "none" else None,
        SCHEMA: {"format": _format(request.schema)} if request.schema is not None else None,
    }
    return {
        "model": model,
        "input": [item for message in turns for item in _items(message)],
        "max_output_tokens": request.max_tokens,
        "store": False,
        "include": [THINKING, LOGPROBS] if request.logprobs else [THINKING],
        **{name: value for name, value in optional.items() if value is not None},
    }


def _tool(spec: ToolSpec) -> Json:
    strict = is_strict(spec.parameters)
    named = {"type": "function", "name": spec.name, "description": spec.description}
    return {**named, "parameters": spec.parameters, "strict": strict}


def _format(schema: Json) -> Json:
    return {"type": "json_schema", "name": "output", "schema": schema, "strict": is_strict(schema)}


def _items(message: Message) -> list[Json]:
    """The input items of one turn: a reply with state is sent back as it came."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": _content(message)}]
    if message.role == "user":
        return [{"role": "user", "content": _content(message)}]
    if message.role == "assistant" and any(item.get("type") in OUTPUT for item in message.state):
        return list(message.state)
    said: list[Json] = [{"role": message.role, "content": _text_only(message)}]
    calls = [_call(call) for call in message.tool_calls]
    return said + calls if message.text or not calls else calls


def _call(call: ToolCall) -> Json:
    arguments = json.dumps(dict(call.arguments))
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}


def _content(message: Message) -> str | list[Json]:
    return [_part(part) for part in message.content] if message.images else message.text


def _part(part: Any) -> Json:
    if isinstance(part, Image):
        url = f"data:{part.media_type};base64,{part.data}"
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    return {"type": "input_text", "text": part.text}


def _text_only(message: Message) -> str:
    if message.images:
        raise UsageError(f"responses take pictures in user and tool messages only, not in one of role {message.role}")
    return message.text


def holds(body: Json, name: str) -> bool:
    """Whether ``body`` has this parameter."""
    return PARTS[name] in body.get("include", ()) if name in PARTS else name in body


def without(body: Json, name: str) -> dict[str, Any]:
    """``body`` without a refused parameter: a schema goes in words."""
    rest = {key: value for key, value in body.items() if key != name}
    if name in PARTS and (include := [part for part in body["include"] if part != PARTS[name]]):
        rest["include"] = include
    elif name == SCHEMA:
        rest["input"] = chat.instructed(body["input"], schema_in(body) or {}, "input_text")
    return rest


def schema_in(body: Json) -> Json | None:
    """The schema in ``body``, if any."""
    return body[SCHEMA]["format"]["schema"] if SCHEMA in body else None


def usage(data: Json) -> Usage | None:
    """The tokens a response reports, if it does."""
    return chat.reported(as_mapping(data.get("usage")), "input_tokens", "output_tokens")


def samples(data: Json, stop: Sequence[str]) -> list[Sample]:
    """The one sample of a response; none if it has no output, or has not ended. What comes with thinking is its state,
    all of it: the provider takes a piece of thinking only with what followed it."""
    items = list(map(as_mapping, as_list(data.get("output"))))
    parts = _parts(items)
    text = _joined(parts, "text")
    refusal = "" if text else _joined(parts, "refusal")
    calls = tuple(_tool_call(item, i) for i, item in enumerate(items) if item.get("type") == "function_call")
    if data.get("status") == "incomplete":
        finish = REASONS.get(str(as_mapping(data.get("incomplete_details")).get("reason")), "length")
    else:
        finish = "refusal" if refusal else "tool_calls" if calls else "stop"
    kept = data.get("status") == "completed" and any(map(_thinks, items))
    state = tuple(items) if kept else ()
    logprobs = [token for part in parts for token in as_list(part.get("logprobs"))]
    said, finish = chat.ended(text or refusal, stop, finish)
    found = Sample(said, calls, chat.logprob(logprobs), finish, state)
    ended = data.get("status") in (None, "completed", "incomplete")
    return [found] if ended and isinstance(data.get("output"), list) else []


def _parts(items: list[Json]) -> list[Json]:
    """The parts of what is said, without comments on the way to a final answer."""
    said = [item for item in items if item.get("type") == "message"]
    said = [item for item in said if item.get("phase") != "commentary"] or said
    return [as_mapping(part) for item in said for part in as_list(item.get("content"))]


def _joined(parts: list[Json], name: str) -> str:
    return "".join(part[name] for part in parts if isinstance(part.get(name), str))


def _tool_call(item: Json, index: int) -> ToolCall:
    given = chat.arguments(item.get("arguments") or "{}")
    return ToolCall(str(item.get("name") or ""), given, str(item.get("call_id") or f"call_{index}"))


def _thinks(item: Json) -> bool:
    return item.get("type") not in ("message", "function_call") or bool(item.get("phase"))


class Stream:
    """A streamed response as it grows; ``done`` with the event that has the response itself."""

    def __init__(self, heard: Heard) -> None:
        self.done = False
        self._heard = heard
        self._items: dict[int, Json] = {}
        self._response: Json = {}

    def take(self, event: Json) -> None:
        """Add an event; an empty one is a sign of life."""
        kind = event.get("type")
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            return self._heard(0, str(event.get("delta") or ""))
        if kind == "response.output_item.done":
            place = event.get("output_index")
            self._items[place if chat.is_count(place) else len(self._items)] = as_mapping(event.get("item"))
        elif kind in ("response.completed", "response.incomplete"):
            self.done, self._response = True, as_mapping(event.get("response"))
        self._heard(0, "")

    def whole(self) -> Json | None:
        """The response, none if it was cut. The items are those of their own events, as the provider advises."""
        items = dict[int, object](enumerate(as_list(self._response.get("output")))) | self._items
        return {**self._response, "output": list(items.values())} if self.done else None

"""Chat Completions as data: a request as its JSON body, a response's JSON as samples. No network here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

from ..core.errors import UsageError
from ..core.messages import Image, Message, Request, Sample, ToolCall, Usage
from .schema import is_strict, render

Json = Mapping[str, Any]
TOKEN_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the limit on written tokens; a server that refuses one knows the other."""
KNOBS = ("temperature", "top_p", "seed", "n", "stop", "tool_choice", "response_format", *TOKEN_LIMITS)
"""Parameters a request can do without."""
INSTEAD = {
    **{name: f"{other} was sent instead" for name, other in TOKEN_LIMITS.items()},
    "n": "the samples were asked for one by one",
    "response_format": "the schema was sent in words",
    "stop": "the reply was cut afterwards",
}
"""What is done about a refused parameter, other than leaving it out."""
FEATURES = ("tools", "logprobs")
"""Parameters a request cannot do without."""
OUT_OF_RANGE = re.compile(
    r"\brange\b|between|too (large|long|small|big|many|high)|(less|greater|more|fewer) than|at (most|least)"
    r"|maximum|minimum|above|below|non-negative|positive|invalid schema|[<>]=? ?-?\d",
    re.IGNORECASE,
)
"""A 400 that says so finds fault with a value; it does not refuse the parameter, but for n and a schema."""
NO_USAGE = "reports no usage: tokens are estimated"
BYTES_PER_TOKEN, TOKENS_PER_PICTURE = 3, 1500
"""How tokens are estimated that nobody reports; what a model thinks and does not show is not among them."""


def body(request: Request, model: str, limit: str, seeded: bool) -> dict[str, Any]:
    """The JSON body that asks for ``request``; ``limit`` is the name under which the limit on tokens goes.

    Seeds go as their lower 31 bits, which every server's integer type holds.
    """
    optional = {
        "n": request.n if request.n > 1 else None,
        "seed": request.seeds[0] & 0x7FFFFFFF if seeded else None,
        "top_p": request.top_p if request.top_p != 1.0 else None,
        "stop": list(request.stop) or None,
        "tools": [_tool(spec.name, spec.description, spec.parameters) for spec in request.tools] or None,
        "tool_choice": "none" if request.tools and request.tool_choice == "none" else None,
        "response_format": _format(request.schema) if request.schema is not None else None,
        "logprobs": True if request.logprobs else None,
    }
    return {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        "temperature": request.temperature,
        limit: request.max_tokens,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _tool(name: str, description: str, parameters: Json) -> Json:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _format(schema: Json) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "output", "schema": schema, "strict": is_strict(schema)}}


def _message(message: Message) -> Json:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": _text_only(message)}
    if message.role == "assistant" and message.tool_calls:
        calls = [_call(call) for call in message.tool_calls]
        return {"role": "assistant", "content": message.text or None, "tool_calls": calls}
    if message.role == "user" and message.images:
        return {"role": "user", "content": [_part(part) for part in message.content]}
    return {"role": message.role, "content": _text_only(message)}


def _text_only(message: Message) -> str:
    if message.images:
        raise UsageError(f"chat completions take pictures in user messages only, not in a {message.role} message")
    return message.text


def _call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": call.id, "type": "function", "function": function}


def _part(part: Any) -> Json:
    if isinstance(part, Image):
        return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data}"}}
    return {"type": "text", "text": part.text}


def refused_parameter(body: Json, param: object, words: str) -> str | None:
    """Which parameter of ``body`` a 400 refuses, by its ``param`` field or else by what it says."""
    droppable = [name for name in (*KNOBS, *FEATURES) if name in body]
    if isinstance(param, str) and param:
        param = "response_format" if param.startswith("response_format.") else param
        named = param if param in droppable else None
    else:
        # The name stands alone: not within a word, an escaped newline, or a path such as tools[0].function.
        places = {name: re.search(rf"(?<![\w\\.]){name}(?![\w\[.])", words) for name in droppable}
        found = {name: place.start() for name, place in places.items() if place}
        named = min(found, key=lambda name: found[name], default=None)
    return None if named not in ("n", "response_format") and finds_fault(words) else named


def finds_fault(words: str) -> bool:
    """Whether a 400 is about the value of a parameter rather than about the parameter."""
    return OUT_OF_RANGE.search(words) is not None


def without(body: Json, name: str) -> dict[str, Any]:
    """``body`` without a refused parameter: a limit on tokens goes under its other name, a schema in words."""
    rest = {key: value for key, value in body.items() if key != name}
    if name in TOKEN_LIMITS:
        rest[TOKEN_LIMITS[name]] = body[name]
    elif name == "response_format":
        words = render("json_reply", schema=json.dumps(body[name]["json_schema"]["schema"]))
        rest["messages"] = _instructed(body["messages"], words)
    return rest


def takes_schema(body: Json) -> bool:
    """Whether the schema in ``body``, if any, is one that OpenAI takes: of an object, without a choice at its root."""
    if "response_format" not in body:
        return True
    schema = body["response_format"]["json_schema"]["schema"]
    return "$ref" in schema or (schema.get("type") == "object" and "anyOf" not in schema)


def _instructed(messages: list[Json], words: str) -> list[Json]:
    last = messages[-1]
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": words}]
    content = last["content"]
    longer = f"{content}\n\n{words}" if isinstance(content, str) else [*content, {"type": "text", "text": words}]
    return [*messages[:-1], {**last, "content": longer}]


def usage(data: Json) -> Usage | None:
    """The tokens a response reports; none where it leaves out a count, or says that a call took no tokens at all."""
    told = _mapping(data.get("usage"))
    read, written = told.get("prompt_tokens"), told.get("completion_tokens")
    if not (_is_count(read) and _is_count(written) and read + written):
        return None
    cached = _mapping(told.get("prompt_tokens_details")).get("cached_tokens")
    return Usage(read, written, cached if _is_count(cached) else 0)


def estimate(request: Request, samples: Sequence[Sample]) -> Usage:
    """About the tokens of a call whose server reports none: three bytes a token, 1,500 tokens a picture, at least 1."""
    pictures = TOKENS_PER_PICTURE * sum(len(message.images) for message in request.messages)
    asked = [request.schema, *([spec.name, spec.description, spec.parameters] for spec in request.tools)]
    turns = [[message.text, _calls(message.tool_calls)] for message in request.messages]
    said = [[sample.text, _calls(sample.tool_calls)] for sample in samples]
    return Usage(pictures + _tokens([turns, asked]), _tokens(said))


def _tokens(value: object) -> int:
    """The tokens of the texts in ``value``, estimated."""
    text = json.dumps(value, ensure_ascii=False, default=dict)
    return max(1, len(text.encode(errors="replace")) // BYTES_PER_TOKEN)


def _calls(calls: Sequence[ToolCall]) -> list[object]:
    return [[call.name, call.arguments] for call in calls]


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and value >= 0


def samples(data: Json, stop: Sequence[str]) -> list[Sample]:
    """The usable choices of a response, cut at ``stop`` (some servers ignore it or leave the stop text in)."""
    choices = data.get("choices")
    if not isinstance(choices, list):
        return []
    found = [_sample(_mapping(choice), stop) for choice in cast("list[object]", choices)]
    return [sample for sample in found if sample is not None]


def cut(text: str, stop: Sequence[str]) -> str:
    """``text`` up to the first of the ``stop`` texts in it."""
    return text[: min((at for at in map(text.find, stop) if at >= 0), default=len(text))]


def _sample(choice: Json, stop: Sequence[str]) -> Sample | None:
    message = _mapping(choice.get("message"))
    content, refusal = message.get("content"), message.get("refusal")
    finish = choice.get("finish_reason") or "stop"
    if isinstance(refusal, str) and not content:
        content, finish = refusal, "refusal"
    calls = cast("object", message.get("tool_calls") or [])
    if not message or not isinstance(content or "", str) or not isinstance(calls, list):
        return None
    tool_calls = tuple(_tool_call(_mapping(call), i) for i, call in enumerate(cast("list[object]", calls)))
    return Sample(cut(content or "", stop), tool_calls, _logprob(choice), str(finish))


def _tool_call(call: Json, index: int) -> ToolCall:
    function = _mapping(call.get("function"))
    raw = function.get("arguments") or "{}"
    try:
        arguments = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        # The model's slip, not the endpoint's: the tool's own check of its arguments tells the model.
        arguments = {"invalid_json": raw}
    return ToolCall(str(function.get("name") or ""), cast("Json", arguments), str(call.get("id") or f"call_{index}"))


def _logprob(choice: Json) -> float | None:
    tokens = _mapping(choice.get("logprobs")).get("content")
    return sum(token["logprob"] for token in cast("list[Json]", tokens)) if isinstance(tokens, list) else None


def _mapping(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}

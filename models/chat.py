"""Chat Completions as data: a request as its JSON body, a response's JSON or its stream as samples. No network here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

from ..core.errors import UsageError
from ..core.messages import Capabilities, Image, Message, Request, Sample, ToolCall, Usage
from ..core.protocols import Heard
from .endpoint import Json, as_list, as_mapping, read_json
from .schema import is_strict, render

PATH = "/chat/completions"
STREAMED: Json = {"stream": True, "stream_options": {"include_usage": True}}
"""What asks for a stream, and for the usage at its end."""
SCHEMA = "response_format"
"""The parameter that holds the schema of the reply."""
TOKEN_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the limit on written tokens; a server that refuses one knows the other."""
KNOBS = ("temperature", "top_p", "seed", "n", "stop", "tool_choice", SCHEMA, *TOKEN_LIMITS, *STREAMED)
"""Parameters that a request can do without."""
FEATURES = ("tools", "logprobs", "images")
"""What it cannot do without."""
SCHEMAS = ("json_schema", "structured outputs", "Structured outputs")
"""What a refusal may call a schema."""
NAMES = {name: name for name in (*KNOBS, *FEATURES)} | dict.fromkeys((*SCHEMAS, "response_format.type"), SCHEMA)
"""What a refusal may call a parameter, and the parameter."""
INSTEAD = {
    **{name: f"{other} was sent instead" for name, other in TOKEN_LIMITS.items()},
    "n": "the samples were asked for one by one",
    SCHEMA: "the schema was sent in words",
    "stop": "the reply was cut afterwards",
    "stream": "the reply came at once",
    "stream_options": "a stream reports no usage",
}
"""What is done about a refused parameter, other than leaving it out."""
FINISHES = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refusal",
    "refusal": "refusal",
}
"""Servers' words for the end of a reply, and ours; any other is an ordinary end."""
NO_USAGE = "reports no usage: tokens are estimated"
BYTES_PER_TOKEN, TOKENS_PER_PICTURE = 3, 1500
"""How tokens are estimated that nobody reports; what a model thinks and does not show is not among them."""
DEEPEST = 100
"""How deep the arguments of a tool call may be nested."""


def body(request: Request, model: str, limit: str, can: Capabilities) -> dict[str, Any]:
    """The JSON body that asks for ``request``; ``limit`` is the name under which the limit on tokens goes.

    Seeds go as their lower 31 bits, which every server's integer type holds.
    """
    optional = {
        "n": request.n if request.n > 1 else None,
        "temperature": request.temperature if can.temperature else None,
        "seed": request.seeds[0] & 0x7FFFFFFF if can.seed else None,
        "top_p": request.top_p if request.top_p != 1.0 else None,
        "stop": list(request.stop) or None,
        "tools": [_tool(spec.name, spec.description, spec.parameters) for spec in request.tools] or None,
        "tool_choice": "none" if request.tools and request.tool_choice == "none" else None,
        SCHEMA: _format(request.schema) if request.schema is not None else None,
        "logprobs": True if request.logprobs else None,
    }
    return {
        "model": model,
        "messages": [_message(message) for message in request.messages],
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
        raise UsageError(
            f"chat completions take pictures in user messages only, not in a message of role {message.role}"
        )
    return message.text


def _call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": call.id, "type": "function", "function": function}


def _part(part: Any) -> Json:
    if isinstance(part, Image):
        return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data}"}}
    return {"type": "text", "text": part.text}


def holds(body: Json, name: str) -> bool:
    """Whether ``body`` has this parameter."""
    return name in body


def without(body: Json, name: str) -> dict[str, Any]:
    """``body`` without a refused parameter: a limit on tokens goes under its other name, a schema in words."""
    gone = STREAMED if name == "stream" else (name,)
    rest = {key: value for key, value in body.items() if key not in gone}
    if name in TOKEN_LIMITS:
        rest[TOKEN_LIMITS[name]] = body[name]
    elif name == SCHEMA:
        rest["messages"] = instructed(body["messages"], schema_in(body) or {}, "text")
    return rest


def schema_in(body: Json) -> Json | None:
    """The schema in ``body``, if any."""
    return body[SCHEMA]["json_schema"]["schema"] if SCHEMA in body else None


def instructed(turns: Sequence[Json], schema: Json, kind: str) -> list[Json]:
    """``turns`` that ask for ``schema`` in words; ``kind`` is the type of a text among the parts of a turn."""
    words, last = render("json_reply", schema=json.dumps(schema)), turns[-1]
    if last.get("role") != "user":
        return [*turns, {"role": "user", "content": words}]
    content = last["content"]
    longer = f"{content}\n\n{words}" if isinstance(content, str) else [*content, {"type": kind, "text": words}]
    return [*turns[:-1], {**last, "content": longer}]


def usage(data: Json) -> Usage | None:
    """The tokens a response reports; none where it leaves out a count, or says that a call took no tokens at all."""
    return reported(as_mapping(data.get("usage")), "prompt_tokens", "completion_tokens")


def reported(told: Json, read: str, written: str) -> Usage | None:
    """The ``usage`` of a response, whose tokens go by these names."""
    details = as_mapping(told.get(f"{read}_details"))
    return counted(told.get(read), told.get(written), details.get("cached_tokens"), details.get("cache_write_tokens"))


def counted(read: object, written: object, cached: object, stored: object) -> Usage | None:
    """The tokens of a call; none where a count cannot be one. No more came from the cache than was read, whatever is
    said: a call would seem to cost less than nothing."""
    if not (is_count(read) and is_count(written) and read + written):
        return None
    cached = min(cached, read) if is_count(cached) else 0
    stored = min(stored, read - cached) if is_count(stored) else 0
    return Usage(read, written, cached, stored)


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


def is_count(value: object) -> TypeGuard[int]:
    """Whether ``value`` can be a number of things, or the place of one among others."""
    return type(value) is int and 0 <= value < 2**53


def samples(data: Json, stop: Sequence[str]) -> list[Sample]:
    """The usable choices of a response, cut at ``stop`` (some servers ignore it or leave the stop text in)."""
    found = [_sample(as_mapping(choice), stop) for choice in as_list(data.get("choices"))]
    return [sample for sample in found if sample is not None]


def cut(text: str, stop: Sequence[str]) -> str:
    """``text`` up to the first of the ``stop`` texts in it."""
    return text[: min((at for at in map(text.find, stop) if at >= 0), default=len(text))]


def stop_in(text: str, stop: Sequence[str]) -> str:
    """Which of the ``stop`` texts is the first in ``text``; empty when none is."""
    found = [(at, each) for each in stop if (at := text.find(each)) >= 0]
    return min(found, key=lambda pair: pair[0])[1] if found else ""


def ended(text: str, stop: Sequence[str], finish: str) -> tuple[str, str]:
    """``text`` cut at ``stop``, and why it ended: what was cut off after a stop text is not missed."""
    short = cut(text, stop)
    return short, "stop" if finish == "length" and short != text else finish


def _sample(choice: Json, stop: Sequence[str]) -> Sample | None:
    message = as_mapping(choice.get("message"))
    content, refusal = message.get("content"), message.get("refusal")
    finish = FINISHES.get(str(choice.get("finish_reason")), "stop")
    if isinstance(refusal, str) and not content:
        content, finish = refusal, "refusal"
    calls = cast("object", message.get("tool_calls") or [])
    if not message or not isinstance(content or "", str) or not isinstance(calls, list):
        return None
    tool_calls = tuple(_tool_call(as_mapping(call), i) for i, call in enumerate(cast("list[object]", calls)))
    logprobs = as_list(as_mapping(choice.get("logprobs")).get("content"))
    text, finish = ended(content or "", stop, finish)
    return Sample(text, tool_calls, logprob(logprobs), finish, stopped=_stopped(choice, content or "", stop))


def _stopped(choice: Json, content: str, stop: Sequence[str]) -> str | None:
    """The stop text that ended a choice: as it says (vLLM's ``stop_reason``), or left in; none where nobody knows."""
    said: object = choice.get("stop_reason")
    if isinstance(said, str) and said in stop:
        return said
    return stop_in(content, stop) or ("" if not stop or "stop_reason" in choice else None)


def _tool_call(call: Json, index: int) -> ToolCall:
    function = as_mapping(call.get("function"))
    given = arguments(function.get("arguments") or "{}")
    return ToolCall(str(function.get("name") or ""), given, str(call.get("id") or f"call_{index}"))


def arguments(raw: object) -> Json:
    """The arguments of a tool call from their JSON. A text that is none is the model's slip, not the endpoint's: the
    tool's own check of its arguments tells the model."""
    try:
        found: object = read_json(raw) if isinstance(raw, str) else raw
    except ValueError:
        found = None
    if isinstance(found, dict) and _sound(cast("object", found)):
        return cast("Json", found)
    return {"invalid_json": raw if isinstance(raw, str) else "no JSON object"}


def _sound(value: object, depth: int = DEEPEST) -> bool:
    """Whether a JSON value can be written down again: not so deep, and all numbers are some."""
    if isinstance(value, float):
        return math.isfinite(value)
    inner = as_mapping(value).values() or as_list(value)
    return depth > 0 and all(_sound(each, depth - 1) for each in inner)


def logprob(tokens: Sequence[object]) -> float | None:
    """The sum of the log-probabilities of ``tokens``; none where one of them has none."""
    each = [as_mapping(token).get("logprob") for token in tokens]
    sound = each and all(isinstance(one, int | float) and abs(one) < 1e300 for one in each)
    return sum(cast("list[float]", each)) if sound else None


class Stream:
    """A streamed response as it grows. ``done`` is set when the server says so; ``whole`` is what it would have sent
    at once, less the choices that were cut, or none if all were."""

    def __init__(self, heard: Heard) -> None:
        self.done = False
        self._heard = heard
        self._choices: dict[int, _Growing] = {}
        self._usage: object = None

    def take(self, event: Json) -> None:
        """Add a chunk; an empty one is a sign of life."""
        self._usage = event.get("usage") or self._usage
        choices = as_list(event.get("choices"))
        if not choices:
            return self._heard(0, "")
        for choice in map(as_mapping, choices):
            index = place if is_count(place := choice.get("index")) else 0
            if index not in self._choices:
                self._choices[index] = _Growing()
            self._heard(index, self._choices[index].take(choice))

    def whole(self) -> Json | None:
        """The response, once nothing more comes."""
        choices = [each.whole() for _, each in sorted(self._choices.items()) if self.done or each.finish]
        return {"choices": choices, "usage": self._usage} if choices or self.done else None


@dataclass
class _Growing:
    """One choice of a streamed response."""

    texts: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    logprobs: list[Json] = field(default_factory=list[Json])
    finish: object = None
    stopped: dict[str, Any] = field(default_factory=dict[str, Any])

    def take(self, choice: Json) -> str:
        """Add a piece; gives what there is to hear of it."""
        delta = as_mapping(choice.get("delta"))
        content, refusal = delta.get("content"), delta.get("refusal")
        self.finish = choice.get("finish_reason") or self.finish
        self.stopped |= {name: choice[name] for name in ("stop_reason",) if name in choice}
        if logprobs := choice.get("logprobs"):
            self.logprobs += map(as_mapping, as_list(as_mapping(logprobs).get("content")))
        for call in as_list(delta.get("tool_calls")):
            self._call(as_mapping(call))
        if isinstance(content, str) and content:
            self.texts.append(content)
            return content
        if isinstance(refusal, str):
            self.refusals.append(refusal)
            return refusal
        return ""

    def _call(self, piece: Json) -> None:
        """Add a piece of a tool call. Some servers count none of them, so a new id is a new call; without ids, so is a
        name after arguments."""
        place, id, function = piece.get("index"), piece.get("id"), as_mapping(piece.get("function"))
        known = [call for call in self.calls if call["index"] == place and id in (None, "", call["id"])]
        if not known or (not id and function.get("name") and known[-1]["arguments"]):
            known: list[dict[str, Any]] = [{"index": place, "id": id, "name": "", "arguments": ""}]
            self.calls += known
        for name in ("name", "arguments"):
            more = function.get(name) or ""
            known[-1][name] += more if isinstance(more, str) else json.dumps(more)

    def whole(self) -> Json:
        """The choice as it comes unstreamed."""
        message = {
            "content": "".join(self.texts),
            "refusal": "".join(self.refusals) or None,
            "tool_calls": [{"id": call["id"], "function": call} for call in self.calls],
        }
        logprobs = {"content": self.logprobs} if self.logprobs else None
        return {"message": message, "finish_reason": self.finish, "logprobs": logprobs, **self.stopped}

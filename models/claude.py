"""Anthropic's Messages as data: a request as its JSON body, and what a 400 refuses of it. No network here.

Source: the types and docstrings of the SDK ``anthropic`` 2.12 and Anthropic's pages on prompt caching, thinking and
structured outputs (November 2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from ..core.errors import UsageError
from ..core.messages import Image, Message, Request, Text, ToolCall, ToolSpec
from .claude_reply import BLOCKS, THINKING, Json, calls_of, text_of
from .openai_dialect import UNKNOWN, finds_fault
from .schema import render

Block = dict[str, Any]
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
KNOBS = ("output_config", "stop_sequences", "tool_choice")
"""Parameters a request can do without, besides the marks for the cache and the thinking of earlier turns."""
INSTEAD = {
    "output_config": "the schema was sent in words",
    "stop_sequences": "the reply was cut afterwards",
    "cache_control": "nothing was put into the cache",
    "thinking": "earlier thinking was left out",
}
"""What is done about a refused parameter, other than leaving it out."""
CACHED = {"type": "ephemeral"}
EMPTY = "(empty)"
"""Stands where a turn has nothing: the endpoint refuses empty text."""
PLACE = re.compile(rf"\s*((?:{'|'.join(KNOBS)}|cache_control|tools|system|messages|max_tokens|model)[\w.]*)\s*:")
"""The place that an error message of Anthropic's begins with: ``messages.0.content.1.text.cache_control: …``."""
SIGNED = re.compile(r"signature\W+in\W+(redacted_)?thinking|thinking\W+blocks? .*cannot be", re.IGNORECASE)
FORM = re.compile(r"structured outputs?|output[ _]format|compiled grammar|\bschemas?\b", re.IGNORECASE)


def body(request: Request, model: str) -> dict[str, Any]:
    """The JSON body that asks for ``request``, what is stable first.

    It is marked for the cache where other requests may go another way: after the tools and the system prompt, after the
    task, and after the results of tools when more calls may follow (three of the four marks that are allowed).
    """
    system = [_text(part) for message in request.messages if message.role == "system" for part in _parts(message)]
    tools = [_tool(spec) for spec in request.tools]
    for stable in (system or tools)[-1:]:
        stable["cache_control"] = CACHED
    form = formal(request.schema) if request.schema is not None else None
    # A stop text of white space alone is refused; the reply is cut at all of them anyway.
    optional = {
        "tools": tools,
        "tool_choice": {"type": "none"} if tools and request.tool_choice == "none" else None,
        "system": system,
        "stop_sequences": [stop for stop in request.stop if stop.strip()],
        "output_config": {"format": {"type": "json_schema", "schema": form}} if form else None,
    }
    turns = _turns(request)
    if request.schema is not None and not form:
        turns = _instructed(turns, request.schema)
    known = {name: value for name, value in optional.items() if value}
    return {"model": model, "max_tokens": request.max_tokens, **known, "messages": turns}


def formal(schema: Json) -> dict[str, Any] | None:
    """``schema`` as the endpoint takes it, limits on values turned into descriptions; none where it has no such form.

    It takes objects of named fields only: no free-form mappings, no tuples, no lists of types.
    """
    from anthropic import transform_schema

    try:
        return transform_schema(dict(schema)) if _object(schema) and _closed(schema) else None
    except (ValueError, TypeError, AttributeError, AssertionError):
        return None


def _object(schema: Json) -> bool:
    return "$ref" in schema or schema.get("type") == "object"


def _closed(node: object) -> bool:
    """Whether every object below ``node`` has named fields only, and every type is one."""
    if isinstance(node, list):
        return all(map(_closed, cast("list[object]", node)))
    if not isinstance(node, Mapping):
        return True
    node = cast("Json", node)
    kind = node.get("type")
    named = isinstance(node.get("properties"), Mapping) and node.get("additionalProperties", False) is False
    if isinstance(kind, list) or "prefixItems" in node or "patternProperties" in node or "definitions" in node:
        return False
    return (kind != "object" or named) and all(map(_closed, node.values()))


def _tool(spec: ToolSpec) -> Block:
    return {"name": spec.name, "description": spec.description, "input_schema": dict(spec.parameters)}


def _turns(request: Request) -> list[Block]:
    """The turns but for the system's, those of one side after another made into one."""
    spoken = [message for message in request.messages if message.role != "system"]
    if not spoken:
        raise UsageError("Anthropic's models need a message of the user")
    tasks = [i for i, message in enumerate(spoken) if message.role == "user" and message.purpose == "task"]
    loop = [len(spoken) - 1] if spoken[-1].role == "tool" and request.tool_choice != "none" else []
    turns: list[Block] = []
    for i, message in enumerate(spoken):
        blocks = _blocks(message)
        if i in (*tasks[-1:], *loop):
            blocks[-1]["cache_control"] = CACHED
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[Block]:
    parts = _parts(message)
    if message.role == "tool":
        content = {"content": [_part(part) for part in parts]} if parts else {}
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, **content}]
    if message.role == "assistant":
        return _said(message, [_text(part) for part in parts])
    return [_part(part) for part in parts] or [{"type": "text", "text": EMPTY}]


def _said(message: Message, texts: list[Block]) -> list[Block]:
    """What the model said: block by block as it came, if its state holds that and the turn is still the same.

    A turn that was changed keeps only the thinking before its first change: what follows is signed for another text.
    """
    state = [dict(block) for block in message.state]
    if any(block.get("type") not in BLOCKS for block in state):
        state = []
    calls = [_call(call) for call in message.tool_calls]
    if state and text_of(state) == message.text and [_call(call) for call in calls_of(state)] == calls:
        return state
    thoughts: list[Block] = []
    for block in state:
        if block["type"] not in THINKING:
            break
        thoughts.append(block)
    return [*thoughts, *texts, *calls] if texts or calls else [*thoughts, {"type": "text", "text": EMPTY}]


def _call(call: ToolCall) -> Block:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _parts(message: Message) -> list[Text | Image]:
    """The parts of a turn that say something."""
    content = (Text(message.content),) if isinstance(message.content, str) else message.content
    return [part for part in content if isinstance(part, Image) or part.text.strip()]


def _part(part: Text | Image) -> Block:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.media_type not in PICTURES:
        raise UsageError(f"Anthropic's models take pictures as {', '.join(PICTURES)}, not as {part.media_type}")
    return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": part.data}}


def _text(part: Text | Image) -> Block:
    if isinstance(part, Image):
        raise UsageError("Anthropic's models take pictures in user messages and tool results only")
    return {"type": "text", "text": part.text}


def _instructed(turns: list[Block], schema: Json) -> list[Block]:
    """``turns`` and the schema in words, where the user spoke last.

    That is not where a tool's results are: earlier thinking is signed for all that came before it, so the words must
    stay in their place while a talk with tools goes on.
    """
    block = {"type": "text", "text": render("json_reply", schema=json.dumps(schema))}
    asked = [
        i for i, turn in enumerate(turns) if turn["role"] == "user" and turn["content"][-1]["type"] != "tool_result"
    ]
    if not asked:
        return [*turns, {"role": "user", "content": [block]}]
    last = asked[-1]
    return [*turns[:last], {**turns[last], "content": [*turns[last]["content"], block]}, *turns[last + 1 :]]


def refused_parameter(body: Json, words: str) -> str | None:
    """Which parameter of ``body`` a 400 refuses, by the place that ``words`` begin with or else by what they say.

    Also ``cache_control`` for the marks for the cache, and ``thinking`` for the thinking of earlier turns.
    """
    place = PLACE.match(words)
    path = place[1].split(".") if place else []
    if SIGNED.search(words):
        return "thinking" if any(map(_thoughts, body["messages"])) else None
    if "cache_control" in (path or words):
        return "cache_control" if _unmarked(body) != body else None
    if path:
        gone = path[0] in KNOBS or (path == ["tools"] and UNKNOWN.search(words))
        return path[0] if gone and path[0] in body else None
    if "output_config" in body and FORM.search(words):
        return "output_config"
    if finds_fault(words):
        return None
    named = {name: re.search(rf"(?<![\w.]){name}(?![\w\[]|\.\w)", words) for name in (*KNOBS, "tools") if name in body}
    found = {name: at.start() for name, at in named.items() if at}
    return min(found, key=lambda name: found[name], default=None)


def lasting(name: str, words: str) -> bool:
    """Whether a refusal holds for other requests too: not if it is about this schema, this talk or a value."""
    return name != "thinking" and not finds_fault(words) and not re.search("schema|grammar", words, re.IGNORECASE)


def _thoughts(turn: Json) -> bool:
    return turn["role"] == "assistant" and any(block["type"] in THINKING for block in turn["content"])


def without(body: Json, name: str, schema: Json | None) -> dict[str, Any]:
    """``body`` without what an endpoint refuses: marks and thinking wherever they are; ``schema`` goes in words."""
    if name == "cache_control":
        return cast("dict[str, Any]", _unmarked(body))
    if name == "thinking":
        return {**body, "messages": [_thoughtless(turn) for turn in body["messages"]]}
    rest = {key: value for key, value in body.items() if key != name}
    if name == "output_config" and name in body and schema is not None:
        rest["messages"] = _instructed(body["messages"], schema)
    return rest


def _unmarked(node: object) -> object:
    """``node`` without marks for the cache. A tool's arguments may hold that word too: they are left alone."""
    if isinstance(node, list):
        return [_unmarked(item) for item in cast("list[object]", node)]
    if not isinstance(node, Mapping):
        return node
    node = cast("Json", node)
    kept = ("input", "input_schema", "output_config")
    return {key: value if key in kept else _unmarked(value) for key, value in node.items() if key != "cache_control"}


def _thoughtless(turn: Json) -> Json:
    content = [block for block in turn["content"] if block["type"] not in THINKING]
    return {**turn, "content": content or [{"type": "text", "text": EMPTY}]}

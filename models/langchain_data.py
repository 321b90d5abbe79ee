"""LangChain's messages as data: ours as theirs, and theirs as a sample and its usage. No call here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.messages import Image, Message, Sample, ToolCall, ToolSpec, Usage
from .chat import arguments, counted, ended, is_count
from .endpoint import as_mapping

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

REASONS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "incomplete_details")
"""Where a reply says why it ended."""
CUT = re.compile(r"length|max_(output_)?tokens|context_window", re.IGNORECASE)
REFUSED = re.compile(r"refus|filter|safety|guardrail|prohibited|blocklist|recitation|spii", re.IGNORECASE)
BESIDE = ("tool_calls", "function_call", "refusal", "parsed")
"""What integrations put beside a message and it has elsewhere, too."""


def with_tools(model: Any, specs: tuple[ToolSpec, ...], choice: str | None) -> Any:
    """The model with tools. An integration that takes ``none`` for the name of a tool gets no choice at all."""
    tools = [
        {"type": "function", "function": {"name": s.name, "description": s.description, "parameters": s.parameters}}
        for s in specs
    ]
    if choice is not None:
        try:
            bound = model.bind_tools(tools, tool_choice=choice)
        except (TypeError, ValueError):
            return model.bind_tools(tools)
        if f'"name": "{choice}"' not in json.dumps(getattr(bound, "kwargs", {}).get("tool_choice"), default=str):
            return bound
    return model.bind_tools(tools)


def messages(turns: tuple[Message, ...], name: str) -> list[BaseMessage]:
    """The turns of a request; a reply of the model called ``name`` goes back as it came, where it was kept."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

    called: dict[str, str] = {}
    found: list[BaseMessage] = []
    for turn in turns:
        if turn.role == "tool":
            named = called.get(turn.tool_call_id)  # some providers want to be told
            found.append(ToolMessage(_content(turn), tool_call_id=turn.tool_call_id, name=named))
        elif turn.role == "assistant":
            kept = next((state for state in turn.state if state.get("langchain") == name), {"content": turn.text})
            called |= {call.id: call.name for call in turn.tool_calls}  # ids may come again in a later turn
            calls = [{"name": c.name, "args": dict(c.arguments), "id": c.id} for c in turn.tool_calls]
            same = {key: value for key, value in kept.items() if key != "langchain"}
            found.append(AIMessage(**same, tool_calls=calls))
        else:
            found.append((SystemMessage if turn.role == "system" else HumanMessage)(_content(turn)))
    return found


def _content(turn: Message) -> Any:
    """A turn's text, or the standard content blocks of its texts and pictures."""
    if isinstance(turn.content, str):
        return turn.content
    return [
        {"type": "image", "base64": part.data, "mime_type": part.media_type}
        if isinstance(part, Image)
        else {"type": "text", "text": part.text}
        for part in turn.content
    ]


def sample(message: AIMessage, stop: tuple[str, ...], name: str) -> Sample:
    """The sample in a message of the model called ``name``, cut at ``stop``."""
    calls, text = _calls(message), str(message.text)
    reason = " ".join(str(message.response_metadata.get(each) or "") for each in REASONS)
    finish = "length" if CUT.search(reason) else "tool_calls" if calls else "stop"
    refusal = message.additional_kwargs.get("refusal")
    if REFUSED.search(reason) or (refusal and not text):
        text, finish = text or str(refusal or ""), "refusal"
    text, finish = ended(text, stop, finish)
    return Sample(text, calls, finish=finish, state=_state(message, name))


def _calls(message: AIMessage) -> tuple[ToolCall, ...]:
    """The tool calls. Those of a stream are read anew: LangChain mends JSON that was cut, and half a call is none."""
    said: list[Any] = getattr(message, "tool_call_chunks", None) or [*message.tool_calls, *message.invalid_tool_calls]
    return tuple(
        ToolCall(call["name"] or "", arguments(call["args"] or {}), call["id"] or f"call_{i}")
        for i, call in enumerate(said)
    )


def _state(message: AIMessage, name: str) -> tuple[Mapping[str, Any], ...]:
    """The message as it came, where it holds more than text: thinking and signatures, which providers want back."""
    beside = {key: value for key, value in message.additional_kwargs.items() if key not in BESIDE}
    blocks: list[Any] = message.content if isinstance(message.content, list) else []
    if not beside and all(isinstance(each, str) or each.get("type") == "text" for each in blocks):
        return ()
    about = {key: message.response_metadata.get(key) for key in ("id", "model_provider", "output_version")}
    kept = {
        "langchain": name,
        "content": message.content,
        "additional_kwargs": beside,
        "response_metadata": {key: value for key, value in about.items() if value},
        "id": message.id,
    }
    try:
        return (json.loads(json.dumps(kept)),)
    except (TypeError, ValueError, RecursionError):  # no journal could hold it
        return ()


def usage(message: AIMessage) -> Usage | None:
    """The tokens that a message reports; none where it leaves out a count or says that there were none."""
    told = as_mapping(message.usage_metadata)
    details = as_mapping(told.get("input_token_details"))
    # Anthropic's integration counts what is stored for a given time apart.
    stored = [n for key, n in details.items() if key == "cache_creation" or key.startswith("ephemeral_")]
    read, written = told.get("input_tokens"), told.get("output_tokens")
    return counted(read, written, details.get("cache_read"), sum(filter(is_count, stored)))

"""Anthropic's replies as data: a response, or the events that stream it, as a sample and its usage. No network here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ..core.messages import Sample, ToolCall, Usage
from .chat import arguments, counted, ended, is_count, stop_in
from .endpoint import Json, as_mapping

THINKING = ("thinking", "redacted_thinking")
BLOCKS = (*THINKING, "text", "tool_use")
"""The blocks of a reply that are read; what other providers keep as state looks different."""
FINISHES = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


def sample(data: Json, stop: Sequence[str]) -> Sample | None:
    """The sample in a response, cut at ``stop``; none where it has no content.

    Its state is all of the content when there is thinking in it: between thinking and calls, the order counts too.
    """
    content = data.get("content")
    if not isinstance(content, list):
        return None
    blocks = [as_mapping(block) for block in cast("list[object]", content)]
    blocks = [block for block in blocks if block.get("type") in BLOCKS and block.get("text") != ""]
    reason = str(data.get("stop_reason"))
    why = as_mapping(data.get("stop_details")).get("explanation") if reason == "refusal" else None
    thought = any(block["type"] in THINKING for block in blocks)
    written = text_of(blocks) or str(why or "")
    text, finish = ended(written, stop, FINISHES.get(reason, "stop"))
    stopped = str(data.get("stop_sequence") or "") or stop_in(written, stop)
    return Sample(text, calls_of(blocks), finish=finish, state=tuple(blocks) if thought else (), stopped=stopped)


def text_of(blocks: Sequence[Json]) -> str:
    """The text that the blocks of a reply say."""
    return "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def calls_of(blocks: Sequence[Json]) -> tuple[ToolCall, ...]:
    """The tool calls among the blocks of a reply."""
    uses = [block for block in blocks if block.get("type") == "tool_use"]
    return tuple(
        ToolCall(str(use.get("name") or ""), arguments(use.get("input") or {}), str(use.get("id") or f"call_{i}"))
        for i, use in enumerate(uses)
    )


def usage(data: Json) -> Usage | None:
    """The usage of a response, whose ``input_tokens`` leave out what came from the cache or went into it."""
    counts = as_mapping(data.get("usage"))
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    fresh, cached, stored = (counts.get(name) or 0 for name in names)
    if not (is_count(fresh) and is_count(cached) and is_count(stored) and fresh + cached + stored):
        return None
    return counted(fresh + cached + stored, counts.get("output_tokens") or None, cached, stored)


class Written:
    """A response as its stream events write it. ``done`` once the last event was taken."""

    def __init__(self) -> None:
        self.done = False
        self._data: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}

    def take(self, event: Json) -> str:
        """Take the next event; gives the piece of text in it, if it has one."""
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start":
            self._data = dict(as_mapping(event.get("message")))
        elif kind == "content_block_start" and isinstance(index, int):
            self._blocks[index] = dict(as_mapping(event.get("content_block")))
        elif kind == "content_block_delta" and isinstance(index, int):
            return self._delta(index, as_mapping(event.get("delta")))
        elif kind == "message_delta":
            self._data |= as_mapping(event.get("delta"))
            counts = {name: count for name, count in as_mapping(event.get("usage")).items() if count is not None}
            self._data["usage"] = {**as_mapping(self._data.get("usage")), **counts}
        self.done = self.done or kind == "message_stop"
        return ""

    def _delta(self, index: int, delta: Json) -> str:
        for field in ("text", "thinking", "partial_json"):
            if isinstance(piece := delta.get(field), str):
                self._pieces.setdefault((index, field), []).append(piece)
        if "signature" in delta and index in self._blocks:
            self._blocks[index]["signature"] = delta["signature"]
        if text := str(delta.get("text") or ""):
            self._blocks.setdefault(index, {"type": "text"})
        return text

    @property
    def message(self) -> Json:
        """The response, in the shape of one that is not streamed."""
        blocks = {index: dict(block) for index, block in sorted(self._blocks.items())}
        for (index, field), pieces in self._pieces.items():
            block, written = blocks.get(index, {}), "".join(pieces)
            if field == "partial_json":
                block["input"] = arguments(written) if written else block.get("input")
            else:
                block[field] = str(block.get(field) or "") + written
        return {**self._data, "content": list(blocks.values())}

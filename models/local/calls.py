"""Tool calls in what a model wrote: by the format its tokenizer declares, else JSON in tags or bare."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from ...core.messages import ToolCall, ToolSpec

TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


def offered(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools as chat templates take them."""
    parts = [{"name": t.name, "description": t.description, "parameters": dict(t.parameters)} for t in tools]
    return [{"type": "function", "function": part} for part in parts]


class Calls:
    """Finds the tool calls of a reply.

    Where the tokenizer has a ``response_template``, or transformers knows the family's, that one is used. Else calls
    are JSON objects between ``<tool_call>`` tags, or the whole reply is one (or a list) that names a tool on offer.
    """

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer = tokenizer
        self._model = model

    def find(
        self, text: str, tokens: Sequence[int], prompt: Sequence[int], tools: Sequence[ToolSpec]
    ) -> tuple[str, tuple[ToolCall, ...]]:
        """The text of a reply without its calls, and the calls; ``text`` as it is where there are none."""
        rest, found = self._declared(tokens, prompt, tools) or plain(text, {tool.name for tool in tools})
        calls = [call for number, value in enumerate(found) if (call := _call(value, number)) is not None]
        return (rest.strip(), tuple(calls)) if calls else (text, ())

    def _declared(
        self, tokens: Sequence[int], prompt: Sequence[int], tools: Sequence[ToolSpec]
    ) -> tuple[str, list[Any]] | None:
        template = self._template()
        if template is None:
            return None
        before = self._tokenizer.decode(list(prompt))
        try:
            parsed = self._tokenizer.parse_response(list(tokens), template, prefix=before, tools=offered(tools))
        except Exception:  # whatever a model wrote into a call: the reply stays text
            return None
        found: list[Any] = parsed.get("tool_calls") or []
        return str(parsed.get("content") or ""), found

    def _template(self) -> Any:
        declared = getattr(self._tokenizer, "response_template", None)
        if declared is not None:
            return declared
        try:
            known: Any = import_module("transformers.cli.serving.utils").get_response_template
        except (ImportError, AttributeError):  # no public place has the formats of families
            return None
        return known(self._tokenizer, self._model)


def plain(text: str, names: set[str]) -> tuple[str, list[Any]]:
    """The text outside ``<tool_call>`` tags and the JSON within; a reply of bare JSON counts where it is a call."""
    tagged = [_json(body) for body in TAGGED.findall(text)]
    if any(tagged):
        return TAGGED.sub("", text), [value for value in tagged if value]
    value = _json(text)
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    bare = [each for each in values if (call := _call(each, 0)) is not None and call.name in names]
    return "", bare


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _call(value: Any, number: int) -> ToolCall | None:
    """A call from ``{"name", "arguments"}`` (or ``parameters``), or the same under ``function``."""
    if not isinstance(value, Mapping):
        return None
    value = cast("Mapping[str, Any]", value)
    inner = value.get("function", value)
    name = cast("Mapping[str, Any]", inner).get("name") if isinstance(inner, Mapping) else None
    if not isinstance(name, str) or not name:
        return None
    inner = cast("Mapping[str, Any]", inner)
    arguments: Any = inner.get("arguments", inner.get("parameters"))
    if isinstance(arguments, str):
        arguments = _json(arguments) if arguments else {}
    if not isinstance(arguments, Mapping):
        arguments = {} if arguments is None else {"invalid_json": arguments}
    return ToolCall(name, dict(cast("Mapping[str, Any]", arguments)), f"call_{number}")

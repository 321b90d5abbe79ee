"""Typed output: a model is asked for a pydantic object, by its JSON mode where it has one, else in words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.errors import CapabilityError, OutputError
from ..core.messages import Message, Request, Sample, Text
from ..core.protocols import Model
from ..core.seeds import derive
from .schema import strict_schema

if TYPE_CHECKING:
    from jinja2 import Environment
    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")
LONGEST_REPLY = 200_000
"""Characters of a reply that are searched for JSON, from its end."""
MOST_STARTS = 200
"""Places at which JSON is tried to begin."""
MOST_FAULTS = 8
"""Validation errors shown to the model."""
FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)


async def ask(
    model: Model,
    messages: Sequence[Message],
    output: type[T],
    *,
    temperature: float = 0.0,
    seed: int = 0,
    max_tokens: int = 1024,
) -> T:
    """Ask ``model`` for an ``output``.

    One repair turn, with a seed of its own, shows the model its reply and what is wrong with it. Raises ``OutputError``
    when that does not help either, and whatever ``model.generate`` raises.
    """
    request = Request(messages=tuple(messages), seeds=(seed,), temperature=temperature, max_tokens=max_tokens)
    schema = strict_schema(output.model_json_schema())
    sample, request = await _first(model, request, schema)
    found, faults = read(sample.text, output)
    if found is None:
        if sample.finish == "length":
            faults.append(f"it was cut off after {max_tokens} tokens: be shorter")
        repair = Message("user", _render("json_repair", faults=faults, schema=json.dumps(schema)), "instruction")
        turns = (*request.messages, Message("assistant", sample.text or "(empty)", "reply"), repair)
        reply = await model.generate(replace(request, messages=turns, seeds=(derive(seed, "repair"),)))
        found, faults = read(reply.samples[0].text, output)
    if found is None:
        raise OutputError(f"{model.name} gave no valid {output.__name__}, even after a repair: {'; '.join(faults)}")
    return found


async def _first(model: Model, request: Request, schema: dict[str, Any]) -> tuple[Sample, Request]:
    """The first reply, and the request that it answers: with the schema as a setting or in words."""
    if model.capabilities.schema:
        formal = replace(request, schema=schema)
        try:
            return (await model.generate(formal)).samples[0], formal
        except CapabilityError:
            if model.capabilities.schema:
                raise
            # The server has just turned out not to know schemas; the model no longer declares them.
    worded = replace(request, messages=_instructed(request.messages, _render("json_reply", schema=json.dumps(schema))))
    return (await model.generate(worded)).samples[0], worded


def _instructed(messages: tuple[Message, ...], instruction: str) -> tuple[Message, ...]:
    """``messages`` with an instruction at the end: in the last user turn, as many templates want turns to alternate."""
    if not messages or messages[-1].role != "user":
        return (*messages, Message("user", instruction, "instruction"))
    last = messages[-1]
    content = (Text(last.content),) if isinstance(last.content, str) else last.content
    return (*messages[:-1], replace(last, content=(*content, Text(instruction))))


def read(reply: str, output: type[T]) -> tuple[T | None, list[str]]:
    """The last JSON value in ``reply`` that is a valid ``output``; if there is none, what is wrong with the last one."""
    from pydantic import ValidationError

    faults: list[str] = []
    for text in reversed(_values(reply[-LONGEST_REPLY:])):
        try:
            return output.model_validate_json(text), []
        except ValidationError as error:
            faults = faults or [_fault(item["loc"], item["msg"]) for item in error.errors()[:MOST_FAULTS]]
    return None, faults or ["it holds no JSON object"]


def _fault(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, place))}: {message}" if place else message


def _values(reply: str) -> list[str]:
    """The JSON values in a reply, in order: whole objects and lists, bare or fenced, and fences that do not parse."""
    decoder = json.JSONDecoder()
    found: list[str] = []
    end = 0
    for start in [match.start() for match in re.finditer(r"[{\[]", reply)][-MOST_STARTS:]:
        if start < end:
            continue
        try:
            end = decoder.raw_decode(reply, start)[1]
        except (ValueError, RecursionError):
            continue
        found.append(reply[start:end])
    return found or [match[1] for match in FENCE.finditer(reply)]


@lru_cache(maxsize=1)
def _prompts() -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    folder = __file__.rpartition("ask.py")[0] + "prompts"
    return SandboxedEnvironment(loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True)


def _render(name: str, **values: Any) -> str:
    return _prompts().get_template(f"{name}.jinja").render(values)

"""Typed output: a model is asked for a pydantic object, by its JSON mode where it has one, else in words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from ..core.errors import OutputError
from ..core.messages import Message, Request, Text
from ..core.protocols import Model
from ..core.seeds import derive
from .schema import render, strict_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")
MOST_WORK = 2_000_000
"""Characters read in vain in search of JSON in one reply, so that a wall of brackets cannot stall a run."""
FAILURE = 1000
"""What a failed try costs besides, in characters."""
MOST_FAULTS = 8
"""Validation errors shown to the model."""
FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
OPENING = re.compile(r"[{\[]")


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
    request = _request(model, tuple(messages), output, temperature, seed, max_tokens)
    sample = (await model.generate(request)).samples[0]
    found, faults = read(sample.text, output)
    if found is None:
        if sample.finish == "length":
            faults.append(f"it was cut off after {max_tokens} tokens: be shorter")
        text = render("json_repair", faults=faults, schema=json.dumps(output.model_json_schema()))
        repair = (Message("assistant", sample.text or "(empty)", "reply"), Message("user", text, "instruction"))
        again = replace(request, messages=request.messages + repair, seeds=(derive(seed, "repair"),))
        found, faults = read((await model.generate(again)).samples[0].text, output)
    if found is None:
        raise OutputError(f"{model.name} gave no valid {output.__name__}, even after a repair: {'; '.join(faults)}")
    return found


def _request(
    model: Model, messages: tuple[Message, ...], output: type[BaseModel], temperature: float, seed: int, max_tokens: int
) -> Request:
    formal = strict_schema(output.model_json_schema()) if model.capabilities.schema else None
    asked = messages if formal else _instructed(messages, _form(output))
    return Request(messages=asked, seeds=(seed,), temperature=temperature, max_tokens=max_tokens, schema=formal)


@lru_cache(maxsize=64)
def _form(output: type[BaseModel]) -> str:
    """What a model that takes no schema is told of the form of its reply; a search asks for it a thousand times."""
    return render("json_reply", schema=json.dumps(output.model_json_schema()))


def _instructed(messages: tuple[Message, ...], instruction: str) -> tuple[Message, ...]:
    """``messages`` with an instruction at the end: in the last user turn, as many templates want turns to alternate."""
    if not messages or messages[-1].role != "user":
        return (*messages, Message("user", instruction, "instruction"))
    last = messages[-1]
    content = (Text(last.content),) if isinstance(last.content, str) else last.content
    return (*messages[:-1], replace(last, content=(*content, Text(instruction))))


def read(reply: str, output: type[T]) -> tuple[T | None, list[str]]:
    """The one valid ``output`` among the JSON values in ``reply``; else what is wrong with the last of them.

    Several valid ones that differ are a fault: a reply may quote what it talks about, and nobody knows which is meant.
    """
    from pydantic import ValidationError

    found: T | None = None
    faults: list[str] = []
    for text in reversed(_values(reply)):
        try:
            value = output.model_validate_json(text)
        except ValidationError as error:
            faults = faults or [_fault(item["loc"], item["msg"]) for item in error.errors()[:MOST_FAULTS]]
            continue
        if found is not None and value != found:
            return None, ["it holds several different answers: give one"]
        found = value
    return (None, faults or ["it holds no JSON object"]) if found is None else (found, [])


def _fault(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, place))}: {message}" if place else message


def _values(reply: str) -> list[str]:
    """The outermost JSON values in a reply, in order; a reply that begins as an object and is broken stands alone."""
    fences: list[str] = FENCE.findall(reply)
    whole = (fences[-1] if fences else reply).strip()
    found, work, at = list[str](), 0, 0
    while work < MOST_WORK and (match := OPENING.search(reply, at)):
        at, tried = _decode(reply, match.start())
        if tried:
            work += tried
        else:
            found.append(reply[match.start() : at])
    broken = whole.startswith("{") and _decode(whole, 0)[1]
    return [whole] if broken else found


def _decode(text: str, start: int) -> tuple[int, int]:
    """Where the JSON value at ``start`` ends, and 0; or where to go on, and the work that was in vain."""
    try:
        return json.JSONDecoder().raw_decode(text, start)[1], 0
    except json.JSONDecodeError as error:
        return start + 1, error.pos - start + FAILURE
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        return start + 1, 10 * FAILURE

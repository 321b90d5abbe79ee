"""The hint library: data files of typed hints, one a domain, read once and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast, get_args

from ...core.errors import UsageError

Domain = Literal["math", "code", "any"]
Position = Literal["before_stop", "after:Wait", "after:Alternatively", "random"]
"""Where a hint goes: at the end of the reasoning, after the last "Wait" or "Alternatively" (moments of doubt), or (as a
control) anywhere."""
DOMAINS: tuple[Domain, ...] = get_args(Domain)


@dataclass(frozen=True, slots=True)
class Hint:
    """One function of hints.

    ``intent`` says what it is for, ``at`` where it fits, ``paraphrases`` its wordings, each a clause that can follow
    "Wait,". ``template`` is code that a hint of this function goes on with: an open block that the model finishes (code
    needs one, maths does not).
    """

    domain: Domain
    name: str
    intent: str
    at: tuple[Position, ...]
    paraphrases: tuple[str, ...]
    template: str = ""


@cache
def hints() -> tuple[Hint, ...]:
    """All hints that ship with the package, in the order of the files' domains and of each file."""
    found = [
        hint
        for domain in DOMAINS
        for hint in parse((files(__package__ or "") / f"{domain}.json").read_text("utf-8"), f"{domain}.json")
    ]
    names = [hint.name for hint in found]
    if len(set(names)) < len(names):
        raise UsageError(f"two hints have the same name: {sorted(n for n in names if names.count(n) > 1)[0]}")
    return tuple(found)


def parse(text: str, name: str) -> list[Hint]:
    """The hints of a data file. Raises ``UsageError`` that says what is wrong in the file ``name``."""
    try:
        data = json.loads(text)
        domain, functions = data["domain"], data["functions"]
        if domain not in DOMAINS:
            raise ValueError(f"the domain {domain!r} is none of {', '.join(DOMAINS)}")
        return [_hint(domain, each) for each in functions]
    except (ValueError, KeyError, TypeError) as error:
        said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
        raise UsageError(f"the hints in {name} are not usable: {said}") from None


def _hint(domain: Domain, data: dict[str, Any]) -> Hint:
    known = {field.name for field in fields(Hint)} - {"domain"}
    if strange := set(data) - known:
        raise ValueError(f"a function has {min(strange)!r}; it may have {', '.join(sorted(known))}")
    hint = Hint(
        domain,
        _text(data, "name"),
        _text(data, "intent"),
        cast("tuple[Position, ...]", tuple(data["at"])),
        tuple(data["paraphrases"]),
        _text(data, "template") if "template" in data else "",
    )
    if wrong := set(hint.at) - set(get_args(Position)) or (not hint.at and {"nowhere"}):
        raise ValueError(f"{hint.name} fits {min(wrong)!r}; places are {', '.join(get_args(Position))}")
    for words in hint.paraphrases:
        if not isinstance(words, str) or not words.strip() or "\n" in words or "`" in words:  # type: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{hint.name} has a paraphrase that is no plain line of text: {words!r}")
    if len(set(hint.paraphrases)) < max(2, len(hint.paraphrases)):
        raise ValueError(f"{hint.name} needs two paraphrases or more, all different")
    return hint


def _text(data: dict[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {value!r}: it must be a text")
    return value

"""What the protocols of OpenAI's kind differ in, and which parameter a server refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..core.messages import Sample, Usage
from ..core.protocols import Heard
from .endpoint import Json

OUT_OF_RANGE = re.compile(
    r"\brange\b|between|too (large|long|small|big|many|high)|(less|greater|more|fewer) than|at (most|least)"
    r"|maximum|minimum|above|below|non-negative|positive|invalid schema|[<>]=? ?-?\d",
    re.IGNORECASE,
)
"""A 400 that says so finds fault with a value; it does not refuse the parameter, but for n, stream and a schema."""

NO_PICTURES = re.compile(
    r"^(?!.*format)(.*(image|vision|multi-?modal).*(support|only|expected)|.*\b(not|no|missing)\b.*(image|multi-?modal))",
    re.IGNORECASE | re.DOTALL,
)
"""What a 400 says where pictures are not taken; one about a picture's format is about that picture."""


class Growing(Protocol):
    """An answer that comes as events, until ``done``; ``whole`` is what would have come at once, none if it was cut."""

    done: bool

    def take(self, event: Json) -> None: ...

    def whole(self) -> Json | None: ...


class Dialect(Protocol):
    """One protocol as data; a module has this shape (``chat``, ``responses_data``).

    ``NAMES`` has what a refusal may call a parameter, and the parameter: one a request can do without, with a line of
    ``INSTEAD`` if something is done about it, or one of ``FEATURES``. ``SCHEMA`` is the one with the reply's schema,
    ``STREAMED`` are those that ask for a stream.
    """

    @property
    def PATH(self) -> str: ...
    @property
    def STREAMED(self) -> Json: ...
    @property
    def SCHEMA(self) -> str: ...
    @property
    def NAMES(self) -> Mapping[str, str]: ...
    @property
    def FEATURES(self) -> Sequence[str]: ...
    @property
    def INSTEAD(self) -> Mapping[str, str]: ...
    def holds(self, body: Json, name: str) -> bool: ...
    def without(self, body: Json, name: str) -> dict[str, Any]: ...
    def schema_in(self, body: Json) -> Json | None: ...
    def samples(self, data: Json, stop: Sequence[str]) -> list[Sample]: ...
    def usage(self, data: Json) -> Usage | None: ...
    def Stream(self, heard: Heard) -> Growing: ...


def refused_parameter(dialect: Dialect, body: Json, param: object, words: str) -> str | None:
    """Which parameter of ``body`` a 400 refuses, by its ``param`` field or else by what it says; ``images`` is one."""
    names = {said: name for said, name in dialect.NAMES.items() if dialect.holds(body, name)}
    if isinstance(param, str) and param:
        root = param.partition(".")[0]
        named = root if root == dialect.SCHEMA and dialect.holds(body, root) else names.get(param)
    else:
        named = _named(names, words)
    if named is None and NO_PICTURES.search(words) and '"image_url"' in json.dumps(body):
        return "images"
    return None if named not in ("n", "stream", dialect.SCHEMA) and finds_fault(words) else named


def _named(names: Mapping[str, str], words: str) -> str | None:
    # The name stands alone: not within a word, an escaped newline, or a path such as tools[0].function.
    places = {said: re.search(rf"(?<![\w\\.]){re.escape(said)}(?![\w\[.])", words) for said in names}
    found = {names[said]: place.start() for said, place in places.items() if place}
    if "stream" in found:
        return "stream"  # of "tools cannot be streamed", this is what is missed least
    return min(found, key=lambda name: found[name], default=None)


def finds_fault(words: str) -> bool:
    """Whether a 400 is about the value of a parameter rather than about the parameter."""
    return OUT_OF_RANGE.search(words) is not None


def takes_schema(schema: Json | None) -> bool:
    """Whether OpenAI takes this schema: one of an object, without a choice at its root. None is fine."""
    return schema is None or "$ref" in schema or (schema.get("type") == "object" and "anyOf" not in schema)

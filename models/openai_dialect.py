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

STREAM = re.compile(
    r"['\"`]stream['\"`]|(^|; )stream:|\bstream( ?=| must)"
    r"|\b(parameters?|arguments?|field|unknown|unsupported|with):? stream\b"
    r"|\bstream(ing)?( mode| responses?)?( with [\w ]{1,40}?)?( is| are)?"
    r"( currently)?( not|n't) (support|allow|availab|permit)"
    r"|\bsupport (for )?stream(ing)?\b|cannot (be )?stream",
    re.IGNORECASE,
)
"""What a 400 says that refuses to stream; one that only holds the word may be about a stream that failed."""

UNKNOWN = re.compile(
    r"support|permit|allowed|requires|un(known|recogni[sz]ed|expected|available)|n't|cannot", re.IGNORECASE
)
"""What a 400 says where tools are not taken; any other is about these tools."""

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
    names, path = _names(dialect, body), param if isinstance(param, str) else ""
    if path:
        root = re.split(r"[.\[]", path)[0]
        named = root if root == dialect.SCHEMA else names.get(root if root == "include" else path)
        named = named if named and dialect.holds(body, named) else None
    else:
        found = _named(names, words)
        # Of "tools cannot be streamed", the stream is what is missed least.
        named = "stream" if "stream" in found else min(found, key=lambda name: found[name], default=None)
    if named == "include" and "logprob" in words and "logprobs" in names:
        named = "logprobs"
    if named == "tools" and not UNKNOWN.search(words):
        return None
    # A path to a picture is about that picture.
    if named is None and "image_url" not in path and NO_PICTURES.search(words) and '"image_url"' in json.dumps(body):
        return "images"
    return None if named not in ("n", "stream", dialect.SCHEMA) and finds_fault(words) else named


def alone(dialect: Dialect, body: Json, name: str, words: str) -> bool:
    """Whether a refusal of ``name`` names no other parameter of ``body``: else it may be of the two together."""
    others = _named(_names(dialect, body), words).keys() - {name}
    return not (others - dialect.STREAMED.keys() if name in dialect.STREAMED else others)


def _names(dialect: Dialect, body: Json) -> dict[str, str]:
    return {said: name for said, name in dialect.NAMES.items() if dialect.holds(body, name)}


def _named(names: Mapping[str, str], words: str) -> dict[str, int]:
    """The parameters that ``words`` name, and where."""
    # The name stands alone: not within a word, an escaped newline, or a path such as tools[0].function.
    forms = {said: STREAM if said == "stream" else rf"(?<![\w\\.]){re.escape(said)}(?![\w\[.])" for said in names}
    places = {said: re.search(form, words) for said, form in forms.items()}
    return {names[said]: place.start() for said, place in places.items() if place}


def finds_fault(words: str) -> bool:
    """Whether a 400 is about the value of a parameter rather than about the parameter."""
    return OUT_OF_RANGE.search(words) is not None


def takes_schema(schema: Json | None) -> bool:
    """Whether OpenAI takes this schema: one of an object, without a choice at its root. None is fine."""
    return schema is None or "$ref" in schema or (schema.get("type") == "object" and "anyOf" not in schema)

"""JSON schemas for models: in the shape that strict modes accept, or in words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from jinja2 import Environment

UNION_KEYS = ("anyOf", "oneOf", "allOf", "prefixItems")
NAMED_KEYS = ("properties", "$defs", "definitions")
SINGLE_KEYS = ("items", "additionalProperties", "not")


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``schema`` in which every object is closed and requires all of its properties.

    Strict mode knows no optional fields, so a field with a default becomes required: let its type allow null. Nor does
    it know ``oneOf`` (becomes ``anyOf``) or a reference beside other keys (wrapped in ``anyOf``; inlined at the root).
    Free-form mappings (``dict[str, int]``) have no strict form and stay as they are: see ``is_strict``. Source:
    OpenAI's guide to structured outputs, "supported schemas".
    """
    if "$ref" in schema:
        target = _resolve(schema, schema["$ref"])
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return _strict(schema)


def render(prompt: str, **values: Any) -> str:
    """The text of ``models/prompts/PROMPT.jinja``; a value that it names and does not get is an error."""
    return _prompts().get_template(f"{prompt}.jinja").render(values)


@lru_cache(maxsize=1)
def _prompts() -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    loader = FileSystemLoader(Path(__file__).parent / "prompts")
    return SandboxedEnvironment(loader=loader, undefined=StrictUndefined, trim_blocks=True)


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether strict mode accepts ``schema`` as it is: nothing to close, and no free-form mapping."""
    return strict_schema(schema) == schema and not any(_open(node) for node in _nodes(schema))


def _strict(node: Mapping[str, Any]) -> dict[str, Any]:
    result = {key: _member(key, value) for key, value in node.items() if key not in ("default", "discriminator")}
    if "oneOf" in result:
        result["anyOf"] = result.pop("oneOf")
    if "$ref" in result and len(result) > 1:
        result["anyOf"] = [{"$ref": result.pop("$ref")}]
    if "properties" in result:
        result["required"] = list(result["properties"])
        result.setdefault("additionalProperties", False)
    return result


def _member(key: str, value: Any) -> Any:
    if key in NAMED_KEYS and isinstance(value, Mapping):
        named = cast("Mapping[str, Any]", value)
        return {name: _strict(sub) for name, sub in named.items()}
    if key in UNION_KEYS and isinstance(value, list):
        return [_strict(sub) for sub in cast("list[Mapping[str, Any]]", value)]
    if key in SINGLE_KEYS and isinstance(value, Mapping):
        return _strict(cast("Mapping[str, Any]", value))
    return value


def _resolve(root: Mapping[str, Any], ref: str) -> Mapping[str, Any]:
    target: Any = root
    for part in ref.removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return target


def _nodes(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return [mapping, *(node for sub in mapping.values() for node in _nodes(sub))]
    if isinstance(value, list):
        return [node for sub in cast("list[Any]", value) for node in _nodes(sub)]
    return []


def _open(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "object" and node.get("additionalProperties") is not False

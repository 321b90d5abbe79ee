"""What a proposer is asked to write, by task: SQL for a database, JSON for a wanted type, else text."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.task import Task
from .prompts import render

_FENCE = re.compile(r"```[ \t]*(\w*)[ \t]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply's text holds: the artifact and the key that equal artifacts share."""

    artifact: Any
    key: str


class Format(Protocol):
    """One kind of artifact. ``tool`` names the tool that runs the artifact, if any."""

    @property
    def name(self) -> str: ...

    @property
    def tool(self) -> str | None: ...

    def system(self, task: Task, about: str) -> str: ...

    def parse(self, text: str) -> Parsed | None: ...


@dataclass(frozen=True, slots=True)
class TextFormat:
    """Plain text, taken as it is."""

    name: str = "text"
    tool: str | None = None

    def system(self, task: Task, about: str) -> str:
        """The system prompt."""
        return render("text")

    def parse(self, text: str) -> Parsed | None:
        """The text without white space at its ends; none when nothing is left."""
        stripped = text.strip()
        return Parsed(stripped, " ".join(stripped.lower().split())) if stripped else None


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """Data that satisfies the task's JSON schema (checked by the proposer against the schema's own rules)."""

    name: str = "json"
    tool: str | None = None

    def system(self, task: Task, about: str) -> str:
        """The system prompt, with the schema."""
        return render("json", schema=json.dumps(task.output_schema, indent=1))

    def parse(self, text: str) -> Parsed | None:
        """The first JSON value of the text, fenced or bare; none when there is none."""
        data = find_json(text)
        return None if data is None else Parsed(data, json.dumps(data, sort_keys=True))


@dataclass(frozen=True, slots=True)
class SqlFormat:
    """One SQLite query, which the tool ``sql`` runs."""

    name: str = "sql"
    tool: str | None = "sql"

    def system(self, task: Task, about: str) -> str:
        """The system prompt, with the database's schema and sample values."""
        return render("sql", about=about)

    def parse(self, text: str) -> Parsed | None:
        """The last fenced block or, without one, the text from its first SELECT or WITH on."""
        blocks = [body for tag, body in _FENCE.findall(text) if tag.lower() in ("", "sql", "sqlite")]
        if blocks:
            sql = blocks[-1]
        else:
            start = re.search(r"\b(select|with)\b", text, re.IGNORECASE)
            sql = text[start.start() :] if start else ""
        sql = sql.strip().rstrip(";").strip()
        return Parsed(sql, " ".join(sql.lower().split())) if sql else None


def format_of(task: Task) -> Format:
    """The format a task calls for."""
    if task.database is not None:
        return SqlFormat()
    return JsonFormat() if task.output_schema is not None else TextFormat()


def find_json(text: str) -> Any:
    """``text`` as JSON, else the first JSON object or array in it, fenced or bare; none when there is none."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    blocks = _FENCE.findall(text)
    with contextlib.suppress(ValueError, RecursionError):
        return decoder.decode((blocks[0][1] if blocks else text).strip())
    for start in [m.start() for m in re.finditer(r"[{\[]", text)][:50]:
        try:
            return decoder.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")

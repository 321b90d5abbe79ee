"""What a proposer is asked to write, by task: SQL for a database, Python where a program is wanted, JSON for a wanted
type, else text."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.task import Task
from .fences import blocks
from .prompts import render

_FENCE = re.compile(r"```([^\n`]*)\n(.*?)```", re.DOTALL)
_LITERAL = re.compile(r"('(?:[^']|'')*')")


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
    """Data for the task's JSON schema. Whether it fits is checked where the user gave a type (``output=``)."""

    name: str = "json"
    tool: str | None = None

    def system(self, task: Task, about: str) -> str:
        """The system prompt, with the schema."""
        return render("json", schema=json.dumps(task.output_schema, indent=1))

    def parse(self, text: str) -> Parsed | None:
        """The first JSON value of the text, fenced or bare; none when there is none."""
        for data in json_values(text):
            return Parsed(data, json.dumps(data, sort_keys=True))
        return None


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
        blocks = [body for tag, body in _FENCE.findall(text) if tag.strip().lower() in ("", "sql", "sqlite")]
        if blocks:
            sql = blocks[-1]
        else:
            start = re.search(r"\b(select|with)\b", text, re.IGNORECASE)
            sql = text[start.start() :] if start else ""
        sql = sql.strip().rstrip(";").strip()
        return Parsed(sql, _sql_key(sql)) if sql else None


@dataclass(frozen=True, slots=True)
class PythonFormat:
    """A Python program or module. Nothing runs it: a verifier does, in its sandbox."""

    name: str = "python"
    tool: str | None = None

    def system(self, task: Task, about: str) -> str:
        """The system prompt."""
        return render("python")

    def parse(self, text: str) -> Parsed | None:
        """The last fenced block of Python that defines something, else the last one, else the text itself."""
        code = python_in(text)
        lines = (line.rstrip() for line in code.splitlines())
        return Parsed(code, "\n".join(line for line in lines if line)) if code else None


def python_in(text: str) -> str:
    """The program that a reply holds; empty when there is none."""
    found = blocks(text)
    tagged = [b.body for b in found if b.tag in ("python", "python3", "py")] or [b.body for b in found if not b.tag]
    defining = [body for body in tagged if re.search(r"^(?:async +def|def|class)\b", body, re.MULTILINE)]
    return (defining or tagged or [text])[-1].strip("\n").rstrip()


def format_of(task: Task) -> Format:
    """The format a task calls for."""
    if task.database is not None:
        return SqlFormat()
    if task.language is not None:
        return PythonFormat()
    return JsonFormat() if task.output_schema is not None else TextFormat()


def _sql_key(sql: str) -> str:
    """Queries that differ only in case and white space outside of literals share it."""
    parts = _LITERAL.split(sql)
    return "".join(part if i % 2 else re.sub(r"\s+", " ", part.lower()) for i, part in enumerate(parts)).strip()


def json_values(text: str) -> Iterator[Any]:
    """``text`` as JSON if it is, then each JSON object or array that begins in it, fenced or bare."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    blocks = _FENCE.findall(text)
    with contextlib.suppress(ValueError, RecursionError):
        yield decoder.decode((blocks[0][1] if blocks else text).strip())
    for start in [m.start() for m in re.finditer(r"[{\[]", text)][:50]:
        with contextlib.suppress(ValueError, RecursionError):
            yield decoder.raw_decode(text, start)[0]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")

"""What an embedded model takes from the prompts of others: the question, earlier attempts, and what was found of them.

The prompts are those of ``agents/prompts``, written for any model. This one reads of them what it was trained to read:
the query between the fences, and which of the sentences of the verifiers ``sql``, ``oracle`` and ``judge`` stand beside
it, each as one mark. What else is said passes it by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...core.messages import Message

NAMED = (
    ("city", "city_name"),
    ("state", "state_name"),
    ("river", "river_name"),
    ("mountain", "mountain_name"),
    ("lake", "lake_name"),
    ("road", "road_name"),
    ("highlow", "(?:highest|lowest)_point"),
)
"""The columns that a name may turn out to be in, when it is not in the one that was asked."""
SAID: tuple[tuple[str, str], ...] = (
    ("error", r"does not parse|cannot be run|query fails|no SQL|not a SELECT|more than one SQL|^error: "),
    ("empty", r"gives no rows|nothing but NULL"),
    ("value", r"' is not a \S+\.\S"),
    *((f"in {table}", rf"; it is a [^;.]*(?:\.[^;.]*)*\b{table}\.{column}\b") for table, column in NAMED),
    ("shape", r"is expected, but the query|asks for an extreme|rows are repeated|SELECT \* gives|look for a missing"),
    ("wider", r"more columns than the right"),
    ("narrower", r"fewer columns than the right"),
    ("longer", r"more rows than the right"),
    ("shorter", r"fewer rows than the right"),
    ("kind", r"numbers where texts are right"),
    ("other", r"other values than the right"),
    ("part", r"Some of its rows are right"),
    ("wrong", r"It is not right"),
    ("doubt", r"probably wrong"),
    ("trust", r"probably right"),
)
"""The marks of what a verifier says, each with the sentences that it stands for."""
RAN = ("no row", "one row", "few rows", "many rows", "number", "text", "null")
"""The marks of what running a query gave: how many rows, and the kinds of cells in the first of them."""
MARKS = (*(name for name, _ in SAID), *RAN)
FOUND = ("error", "empty", "value", *(f"in {table}" for table, _ in NAMED), "shape")
"""Those of ``MARKS`` that stand for a finding of the verifier ``sql``."""
FEW = 9

_SAID = [(name, re.compile(pattern, re.MULTILINE)) for name, pattern in SAID]
_FENCE = re.compile(r"^(?P<head>[^\n]*)\n(?P<fence>~{3,})\n(?P<body>.*?)\n(?P=fence)$", re.MULTILINE | re.DOTALL)
_FIRST = re.compile(r"'rows': \[\[(.*?)\]")
_CELL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,\s]+""")
_COUNT = re.compile(r"'row_count': (\d+)")
_ATTEMPT = re.compile(
    r"(?:answer so far|previous answer|steps so far, perhaps not all):$|answers tried|^Their answer:$"
)
_RESULT = "What running it gave:"
_FINDING = re.compile(r"^(?:The verifier says|A critic found):$")


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier answer to the question: its SQL, and the marks (``MARKS``) of what is known of it, in their order."""

    sql: str
    marks: tuple[str, ...] = ()


def question(messages: tuple[Message, ...]) -> str:
    """The text of the last user turn that states the task."""
    asked = [m.text for m in messages if m.role == "user" and m.purpose == "task"]
    return asked[-1] if asked else ""


def attempts(messages: tuple[Message, ...]) -> tuple[Attempt, ...]:
    """The earlier attempts that the last instruction of a method tells of, each query once."""
    told = [m.text for m in messages if m.role == "user" and m.purpose == "instruction"]
    found: dict[str, Attempt] = {}
    for attempt in _attempts(told[-1]) if told else ():
        found.setdefault(attempt.sql, attempt)
    return tuple(found.values())


def asked_about(messages: tuple[Message, ...]) -> tuple[str, Attempt] | None:
    """The question and the attempt that a judge or a critic is asked about, if there is one."""
    parts = list(_FENCE.finditer(messages[-1].text))
    found = list(_attempts(messages[-1].text))
    return (parts[0]["body"], found[0]) if parts and found else None


def _attempts(text: str) -> Iterator[Attempt]:
    """Each query between fences, with the results and findings between fences after it."""
    sql, known, listed = "", list[str](), False
    for part in _FENCE.finditer(text):
        head, body = part["head"].strip(), part["body"]
        if _ATTEMPT.search(head) or (listed and not head):
            if sql:
                yield Attempt(sql, ordered(known))
            sql, known, listed = body.strip(), [], True
        elif head == _RESULT:
            known += result_marks(body)
        elif _FINDING.search(head):
            known += said_marks(body)
    if sql:
        yield Attempt(sql, ordered(known))


def said_marks(text: str) -> list[str]:
    """The marks of what a verifier says."""
    return [name for name, pattern in _SAID if pattern.search(text)]


def result_marks(text: str) -> list[str]:
    """The marks of a result as prompts show it (``{'columns': …, 'rows': …, 'row_count': …}``, perhaps cut)."""
    if text.startswith("error: "):
        return ["error"]
    count, first = _COUNT.search(text), _FIRST.search(text)
    rows = int(count[1]) if count else FEW + 1
    size = "no row" if not rows else "one row" if rows == 1 else "few rows" if rows <= FEW else "many rows"
    cells = _CELL.findall(first[1])[:3] if first else []
    return [size, *("null" if c == "None" else "text" if c[0] in "'\"" else "number" for c in cells)]


def ordered(marks: list[str]) -> tuple[str, ...]:
    """Marks in the order of ``MARKS``, each once, but for those of cells, which stand as often as there are cells."""
    cells = ("number", "text", "null")
    known = [name for name in MARKS if name in marks and name not in cells]
    return (*known, *(name for name in marks if name in cells))

"""Fenced blocks in a model's text: found as Markdown has them, closed or not, one in another; and what a tool gave as a
block that nothing in it can close."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.excerpt import shortened
from ..core.wire import dumps

STOP = "\n```\n"
"""What ends a block as models write it; a text that stops there is cut before it."""
OUTPUT = "output"
"""The tag of a block that holds what a tool gave."""
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a text: the first word of what is written after its fence, in lower case, and what is in it.

    ``end`` is where the text goes on after it; for one that is not ``closed``, the text's end.
    """

    tag: str
    body: str
    start: int
    end: int
    closed: bool


@dataclass(slots=True)
class _Open:
    """A block that is not closed yet; ``inner`` are the fences of those in it."""

    start: int
    indent: int
    tag: str
    fences: list[str]
    lines: list[str]

    def closes(self, fence: str, said: str) -> bool:
        """Whether a line of ``fence`` (and what is ``said`` after it) closes the innermost block."""
        inner = self.fences[-1]
        return not said and fence[0] == inner[0] and len(fence) >= len(inner)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of ``text``, in order; only the last may be open.

    A fence with a tag inside a block opens one within it, which ends first: models that write Markdown in a string do
    so. A shorter fence, or one of the other kind, neither opens nor closes.
    """
    found: list[Block] = []
    now: _Open | None = None
    for start, line in _lines(text):
        fence = _fence(line)
        if now is None:
            if fence is not None:
                indent, marks, said = fence
                now = _Open(start, indent, _tag(said), [marks], [])
            continue
        if fence is not None:
            _, marks, said = fence
            if now.closes(marks, said):
                now.fences.pop()
            elif said and marks[0] == now.fences[-1][0] and len(marks) >= len(now.fences[-1]):
                now.fences.append(marks)
        if now.fences:
            now.lines.append(_dedented(line, now.indent))
        else:
            found.append(Block(now.tag, "".join(now.lines), now.start, start + len(line), True))
            now = None
    if now is not None:
        found.append(Block(now.tag, "".join(now.lines), now.start, len(text), False))
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in text.split("\n"):
        yield at, text[at : at + len(line) + 1]
        at += len(line) + 1


def _fence(line: str) -> tuple[int, str, str] | None:
    """The indent, the marks of a fence and what is said after them; none for another line."""
    found = _FENCE.fullmatch(line.rstrip("\r\n"))
    if found is None:
        return None
    indent, marks, said = found.groups()
    said = said.strip()
    return None if marks[0] == "`" and "`" in said else (len(indent), marks, said)


def _tag(said: str) -> str:
    return (said.strip("{}.").split() or [""])[0].lower()


def _dedented(line: str, indent: int) -> str:
    """A line of a block that stands in a list: without the indent of its fence."""
    return line[min(indent, len(line) - len(line.lstrip(" \t"))) :]


def open_at_end(text: str) -> Block | None:
    """The block in which ``text`` ends; none where it ends outside of all."""
    found = blocks(text)
    return found[-1] if found and not found[-1].closed else None


def fenced_output(said: str, notice: str = "") -> str:
    """What a tool gave, as the block that follows its call: cut to its head and its tail, between fences longer than
    any in it; ``notice`` is a line below."""
    shown = shortened(said).strip("\n") or "(no output)"
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{OUTPUT}\n{shown}\n{fence}\n" + (f"{notice}\n" if notice else "")


def in_words(output: object) -> str:
    """A tool's output as text: text as it is, what has a ``text`` by it, other data as JSON."""
    if isinstance(output, dict) and isinstance(said := output.get("text"), str):  # type: ignore[reportUnknownMemberType]
        return said
    return output if isinstance(output, str) else dumps(output).decode()

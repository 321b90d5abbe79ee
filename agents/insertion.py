"""Where a hint goes into a text (START, arXiv 2503.04625): after the last moment of doubt, or at the end of the
reasoning; never into code or what a tool gave."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ..core.search import Segment
from .drafts import joined
from .fences import blocks

DOUBTS: dict[str, re.Pattern[str]] = {
    "after:Wait": re.compile(r"\bWait\b"),
    "after:Alternatively": re.compile(r"\bAlternatively\b"),
}
REST = re.compile(r"[.!?](?=\s)|\n")
"""Where a sentence or a line ends."""
THOUGHT = "</think>"
"""What ends the reasoning of models that mark it."""


def place(written: Sequence[Segment], position: str, rng: random.Random) -> tuple[int, str]:
    """Where to cut a text for a hint at ``position``, and the position that was found: without a word of doubt, or a
    sentence's end for ``random``, it is ``before_stop``."""
    text, own = joined(written), _own(written)
    end = _end(text)
    if position in DOUBTS:
        found = [at.end() for at in DOUBTS[position].finditer(text, 0, end) if all(own[at.start() : at.end()])]
        if found:
            return found[-1], position
    elif position == "random":
        found = [at.end() for at in REST.finditer(text, 0, end) if all(own[at.start() : at.end()])]
        if found:
            return rng.choice(found), position
    return end, "before_stop"


def _own(written: Sequence[Segment]) -> bytearray:
    """For each character whether the model wrote it, outside of all blocks."""
    own = bytearray().join(bytes([segment.source == "model"]) * len(segment.text) for segment in written)
    for block in blocks(joined(written)):
        own[block.start : block.end] = bytes(block.end - block.start)
    return own


def _end(text: str) -> int:
    """Where the reasoning ends: before what closes it, and before a block that was left open."""
    thought = text.rfind(THOUGHT)
    end = len(text) if thought < 0 else thought
    last = next((block for block in blocks(text[:end]) if not block.closed), None)
    return len(text[: end if last is None else last.start].rstrip())


def lead(hint: str, at: str, text: str) -> str:
    """A hint as it is put in after ``text``: the doubt that is there already goes on, else one begins; without words,
    the doubt alone (budget forcing)."""
    begins = "," if at in DOUBTS else "\n\nWait," if text else "Wait,"
    return f"{begins} {hint}" if hint else begins

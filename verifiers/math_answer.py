"""The verifier ``math-answer``: is the final answer of a text the right one, as a number or as LaTeX?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task
from . import math_process

LONGEST = 1000
"""Characters of an answer that are still compared."""

_POWER = r"(?:[eE][+-]?\d{1,3})?"
_NUMBER = re.compile(
    rf"(?<![\w.])-?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?{_POWER}(?:/\d+)?(?!\w)|(?<![\w.])-?\.\d+{_POWER}(?!\w)"
)
_MARKED = re.compile(r"(?:####|\b(?:final )?answer(?:\s+is|\s*:|\s*=))\s*(.+)", re.IGNORECASE)
_REASON = re.compile(r"[\s,;:(]+(?:because|since)\b.*", re.IGNORECASE)
_NO_UNIT = re.compile(r"[\\^*/+=]|\b(?:not|never)\b|n't\b", re.IGNORECASE)
_SIGNS = re.compile(r"(?<=\d)(?:,\\!|,|\\,|\\!)(?=\d{3}(?!\d))|\\\$|[$\s]|\\[,!;]|\.$|\\?%$")
_PLAIN = re.compile(rf"-?(?:\d+(?:\.\d*)?|\.\d+){_POWER}(?:/\d+)?")


@dataclass(frozen=True)
class MathAnswer:
    """Compares the final answer of a candidate's text with ``gold``; an oracle, which is the name it reports under.

    The final answer is what the last ``\\boxed{}`` holds, else what follows the last ``####`` or "answer is", else the
    last number. Equal numbers are the same answer (``1,200``, ``1200.0`` and ``1.2e3``, ``1/2`` and ``0.5``); all else
    is LaTeX, and math-verify decides (extra ``math``), in a process that can be killed. The feedback never quotes gold.
    """

    gold: str
    name: str = "oracle"

    async def ready(self, task: Task) -> None:
        """Raises ``UsageError`` when gold is no number and math-verify is not installed."""
        if number(str(self.gold)) is None:
            math_process.ready()

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the answers are the same."""
        mine = final(str(candidate.artifact))
        right = await same(str(self.gold), mine)
        message = "It is right." if right else f"The final answer {mine[:80]} is not right." if mine else NO_ANSWER
        finding = Finding("math", float(right), message)
        return Verdict("passed" if right else "failed", float(right), (finding,), self.name)


NO_ANSWER = "There is no final answer: end with \\boxed{…}, or with the number."


def final(text: str) -> str:
    """The final answer that a text gives, as it is written there; empty when there is none."""
    if (boxed := _boxed(text)) is not None:
        return boxed.strip()
    if marked := _MARKED.findall(text):
        return _trimmed(_REASON.sub("", marked[-1]))
    if "\n" not in text.strip() and len(text) <= 80 and not re.search(r"[a-z]{2,} [a-z]{2,}", text, re.IGNORECASE):
        return _trimmed(text)  # nothing but an answer
    return last_number(text)


def last_number(text: str) -> str:
    """The last number of a text; empty when there is none."""
    found = _NUMBER.findall(text)
    return found[-1] if found else ""


async def same(gold: str, answer: str) -> bool:
    """Whether two final answers are the same. Raises ``UsageError`` when math-verify is needed and not installed,
    ``ToolError`` when its process cannot be started."""
    gold, answer = _trimmed(gold), _trimmed(answer)
    if not answer or len(answer) > LONGEST:
        return False
    if gold == answer:
        return True
    wanted, found = number(gold), number(answer)
    if wanted is not None and found is not None:
        return wanted == found
    if wanted is not None and len(words := _NUMBER.findall(answer)) == 1 and not _NO_UNIT.search(answer):
        return number(words[0]) == wanted  # a number with its unit
    return await math_process.shared().same(gold, answer)


def number(text: str) -> Fraction | None:
    """What a text is that is nothing but a number, with its signs for money and thousands; none for all else."""
    bare = _SIGNS.sub("", text[: 2 * LONGEST])
    if len(bare) > 50 or not _PLAIN.fullmatch(bare):
        return None
    try:
        over, _, under = bare.partition("/")
        return Fraction(over) / Fraction(under or 1)
    except (ValueError, ZeroDivisionError):
        return None


def _boxed(text: str) -> str | None:
    """What the last box holds whose braces are closed."""
    for start in [found.end() for found in re.finditer(r"\\boxed\s*\{", text)][-5:][::-1]:
        depth = 1
        for place in range(start, min(len(text), start + 2 * LONGEST)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return text[start:place]
    return None


def _trimmed(text: str) -> str:
    """An answer without what stands around it: dollar signs, stars, a full stop."""
    text = text.strip().strip("*`").strip()
    text = text.removesuffix(".").strip().strip("*")
    for left, right in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if text.startswith(left) and text.endswith(right) and len(text) > len(left) + len(right):
            text = text[len(left) : -len(right)].strip()
    return text

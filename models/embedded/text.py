"""The text side of the embedded models, shared by training and inference.

A question is brought into one plain form (lower case, no punctuation, numbers written out), and SQL is
written for the tokenizer with a blank after each opening quote, so that the first word of a quoted value
has the same tokens as the same word in the question; `restore` removes that blank again.
"""

from __future__ import annotations

import re

from .reading import MARKS
from .spellings import CODES, ENDINGS, SAME

QUESTION, ANSWER, END = "<q>", "<s>", "</s>"
REJECTED, VERDICT, YES, NO = "<r>", "<v>", "<yes>", "<no>"
SEEN = tuple(f"<{mark}>" for mark in MARKS)
WORDS = tuple(f"<{number}>" for number in range(1, 9))
NUMBERS = tuple(f"<#{number}>" for number in range(1, 5))
SPECIALS = (END, QUESTION, ANSWER, *WORDS, *NUMBERS, REJECTED, VERDICT, YES, NO, *SEEN)

_SCALES: dict[str, int] = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "k": 1_000,
}
_SMALL = ["a", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_WORDS: dict[str, float] = {
    **{word: max(1, at) for at, word in enumerate(_SMALL)},
    **{"half": 0.5, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60},
}
_SPELLED = re.compile(rf"\b({'|'.join(_WORDS)})(?: an?)? (?=(?:hundred|thousand|million|billion)\b)")
_SCALED = re.compile(r"\b(\d+(?:\.\d+)?)(?: ?(hundred|thousand|million|billion)|(k))\b")
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[‘’`´]"), "'"),
    (re.compile(r"[“”\"?!;:()\[\]{}|<>=*]"), " "),
    (re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),
    (re.compile(r"\bu\. ?s\. ?a\b\.?"), "usa"),
    (re.compile(r"\bu\. ?s\b\.?"), "us"),
    (re.compile(r"\bd\. ?c\b\.?"), "dc"),
    (re.compile(r"\bmt\b\.?"), "mount"),
    (re.compile(r"\bi[- ]?(?=\d+\b)"), "interstate "),
    (re.compile(r"\bst\b\.?(?= )"), "st."),
    (re.compile(r"\b(?:can't|cannot)\b"), "can not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"(?<=\w)'(?:d|ll)\b"), " would"),
    (re.compile(r"(?<=\w)'(?:ve)\b"), " have"),
    (re.compile(r"(?<=\w)'(?:re|m)\b"), " are"),
    (re.compile(r"s'(?=\s|$)"), "s 's"),
    (re.compile(r" ?'s\b"), " 's"),
    (re.compile(r"(?<!\w)'(?!s\b)|(?<!s)'(?!\w)"), " "),
    (re.compile(r"(?<!\bst)\.(?=\s|$)|,"), " "),
    (re.compile(r"\s-+\s|/"), " "),
    (re.compile(r"\s+"), " "),
)


def _scaled(match: re.Match[str]) -> str:
    return str(round(float(match[1]) * _SCALES[match[2] or match[3]]))


def normalise(question: str) -> str:
    """The plain form of a question that the model was trained on."""
    text = question.lower()
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _SPELLED.sub(lambda match: f"{_WORDS[match[1]]} ", text)
    words = [CODES.get(word, SAME.get(word, word)) for word in text.split()]
    if len(words) > 1:
        words[-1] = ENDINGS.get(words[-1], words[-1])
    return _SCALED.sub(_scaled, _SCALED.sub(_scaled, " ".join(words)))


def spaced(sql: str) -> str:
    """SQL as the tokenizer reads it: a blank in front, and one after each opening quote."""
    parts = (" " + sql).split("'")
    last = len(parts) - 1
    return "'".join(" " + part if at % 2 and (part or at < last) else part for at, part in enumerate(parts))


def restore(text: str) -> str:
    """The exact SQL for tokenizer text: the inverse of `spaced`, but for the blank in front."""
    parts = text.split("'")
    return "'".join(part[1:] if at % 2 and part.startswith(" ") else part for at, part in enumerate(parts))

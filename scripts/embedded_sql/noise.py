"""Wordings as people type them: wrappers, dropped articles, slips and typos."""

# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

from entities import invented
from phrases import say

BEFORE = (
    "[tell me|can you tell me|do you know|i would like to know|i wonder|please tell me|hey|ok so|so|quick question|could you tell me"
    "|i want to know|hi|hello|please|now|then|also|i am looking for|does anyone know|any idea|and|excuse me|question|let us see|well|say"
    "|help me find out|find out|let me know|can you say|would you tell me|i am curious|i'd like to know|just|thanks|for my homework]"
)
AFTER = "[please|thanks|thank you|exactly|roughly|in total|then|today|now|currently|actually|if you know|for me|again|altogether|approximately|please tell me]"
MISC = [
    "really",
    "just",
    "also",
    "even",
    "kind",
    "of",
    "sort",
    "um",
    "uh",
    "exactly",
    "actually",
    "currently",
    "there",
    "given",
    "currently",
    "known",
    "total",
    "overall",
    "now",
]
ARTICLES = {"the", "a", "an"}
SLIPS = {
    "states": "state",
    "cities": "citys",
    "rivers": "river",
    "does": "do",
    "is": "are",
    "are": "is",
    "borders": "border",
    "border": "borders",
    "neighboring": "neighbouring",
    "neighbors": "neighbours",
    "meters": "metres",
    "kilometers": "kilometres",
    "runs": "run",
    "have": "has",
    "has": "have",
    "which": "wich",
    "capital": "capitol",
    "population": "populaton",
    "highest": "heighest",
    "people": "poeple",
    "in": "on",
    "mountain": "mountian",
    "lives": "live",
    "live": "lives",
    "what": "wat",
    "largest": "larges",
    "through": "thru",
    "populations": "population",
}


SAFE = {
    "what",
    "which",
    "give",
    "me",
    "tell",
    "show",
    "list",
    "name",
    "find",
    "are",
    "is",
    "run",
    "runs",
    "flow",
    "flows",
    "through",
    "located",
    "have",
    "has",
    "live",
    "lives",
    "there",
    "can",
    "you",
    "do",
    "does",
    "situated",
    "found",
    "lie",
    "lies",
    "cross",
    "traverse",
    "display",
    "get",
    "please",
    "want",
    "know",
    "would",
    "like",
    "all",
    "that",
    "with",
    "having",
    "contain",
    "contains",
}


def typo(rng: Random, word: str) -> str:
    """A word with one letter wrong."""
    at = rng.randrange(1, len(word) - 1)
    kind = rng.random()
    if kind < 0.35:
        return word[:at] + word[at + 1 :]
    if kind < 0.7:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at] + word[at:]


def typed(rng: Random, question: str, sql: str) -> str:
    """The question as somebody might type it."""
    words = question.split()
    if rng.random() < 0.10 and words[0] in ("what", "which", "how", "where", "in", "the"):
        words = say(rng, BEFORE).split() + words
    if rng.random() < 0.05:
        words += say(rng, AFTER).split()
    if rng.random() < 0.10:
        chance = rng.choice((0.4, 1.0))
        words = [word for word in words if word not in ARTICLES or rng.random() > chance]
    if rng.random() < 0.07:
        at = rng.randrange(len(words))
        words[at] = SLIPS.get(words[at], words[at])
        if words[at] == "in" and rng.random() < 0.5:
            del words[at]
    if rng.random() < 0.05:
        at = rng.randrange(len(words))
        if len(words[at]) > 4 and words[at].isalpha() and words[at] not in sql:
            words[at] = typo(rng, words[at])
    if rng.random() < 0.03:
        words.insert(
            rng.randrange(len(words) + 1) if rng.random() < 0.3 else rng.randrange(min(3, len(words))), rng.choice(MISC)
        )
    if rng.random() < 0.06 and len(words) > 4:
        at = rng.choice([at for at, word in enumerate(words) if word in SAFE] or [0])
        if words[at] in SAFE:
            words[at : at + 1] = [] if rng.random() < 0.4 else [invented(rng)]
    question = " ".join(words)
    if rng.random() < 0.08:
        question = question.replace(" 's", rng.choice(("", "s")))
    return question

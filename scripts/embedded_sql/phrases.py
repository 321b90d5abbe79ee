"""A small pattern language for wordings: `[a|b|c]` picks one, `[a|]` is optional, `{x}` is a slot."""

from __future__ import annotations

from functools import cache
from random import Random

Node = tuple["str | tuple[Node, ...]", ...]


@cache
def _parse(pattern: str) -> tuple:
    node, rest = _sequence(pattern, 0)
    if rest != len(pattern):
        raise ValueError(f"unbalanced pattern: {pattern!r} at {rest}")
    return node


def _sequence(pattern: str, at: int) -> tuple[tuple, int]:
    parts: list = []
    text = ""
    while at < len(pattern) and pattern[at] not in "|]":
        if pattern[at] == "[":
            if text:
                parts.append(text)
                text = ""
            options, at = [], at + 1
            while True:
                option, at = _sequence(pattern, at)
                options.append(option)
                if pattern[at] == "]":
                    break
                at += 1
            parts.append(options)
            at += 1
        else:
            text += pattern[at]
            at += 1
    if text:
        parts.append(text)
    return tuple(parts), at


def _choose(rng: Random, node: tuple, out: list[str]) -> None:
    for part in node:
        if isinstance(part, str):
            out.append(part)
        else:
            _choose(rng, part[int(rng.random() * len(part))], out)


def wording(rng: Random, pattern: str) -> str:
    """One wording of a pattern, its slots still open."""
    out: list[str] = []
    _choose(rng, _parse(pattern), out)
    return " ".join("".join(out).split())


def fill(text: str, **slots: str) -> str:
    """The wording with its slots filled."""
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text


def say(rng: Random, pattern: str, **slots: str) -> str:
    """One wording of a pattern with its slots filled."""
    return fill(wording(rng, pattern), **slots)


def number(rng: Random, low: float, high: float) -> tuple[str, str]:
    """A round number between two bounds: as a person writes it, and as SQL does."""
    from math import exp, log

    value = exp(rng.uniform(log(low), log(high)))
    digits = rng.choice((1, 1, 1, 2, 2, 3))
    scale = 10 ** max(0, len(str(int(value))) - digits)
    amount = max(1, int(value) // scale) * scale
    written = str(amount)
    if amount >= 1000 and rng.random() < 0.3:
        written = f"{amount:,}"
    elif amount >= 1_000_000 and amount % 100_000 == 0 and rng.random() < 0.6:
        written = f"{amount / 1_000_000:g} million"
    elif amount >= 1000 and amount % 1000 == 0 and amount < 1_000_000 and rng.random() < 0.15:
        written = f"{amount // 1000} thousand"
    return written, str(amount)

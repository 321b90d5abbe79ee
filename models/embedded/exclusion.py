"""Sampling without repetition: the model's distribution over whole texts, given that none of some texts is written.

What a text weighs is the product of its tokens' probabilities. To write anything but the excluded texts, each step
takes from a token's probability what the excluded texts that go on with it weigh from there; what is left, brought to
a sum of one, is exactly the distribution given that they are not written (compare Shi, Bieber and Sutton, "Incremental
Sampling Without Replacement for Sequence Models", ICML 2020). Tokens below a floor count as impossible: smoothed labels
give every token a little, and without the floor that noise is most of what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decoder import Floats

Probabilities = NDArray[np.float64]
FLOORS = (1e-3, 1e-4, 1e-5)
"""Below the first of them, a token's probability is what smoothed labels gave it: such a token is never drawn."""
LEAST = 1e-3
"""The weight that must be left for other texts; where less is, the next lower floor applies."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """Texts not to be written: their tokens after a prompt, and what the rest of each weighs from each token on."""

    texts: tuple[tuple[int, ...], ...]
    weights: tuple[Probabilities, ...]
    floor: float

    @classmethod
    def of(
        cls, texts: Sequence[tuple[int, ...]], logits: Sequence[Floats], banned: NDArray[np.bool_]
    ) -> Excluded | None:
        """What must not be written, given the logits of each text's tokens; none where nothing else could be."""
        for floor in FLOORS:
            weights = tuple(_weights(rows, text, banned, floor) for rows, text in zip(logits, texts, strict=True))
            if sum(float(each[0]) for each in weights) < 1 - LEAST:
                return cls(tuple(texts), weights, floor)
        return None

    def leave(self, odds: Probabilities, written: Sequence[int]) -> Probabilities:
        """The probabilities of the next token after ``written``, given that no excluded text is written; ``odds`` are
        those without that."""
        left = above(odds, self.floor)
        at = len(written)
        for text, weights in zip(self.texts, self.weights, strict=True):
            if at < len(text) and tuple(written) == text[:at]:
                left[text[at]] -= weights[at]
        left = np.maximum(left, 0.0)
        total = float(left.sum())
        return left / total if total > 0 else above(odds, self.floor)


def probabilities(logits: Floats, banned: NDArray[np.bool_]) -> Probabilities:
    """Next-token probabilities at temperature 1, without what is banned."""
    scores = np.where(banned, -np.inf, logits.astype(np.float64))
    found = np.exp(scores - scores.max())
    return np.asarray(found / found.sum(), dtype=np.float64)


def above(odds: Probabilities, floor: float) -> Probabilities:
    """Probabilities without those below the floor, brought to a sum of one."""
    kept = np.where(odds < floor, 0.0, odds)
    return np.asarray(kept / kept.sum(), dtype=np.float64)


def _weights(rows: Floats, text: Sequence[int], banned: NDArray[np.bool_], floor: float) -> Probabilities:
    """What the rest of a text weighs, from each of its tokens on."""
    every = [above(probabilities(row, banned), floor) for row in rows]
    steps = [float(odds[token]) for odds, token in zip(every, text, strict=True)]
    return np.asarray(np.cumprod(steps[::-1])[::-1], dtype=np.float64)

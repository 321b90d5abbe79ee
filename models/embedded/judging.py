"""How likely an attempt is right: the model's verdict and its surprise at the attempt, weighed together.

One reading of question and attempt gives both. The verdict is a token that the model learned to write after an attempt;
the surprise is how probable it finds the attempt's own tokens, and how far each is from the one it would write itself.
The weights of the sum come from a logistic regression on attempts at held-out templates (``scripts/embedded_sql``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .decoder import Decoder, Floats
from .reading import Attempt
from .vocabulary import Vocabulary

FEATURES = ("verdict", "surprise", "regret", "worst regret", "tokens")


@dataclass(frozen=True, slots=True)
class Weights:
    """What each of ``FEATURES`` counts, and what is added."""

    features: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 0.0)
    bias: float = 0.0

    @classmethod
    def load(cls, folder: Path) -> Weights:
        """Reads config.json of a folder; without weights there, the verdict stands alone."""
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = config.get("judge")
        return cls(tuple(found["features"]), found["bias"]) if found else cls()

    def log_chance(self, values: Sequence[float]) -> float:
        """The logarithm of the probability that an attempt with these features is right."""
        odds = self.bias + sum(weight * value for weight, value in zip(self.features, values, strict=True))
        return -float(np.logaddexp(0.0, -odds))


def features(decoder: Decoder, vocabulary: Vocabulary, question: str, attempt: Attempt) -> tuple[list[float], int]:
    """The features of an attempt, and how many tokens were read for them.

    Raises ``ValueError`` for what is too long to read.
    """
    asked, text, rest, banned = vocabulary.judged(question, attempt)
    ids = [*asked, *text, *rest]
    if len(ids) > decoder.limit:
        raise ValueError(f"too long to judge: {len(ids)} tokens, {decoder.limit} at most")
    logits = decoder.follow(ids, len(asked) - 1)
    verdict = float(logits[-1][vocabulary.yes]) - float(logits[-1][vocabulary.no])
    own, best = _logprobs(logits[: len(text) + 1], [*text, vocabulary.end], banned)
    regret = own - best
    return [verdict, float(own.sum()), float(regret.sum()), float(regret.min()), float(len(own))], len(ids)


def _logprobs(
    logits: Floats, tokens: list[int], banned: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The log-probability of each token, and that of the most probable one in its place."""
    scores = np.where(banned, -np.inf, logits.astype(np.float64))
    scores -= scores.max(axis=-1, keepdims=True)
    norm = np.log(np.exp(scores).sum(axis=-1))
    return scores[np.arange(len(tokens)), tokens] - norm, -norm

"""How likely an attempt is right: what a second network, the judge, makes of question and attempt.

The judge never writes. It was trained apart from the writer, so that it does not share all of the writer's beliefs, and
for three things at once: to say after question and attempt whether the attempt is right (a verdict token), to write SQL
for a question, and to write the question for SQL. The last is the noisy channel's view (compare Yin and Neubig,
"Reranking for Neural Semantic Parsing", ACL 2019): an attempt that passes over a word of the question makes that word
improbable. A logistic regression weighs all of it (``scripts/embedded_sql/judging.py``).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .decoder import Decoder
from .reading import FOUND, Attempt
from .vocabulary import Vocabulary

REMEMBERED = 256
FEATURES = (
    "verdict",  # the logit of right against wrong
    "own",  # the log-probability of the SQL, given the question
    "worst",  # that of its least probable token, less that of the most probable one in its place
    "tokens",
    "asked",  # the log-probability of the question, given the SQL
    "unasked",  # the same without the SQL
    "least",  # what the SQL does for the word of the question that it does least for
    "written",  # the writer's own log-probability of the SQL
    "doubted",  # whether a verifier has found something
    "empty",
    "null",
)


class Judges(Protocol):
    """What the engine needs of a judge."""

    def log_chance(self, question: str, attempt: Attempt) -> tuple[float, int]:
        """The logarithm of the probability that an attempt is right, and how many tokens are read for it."""
        ...


@dataclass(frozen=True, slots=True)
class Weights:
    """What each of ``FEATURES`` counts, and what is added."""

    features: tuple[float, ...]
    bias: float

    def log_chance(self, values: Sequence[float]) -> float:
        """The logarithm of the probability that an attempt with these features is right."""
        odds = self.bias + sum(weight * value for weight, value in zip(self.features, values, strict=True))
        return -float(np.logaddexp(0.0, -odds))


class JudgeNetwork:
    """The judge beside a writer; both read with one vocabulary."""

    def __init__(self, decoder: Decoder, writer: Decoder, vocabulary: Vocabulary, weights: Weights) -> None:
        self.decoder = decoder
        self.writer = writer
        self.vocabulary = vocabulary
        self.weights = weights
        self._known: OrderedDict[tuple[str, Attempt], tuple[float, int]] = OrderedDict()

    @classmethod
    def load(cls, folder: Path, writer: Decoder, vocabulary: Vocabulary) -> JudgeNetwork:
        """Reads the weights of a folder; without ``features`` in its config.json the verdict stands alone."""
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = config.get("features") or {"verdict": 1.0}
        weights = Weights(tuple(found.get(name, 0.0) for name in FEATURES), config.get("bias", 0.0))
        return cls(Decoder.load(folder), writer, vocabulary, weights)

    def log_chance(self, question: str, attempt: Attempt) -> tuple[float, int]:
        """The logarithm of the probability that an attempt is right, and how many tokens are read for it; what was
        asked lately is remembered, as samples are often alike."""
        key = (question, attempt)
        if key not in self._known:
            values, read = self.features(question, attempt)
            self._known[key] = self.weights.log_chance(values), read
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def features(self, question: str, attempt: Attempt) -> tuple[list[float], int]:
        """The features of an attempt, and how many tokens were read for them by both networks.

        Raises ``ValueError`` for what is too long to read.
        """
        vocabulary = self.vocabulary
        asked, text, rest, banned = vocabulary.judged(question, attempt)
        words, wanted = [*asked[1:-1], vocabulary.end], [*text, vocabulary.end]
        rows = (
            [*asked, *text, *rest],
            [vocabulary.answer, *text, vocabulary.question, *words[:-1]],
            [vocabulary.answer, vocabulary.question, *words[:-1]],
            [*asked, *text],
        )
        if (longest := max(map(len, rows))) > self.decoder.limit:
            raise ValueError(f"too long to judge: {longest} tokens, {self.decoder.limit} at most")
        logits = self.decoder.follow(rows[0], len(asked) - 1)
        verdict = float(logits[-1][vocabulary.yes]) - float(logits[-1][vocabulary.no])
        own, best = _logprobs(np.where(banned, -np.inf, logits[: len(wanted)]), wanted)
        given, _ = _logprobs(self.decoder.follow(rows[1], len(text) + 1), words)
        alone, _ = _logprobs(self.decoder.follow(rows[2], 1), words)
        written, _ = _logprobs(np.where(banned, -np.inf, self.writer.follow(rows[3], len(asked) - 1)), wanted)
        sums = [float(own.sum()), float((own - best).min()), float(len(own)), float(given.sum()), float(alone.sum())]
        said = set(attempt.marks)
        marks = [float(not said.isdisjoint(FOUND)), float("no row" in said), float("null" in said)]
        return [verdict, *sums, float((given - alone).min()), float(written.sum()), *marks], sum(map(len, rows))


def _logprobs(logits: Any, tokens: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The log-probability of each token, and that of the most probable one in its place."""
    scores = np.asarray(logits, dtype=np.float64)
    scores = scores - scores.max(axis=-1, keepdims=True)
    norm = np.log(np.exp(scores).sum(axis=-1))
    return scores[np.arange(len(tokens)), tokens] - norm, -norm

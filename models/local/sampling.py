"""The next token of each row, drawn with noise that belongs to the row alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

SEEDS = 2**64


class Dice:
    """Exponential noise for one sample, from its seed: a number for each token of the vocabulary, new at each step.

    The token with the largest ``log p - log noise`` is a draw from p (the Gumbel-max trick). Rounding in the last bits
    of p, which depends on what else is decoded along with a row, changes the drawn token about as seldom as it is
    small (some 1e-6 a token in float32), where a draw by cumulated probability moves all its borders.
    """

    def __init__(self, seed: int, device: str) -> None:
        self._device = device
        # numpy draws ten times as fast as torch on a CPU; on a GPU the noise is made where the logits are.
        self._cpu = np.random.default_rng(seed % SEEDS) if device == "cpu" else None
        self._other = None if device == "cpu" else torch.Generator(device).manual_seed(seed % SEEDS)

    def throw(self, size: int) -> Tensor:
        """``size`` numbers above zero."""
        if self._cpu is not None:
            return torch.as_tensor(self._cpu.standard_exponential(size)).float().clamp_min_(1e-30)
        noise = torch.empty(size, device=self._device, dtype=torch.float32)
        return noise.exponential_(generator=self._other).clamp_min_(1e-30)


@dataclass(frozen=True, slots=True)
class Choice:
    """How the next token of a row is chosen: greedily without ``dice``; only from ``allowed`` tokens, if given."""

    dice: Dice | None
    temperature: float
    top_p: float
    allowed: Sequence[int] | None = None


def choose(logits: Tensor, choices: Sequence[Choice]) -> tuple[list[int], list[float]]:
    """A token for each row of ``logits``, and its log-probability at temperature 1 among the allowed tokens."""
    scores = logits.float()
    for row, choice in enumerate(choices):
        if choice.allowed is not None:
            scores = scores.clone()
            allowed = torch.tensor(choice.allowed, device=scores.device)
            kept = scores[row, allowed]
            scores[row] = -torch.inf
            scores[row, allowed] = kept
    logprobs = scores.log_softmax(-1)
    drawn = [row for row, choice in enumerate(choices) if choice.dice is not None]
    if drawn:
        index = torch.tensor(drawn, device=scores.device)
        scores = scores.index_copy(0, index, _noisy(scores[index], [choices[row] for row in drawn]))
    tokens: Any = scores.argmax(-1)
    picked: Any = logprobs.gather(-1, tokens[:, None])[:, 0]
    return tokens.tolist(), picked.tolist()


def _noisy(scores: Tensor, choices: Sequence[Choice]) -> Tensor:
    temperatures = torch.tensor([choice.temperature for choice in choices], device=scores.device, dtype=torch.float32)
    scaled = scores / temperatures[:, None]
    for row, choice in enumerate(choices):
        if choice.top_p < 1:
            scaled[row] = _nucleus(scaled[row], choice.top_p)
    noise = [choice.dice.throw(scores.shape[-1]) for choice in choices if choice.dice is not None]
    return scaled - torch.stack(noise).log_()


def _nucleus(scores: Tensor, top_p: float) -> Tensor:
    """The fewest tokens that have ``top_p`` of the probability together; the others cannot be drawn."""
    ordered, places = scores.softmax(-1).sort(descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    return scores.index_fill(0, places[beyond], -torch.inf)

"""Rows that are decoded together: read once a prompt, one step for all, rows joining and leaving between steps."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache

from ...core.errors import UsageError
from .cache import join, joinable, select, trim
from .sampling import Choice, choose

CACHES = ("past_key_values", "cache_params")
"""What models call their cache."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a row goes on from: its tokens and what else the model reads (pictures). Rows of equal ``key`` share it."""

    ids: tuple[int, ...]
    key: object
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Read:
    """A prompt that was read: its cache, the logits after it, and the position of the next token."""

    key: object
    length: int
    cache: Any
    logits: Tensor
    positions: Tensor | None


def stretches(config: object) -> bool:
    """Whether positions are stretched by the longest row of a batch, so that a row depends on its company."""
    if isinstance(config, list):
        return any(map(stretches, cast("list[object]", config)))
    if not isinstance(config, dict):
        return False
    config = cast("dict[str, object]", config)
    kind = config.get("rope_type", config.get("type"))
    return kind in ("dynamic", "longrope") or any(map(stretches, config.values()))


class Batch:
    """The state of the rows under way: one cache, padded on the left, and the logits after each row's last token.

    Every prompt is read alone and without padding, so that what it makes of it depends on nothing else. Kinds of
    caches that cannot be padded (see ``cache.JOINABLE``), and models whose rows depend on their company, hold the rows
    of one prompt at a time.
    """

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device
        takes = set(inspect.signature(model.forward).parameters)
        if not takes & {*CACHES}:
            raise UsageError(f"{type(model).__name__} keeps no cache that veriloop can decode with")
        self._cache_name = next(name for name in CACHES if name in takes)
        self._takes_positions = "position_ids" in takes
        self._options = {"use_cache": True, **({"logits_to_keep": 1} if "logits_to_keep" in takes else {})}
        self._alone = stretches(model.config.to_dict()) or model.config.model_type == "mllama"
        self.reads = 0
        self.steps = 0
        self._kept: Read | None = None
        self.clear()

    def clear(self) -> None:
        """Drop all rows."""
        self._cache: Any = None
        self._logits: Any = None
        self._positions: Any = None
        self._padding: list[int] = []
        self._length = 0
        self._kept = None

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self._padding)

    def takes(self) -> bool:
        """Whether a row of another prompt can join now."""
        return not self._padding or (not self._alone and joinable(self._cache))

    @torch.inference_mode()
    def join(self, read: Read, rows: int, more: bool) -> None:
        """Add ``rows`` rows that go on from a prompt; where ``more`` will join later, it is kept for them."""
        self._kept = read if more else None
        cache = copy.deepcopy(read.cache) if more else read.cache
        if rows > 1:
            select(cache, [0] * rows, self._device)
        logits = read.logits.expand(rows, -1)
        positions = None if read.positions is None else read.positions.repeat_interleave(rows, -2)
        length = read.length
        if not self._padding:
            self._cache, self._logits, self._positions, self._length = cache, logits, positions, length
            self._padding = [0] * rows
            return
        join(self._cache, self._length, cache, length)
        longer = max(self._length, length)
        self._padding = [each + longer - self._length for each in self._padding] + [longer - length] * rows
        self._length = longer
        self._logits = torch.cat([self._logits, logits])
        if positions is not None:
            self._positions = torch.cat([self._positions, positions], -2)

    @torch.inference_mode()
    def choose(self, choices: Sequence[Choice]) -> tuple[list[int], list[float]]:
        """The next token of each row, and its log-probability."""
        return choose(self._logits, choices)

    @torch.inference_mode()
    def keep(self, rows: list[int]) -> None:
        """Drop all rows but these, and the padding that none of them needs."""
        if len(rows) == self.size:
            return
        if not rows:
            kept = self._kept
            self.clear()
            self._kept = kept
            return
        select(self._cache, rows, self._device)
        index = torch.tensor(rows, device=self._device)
        self._logits = self._logits.index_select(0, index)
        if self._positions is not None:
            self._positions = self._positions.index_select(-2, index)
        self._padding = [self._padding[row] for row in rows]
        spare = min(self._padding)
        if spare:
            trim(self._cache, self._length, spare)
            self._padding = [each - spare for each in self._padding]
            self._length -= spare

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> None:
        """Read the next token of each row."""
        ids = torch.tensor(tokens, device=self._device)[:, None]
        self._length += 1
        mask = None
        if any(self._padding):
            places = torch.arange(self._length, device=self._device)
            mask = (places >= torch.tensor(self._padding, device=self._device)[:, None]).long()
        kwargs = {"attention_mask": mask, "position_ids": self._positions, self._cache_name: self._cache}
        inputs = self._model.prepare_inputs_for_generation(ids, next_sequence_length=1, **kwargs, **self._options)
        self._logits = self._model(**inputs, return_dict=True).logits[:, -1]
        self.steps += 1
        if self._positions is not None:
            self._positions = self._positions + 1

    @torch.inference_mode()
    def read(self, prompt: Prompt) -> Read:
        """What ``generate`` of transformers does up to the first token, for one prompt."""
        if self._kept is not None and self._kept.key == prompt.key:
            return self._kept
        model = self._model
        ids = torch.tensor([prompt.ids], device=self._device)
        extra = {name: self._placed(value) for name, value in prompt.extra.items()}
        positions = None
        if self._takes_positions:
            known = {**extra, "attention_mask": torch.ones_like(ids)}
            positions = model._prepare_position_ids_for_generation(ids, known)
        cache = DynamicCache(config=model.config.get_text_config(decoder=True))
        kwargs = {**extra, "attention_mask": None, "position_ids": positions, self._cache_name: cache}
        inputs = model.prepare_inputs_for_generation(ids, is_first_iteration=True, **kwargs, **self._options)
        out = model(**inputs, return_dict=True)
        self.reads += 1
        after = None if positions is None else positions[..., -1:] + 1
        return Read(prompt.key, ids.shape[1], out[self._cache_name], out.logits[:, -1], after)

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.to(self._device, self._model.dtype if value.is_floating_point() else None)

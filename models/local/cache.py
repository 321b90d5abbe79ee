"""The keys and values of several rows in one cache: rows join, leave and are padded on the left."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer, LinearAttentionLayer

JOINABLE = (DummyLayer, DynamicLayer, DynamicSlidingWindowLayer, LinearAttentionLayer)
"""The kinds of layers, exactly these, of which rows of different lengths can share one."""


def joinable(cache: Any) -> bool:
    """Whether rows of different lengths can share a cache like this one."""
    return all(type(layer) in JOINABLE for layer in cache.layers)


def select(cache: Any, rows: list[int], device: str) -> None:
    """Keep the given rows, in that order; a row may be there several times."""
    cache.reorder_cache(torch.tensor(rows, device=device))


def join(cache: Any, length: int, other: Any, other_length: int) -> None:
    """Put the rows of ``other`` below those of ``cache``, both padded to the longer of their lengths."""
    longer = max(length, other_length)
    for mine, theirs in zip(cache.layers, other.layers, strict=True):
        if isinstance(mine, LinearAttentionLayer):
            _join_states(mine, theirs)
        elif isinstance(mine, DynamicLayer) and mine.is_initialized:
            _pad(mine, longer)
            _pad(theirs, longer)
            mine.keys = torch.cat([_tensor(mine.keys), _tensor(theirs.keys)])
            mine.values = torch.cat([_tensor(mine.values), _tensor(theirs.values)])


def trim(cache: Any, length: int, by: int) -> None:
    """Take ``by`` positions, which are padding in every row, off the left of a cache of ``length``."""
    for layer in cache.layers:
        if isinstance(layer, DynamicLayer) and layer.is_initialized:
            _fit(layer, length - by)


def _join_states(mine: Any, theirs: Any) -> None:
    for states, others in ((mine.conv_states, theirs.conv_states), (mine.recurrent_states, theirs.recurrent_states)):
        for index, state in states.items():
            if state is not None:
                states[index] = torch.cat([state, others[index]])


def _pad(layer: Any, length: int) -> None:
    """Zeros on the left, as many as a sequence of ``length`` has keys here (a sliding window has fewer)."""
    missing = _kept(layer, length) - layer.keys.shape[-2]
    layer.keys = torch.nn.functional.pad(layer.keys, (0, 0, missing, 0))
    layer.values = torch.nn.functional.pad(layer.values, (0, 0, missing, 0))
    _count(layer, length)


def _fit(layer: Any, length: int) -> None:
    start = layer.keys.shape[-2] - min(layer.keys.shape[-2], _kept(layer, length))
    layer.keys = layer.keys[:, :, start:]
    layer.values = layer.values[:, :, start:]
    _count(layer, length)


def _kept(layer: Any, length: int) -> int:
    return min(length, layer.sliding_window - 1) if isinstance(layer, DynamicSlidingWindowLayer) else length


def _count(layer: Any, length: int) -> None:
    if isinstance(layer, DynamicSlidingWindowLayer):
        layer.cumulative_length = length


def _tensor(tensor: torch.Tensor | None) -> torch.Tensor:
    assert tensor is not None
    return tensor

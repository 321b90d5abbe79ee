"""A small Llama-style decoder in numpy: RMS norms, rotary positions, gated units, a key-value cache.

Weights are kept as float16 on disk and used as float32. Decoding always runs on blocks of `ROWS` rows of one
fixed shape, and a prompt is always read alone, `CHUNK` tokens at a time, so that what a row gets depends neither on
what else is decoded nor on how much of its prompt was read before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file  # pyright: ignore[reportUnknownVariableType]

Floats = NDArray[np.float32]

ROWS = 8
STRIDE = 96
CHUNK = 32
"""Tokens of a prompt that are read at once: what two prompts have in common is read once, in whole chunks."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer, ready to be multiplied from the right."""

    attention_norm: Floats
    queries_keys_values: Floats
    output: Floats
    unit_norm: Floats
    gate_up: Floats
    down: Floats


@dataclass(frozen=True, slots=True)
class Prefill:
    """A prompt or a part of one that was read: its keys and values per layer, and the logits after its last token."""

    keys: Floats
    values: Floats
    logits: Floats

    @property
    def length(self) -> int:
        """How many tokens were read."""
        return int(self.keys.shape[2])


class Block:
    """Eight rows that are decoded together, each with room for as many tokens as `capacity`."""

    def __init__(self, decoder: Decoder, capacity: int) -> None:
        shape = (decoder.depth, ROWS, decoder.key_heads, capacity, decoder.width)
        self.capacity = capacity
        self.keys = np.zeros(shape, dtype=np.float32)
        self.values = np.zeros(shape, dtype=np.float32)
        self.lengths = np.zeros(ROWS, dtype=np.int64)

    def place(self, row: int, prefill: Prefill) -> None:
        """Puts a prompt that was read into a row."""
        size = prefill.length
        self.keys[:, row, :, :size] = prefill.keys
        self.values[:, row, :, :size] = prefill.values
        self.lengths[row] = size

    def clear(self, row: int) -> None:
        """Makes a row free."""
        self.lengths[row] = 0


def _softmax(scores: Floats) -> Floats:
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=-1, keepdims=True), dtype=np.float32)


def _norm(x: Floats, weight: Floats, epsilon: float) -> Floats:
    mean = np.asarray(np.mean(x * x, axis=-1, keepdims=True), dtype=np.float32)
    return np.asarray(x / np.sqrt(mean + np.float32(epsilon)) * weight, dtype=np.float32)


def _turned(x: Floats, cosine: Floats, sine: Floats) -> Floats:
    half = x.shape[-1] // 2
    swapped = np.concatenate((-x[..., half:], x[..., :half]), axis=-1)
    return np.asarray(x * cosine + swapped * sine, dtype=np.float32)


def _gated(x: Floats) -> Floats:
    half = x.shape[-1] // 2
    gate = x[..., :half]
    return np.asarray(gate / (1.0 + np.exp(-gate)) * x[..., half:], dtype=np.float32)


class Decoder:
    """The model: reads prompts and gives next-token logits."""

    def __init__(self, config: dict[str, Any], tensors: dict[str, Floats]) -> None:
        self.depth = int(config["num_hidden_layers"])
        self.heads = int(config["num_attention_heads"])
        self.key_heads = int(config["num_key_value_heads"])
        self.width = int(config["head_dim"])
        self.epsilon = float(config["rms_norm_eps"])
        self.limit = int(config["max_position_embeddings"])
        self.scale = np.float32(self.width**-0.5)
        self.embeddings = tensors["model.embed_tokens.weight"]
        self.last_norm = tensors["model.norm.weight"]
        self.unembedding = np.ascontiguousarray(tensors.get("lm_head.weight", self.embeddings).T)
        self.layers = [_layer(tensors, f"model.layers.{index}.") for index in range(self.depth)]
        steps = np.arange(0, self.width, 2, dtype=np.float64) / self.width
        angles = np.arange(self.limit)[:, None] / float(config["rope_theta"]) ** steps
        angles = np.concatenate((angles, angles), axis=-1)
        self.cosine = np.cos(angles).astype(np.float32)
        self.sine = np.sin(angles).astype(np.float32)

    @classmethod
    def load(cls, folder: Path) -> Decoder:
        """Reads config.json and model.safetensors of a folder."""
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(folder / "model.safetensors").items()}
        return cls(config, tensors)

    def capacity(self, tokens: int) -> int:
        """The room that a row of so many tokens gets: it depends on nothing but that number."""
        return min(self.limit, -(-tokens // STRIDE) * STRIDE)

    def prefill(self, ids: Sequence[int], chunk: Callable[[int, Prefill], Prefill] | None = None) -> Prefill:
        """Reads a prompt. ``chunk`` may recall what was read of it before: it is given where a chunk ends and the
        prompt, read up to the beginning of that chunk."""
        shape = (self.depth, self.key_heads, len(ids), self.width)
        whole = Prefill(np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(0, np.float32))
        for begin in range(0, len(ids), CHUNK):
            end = min(begin + CHUNK, len(ids))
            read = chunk(end, whole) if chunk else self.chunk(ids, end, whole)
            whole.keys[:, :, begin:end] = read.keys
            whole.values[:, :, begin:end] = read.values
            whole = replace(whole, logits=read.logits)
        return whole

    def chunk(self, ids: Sequence[int], end: int, before: Prefill) -> Prefill:
        """Reads the chunk of a prompt that ends at ``end``, given what is ``before`` it."""
        begin = (end - 1) // CHUNK * CHUNK
        keys, values, x = self._read(ids[begin:end], begin, before)
        last = _norm(x[-1:], self.last_norm, self.epsilon)
        return Prefill(np.stack(keys), np.stack(values), (last @ self.unembedding)[0])

    def follow(self, ids: Sequence[int], begin: int) -> Floats:
        """The logits after each token of a text from position ``begin`` on, of shape (tokens, vocabulary)."""
        x = self._read(ids)[2][begin:]
        return np.asarray(_norm(x, self.last_norm, self.epsilon) @ self.unembedding, dtype=np.float32)

    def _read(
        self, ids: Sequence[int], begin: int = 0, before: Prefill | None = None
    ) -> tuple[list[Floats], list[Floats], Floats]:
        """The keys and values of each layer, and what the last one gives for each token, where the first of them stands
        at ``begin`` and ``before`` has been read up to there."""
        size = len(ids)
        keys: list[Floats] = []
        values: list[Floats] = []
        x = self.embeddings[list(ids)]
        hidden = np.triu(np.full((size, begin + size), -np.inf, dtype=np.float32), begin + 1)
        cosine, sine = self.cosine[begin : begin + size], self.sine[begin : begin + size]
        for at, layer in enumerate(self.layers):
            q, k, v = self._project(layer, x)
            q, k = (_turned(part.transpose(1, 0, 2), cosine, sine) for part in (q, k))
            v = v.transpose(1, 0, 2)
            keys.append(k)
            values.append(v)
            if before:
                k = np.concatenate((before.keys[at, :, :begin], k), axis=1)
                v = np.concatenate((before.values[at, :, :begin], v), axis=1)
            k, v = self._shared(k, 0), self._shared(v, 0)
            weights = _softmax(q @ k.transpose(0, 2, 1) * self.scale + hidden)
            x = self._finish(layer, x, (weights @ v).transpose(1, 0, 2).reshape(size, -1))
        return keys, values, x

    def step(self, block: Block, ids: NDArray[np.int64]) -> Floats:
        """Adds one token to each row of a block and gives the next logits of each row."""
        at, rows = block.lengths, np.arange(ROWS)
        x = self.embeddings[ids]
        cosine, sine = self.cosine[at][:, None], self.sine[at][:, None]
        unread = np.arange(block.capacity) > at[:, None]
        hidden = np.where(unread, np.float32(-np.inf), np.float32(0))[:, None, None]
        for index, layer in enumerate(self.layers):
            q, k, v = self._project(layer, x)
            block.keys[index, rows, :, at] = _turned(k, cosine, sine)
            block.values[index, rows, :, at] = v
            k, v = self._shared(block.keys[index], 1), self._shared(block.values[index], 1)
            q = _turned(q, cosine, sine)[:, :, None]
            weights = _softmax(q @ k.transpose(0, 1, 3, 2) * self.scale + hidden)
            x = self._finish(layer, x, (weights @ v).reshape(ROWS, -1))
        block.lengths = np.minimum(at + 1, block.capacity - 1)
        return np.asarray(_norm(x, self.last_norm, self.epsilon) @ self.unembedding, dtype=np.float32)

    def _project(self, layer: Layer, x: Floats) -> tuple[Floats, Floats, Floats]:
        joined = _norm(x, layer.attention_norm, self.epsilon) @ layer.queries_keys_values
        joined = joined.reshape(len(x), -1, self.width)
        q, k, v = np.split(joined, (self.heads, self.heads + self.key_heads), axis=1)
        return q, k, v

    def _shared(self, x: Floats, axis: int) -> Floats:
        return x if self.heads == self.key_heads else np.repeat(x, self.heads // self.key_heads, axis=axis)

    def _finish(self, layer: Layer, x: Floats, mixed: Floats) -> Floats:
        x = np.asarray(x + mixed @ layer.output, dtype=np.float32)
        inner = _gated(_norm(x, layer.unit_norm, self.epsilon) @ layer.gate_up)
        return np.asarray(x + inner @ layer.down, dtype=np.float32)


def _layer(tensors: dict[str, Floats], name: str) -> Layer:
    def joined(*parts: str) -> Floats:
        return np.ascontiguousarray(np.concatenate([tensors[f"{name}{part}.weight"] for part in parts]).T)

    return Layer(
        tensors[name + "input_layernorm.weight"],
        joined("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        joined("self_attn.o_proj"),
        tensors[name + "post_attention_layernorm.weight"],
        joined("mlp.gate_proj", "mlp.up_proj"),
        joined("mlp.down_proj"),
    )

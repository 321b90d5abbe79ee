"""Gives trained weights the tokens that they lack: new rows of small random numbers, to be trained further.

python scripts/embedded_sql/grow.py FROM TO
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from veriloop.models.embedded.text import SPECIALS

EMBEDDINGS = "model.embed_tokens.weight"


def grow(source: Path, target: Path, seed: int = 0) -> None:
    """Writes the weights, tokenizer and configuration of ``source`` with all of ``SPECIALS`` to ``target``."""
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tensors = load_file(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    tokenizer.add_special_tokens([name for name in SPECIALS if tokenizer.token_to_id(name) is None])
    rows = tensors[EMBEDDINGS]
    size = tokenizer.get_vocab_size()
    scale = float(rows.astype(np.float32).std())
    fresh = np.random.default_rng(seed).normal(0, scale, (size - len(rows), rows.shape[1])).astype(rows.dtype)
    target.mkdir(parents=True, exist_ok=True)
    save_file({**tensors, EMBEDDINGS: np.concatenate([rows, fresh])}, str(target / "model.safetensors"))
    tokenizer.save(str(target / "tokenizer.json"), pretty=False)
    (target / "config.json").write_text(json.dumps({**config, "vocab_size": size}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    grow(Path(sys.argv[1]), Path(sys.argv[2]))

"""A tiny embedded model of plain text, made on the spot with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from veriloop.models.embedded.plain import PIECES, SPECIALS

READ = [
    "Mara has 47 boxes with 36 pencils each. How many pencils are there?",
    "There are 47 * 36 = 1692 pencils.\n#### 1692",
    "\n\nWait, let me compute this with Python.\n```python\npencils = 47 * 36\nprint(pencils)\n```\n",
    "```output\n1692\n```\nSo there are 1692 pencils.\n#### 1692",
]
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 16, "rms_norm_eps": 1e-5}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "rope_theta": 10000.0, "max_position_embeddings": 192}


def tokenizer_of(size: int) -> Tokenizer:
    """A tokenizer that has read READ; of no more than 259 tokens it knows single bytes alone."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIALS), show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(READ * 5, trainer)
    return tokenizer


def made(folder: Path, size: int) -> Path:
    """A model with random weights in ``folder``."""
    tokenizer = tokenizer_of(size)
    config = {"kind": "text", "vocab_size": tokenizer.get_vocab_size(), **SIZES, **HEADS}
    hidden, inner, random = SIZES["hidden_size"], SIZES["intermediate_size"], np.random.default_rng(5)
    shapes = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden)}
    shapes |= {"self_attn.v_proj": (hidden, hidden), "self_attn.o_proj": (hidden, hidden)}
    shapes |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    names = {"model.embed_tokens": (config["vocab_size"], hidden)}
    names |= {f"model.layers.{at}.{name}": shape for at in range(2) for name, shape in shapes.items()}
    tensors = {f"{name}.weight": random.normal(0, 0.3, shape).astype(np.float16) for name, shape in names.items()}
    norms = [f"model.layers.{at}.{name}layernorm" for at in range(2) for name in ("input_", "post_attention_")]
    tensors |= {f"{name}.weight": np.ones(hidden, dtype=np.float16) for name in (*norms, "model.norm")}
    folder.mkdir(exist_ok=True)
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder

"""Weights to train, and where they are written: a transformers folder, or an embedded model's, which is a Llama."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

from veriloop.apps.train.sft import ASKED, DONE
from veriloop.apps.train.tokens import ChatRows, PlainRows, Rows
from veriloop.apps.train.trainable import EMBEDDED, LOCAL, where
from veriloop.core.errors import ModelError, UsageError
from veriloop.models.embedded.text import END
from veriloop.models.local.folder import read_json

WEIGHTS = (".safetensors", ".bin", ".pt", ".index.json")
"""How the files end that a training replaces."""
OWN = (".lock", ASKED, DONE)
"""What a training keeps in its folder of itself: that of the model it began with is not this one's."""


@dataclass(frozen=True)
class Loaded:
    """A model to train. ``kind`` is whose form its folder has, ``folder`` where it came from."""

    kind: str
    folder: Path
    model: Any
    tokenizer: Any
    rows: Rows

    def save(self, out: Path) -> None:
        """Write the model as it is now, in the form and the number type that it came in, each file in one move."""
        part = out / ".part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (_save_embedded if self.kind == EMBEDDED else _save_local)(self, part)
        for file in sorted(part.iterdir()):
            _sync(file)
            os.replace(file, out / file.name)
        part.rmdir()


def load(name: str) -> Loaded:
    """The weights of a model, in float32. Raises ``UsageError`` and ``ModelError`` in one line."""
    form, folder = where(name)
    try:
        return _embedded(folder) if form == EMBEDDED else _local(name, folder)
    except UsageError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(f"{name} does not load: {said}") from error


def llama(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The weights of an embedded model as a Llama to train, in float32, and their configuration."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    marks: dict[str, Any] = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
    weights = {name: tensor.to(torch.float32) for name, tensor in load_file(folder / "model.safetensors").items()}
    marks["tie_word_embeddings"] = "lm_head.weight" not in weights
    shape: Any = transformers.LlamaConfig
    made: Any = transformers.LlamaForCausalLM
    model = made(shape(**{**config, **marks}, attn_implementation="sdpa"))
    weights.setdefault("lm_head.weight", weights["model.embed_tokens.weight"])
    model.load_state_dict(weights)
    return model, config


def _embedded(folder: Path) -> Loaded:
    from tokenizers import Tokenizer

    model, _ = llama(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    fast: Any = transformers.PreTrainedTokenizerFast
    return Loaded(
        EMBEDDED,
        folder,
        model,
        fast(tokenizer_object=tokenizer, eos_token=END, pad_token=END),
        PlainRows(Tokenizer.from_file(str(folder / "tokenizer.json"))),
    )


def _local(name: str, folder: Path) -> Loaded:
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    causal: Any = transformers.AutoModelForCausalLM
    auto: Any = transformers.AutoTokenizer
    model = causal.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, **options)
    tokenizer = auto.from_pretrained(folder, **options)
    declared: Any = model.generation_config.eos_token_id
    ends = cast("list[Any]", declared) if isinstance(declared, list) else [declared]
    return Loaded(LOCAL, folder, model, tokenizer, ChatRows(name, tokenizer, ends))


def _save_embedded(loaded: Loaded, part: Path) -> None:
    """Float16, and an output matrix only where the model has one of its own."""
    state: dict[str, Any] = loaded.model.state_dict()
    if loaded.model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    halves = {name: np.ascontiguousarray(each.float().cpu().numpy().astype(np.float16)) for name, each in state.items()}
    save_file(halves, str(part / "model.safetensors"))
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(loaded.folder / name, part / name)


def _save_local(loaded: Loaded, part: Path) -> None:
    """The weights in the type of the folder's; every other file as it was there, but for what a training left."""
    config = read_json(loaded.folder / "config.json")
    named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    loaded.model.to(getattr(torch, named, torch.float32)).save_pretrained(part)
    for file in loaded.folder.iterdir():
        if file.is_file() and not file.name.endswith(WEIGHTS) and file.name not in OWN:
            shutil.copyfile(file, part / file.name)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())

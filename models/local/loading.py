"""Weights, tokenizer and processor from files: safetensors only, no remote code, nothing printed."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from transformers.utils import logging as chatter

from ...core.errors import ModelError, UsageError, plain
from .batch import Batch
from .calls import Calls
from .folder import check, check_folder, instead, locate, takes_pictures
from .prompts import Prompts
from .rows import Loaded
from .text import Spelling

ALONE = threading.Lock()
"""One model loads at a time: transformers changes settings of the whole process meanwhile."""


def load(name: str, model: str, device: str | None, dtype: str | None) -> Loaded:
    """Load ``model``, a folder or a hub id. A hub id that is on this machine is not looked up on the network.

    By default it goes to the GPU where there is one, in the type of its weights, and to the CPU in float32. Raises
    ``UsageError`` and ``ModelError`` in one line.
    """
    check(name, model)
    where = _device(name, device)
    kind = dtype or ("float32" if where == "cpu" else "auto")
    with ALONE, _quiet():
        folder = locate(model) or _download(name, model)
        check_folder(name, folder)
        try:
            return _load(name, folder, where, kind)
        except (ModelError, UsageError):
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:300] or type(error).__name__
            raise ModelError(f"{name} does not load: {said}") from error


def _load(name: str, folder: Path, device: str, dtype: str) -> Loaded:
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    pictures = takes_pictures(folder)
    kind: Any = transformers.AutoModelForImageTextToText if pictures else transformers.AutoModelForCausalLM
    model, info = kind.from_pretrained(folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **options)
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise UsageError(f"{name}: the weights in {folder} lack {len(missing)} tensors ({missing[0]}, …)")
    if model.config.is_encoder_decoder:
        raise UsageError(f"{name} is an encoder-decoder model, which is not supported: choose a decoder")
    model = model.eval().to(device)
    auto: Any = transformers.AutoProcessor if pictures else transformers.AutoTokenizer
    maker = auto.from_pretrained(folder, **options)
    tokenizer = maker.tokenizer if pictures else maker
    text, words = model.config.get_text_config(decoder=True), model.get_input_embeddings().num_embeddings
    return Loaded(
        name,
        model,
        device,
        Prompts(name, tokenizer, maker if pictures else None),
        Spelling(tokenizer, min(len(tokenizer), words)),
        Calls(tokenizer, model),
        Batch(model, device),
        _ends(model, tokenizer),
        getattr(text, "max_position_embeddings", None),
        words,
    )


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply: those of the generation config and the tokenizer's own."""
    declared: Any = model.generation_config.eos_token_id
    several = cast("list[Any]", declared) if isinstance(declared, list) else [declared]
    return frozenset(token for token in (*several, tokenizer.eos_token_id) if token is not None)


def _device(name: str, device: str | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"{name}: there is no CUDA device {device!r} here; use device cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"{name}: there is no device 'mps' here; use device cpu")
    return device


def _download(name: str, model: str) -> Path:
    """A model of the hub, its small files and safetensors. Raises ``UsageError`` when it cannot be had."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    download: Any = import_module("huggingface_hub").snapshot_download
    wanted = ["*.json", "*.jinja", "*.model", "*.txt", "*.safetensors"]
    unwanted = ["consolidated*", "onnx/*", "original/*"]  # the same weights again, in other forms
    try:
        return Path(download(model, allow_patterns=wanted, ignore_patterns=unwanted))
    except GatedRepoError:
        raise UsageError(f"{name}: the hub gives it to who asked for access: ask there, then: hf auth login") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UsageError(f"{name}: there is no such folder here and no such model on the hub") from None
    except (LocalEntryNotFoundError, OSError) as error:
        if error.errno == errno.ENOSPC:
            raise UsageError(f"{name} does not fit on the disk: {plain(error)}") from None
        raise UsageError(f"{name} is not on this machine and the hub can't be reached; {instead(model)}") from error


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """No progress bars and no warnings on the terminal while loading; afterwards all is as it was."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    bars, verbosity, silent = chatter.is_progress_bar_enabled(), chatter.get_verbosity(), are_progress_bars_disabled()
    chatter.disable_progress_bar()
    chatter.set_verbosity(logging.CRITICAL)
    disable_progress_bars()
    try:
        yield
    finally:
        chatter.set_verbosity(verbosity)
        if bars:
            chatter.enable_progress_bar()
        if not silent:
            enable_progress_bars()

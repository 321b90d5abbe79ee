"""What all trainings of embedded models share: their tokenizer's form, and a course that keeps the best weights."""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any


def tokenizer_of(texts: Iterable[str], pieces: str, specials: Sequence[str], size: int) -> Any:
    """A byte-level BPE of so many tokens, none of which crosses the ``pieces`` of a text."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pieces), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(specials),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def keep_best(
    model: Any,
    arguments: argparse.Namespace,
    began: float,
    steps: Iterator[tuple[int, float]],
    measure: Callable[[], tuple[dict[str, Any], float]],
    save: Callable[[dict[str, Any]], None],
) -> None:
    """Takes all ``steps``; at each check ``measure`` says how the model does and how bad that is, and the weights that
    do best are saved with the log so far. The whole log is written at the end."""
    import torch

    log: dict[str, Any] = {
        "arguments": {name: value for name, value in vars(arguments).items() if not isinstance(value, Path)},
        "parameters": sum(p.numel() for p in model.parameters()),
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "tokenizer_seconds": round(time.time() - began, 1),
        "checks": [],
    }
    best = math.inf
    for step, loss in steps:
        found, total = measure()
        entry = {"step": step, "seconds": round(time.time() - began, 1), "loss": loss, **found}
        log["checks"].append(entry)
        print(json.dumps(entry), flush=True)
        if total < best:
            best = total
            log |= {"chosen_step": step, "seconds": entry["seconds"]}
            save(log)
    log["total_seconds"] = round(time.time() - began, 1)
    (arguments.out / "training.json").write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")

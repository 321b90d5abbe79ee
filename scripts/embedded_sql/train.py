"""Trains the embedded SQL model on fresh examples of the grammar.

    OMP_NUM_THREADS=1 python scripts/embedded_sql/train.py --steps 12000 --seed 4 --out models/embedded/sql

Writes model.safetensors (float16), tokenizer.json, config.json and training.json, each by rename, so that
a reader never sees half a file. Weights are chosen by held-out templates of the grammar, never by a benchmark.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from course import keep_best, tokenizer_of
from entities import COMMON, STATES
from grammar import Example, examples

from veriloop.models.embedded.text import SPECIALS, normalise, spaced
from veriloop.models.embedded.vocabulary import Vocabulary

WORDS = r" 's(?!\p{L})| ?\p{L}+(_\p{L}+)*| ?\d+| ?[^\s\p{L}\d]|\s"


def train_tokenizer(seed: int, size: int) -> Any:
    """A tokenizer of questions and SQL, whose pieces never cross words."""
    drawn = islice(examples(seed + 1_000_003), 60_000)
    return tokenizer_of((text for example in drawn for text in without_names(example)), WORDS, SPECIALS, size)


def without_names(example: Example) -> tuple[str, str]:
    """A question and its SQL without numbers and without names but those of states: those are read as slots."""
    states = {word for name in STATES for word in name.split()}
    values = {word for value in example.sql.split("'")[1::2] for word in value.split()} - states - COMMON
    question = [word for word in normalise(example.question).split() if word not in values and not word.isdecimal()]
    sql = re.sub(r"(?<=')[^']*(?=')", lambda match: match[0] if match[0] in STATES else "", example.sql)
    return " " + " ".join(question), spaced(sql.replace("''", ""))


class Encoder:
    """Turns examples into token ids: `<q> question <s> SQL </s>`."""

    def __init__(self, tokenizer: Any) -> None:
        self.vocabulary = Vocabulary(tokenizer)

    def __call__(self, batch: list[Example]) -> list[tuple[list[int], int]]:
        """The ids of each example and where its SQL begins."""
        vocabulary, out = self.vocabulary, []
        for example in batch:
            read, words = vocabulary.read(normalise(example.question))
            ids = [vocabulary.question, *read, vocabulary.answer]
            out.append(([*ids, *vocabulary.write(example.sql, words), vocabulary.end], len(ids)))
        return out


def batches(encoder: Encoder, seed: int, size: int, limit: int, half: int | None) -> Iterator[tuple[Any, Any]]:
    """Endless batches of rows of like length: ids and targets, -100 where there is no loss."""
    import numpy as np
    import torch

    source, rng = examples(seed, half=half), Random(seed)
    while True:
        rows = [row for row in encoder(list(islice(source, size * 50))) if len(row[0]) <= limit]
        rows.sort(key=lambda row: len(row[0]))
        groups = [rows[at : at + size] for at in range(0, len(rows), size)]
        rng.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            table = np.zeros((len(group), width), dtype=np.int64)
            targets = np.full((len(group), width), -100, dtype=np.int64)
            for at, (ids, begin) in enumerate(group):
                table[at, : len(ids)] = ids
                targets[at, begin - 1 : len(ids) - 1] = ids[begin:]
            yield torch.from_numpy(table), torch.from_numpy(targets)


def forward(model: Any, ids: Any, targets: Any) -> tuple[Any, Any]:
    """The logits and targets of the SQL positions."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    mask = targets != -100
    return model.lm_head(hidden[mask]), targets[mask]


def loss_of(model: Any, batch: tuple[Any, Any], arguments: argparse.Namespace) -> Any:
    """The loss of a batch of ids and targets, with smoothed labels where that is asked for."""
    import torch
    from torch.nn.functional import cross_entropy

    ids, targets = (tensor.to(arguments.device) for tensor in batch)
    with torch.autocast(arguments.device, dtype=torch.bfloat16, enabled=arguments.bf16):
        logits, wanted = forward(model, ids, targets)
        return cross_entropy(logits.float(), wanted, label_smoothing=arguments.smoothing)


def evaluate(model: Any, data: list[tuple[Any, Any]]) -> tuple[float, float]:
    """Mean loss per token and the share of rows that greedy decoding would get exactly."""
    import torch
    from torch.nn.functional import cross_entropy

    model.eval()
    total = tokens = exact = rows = 0.0
    with torch.no_grad():
        for ids, targets in data:
            logits, wanted = forward(model, ids, targets)
            total += float(cross_entropy(logits, wanted, reduction="sum"))
            tokens += len(wanted)
            wrong = torch.zeros(targets.shape, dtype=torch.bool, device=targets.device)
            wrong[targets != -100] = logits.argmax(-1) != wanted
            exact += float((~wrong.any(1)).sum())
            rows += len(targets)
    model.train()
    return total / tokens, exact / rows


def save(model: Any, tokenizer: Any, config: dict[str, Any], log: dict[str, Any], out: Path) -> None:
    """Writes all files into a new folder and moves each into place; no tokenizer where that of another serves."""
    import numpy as np
    from safetensors.numpy import save_file

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as name:
        folder = Path(name)
        weights = {
            key: np.ascontiguousarray(value.detach().float().cpu().numpy().astype(np.float16))
            for key, value in model.state_dict().items()
            if key != "lm_head.weight"
        }
        save_file(weights, str(folder / "model.safetensors"))
        if tokenizer is not None:
            tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (folder / "training.json").write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
        for file in ("tokenizer.json", "config.json", "training.json", "model.safetensors"):
            if (folder / file).exists():
                os.replace(folder / file, out / file)


def build(arguments: argparse.Namespace, vocabulary: int) -> tuple[Any, dict[str, Any]]:
    """A fresh model and the configuration that the numpy decoder reads."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": arguments.hidden,
        "intermediate_size": arguments.inner,
        "num_hidden_layers": arguments.layers,
        "num_attention_heads": arguments.heads,
        "num_key_value_heads": arguments.heads,
        "head_dim": arguments.hidden // arguments.heads,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 384,
        "tie_word_embeddings": True,
    }
    model = LlamaForCausalLM(
        LlamaConfig(**config, bos_token_id=None, eos_token_id=0, pad_token_id=0, attn_implementation="sdpa")
    )
    return model, config


def optimizers_of(model: Any, arguments: argparse.Namespace) -> list[Any]:
    """AdamW for embeddings and norms, and for the matrices of the layers Muon (or AdamW too)."""
    import torch
    from muon import Muon

    inner = [p for name, p in model.named_parameters() if p.dim() > 1 and "layers" in name]
    outer = [p for name, p in model.named_parameters() if p.dim() > 1 and "layers" not in name]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    groups: list[dict[str, Any]] = [{"params": outer, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    found: list[Any] = []
    if arguments.muon:
        found.append(Muon(inner, lr=arguments.muon))
        found[0].param_groups[0]["top"] = arguments.muon
    else:
        groups.append({"params": inner, "weight_decay": 0.05})
    found.append(torch.optim.AdamW(groups, lr=arguments.rate, betas=(0.9, 0.98)))
    for group in found[-1].param_groups:
        group["top"] = arguments.rate
    return found


def load(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The weights of a folder as a model to train, and their configuration."""
    from veriloop.apps.train.weights import llama

    return llama(folder)


def descend(
    model: Any, optimizers: list[Any], arguments: argparse.Namespace, loss_of: Callable[[], Any]
) -> Iterator[tuple[int, float]]:
    """Takes every step, and tells at each check which one it was and the mean loss since the last."""
    import torch

    running = 0.0
    for step in range(1, arguments.steps + 1):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate(step - 1, arguments.steps, group["top"])
        loss = loss_of()
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        running += float(loss.detach())
        if step % arguments.every == 0 or step == arguments.steps:
            yield step, round(running / arguments.every, 4)
            running = 0.0


def options(parser: argparse.ArgumentParser, **defaults: int | float) -> None:
    """Options that are numbers, each of the kind of its default."""
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)


def rate(step: int, steps: int, top: float) -> float:
    """The learning rate: a short warm-up, then a cosine down to 2 %."""
    warm = min(300, steps // 10)
    if step < warm:
        return top * (step + 1) / warm
    return top * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))))


def train(arguments: argparse.Namespace) -> None:
    """The whole recipe."""
    import torch

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    began = time.time()
    tokenizer = train_tokenizer(arguments.seed, arguments.vocabulary)
    encoder = Encoder(tokenizer)
    model, config = build(arguments, tokenizer.get_vocab_size())
    model.to(arguments.device)
    optimizers = optimizers_of(model, arguments)
    checks = {"held_out": True, "trained": False}
    data = {name: held_set(encoder, arguments, held) for name, held in checks.items()}
    stream = batches(encoder, arguments.seed, arguments.batch, 300, arguments.half)

    def measure() -> tuple[dict[str, Any], float]:
        found: dict[str, float] = {}
        for name, rows in data.items():
            found[name + "_loss"], found[name + "_exact"] = (round(x, 4) for x in evaluate(model, rows))
        return found, found["held_out_loss"]

    steps = descend(model, optimizers, arguments, lambda: loss_of(model, next(stream), arguments))
    keep_best(model, arguments, began, steps, measure, lambda log: save(model, tokenizer, config, log, arguments.out))


def held_set(encoder: Encoder, arguments: argparse.Namespace, held: bool) -> list[tuple[Any, Any]]:
    """Batches of held-out templates, or of training templates with other draws."""
    import torch

    rows = sorted(encoder(list(islice(examples(arguments.seed + 77_777, held), 640))), key=lambda row: len(row[0]))
    out = []
    for at in range(0, len(rows), 64):
        group = rows[at : at + 64]
        width = max(len(ids) for ids, _ in group)
        ids = torch.zeros((len(group), width), dtype=torch.long)
        targets = torch.full((len(group), width), -100)
        for index, (row, begin) in enumerate(group):
            ids[index, : len(row)] = torch.tensor(row)
            targets[index, begin - 1 : len(row) - 1] = torch.tensor(row[begin:])
        out.append((ids.to(arguments.device), targets.to(arguments.device)))
    return out


def main() -> None:
    """Reads the arguments and trains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "models" / "embedded" / "sql")
    parser.add_argument("--half", type=int, choices=(0, 1), help="train on one half of the templates only")
    # the rate of Muon is for the matrices of the layers; 0: AdamW for them, too
    options(parser, steps=12000, seed=4, batch=32, hidden=128, inner=384, layers=4, heads=4, vocabulary=1900)
    options(parser, rate=3e-3, muon=4e-3, smoothing=0.05, every=500, threads=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    train(parser.parse_args())


if __name__ == "__main__":
    main()

"""Trains the judge: a network of its own, which never writes for anybody.

    OMP_NUM_THREADS=1 python scripts/embedded_sql/judge.py --tokenizer FILE --mistakes A.jsonl B.jsonl --held HELD.jsonl

Three kinds of rows, mixed: a question and its SQL; SQL and its question (in one row of eight without the SQL, so that
it knows what a question is worth by itself); a question, an attempt with the marks of its result, and whether it is
right.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from grammar import examples
from mistakes import blurred
from train import build, descend, optimizers_of, options, save
from tune import LIMIT, Row, Rows, groups_of, losses, read, tensors, written

from veriloop.apps.bench.estimates import auc
from veriloop.models.embedded.reading import Attempt, ordered
from veriloop.models.embedded.text import normalise
from veriloop.models.embedded.vocabulary import Vocabulary

KINDS = ("write", "ask", "judge")
SHARES = (25, 40, 35)


class JudgeRows(Rows):
    """Makes rows of the three kinds."""

    def __init__(self, vocabulary: Vocabulary, lines: list[dict[str, Any]], rng: Random) -> None:
        super().__init__(vocabulary, lines, rng)
        self.judged = [line for line in lines if line["tries"]]

    def ask(self, question: str, sql: str, alone: float = 0.0) -> Row:
        """SQL, or nothing with probability ``alone``, and the question that it answers."""
        vocabulary = self.vocabulary
        words, slots = vocabulary.read(normalise(question))
        given = [] if self.rng.random() < alone else vocabulary.write(sql, slots)
        ids = [vocabulary.answer, *given, vocabulary.question]
        return Row([*ids, *words, vocabulary.end], len(ids), "ask")

    def judge(self, line: dict[str, Any] | None = None, each: dict[str, Any] | None = None) -> Row:
        """A question, an attempt, and whether it is right: as often written, or any of the distinct ones."""
        rng, vocabulary = self.rng, self.vocabulary
        fresh = line is None
        line = line or rng.choice(self.judged)
        if each is None:
            each = rng.choices(line["tries"], _weights(line["tries"], rng.random() < 0.5))[0]
        count = rng.choices((0, 1, 2), (80, 15, 5))[0] if fresh else 0
        question, attempt = (
            blurred(rng, line["question"], line["sql"], count),
            Attempt(each["sql"], ordered(each["ran"])),
        )
        asked, text, rest, _ = vocabulary.judged(question, attempt)
        ids = [*asked, *text, *rest]
        return Row([*ids, vocabulary.yes if each["right"] else vocabulary.no], len(ids), "judge")


def _weights(tries: list[dict[str, Any]], written: bool) -> list[float]:
    """How often each attempt is judged: as it was written or evenly, and less where the verifier ``sql`` sees through
    it, as no judge is asked about that one."""
    counts = [each["count"] for each in tries]
    shares = counts if written and any(counts) else [1] * len(tries)
    return [share * (0.25 if each["sql_says"] else 1.0) for share, each in zip(shares, tries, strict=True)]


def stream(rows: JudgeRows, seed: int, size: int) -> Iterator[list[Row]]:
    """Endless batches of rows of like length, fresh questions but for those with attempts."""
    source, rng = examples(seed), rows.rng
    while True:
        some: list[Row] = []
        while len(some) < size * 50:
            kind = rng.choices(KINDS, SHARES)[0]
            if kind == "judge":
                row = rows.judge()
            else:
                example = next(source)
                make = rows.write if kind == "write" else rows.ask
                row = make(example.question, example.sql, *(() if kind == "write" else (0.12,)))
            if len(row.ids) <= LIMIT:
                some.append(row)
        some.sort(key=lambda row: len(row.ids))
        groups = [some[at : at + size] for at in range(0, len(some), size)]
        rng.shuffle(groups)
        yield from groups


class Held:
    """What is measured on held-out templates: losses, and how well verdicts tell right from wrong."""

    def __init__(self, rows: JudgeRows, lines: list[dict[str, Any]], seed: int) -> None:
        fresh = list(islice(examples(seed + 77_777, True), 640))
        self.rows = rows
        self.asked = [rows.ask(e.question, e.sql) for e in fresh]
        self.wrote = [rows.write(e.question, e.sql) for e in fresh]
        self.distinct = [rows.judge(line, each) for line in lines for each in line["tries"]]

    def measure(self, model: Any) -> dict[str, float]:
        """The figures of all sets."""
        import torch

        model.eval()
        with torch.no_grad():
            found = {
                "write loss": written(model, self.wrote)["loss"],
                "ask loss": written(model, self.asked)["loss"],
                **self._verdicts(model),
            }
        model.train()
        return {name: round(value, 4) for name, value in found.items()}

    def _verdicts(self, model: Any) -> dict[str, float]:
        yes, no = self.rows.vocabulary.yes, self.rows.vocabulary.no
        scores, labels = list[float](), list[bool]()
        for group in groups_of(self.distinct):
            ids, targets, _ = tensors(group)
            mask = targets != -100
            logits = model.lm_head(model.model(input_ids=ids, use_cache=False).last_hidden_state[mask])
            scores += (logits[:, yes] - logits[:, no]).sigmoid().tolist()
            labels += (targets[mask] == yes).tolist()
        pairs = zip(scores, labels, strict=True)
        loss = -sum(math.log(max(1e-6, s if right else 1 - s)) for s, right in pairs) / max(len(scores), 1)
        return {"verdict loss": loss, "verdict auc": auc(np.array(scores), np.array(labels))}


def train(args: argparse.Namespace) -> None:
    """The whole training; the last weights are kept."""
    import torch
    from tokenizers import Tokenizer

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    began = time.time()
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    vocabulary = Vocabulary(tokenizer)
    model, config = build(args, tokenizer.get_vocab_size())
    rows = JudgeRows(vocabulary, read(args.mistakes), Random(args.seed))
    held = Held(JudgeRows(vocabulary, [], Random(args.seed + 1)), read([args.held]), args.seed)
    optimizers = optimizers_of(model, args)
    log: dict[str, Any] = {
        "arguments": {name: value for name, value in vars(args).items() if isinstance(value, int | float)},
        "questions": len(rows.judged),
        "parameters": sum(p.numel() for p in model.parameters()),
        "torch": torch.__version__,
        "checks": [],
    }
    source = stream(rows, args.seed, args.batch)
    for step, loss in descend(model, optimizers, args, lambda: losses(model, next(source), args.smoothing)):
        entry = {"step": step, "seconds": round(time.time() - began), "loss": loss, **held.measure(model)}
        log["checks"].append(entry)
        print(json.dumps(entry), flush=True)
    save(model, None, config, log, args.out)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="the writer's tokenizer.json")
    parser.add_argument("--mistakes", type=Path, nargs="+", required=True)
    parser.add_argument("--held", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options(parser, steps=12_000, seed=44, batch=32, hidden=128, inner=384, layers=4, heads=4, every=500, threads=1)
    options(parser, rate=3e-3, muon=4e-3, smoothing=0.02)
    train(parser.parse_args())


if __name__ == "__main__":
    main()

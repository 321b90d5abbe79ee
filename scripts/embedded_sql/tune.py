"""Teaches trained weights to revise, and to go on writing: the second part of the recipe.

    OMP_NUM_THREADS=1 python scripts/embedded_sql/tune.py --start FOLDER --mistakes A.jsonl B.jsonl --held HELD.jsonl

Two kinds of rows, mixed: a question and its SQL; a question, the marks of what was found of attempts that were wrong,
and its SQL. In half of the second kind some words of the question are missing or unknown, so that what was found has to
be weighed: a model that is sure of every training question would learn to overlook it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from grammar import examples
from grow import grow
from mistakes import blurred
from train import descend, load, optimizers_of, options, save

from veriloop.models.embedded.reading import Attempt, ordered
from veriloop.models.embedded.vocabulary import Vocabulary

LIMIT = 300


@dataclass(frozen=True)
class Row:
    """Token ids, where what is learned begins, and the kind of row."""

    ids: list[int]
    begin: int
    kind: str


class Rows:
    """Makes rows of questions, SQL and attempts."""

    def __init__(self, vocabulary: Vocabulary, lines: list[dict[str, Any]], rng: Random) -> None:
        self.vocabulary = vocabulary
        self.rng = rng
        self.revised = [line for line in lines if any(not each["right"] for each in line["tries"])]
        self.hard = [line for line in self.revised if any(t["count"] and not t["right"] for t in line["tries"])]

    def write(self, question: str, sql: str) -> Row:
        """The question and its SQL."""
        return self._written(question, sql, (), "write")

    def revise(self, line: dict[str, Any] | None = None, kind: str = "", count: int = 0) -> Row:
        """A question, one to four wrong attempts, and the right SQL; ``kind`` is whose words stand beside them."""
        rng, fresh = self.rng, line is None
        line = line or rng.choice(self.hard if rng.random() < 0.7 else self.revised)
        wrong = [each for each in line["tries"] if not each["right"]]
        kind = kind or rng.choices(("oracle", "sql", "bare"), (50, 35, 15))[0]
        shown = _weighted(rng, wrong, min(len(wrong), rng.choices((1, 2, 3, 4), (35, 25, 20, 20))[0]))
        attempts = [Attempt(each["sql"], self.marks(each, kind)) for each in shown]
        count = rng.choices((0, 1, 2, 3), (50, 25, 15, 10))[0] if fresh else count
        return self._written(blurred(rng, line["question"], line["sql"], count), line["sql"], attempts, "revise")

    def _written(self, question: str, sql: str, attempts: Sequence[Attempt], kind: str) -> Row:
        """What the model reads, as it will when it is asked, and the SQL and end that it is to write."""
        vocabulary = self.vocabulary
        opening = vocabulary.opening(question, "", attempts)
        wanted = [*vocabulary.write(sql, opening.slots), vocabulary.end]
        return Row([*opening.ids, *wanted], len(opening.ids), kind)

    def marks(self, each: dict[str, Any], kind: str) -> tuple[str, ...]:
        """What is told of an attempt."""
        if kind == "none":
            return ()
        ran = [mark for mark in each["ran"] if mark != "error"]
        said = set(each["sql_says"] if kind == "sql" else each["oracle_says"] if kind == "oracle" else ["wrong"])
        if kind == "sql" and not said:
            said = {"doubt" if self.rng.random() < 0.8 else "trust"}
        if "error" in each["ran"]:
            said.add("error")
        return ordered([*said, *ran])


def _weighted(rng: Random, tries: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Some of the attempts in random order, those that were written by themselves more often."""
    keyed = sorted(tries, key=lambda each: rng.random() ** (1 / (each["count"] + 0.4)), reverse=True)
    return keyed[:count]


def stream(rows: Rows, seed: int, size: int) -> Iterator[list[Row]]:
    """Endless batches of rows of like length, fresh questions for those that only write."""
    source, rng = examples(seed), rows.rng
    while True:
        some: list[Row] = []
        while len(some) < size * 50:
            example = next(source) if rng.random() < 0.5 else None
            row = rows.write(example.question, example.sql) if example else rows.revise()
            if len(row.ids) <= LIMIT:
                some.append(row)
        some.sort(key=lambda row: len(row.ids))
        groups = [some[at : at + size] for at in range(0, len(some), size)]
        rng.shuffle(groups)
        yield from groups


def tensors(group: list[Row]) -> tuple[Any, Any, Any]:
    """The ids of rows, their targets (-100 where nothing is learned), and which targets are verdicts."""
    import torch

    width = max(len(row.ids) for row in group)
    ids = torch.zeros((len(group), width), dtype=torch.long)
    targets = torch.full((len(group), width), -100)
    verdicts = torch.zeros((len(group), width), dtype=torch.bool)
    for at, row in enumerate(group):
        ids[at, : len(row.ids)] = torch.tensor(row.ids)
        targets[at, row.begin - 1 : len(row.ids) - 1] = torch.tensor(row.ids[row.begin :])
        verdicts[at] = row.kind == "judge"
    return ids, targets, verdicts


def losses(model: Any, group: list[Row], smoothing: float) -> Any:
    """The loss of a batch: of what is written, with smoothed labels, and of verdicts, each as a mean."""
    from torch.nn.functional import cross_entropy

    ids, targets, verdicts = tensors(group)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    total: Any = 0.0
    for mask, smooth in (((targets != -100) & ~verdicts, smoothing), ((targets != -100) & verdicts, 0)):
        if mask.any():
            logits = model.lm_head(hidden[mask])
            part = cross_entropy(logits, targets[mask], label_smoothing=smooth)
            total = total + part * (float(mask.any(1).sum()) / len(group))
    return total


class Held:
    """What is measured on held-out templates: losses and exact texts."""

    def __init__(self, rows: Rows, lines: list[dict[str, Any]], seed: int) -> None:
        self.sets: dict[str, list[Row]] = {
            "write": [rows.write(e.question, e.sql) for e in islice(examples(seed + 77_777, True), 640)],
        }
        hard = [line for line in lines if any(t["count"] and not t["right"] for t in line["tries"])]
        for kind in ("oracle", "sql", "none"):
            self.sets[f"revise {kind}"] = [rows.revise(line, kind) for line in hard for _ in range(3)]
            self.sets[f"blurred {kind}"] = [rows.revise(line, kind, 3) for line in lines]

    def measure(self, model: Any) -> dict[str, float]:
        """The figures of all sets."""
        import torch

        model.eval()
        with torch.no_grad():
            found = {name: written(model, rows) for name, rows in self.sets.items()}
        model.train()
        return {f"{name} {what}": round(value, 4) for name, each in found.items() for what, value in each.items()}


def written(model: Any, rows: list[Row]) -> dict[str, float]:
    """The loss per token of rows, and the share that greedy decoding would get exactly."""
    from torch.nn.functional import cross_entropy

    loss = tokens = exact = 0.0
    for group in groups_of(rows):
        ids, targets, _ = tensors(group)
        logits = model.lm_head(model.model(input_ids=ids, use_cache=False).last_hidden_state)
        mask = targets != -100
        loss += float(cross_entropy(logits[mask], targets[mask], reduction="sum"))
        tokens += float(mask.sum())
        exact += float((~((logits.argmax(-1) != targets) & mask).any(1)).sum())
    return {"loss": loss / max(tokens, 1), "exact": exact / max(len(rows), 1)}


def groups_of(rows: list[Row]) -> list[list[Row]]:
    """Batches of rows of like length."""
    rows = sorted(rows, key=lambda row: len(row.ids))
    return [rows[at : at + 64] for at in range(0, len(rows), 64)]


def read(paths: list[Path]) -> list[dict[str, Any]]:
    """The lines of files of mistakes."""
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def tune(args: argparse.Namespace) -> None:
    """The whole second part."""
    import torch
    from tokenizers import Tokenizer

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    began = time.time()
    grow(args.start, args.out, args.seed)
    model, config = load(args.out)
    tokenizer = Tokenizer.from_file(str(args.out / "tokenizer.json"))
    vocabulary = Vocabulary(tokenizer)
    rows = Rows(vocabulary, read(args.mistakes), Random(args.seed))
    held = Held(Rows(vocabulary, [], Random(args.seed + 1)), read([args.held]), args.seed)
    optimizers = optimizers_of(model, args)
    log: dict[str, Any] = {
        "arguments": {name: value for name, value in vars(args).items() if isinstance(value, int | float)},
        "questions": len(rows.revised),
        "hard": len(rows.hard),
        "parameters": sum(p.numel() for p in model.parameters()),
        "torch": torch.__version__,
        "checks": [{"step": 0, **held.measure(model)}],
    }
    print(json.dumps(log), flush=True)
    source = stream(rows, args.seed, args.batch)
    best = math.inf
    for step, loss in descend(model, optimizers, args, lambda: losses(model, next(source), args.smoothing)):
        found = held.measure(model)
        entry = {"step": step, "seconds": round(time.time() - began), "loss": loss, **found}
        log["checks"].append(entry)
        print(json.dumps(entry), flush=True)
        worth = found["write loss"] + found["revise oracle loss"]
        if worth < best:
            best = worth
            log |= {"chosen_step": step, "seconds": entry["seconds"]}
            save(model, tokenizer, config, log, args.out)
    (args.out / "training.json").write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Read the arguments and tune."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--mistakes", type=Path, nargs="+", required=True)
    parser.add_argument("--held", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "models" / "embedded" / "sql")
    options(parser, steps=7000, seed=5, batch=32, rate=1.5e-3, muon=2e-3, smoothing=0.05, every=500, threads=1)
    tune(parser.parse_args())


if __name__ == "__main__":
    main()

"""Trains the judge: a network of its own, which never writes for anybody.

    OMP_NUM_THREADS=1 python scripts/embedded_sql/judge.py --tokenizer FILE --mistakes A.jsonl B.jsonl --held HELD.jsonl
        [--start FOLDER --own OWN.jsonl] --out FOLDER

Three kinds of rows, mixed: a question and its SQL; SQL and its question (in one row of eight without the SQL, so that
it knows what a question is worth by itself); a question, an attempt with the marks of its result, and whether it is
right.

OWN are the finished writer's attempts at questions that no grammar wrote. With them a third of the batches are rivals:
all attempts at a few of these questions, on one of the three databases; each is to be judged, and a right one is to
come first. In the other batches half of what is to write or to ask is about these questions: the first attempt that is
right, so that all SQL is in the writer's style. Where that can be done, other states stand in place of a question's
own. One line in ten is left out, and measured.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from entities import STATES
from grammar import Example, examples
from mistakes import COPIES, blurred
from train import build, descend, load, optimizers_of, options, save
from tune import LIMIT, Row, Rows, groups_of, losses, read, tensors, written

from veriloop.apps.bench.estimates import auc
from veriloop.models.embedded.reading import Attempt, ordered
from veriloop.models.embedded.text import normalise
from veriloop.models.embedded.vocabulary import Vocabulary

KINDS = ("write", "ask", "judge")
SHARES = (25, 40, 35)
PLACES = ("state_name", "border", "traverse")
"""The columns whose values are states."""
_STATE = re.compile(rf"\b({'|'.join(sorted(STATES, key=len, reverse=True))})\b")
_VALUE = re.compile(r"(\w+) (?:=|<>) '([^']*)'")


class JudgeRows(Rows):
    """Makes rows of the three kinds."""

    def __init__(
        self, vocabulary: Vocabulary, lines: list[dict[str, Any]], rng: Random, own: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(vocabulary, lines, rng)
        self.judged = [line for line in lines if line["tries"]]
        self.own = [line for line in own if sum("error" not in each["ran"] for each in line["tries"]) > 1]
        rights = ((line, next((each for each in line["tries"] if each["right"]), None)) for line in self.own)
        self.solved = [(line["question"], each["sql"]) for line, each in rights if each]

    def ask(self, question: str, sql: str, alone: float = 0.0) -> Row:
        """SQL, or nothing with probability ``alone``, and the question that it answers."""
        vocabulary = self.vocabulary
        words, slots = vocabulary.read(normalise(question))
        given = [] if self.rng.random() < alone else vocabulary.write(sql, slots)
        ids = [vocabulary.answer, *given, vocabulary.question]
        return Row([*ids, *words, vocabulary.end], len(ids), "ask")

    def held(self, line: dict[str, Any], each: dict[str, Any]) -> Row:
        """An attempt as it was made."""
        return self._judged(line["question"], each["sql"], each["ran"], each["right"])

    def judge(self) -> Row:
        """One attempt: as often written, or any of the distinct ones; of a question with a word less, now and then."""
        rng = self.rng
        line = rng.choice(self.judged)
        each = rng.choices(line["tries"], _weights(line["tries"], rng.random() < 0.5))[0]
        count = rng.choices((0, 1, 2), (80, 15, 5))[0]
        question = blurred(rng, line["question"], line["sql"], count)
        return self._judged(question, each["sql"], each["ran"], each["right"])

    def rivals(self) -> list[Row]:
        """The writer's attempts at a question that run, all of them on the same database."""
        rng, line = self.rng, self.rng.choice(self.own)
        copy = rng.choice(("", *COPIES))
        asked, (gold, *moved) = elsewhere(
            rng, line["question"], [line["sql"], *(each["sql"] for each in line["tries"])]
        )
        asked = blurred(rng, asked, gold, int(rng.random() < 0.1))
        rows = [
            self._judged(asked, sql, (each[copy] if copy else each)["ran"], each["right"])
            for each, sql in zip(line["tries"], moved, strict=True)
            if "error" not in each["ran"]
        ]
        return [row for row in rows if len(row.ids) <= LIMIT]

    def _judged(self, question: str, sql: str, ran: Sequence[str], right: bool) -> Row:
        vocabulary = self.vocabulary
        asked, text, rest, _ = vocabulary.judged(question, Attempt(sql, ordered(list(ran))))
        ids = [*asked, *text, *rest]
        return Row([*ids, vocabulary.yes if right else vocabulary.no], len(ids), "judge")

    def fresh(self, source: Iterator[Example], kind: str, own: bool) -> Row:
        """A row of a kind, of the grammar or of questions that it did not write."""
        if kind == "judge":
            return self.judge()
        if own:
            question, sql = self.rng.choice(self.solved)
            question, (sql,) = elsewhere(self.rng, question, [sql])
        else:
            example = next(source)
            question, sql = example.question, example.sql
        return self.write(question, sql) if kind == "write" else self.ask(question, sql, 0.12)


def elsewhere(rng: Random, question: str, queries: Sequence[str]) -> tuple[str, list[str]]:
    """A question in plain form and queries, with other states in place of those that the question names.

    They stay where a state is named twice, or gives something else its name (a river, Kansas City)."""
    question = normalise(question)
    named = [name for name in _STATE.findall(question) if any(f"'{name}'" in sql for sql in queries)]
    values = {value for sql in queries for value in sql.split("'")[1::2]}
    others = {value for sql in queries for column, value in _VALUE.findall(sql) if column not in PLACES}
    parts = {name for name in named for value in values - {name} if f" {name} " in f" {value} "}
    if len(set(named)) < len(named) or (parts | others).intersection(named):
        return question, list(queries)
    free = sorted(set(STATES) - set(_STATE.findall(question)) - values)
    fresh = dict(zip(named, rng.sample(free, len(named)), strict=True))
    moved = [re.sub(r"'([^']*)'", lambda match: f"'{fresh.get(match[1], match[1])}'", sql) for sql in queries]
    return _STATE.sub(lambda match: fresh.get(match[1], match[1]), question), moved


def _weights(tries: list[dict[str, Any]], written: bool) -> list[float]:
    """How often each attempt is judged: as it was written or evenly, and less where the verifier ``sql`` sees through
    it, as no judge is asked about that one."""
    counts = [each["count"] for each in tries]
    shares = counts if written and any(counts) else [1] * len(tries)
    return [share * (0.25 if each["sql_says"] else 1.0) for share, each in zip(shares, tries, strict=True)]


@dataclass(frozen=True)
class Batch:
    """Rows, and how many of them belong to each question in turn if they are rivals."""

    rows: list[Row]
    rivals: list[int]


def stream(rows: JudgeRows, seed: int, size: int) -> Iterator[Batch]:
    """Endless batches: rows of like length, fresh questions but for those with attempts; or a few questions' rivals."""
    source, rng = examples(seed), rows.rng
    while True:
        some: list[Row] = []
        while len(some) < size * 50:
            row = rows.fresh(source, rng.choices(KINDS, SHARES)[0], bool(rows.own) and rng.random() < 0.5)
            if len(row.ids) <= LIMIT:
                some.append(row)
        some.sort(key=lambda row: len(row.ids))
        batches = [Batch(some[at : at + size], []) for at in range(0, len(some), size)]
        if rows.own:
            batches += [rivalry([rows.rivals() for _ in range(max(1, size // 6))]) for _ in range(25)]
        rng.shuffle(batches)
        yield from batches


def rivalry(lists: list[list[Row]]) -> Batch:
    """The batch of some questions' rivals."""
    return Batch([row for rivals in lists for row in rivals], [len(rivals) for rivals in lists])


def loss_of(model: Any, vocabulary: Vocabulary, batch: Batch, smoothing: float) -> Any:
    """The loss of a batch; of rivals, that each is judged rightly and that a right one is first."""
    from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

    if not batch.rivals:
        return losses(model, batch.rows, smoothing)
    scores, right = verdicts(model, vocabulary, batch.rows)
    total = binary_cross_entropy_with_logits(scores, right.float())
    firsts = list[Any]()
    for mine, rights in zip(scores.split(batch.rivals), right.split(batch.rivals), strict=True):
        if rights.any() and not rights.all():
            firsts.append(-log_softmax(mine, 0)[rights].logsumexp(0))
    return total + sum(firsts) / max(len(firsts), 1)


def verdicts(model: Any, vocabulary: Vocabulary, rows: list[Row]) -> tuple[Any, Any]:
    """The logit of right against wrong of judged rows, and which are right."""
    ids, targets, _ = tensors(rows)
    mask = targets != -100
    logits = model.lm_head(model.model(input_ids=ids, use_cache=False).last_hidden_state[mask])
    return logits[:, vocabulary.yes] - logits[:, vocabulary.no], targets[mask] == vocabulary.yes


class Held:
    """What is measured on held-out templates: losses, and how well verdicts tell right from wrong."""

    def __init__(self, rows: JudgeRows, lines: list[dict[str, Any]], own: list[dict[str, Any]], seed: int) -> None:
        fresh = list(islice(examples(seed + 77_777, True), 640))
        self.rows = rows
        self.asked = [rows.ask(e.question, e.sql) for e in fresh]
        self.wrote = [rows.write(e.question, e.sql) for e in fresh]
        self.distinct = [rows.held(line, each) for line in lines for each in line["tries"]]
        self.own = [rows.held(line, each) for line in own for each in line["tries"]]

    def measure(self, model: Any) -> dict[str, float]:
        """The figures of all sets."""
        import torch

        model.eval()
        with torch.no_grad():
            found = {
                "write loss": written(model, self.wrote)["loss"],
                "ask loss": written(model, self.asked)["loss"],
                **self._verdicts(model, "verdict", self.distinct),
                **(self._verdicts(model, "own verdict", self.own) if self.own else {}),
            }
        model.train()
        return {name: round(value, 4) for name, value in found.items()}

    def _verdicts(self, model: Any, name: str, rows: list[Row]) -> dict[str, float]:
        scores, labels = list[float](), list[bool]()
        for group in groups_of(rows):
            found, right = verdicts(model, self.rows.vocabulary, group)
            scores += found.sigmoid().tolist()
            labels += right.tolist()
        pairs = zip(scores, labels, strict=True)
        loss = -sum(math.log(max(1e-6, s if right else 1 - s)) for s, right in pairs) / max(len(scores), 1)
        return {f"{name} loss": loss, f"{name} auc": auc(np.array(scores), np.array(labels))}


def train(args: argparse.Namespace) -> None:
    """The whole training; the last weights are kept."""
    import torch
    from tokenizers import Tokenizer

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    began = time.time()
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    vocabulary = Vocabulary(tokenizer)
    model, config = load(args.start) if args.start else build(args, tokenizer.get_vocab_size())
    own = read(args.own)
    apart = own[9::10]
    taught = [line for at, line in enumerate(own) if at % 10 != 9]
    rows = JudgeRows(vocabulary, read(args.mistakes), Random(args.seed), taught)
    held = Held(JudgeRows(vocabulary, [], Random(args.seed + 1)), read([args.held]), apart, args.seed)
    optimizers = optimizers_of(model, args)
    log: dict[str, Any] = {
        "arguments": {name: value for name, value in vars(args).items() if isinstance(value, int | float)},
        "questions": len(rows.judged),
        "own": len(rows.own),
        "parameters": sum(p.numel() for p in model.parameters()),
        "torch": torch.__version__,
        "checks": [],
    }
    if args.start and (told := args.start / "training.json").exists():
        log["before"] = json.loads(told.read_text(encoding="utf-8"))
    source = stream(rows, args.seed, args.batch)
    for step, loss in descend(
        model, optimizers, args, lambda: loss_of(model, vocabulary, next(source), args.smoothing)
    ):
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
    parser.add_argument("--start", type=Path, help="weights to go on from; none: from nothing")
    parser.add_argument("--own", type=Path, nargs="+", default=[], help="attempts at questions that no grammar wrote")
    parser.add_argument("--out", type=Path, required=True)
    options(parser, steps=12_000, seed=44, batch=32, hidden=128, inner=384, layers=4, heads=4, every=500, threads=1)
    options(parser, rate=3e-3, muon=4e-3, smoothing=0.02)
    train(parser.parse_args())


if __name__ == "__main__":
    main()

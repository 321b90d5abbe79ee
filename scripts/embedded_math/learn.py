"""Trains the embedded model of word problems on fresh examples of the grammar.

    OMP_NUM_THREADS=2 python scripts/embedded_math/learn.py --seed 1 --out DIR
    OMP_NUM_THREADS=1 python scripts/embedded_math/learn.py --begin DIR --texts FILE --steps 500 --out DIR2

With `--begin` it goes on from trained weights, and with `--texts` a share of the rows is of a file of JSON lines:
{"question": …, "pieces": [[text, learned], …]}, such as what Hint-RFT keeps.

What it shares with the SQL model's training comes from there. Only what the model is to write itself is learned: no
hint, nothing that running code gave, no wrong value. Held-out templates choose the checkpoint, never a benchmark.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "embedded_sql"))
sys.path.insert(0, str(Path(__file__).parent))

from course import keep_best, tokenizer_of
from texts import Example, examples
from train import build, descend, evaluate, load, loss_of, optimizers_of, options, save

from veriloop.models.embedded.plain import PIECES, SPECIALS, Plain

ROOM = 1024
"""Tokens of a problem and its text, all rounds of hints included."""
Row = tuple[list[int], list[bool]]


def train_tokenizer(seed: int, size: int) -> Any:
    """A tokenizer of problems and texts: no token crosses words, and each digit stands alone."""
    drawn = islice(examples(seed + 1_000_003), 20_000)
    texts = (text for each in drawn for text in (each.problem.question, each.text))
    return tokenizer_of(texts, PIECES, SPECIALS, size)


class Encoder:
    """Turns examples into token ids, each with whether it is learned: `<q> problem <s> text </s>`."""

    def __init__(self, tokenizer: Any) -> None:
        self.plain = Plain(tokenizer)

    def __call__(self, example: Example, after: bool = False) -> Row:
        """The row of an example; ``after``: only what comes after the first hint or doubt put in is learned."""
        pieces: list[tuple[str, bool]] = []
        put_in = not after
        for piece in example.pieces:
            put_in = put_in or (not piece.learned and "Wait," in piece.text)
            pieces.append((piece.text, piece.learned and put_in))
        return self.row(example.problem.question, pieces)

    def row(self, question: str, pieces: Sequence[tuple[str, bool]]) -> Row:
        """The row of a text in pieces, each with whether it is learned. It is tokenised as a whole, as the engine does
        when it continues one; a token is learned where all of it is."""
        marks = [learned for text, learned in pieces for _ in text]
        opening = self.plain.ask(question)
        encoded = self.plain.tokenizer.encode("".join(text for text, _ in pieces))
        learned = [all(marks[begin:end]) for begin, end in encoded.offsets]
        return [*opening, *encoded.ids, self.plain.end], [*[False] * len(opening), *learned, True]


def batches(encoder: Encoder, arguments: argparse.Namespace) -> Iterator[tuple[Any, Any]]:
    """Endless batches of rows of like length, of about so many tokens each."""
    source, rng, tokens = examples(arguments.seed), Random(arguments.seed), arguments.tokens
    given = read(encoder, arguments.texts) if arguments.texts else []
    while True:
        fresh = islice(source, round(2000 * (1 - arguments.share)) if given else 2000)
        rows = [*map(encoder, fresh), *(rng.choices(given, k=round(2000 * arguments.share)) if given else ())]
        rows = [row for row in rows if len(row[0]) <= arguments.limit]
        rows.sort(key=lambda row: len(row[0]))
        groups: list[list[Row]] = [[]]
        for row in rows:
            if groups[-1] and (len(groups[-1]) + 1) * len(row[0]) > tokens:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        yield from map(tensors, groups)


def read(encoder: Encoder, path: Path) -> list[Row]:
    """The rows of a file of texts."""
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    return [encoder.row(line["question"], line["pieces"]) for line in lines]


def tensors(rows: Sequence[Row]) -> tuple[Any, Any]:
    """Rows as ids and targets, -100 where there is nothing to learn."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    targets = torch.full((len(rows), width), -100)
    for at, (row, learned) in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        shown = torch.tensor(row[1:])
        targets[at, : len(row) - 1] = shown.where(torch.tensor(learned[1:]), torch.tensor(-100))
    return ids, targets


def held_set(encoder: Encoder, arguments: argparse.Namespace, kind: str) -> list[tuple[Any, Any]]:
    """Batches of held-out templates: texts of a kind, of which only what follows the first hint or doubt counts."""
    drawn = islice(examples(arguments.seed + 77_777, True, (kind,)), 128)
    rows = [encoder(each, after=kind != "plain") for each in drawn]
    rows = sorted((row for row in rows if len(row[0]) <= arguments.limit), key=lambda row: len(row[0]))
    groups = (tensors(rows[at : at + 32]) for at in range(0, len(rows), 32))
    return [(ids.to(arguments.device), targets.to(arguments.device)) for ids, targets in groups]


def fresh(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """A tokenizer, a model that knows nothing, and its configuration."""
    tokenizer = train_tokenizer(arguments.seed, arguments.vocabulary)
    model, config = build(arguments, tokenizer.get_vocab_size())
    return tokenizer, model, {**config, "kind": "text", "max_position_embeddings": ROOM}


def gone_on(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """The tokenizer, the model and the configuration of a folder."""
    from tokenizers import Tokenizer

    folder: Path = arguments.begin
    model, config = load(folder)
    for name, key in (("hidden", "hidden_size"), ("inner", "intermediate_size"), ("layers", "num_hidden_layers")):
        setattr(arguments, name, config[key])
    arguments.heads = config["num_attention_heads"]
    return Tokenizer.from_file(str(folder / "tokenizer.json")), model, config


def train(arguments: argparse.Namespace) -> None:
    """The whole recipe."""
    import torch

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    began = time.time()
    tokenizer, model, config = gone_on(arguments) if arguments.begin else fresh(arguments)
    encoder = Encoder(tokenizer)
    model.to(arguments.device)
    optimizers = optimizers_of(model, arguments)
    data = {kind: held_set(encoder, arguments, kind) for kind in ("plain", "hint", "wait")}
    stream = batches(encoder, arguments)

    def measure() -> tuple[dict[str, Any], float]:
        found: dict[str, float] = {}
        for kind, rows in data.items():
            found[f"{kind} loss"], found[f"{kind} exact"] = (round(x, 4) for x in evaluate(model, rows))
        return found, sum(found[f"{kind} loss"] for kind in data)

    steps = descend(model, optimizers, arguments, lambda: loss_of(model, next(stream), arguments))
    keep_best(model, arguments, began, steps, measure, lambda log: save(model, tokenizer, config, log, arguments.out))


def main() -> None:
    """Reads the arguments and trains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "models" / "embedded" / "math")
    parser.add_argument("--begin", type=Path, help="the folder of the weights to go on from")
    parser.add_argument("--texts", type=Path, help="a file of texts to learn from")
    parser.add_argument("--share", type=float, default=0.5, help="of rows that are of this file")
    # tokens of a batch; texts of more than the limit are left out; Muon's rate is for the matrices of the layers
    options(parser, steps=3400, seed=1, tokens=4096, limit=640, rate=3e-3, muon=4e-3, smoothing=0.0)
    options(parser, hidden=160, inner=448, layers=5, heads=5, vocabulary=1100, every=400, threads=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    train(parser.parse_args())


if __name__ == "__main__":
    main()

"""Trains the embedded model of the game of 24: to write steps, and to say of a state whether 24 can still be made.

    OMP_NUM_THREADS=1 python scripts/embedded_game24/learn.py --steps 1600 --seed 1 --out DIR

Both are learned in one pass over a text: where a line ends, the next token is that of the next line, and two tokens
that are never written say whether 24 is in reach. What it shares with the SQL model's training comes from there.
Held-out sets choose the checkpoint.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "embedded_sql"))
sys.path.insert(0, str(Path(__file__).parent))

from course import keep_best, tokenizer_of
from solver import Share
from texts import Walk, walks
from train import build, descend, optimizers_of, options, save

from veriloop.apps.bench.estimates import auc
from veriloop.models.embedded.game import PIECES, SPECIALS, Game

ROOM = 192
"""Tokens of a puzzle and its text."""
Row = tuple[list[int], list[bool], dict[int, bool]]
"""The ids of a text, whether each is learned, and at which places it is said whether 24 can be made."""


def train_tokenizer(seed: int, size: int) -> Any:
    """A tokenizer in which most numbers are one token."""
    return tokenizer_of((each.text for each in islice(walks(seed + 1_000_003), 20_000)), PIECES, SPECIALS, size)


def row(game: Game, walk: Walk) -> Row:
    """The row of a text, whose lines are tokenised one by one: no token crosses their ends."""
    ids = game.ask(" ".join(map(str, walk.start)))
    learned, said = [False] * len(ids), {len(ids) - 1: walk.solvable}
    for line in walk.lines[:-1]:
        pieces = game.write(line.text + "\n")
        ids += pieces
        learned += [line.learned] * len(pieces)
        said[len(ids) - 1] = line.reachable
    last = walk.lines[-1]
    pieces = [*game.write(last.text), game.end]
    return [*ids, *pieces], [*learned, *[last.learned] * len(pieces)], said


def tensors(rows: list[Row]) -> tuple[Any, Any, Any]:
    """Rows as ids, the targets of their texts and those of what is said of states: -100 where there is none."""
    import torch

    width = max(len(ids) for ids, _, _ in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    texts, states = torch.full((len(rows), width), -100), torch.full((len(rows), width), -100)
    for at, (row, learned, said) in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        shown = torch.tensor(row[1:])
        texts[at, : len(row) - 1] = shown.where(torch.tensor(learned[1:]), torch.tensor(-100))
        for place, reachable in said.items():
            states[at, place] = int(reachable)
    return ids, texts, states


def batches(game: Game, arguments: argparse.Namespace) -> Iterator[tuple[Any, Any, Any]]:
    """Endless batches of texts of like length."""
    source, rng, size = walks(arguments.seed), Random(arguments.seed), arguments.batch
    while True:
        rows = sorted((row(game, each) for each in islice(source, size * 20)), key=lambda each: len(each[0]))
        groups = [rows[at : at + size] for at in range(0, len(rows), size)]
        rng.shuffle(groups)
        yield from map(tensors, groups)


def losses(model: Any, game: Game, batch: tuple[Any, Any, Any]) -> tuple[Any, Any, Any, Any]:
    """The losses of texts and of states, the log-odds of the states and what is right of them."""
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    ids, texts, states = batch
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    written = model.lm_head(hidden[texts != -100])
    written[:, [game.yes, game.no]] = -1e4
    said = model.lm_head(hidden[states != -100])
    odds, right = said[:, game.yes] - said[:, game.no], states[states != -100].float()
    return cross_entropy(written, texts[texts != -100]), binary_cross_entropy_with_logits(odds, right), odds, right


def evaluate(model: Any, game: Game, data: list[tuple[Any, Any, Any]]) -> dict[str, float]:
    """Mean losses, and how well states are told apart."""
    import torch

    model.eval()
    with torch.no_grad():
        every = [losses(model, game, batch) for batch in data]
    model.train()
    odds, right = torch.cat([each[2] for each in every]), torch.cat([each[3] for each in every])
    text, state = (float(sum(each[at] for each in every) / len(every)) for at in (0, 1))
    return {
        "text": round(text, 4),
        "state": round(state, 4),
        "auc": round(auc(odds.double().numpy(), right.numpy() > 0), 4),
    }


def held_set(game: Game, seed: int, share: Share) -> list[tuple[Any, Any, Any]]:
    """Batches of texts on sets of a share."""
    drawn = [row(game, each) for each in islice(walks(seed + 77_777, share), 512)]
    return [tensors(drawn[at : at + 64]) for at in range(0, len(drawn), 64)]


def train(arguments: argparse.Namespace) -> None:
    """The whole recipe."""
    import torch

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    began = time.time()
    game = Game(train_tokenizer(arguments.seed, arguments.vocabulary))
    model, config = build(arguments, game.size)
    config |= {"kind": "game24", "max_position_embeddings": ROOM}
    optimizers = optimizers_of(model, arguments)
    shares: tuple[Share, ...] = ("held out", "trained")
    data = {share: held_set(game, arguments.seed, share) for share in shares}
    stream = batches(game, arguments)

    def loss_of() -> Any:
        text, state, _, _ = losses(model, game, next(stream))
        return text + state

    def measure() -> tuple[dict[str, Any], float]:
        found = {share: evaluate(model, game, rows) for share, rows in data.items()}
        return found, found["held out"]["text"] + found["held out"]["state"]

    steps = descend(model, optimizers, arguments, loss_of)
    keep_best(
        model, arguments, began, steps, measure, lambda log: save(model, game.tokenizer, config, log, arguments.out)
    )


def main() -> None:
    """Reads the arguments and trains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "models" / "embedded" / "game24")
    # Muon's rate is for the matrices of the layers
    options(parser, steps=1600, seed=1, batch=64, rate=3e-3, muon=4e-3, every=200, threads=1)
    options(parser, hidden=128, inner=384, layers=4, heads=4, vocabulary=600)
    train(parser.parse_args())


if __name__ == "__main__":
    main()

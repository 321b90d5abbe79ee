"""Supervised fine-tuning on exported chats: what is learned of them alone, all weights, resumable."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from veriloop.apps.bench.plan import claimed
from veriloop.apps.train.interrupt import Interrupt
from veriloop.apps.train.records import EXPORTED, MADE_BY, refuse_stale, rows
from veriloop.apps.train.trainable import where
from veriloop.core.errors import UsageError
from veriloop.core.seeds import derive

NEEDED = ("torch", "transformers", "trl", "datasets", "accelerate")
ASKED, DONE, STEPS = "sft.json", "training.json", ".steps"
"""What was asked for, what came of it (its presence says that all is done), and the folder of checkpoints."""
RATES = {"embedded": 5e-4, "transformers": 1e-5}
"""The learning rate where none is given: a small model moves faster."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """See ``veriloop train sft --help``."""

    out: Path
    to: Path
    model: str
    epochs: float = 3.0
    rate: float | None = None
    batch: int = 16
    at_once: int = 8
    max_length: int = 2048
    held_out: float = 0.1
    seed: int = 0


class Watch(Protocol):
    """Who is told how it goes."""

    def step(self, done: int, total: int) -> None:
        """So many steps are done."""
        ...

    def loss(self, kind: str, value: float) -> None:
        """The mean loss of a token, ``learned`` or ``held out``."""
        ...

    def stopping(self) -> None:
        """It was interrupted: the step under way ends, a checkpoint is written, and that is all."""
        ...


class Quiet:
    """Nobody is told."""

    def step(self, done: int, total: int) -> None:
        """Nothing."""

    def loss(self, kind: str, value: float) -> None:
        """Nothing."""

    def stopping(self) -> None:
        """Nothing."""


def sft(order: Order, watch: Watch | None = None) -> dict[str, Any]:
    """Train from where it stands to the end and return what came of it.

    Ctrl-C or SIGTERM ends the step under way and then the training, with a checkpoint that the next call goes on from.
    Raises ``UsageError`` before anything is loaded for a missing package, model or file, for texts that are older than
    what they are made of, and where the folder holds another training.
    """
    kind, folder = where(order.model)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UsageError(f"training needs {', '.join(missing)}: pip install 'veriloop[train]'")
    chats = exported(order.out)
    order = replace(order, rate=RATES[kind] if order.rate is None else order.rate)
    if order.to.resolve() in (folder.resolve(), order.out.resolve()):
        raise UsageError(f"--out {order.to} is where something is read from: give a new folder")
    if not (order.to / ASKED).exists():  # one that was begun goes on with the texts that it began with
        refuse_stale(order.out, EXPORTED)
    with claimed(order.to):
        _agree(order, chats)
        if not (order.to / DONE).exists():
            _train(order, chats, watch or Quiet())
        shutil.rmtree(order.to / STEPS, ignore_errors=True)
        return json.loads((order.to / DONE).read_text("utf-8"))


def exported(out: Path) -> list[dict[str, Any]]:
    """The chats of ``export``. Raises ``UsageError`` when there are none, or a line is no such chat."""
    found: list[dict[str, Any]] = []
    for number, each in rows(out / EXPORTED, MADE_BY[EXPORTED]):
        read = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        whole = all(read.get(name) for name in ("problem", "messages", "segments"))
        if not whole or not all({"text", "trained"} <= set(piece) for piece in read["segments"]):
            raise UsageError(f"{out / EXPORTED}, line {number} is no chat of veriloop train export")
        found.append(read)
    return found


def _agree(order: Order, chats: Sequence[Any]) -> None:
    """Note what is asked for. Raises ``UsageError`` where another training was begun in the folder."""
    content = blake2b(json.dumps(chats, sort_keys=True).encode(), digest_size=8).hexdigest()
    own = {name: value for name, value in vars(order).items() if name not in ("out", "to", "at_once")}
    asked = {**own, "texts": content}
    path = order.to / ASKED
    if path.exists():
        then: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if differ := [name for name in asked if then.get(name) != asked[name]]:
            raise UsageError(f"{order.to} holds another training: other {', '.join(differ)}; give another --out")
    elif any(each.name != ".lock" for each in order.to.iterdir()):
        raise UsageError(f"{order.to} is not empty: give a new folder as --out")
    else:
        _write(path, asked)


def split(chats: Sequence[dict[str, Any]], share: float, seed: int) -> tuple[list[Any], list[Any]]:
    """Chats to train on, and those of problems that are held out: at least one where there are two or more."""
    problems = sorted({each["problem"] for each in chats}, key=lambda name: derive(seed, name))
    count = min(len(problems) - 1, max(1, round(share * len(problems)))) if share else 0
    held = set(problems[:count])
    return [c for c in chats if c["problem"] not in held], [c for c in chats if c["problem"] in held]


def _train(order: Order, chats: Sequence[dict[str, Any]], watch: Watch) -> None:
    from veriloop.apps.train import trainer as trainers
    from veriloop.apps.train.weights import load

    loaded = load(order.model)
    longest = min(order.max_length, int(getattr(loaded.model.config, "max_position_embeddings", order.max_length)))
    every = [(chat, loaded.rows.row(chat)) for chat in chats]
    fitting = [{**chat, "row": row} for chat, row in every if len(row.ids) <= longest]
    if not fitting:
        raise UsageError(f"every text is longer than {longest} tokens: raise --max-length")
    training, held = split(fitting, order.held_out, order.seed)
    steps = order.to / STEPS
    last = trainers.last_whole(steps)
    with Interrupt(watch.stopping) as interrupt:
        trainer = trainers.make(loaded, _rows(training), _rows(held), order, steps, trainers.Follow(watch, interrupt))
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    result = _result(order, trainer.state, len(training), len(held), len(every) - len(fitting))
    loaded.save(order.to)
    _write(order.to / DONE, result)


def _rows(chats: Sequence[dict[str, Any]]) -> list[Any]:
    return [chat["row"] for chat in chats]


def _result(order: Order, state: Any, texts: int, held: int, too_long: int) -> dict[str, Any]:
    history: list[dict[str, Any]] = state.log_history
    losses = {name: [round(float(each[name]), 4) for each in history if name in each] for name in ("loss", "eval_loss")}
    return {
        "model": order.model,
        "out": str(order.to),
        "texts": texts,
        "held_out": held,
        "too_long": too_long,
        "steps": int(state.global_step),
        "loss": losses["loss"],
        "held_out_loss": losses["eval_loss"],
        "epochs": order.epochs,
        "rate": order.rate,
        "batch": order.batch,
        "seed": order.seed,
    }


def _write(path: Path, value: Any) -> None:
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, default=str)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

"""TRL's SFT trainer, quiet and off the network, with checkpoints that can be trusted after a kill."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset
from transformers.utils import logging as chatter

from veriloop.apps.train.interrupt import Interrupt
from veriloop.apps.train.tokens import Row

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
_trl: Any = import_module("trl")
WHOLE = "whole"
"""The file that is written into a checkpoint once all of it is on the disk."""
CHECKPOINTS = 0.1
"""A checkpoint after each such share of all steps."""
Base: Any = _trl.SFTTrainer
Callback: Any = transformers.TrainerCallback


class Trainer(Base):
    """The trainer without what it would tell its makers, and without a model card."""

    def _send_telemetry(self) -> None: ...

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: the folder keeps the files it came with."""


class Follow(Callback):
    """Tells of steps and losses, marks checkpoints as whole, and ends an interrupted training with one."""

    def __init__(self, told: Any, interrupt: Interrupt) -> None:
        self._told = told
        self._interrupt = interrupt

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A step is done."""
        self._told.step(int(state.global_step), int(state.max_steps))
        control.should_save = control.should_save or self._interrupt.came

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
        """A loss is known, of training or of what is held out."""
        for name, kind in (("loss", "learned"), ("eval_loss", "held out")):
            if name in logs:
                self._told.loss(kind, float(logs[name]))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is written: bring it to the disk, then say so in it."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        for file in [*folder.iterdir(), folder / WHOLE]:
            with file.open("ab") as opened:
                os.fsync(opened.fileno())
        self._interrupt.go_on()


def last_whole(folder: Path) -> Path | None:
    """The newest checkpoint of a folder that was written to its end; torn ones are removed."""
    for each in folder.glob("checkpoint-*"):
        if not (each / WHOLE).exists():
            shutil.rmtree(each)
    return max(folder.glob("checkpoint-*"), key=lambda each: int(each.name.rpartition("-")[2]), default=None)


def make(loaded: Any, rows: Sequence[Row], held: Sequence[Row], order: Any, folder: Path, follow: Follow) -> Any:
    """The trainer of a model on rows, with checkpoints in ``folder``."""
    chatter.set_verbosity(logging.CRITICAL)
    chatter.disable_progress_bar()
    cuda = torch.cuda.is_available()
    most = next(n for n in range(min(order.batch, order.at_once), 0, -1) if not order.batch % n)
    config: Any = _trl.SFTConfig(
        output_dir=str(folder),
        num_train_epochs=order.epochs,
        per_device_train_batch_size=most,
        per_device_eval_batch_size=most,
        gradient_accumulation_steps=order.batch // most,
        learning_rate=order.rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.0,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        eval_strategy="epoch" if held else "no",
        eval_on_start=bool(held),
        save_strategy="steps",
        save_steps=CHECKPOINTS,
        save_total_limit=2,
        logging_steps=CHECKPOINTS,
        seed=order.seed,
        data_seed=order.seed,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not cuda,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        activation_checkpointing=cuda,
        dataloader_pin_memory=cuda,
    )
    trainer = Trainer(
        model=loaded.model,
        args=config,
        train_dataset=_dataset(rows),
        eval_dataset=_dataset(held) if held else None,
        processing_class=loaded.tokenizer,
        callbacks=[follow],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _dataset(rows: Sequence[Row]) -> Any:
    table: Any = Dataset
    return table.from_dict({"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]})

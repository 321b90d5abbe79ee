"""How a benchmark run looks on a terminal: where each arm stands while it works, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.text import Text

from veriloop.apps.bench.arms import Arm
from veriloop.apps.bench.records import Row, unfinished
from veriloop.apps.cli.show import Lively, clip, counted, table

if TYPE_CHECKING:
    from veriloop.apps.bench.measured import Measured


class Board(Lively):
    """Cells done, accuracy so far and spend, an arm a line; below them the time left.

    ``trouble`` and ``broken`` are the cells that met trouble which may pass, and those of broken tasks, with the error;
    ``sound`` is how many met neither.
    """

    def __init__(self, console: Console, metric: str) -> None:
        super().__init__(console)
        self.trouble: dict[tuple[str, str, int], str] = {}
        self.broken: dict[tuple[str, str, int], str] = {}
        self.sound = 0
        self._metric = metric
        self._stage = ""
        self._total = self._done = self._fresh = 0
        self._began = time.monotonic()
        self._arms: dict[str, _Standing] = {}

    def began(self, stage: str, total: int, arms: Sequence[Arm]) -> None:
        """A stage of so many cells begins."""
        self._stage, self._total, self._done, self._fresh = stage, total, 0, 0
        self._began = time.monotonic()
        self._arms = {arm.label: _Standing() for arm in arms}
        self.console.print(f"{stage}: {counted(len(arms), 'arm')}, {counted(total, 'cell')}", style="dim")

    def ended(self, row: Row, fresh: bool) -> None:
        """A cell has ended, now or in an earlier sitting."""
        self._done += 1
        self._fresh += fresh
        self._arms[row["arm"]].take(row, self._metric)
        self.sound += not row["error"]
        if row["error"]:
            met = self.trouble if unfinished(row) else self.broken
            met[row["arm"], row["task"], row["seed"]] = row["error"]

    def notice(self, text: str) -> None:
        """Something that a user should know."""
        self.console.print(Text(f"  {clip(text)}", style="yellow"))

    @property
    def trouble_line(self) -> str:
        """What cells met that may pass."""
        first = next(iter(self.trouble.values()), "")
        return f"{counted(len(self.trouble), 'cell')} met trouble, the first: {first}"

    @property
    def broken_line(self) -> str:
        """What cells of broken tasks met."""
        tasks = len({task for _, task, _ in self.broken})
        cells = f"{counted(len(self.broken), 'cell')} of {counted(tasks, 'task')}"
        return f"{cells} could not be run and count as wrong, the first: {clip(next(iter(self.broken.values()), ''))}"

    def status(self) -> Any:
        shown = table("arm", "cells", self._metric, "broken", "tokens", "money")
        for column in shown.columns[1:]:
            column.justify = "right"
        for label, standing in self._arms.items():
            shown.add_row(clip(label, 60), *standing.words())
        seconds = time.monotonic() - self._began
        line = f"  {self._stage}: {self._done:,} of {self._total:,} cells · {clock(seconds)}"
        if self._fresh:
            line += f" · {clock((self._total - self._done) * seconds / self._fresh)} left"
        return Group(shown, Text(line, style="dim"))


class _Standing:
    """How one arm stands."""

    def __init__(self) -> None:
        self.cells = self.errors = self.tokens = 0
        self.right = 0.0
        self.money: float | None = 0.0

    def take(self, row: Row, metric: str) -> None:
        spend = row["spend"]
        self.cells += 1
        self.errors += bool(row["error"])
        self.right += float(row["right"][metric])
        self.tokens += spend["tokens_in"] + spend["tokens_out"]
        if not row["error"]:
            self.money = None if self.money is None or spend["money"] is None else self.money + spend["money"]

    def words(self) -> list[str]:
        share = f"{100 * self.right / self.cells:.1f} %" if self.cells else "–"
        money = "–" if self.money is None else f"${self.money:.4f}"
        return [f"{self.cells:,}", share, str(self.errors or "–"), f"{self.tokens:,}", money]


def clock(seconds: float) -> str:
    """Seconds as people read them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def results(run: Measured, metric: str) -> Any:
    """The table of a run: which model, accuracy with its 95 % interval, what it cost on average, what went wrong."""
    from veriloop.apps.bench.stats import summary

    arms = summary(run)
    played: dict[str, str] = run.plan.get("models") or {}
    models = ", ".join(name if role == "proposer" else f"{role}={name}" for role, name in played.items())
    shown = table("arm", f"{metric} (95 %)", "any", "n", "tokens", "calls", "judged", "s", "money")
    for column in shown.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for arm in arms:
        shown.add_row(*_line(arm, metric))
    verifiers = sorted({arm["verify"] for arm in arms} - {"none"})
    about = f"verifier: {', '.join(verifiers) or 'none'} · any: any candidate right · n: proposals · judged: verdicts"
    notes = [Text(note, style="yellow") for arm in arms if (note := _note(arm))]
    head = [Text(f"model: {clip(models)}", style="bold")] if models else []
    return Group(*head, shown, Text(f"{about} · n to money: means per cell", style="dim"), *notes)


def _line(arm: Any, metric: str) -> list[str]:
    found, ceiling = arm["accuracy"][metric], arm["ceiling"][metric]
    share = f"{_share(found['value'])} ({_share(found['low'])}–{_share(found['high'])})"
    money = "–" if arm["money"] is None else f"${arm['money']:.5f}" if arm["money"] else "$0"
    means = [_mean(arm[name]) for name in ("proposals", "tokens", "calls", "verdicts", "seconds")]
    return [clip(arm["label"], 60), share, _share(ceiling["value"]), *means, money]


def _note(arm: Any) -> str:
    parts: list[str] = []
    if arm["errors"]:
        parts.append(f"{counted(arm['errors'], 'cell')} could not be run and count as wrong")
    if arm["abstained"]:
        parts.append(f"no answer in {_share(arm['abstained'])} % of its cells")
    return f"{arm['label']}: {'; '.join(parts)}" if parts else ""


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _mean(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

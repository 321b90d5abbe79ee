"""How a training looks on a terminal: steps, losses, the time left, and where the model is at the end."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.text import Text

from veriloop.apps.cli.bench import go_on
from veriloop.apps.cli.bench_board import clock
from veriloop.apps.cli.show import Lively, console
from veriloop.apps.cli.work import cut_off
from veriloop.apps.train.sft import Order, sft


class Board(Lively):
    """The step, the last losses, and the time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._began = time.monotonic()
        self._first: int | None = None
        self._done = self._total = 0
        self._losses: dict[str, float] = {}
        self._stopping = False

    def step(self, done: int, total: int) -> None:
        """So many steps are done."""
        self._first = done - 1 if self._first is None else self._first
        self._done, self._total = done, total

    def loss(self, kind: str, value: float) -> None:
        """A loss is known."""
        self._losses[kind] = value
        if kind == "held out":
            self.console.print(f"  step {self._done}: loss {value:.4f} on what is held out", style="dim")
        elif not self.console.is_terminal:  # where nothing shows how it stands
            self.console.print(f"  step {self._done:,} of {self._total:,}: loss {value:.4f}{self._left()}", style="dim")

    def stopping(self) -> None:
        """The step under way is the last one."""
        self._stopping = True

    def status(self) -> Any:
        """How it stands."""
        seconds = time.monotonic() - self._began
        line = f"  step {self._done:,} of {self._total:,} · {clock(seconds)}"
        line += "".join(f" · {kind} {value:.4f}" for kind, value in self._losses.items())
        line += " · interrupted, ends with this step (again: at once)" if self._stopping else self._left()
        return Text(line if self._total else "  loading …", style="dim")

    def _left(self) -> str:
        """The time left, where a step has shown it."""
        if self._first is None or self._done <= self._first:
            return ""
        seconds = (time.monotonic() - self._began) / (self._done - self._first)
        return f" · {clock((self._total - self._done) * seconds)} left"


def followed(order: Order, quiet: bool) -> dict[str, Any]:
    """Train, show it, and return what came of it."""
    out = console(quiet=quiet)
    with cut_off(go_on), Board(out) as board:
        found = sft(order, board)
    losses = found["held_out_loss"]
    change = f", held out: {losses[0]:.4f} → {losses[-1]:.4f}" if losses else ""
    long = f" ({found['too_long']} too long)" if found["too_long"] else ""
    out.print(f"{found['steps']} steps on {found['texts']} texts{long}{change}")
    out.print(f"\n{found['out']}", style="dim")
    return found

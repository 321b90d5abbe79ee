"""What is shown on a real terminal only: the lines that stay alive while work goes on."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from veriloop.apps.cli.bench_board import Board as BenchBoard
from veriloop.apps.cli.show import Lively, Watcher
from veriloop.apps.cli.train_board import Board as TrainBoard


@pytest.mark.parametrize(
    ("make", "shows"),
    [
        (lambda console: Watcher(console, at_most=8), "0 attempts of at most 8"),
        (lambda console: BenchBoard(console, "right"), ""),
        (TrainBoard, "loading"),
    ],
)
def test_a_line_that_lives_begins_and_ends(make: type[Lively], shows: str):
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with make(console):
        pass
    assert isinstance(console.file, io.StringIO)
    assert shows in console.file.getvalue()


def on_a_terminal(*command: str, folder: Path) -> tuple[int, str]:
    """The exit status of a command whose output is a terminal, and what it showed there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "veriloop.apps.cli", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not more:
            break
        shown += more
    os.close(ours)
    return process.wait(), shown.decode()


def test_the_demo_runs_on_a_terminal(tmp_path: Path):
    status, shown = on_a_terminal("demo", folder=tmp_path)
    assert status == 0, shown
    assert "8 questions in" in shown.replace("\x1b[1;36m", "").replace("\x1b[0m", "")
    assert "attempt" in shown

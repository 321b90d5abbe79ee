"""What the scripts share: an error of the user's is one line and exit status 2, Ctrl-C says how to go on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer

from veriloop.apps.bench.plots import installed
from veriloop.apps.cli.bench import go_on
from veriloop.apps.cli.work import cut_off, plainly
from veriloop.core.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Its help is the script's docstring; what it cannot take is one line."""

    def __init__(self, about: str | None) -> None:
        super().__init__(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End with a line."""
        fail(f"{message}; see: {self.prog} --help")


def command(work: Callable[[], None], how: Callable[[], str] = go_on) -> None:
    """Do the work of a script; ``how`` says how it goes on where it is cut off."""
    try:
        with plainly(fail), cut_off(how):
            work()
    except typer.Exit as end:
        sys.exit(end.exit_code)


def fail(message: str) -> NoReturn:
    """End with a line that begins with the script's name."""
    print(f"{Path(sys.argv[0]).stem}: {message}", file=sys.stderr)
    sys.exit(2)


def some(text: str) -> int:
    """A number of at least 1, as an argument."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number}: give 1 or more")
    return number


def drawable(path: Path | None = None) -> None:
    """Raise ``UsageError`` where no picture can be drawn, or not to this path."""
    if not installed():
        raise UsageError("pictures need matplotlib: pip install 'veriloop[bench]'")
    if path is None:
        return
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise UsageError(f"no picture can be {path.suffix or path.name}: give .png or .svg")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder: make it, or give another --plot")

"""The ``veriloop`` command. Every error meant for people is one line on standard error and exit status 2."""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer

from veriloop.apps.cli import bench, catalogue, runs, sandbox, solve, train
from veriloop.apps.cli.work import plainly
from veriloop.core.errors import told

app = typer.Typer(
    no_args_is_help=True,
    help="Answers that are proposed, run, verified, refined and selected, under a budget that holds.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("solve")(solve.solve)
app.command("demo")(solve.demo)
app.add_typer(bench.app, name="bench")
app.add_typer(train.app, name="train")
app.add_typer(catalogue.models, name="models")
app.add_typer(catalogue.strategies, name="strategies")
app.add_typer(catalogue.verifiers, name="verifiers")
app.add_typer(runs.app, name="runs")
app.add_typer(sandbox.app, name="sandbox")

Misused: Any = typer.BadParameter.__base__
"""What typer raises for arguments that it cannot take; it has no name of its own there."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"veriloop {version('veriloop')}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Answers that are proposed, run, verified, refined and selected, under a budget that holds."""


def main() -> None:
    """The entry point."""
    try:
        with plainly(_fail):
            sys.exit(app(prog_name="veriloop", standalone_mode=False))
    except Misused as error:
        _misused(error)
    except typer.Abort:
        _fail("nothing was done", 130)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        _fail(f"{told(error)}; to see where: python -X dev -m veriloop.apps.cli …, with the same arguments")


def _misused(error: Any) -> None:
    """Arguments that typer cannot take: one line. Without any, the help is what it has shown already."""
    said = str(error.format_message()).rstrip(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.exit(2)
    command = error.ctx.command_path if error.ctx else "veriloop"
    _fail(f"{said[:1].lower()}{said[1:]}; see: {command} --help")


def _fail(message: str, status: int = 2) -> NoReturn:
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    typer.echo(f"veriloop: {line}", err=True)
    sys.exit(status)

"""The ``veriloop`` command. Every error meant for people is one line on standard error and exit status 2."""

from __future__ import annotations

import sys

import typer

from veriloop.apps.cli import runs, solve
from veriloop.core.errors import RunFailed, VeriloopError

app = typer.Typer(
    no_args_is_help=True,
    help="Answers that are proposed, run, verified, refined and selected, under a budget that holds.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("solve")(solve.solve)
app.command("demo")(solve.demo)
app.command("models")(solve.models)
app.add_typer(solve.strategies, name="strategies")
app.add_typer(runs.app, name="runs")


def main() -> None:
    """The entry point."""
    try:
        app()
    except RunFailed as error:
        kept = f" (nothing is lost: veriloop runs resume {error.run_id})" if error.kept else ""
        _fail(f"{error}{kept}")
    except VeriloopError as error:
        _fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _fail(message: str) -> None:
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    typer.echo(f"veriloop: {line}", err=True)
    sys.exit(2)

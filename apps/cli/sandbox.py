"""``veriloop sandbox doctor``: does what a model writes run apart from this machine?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from veriloop.apps.cli.catalogue import Json

if TYPE_CHECKING:
    from veriloop.core.conformance import Line
    from veriloop.tools.sandbox import Sandbox

app = typer.Typer(help="Where code that a model writes is run.", no_args_is_help=True)

MARKS = {"works": "proved", "fails": "broken"}


@app.callback()
def about() -> None:
    """Where code that a model writes is run."""


@app.command("doctor")
def doctor(
    name: Annotated[str, typer.Option("--sandbox", help="auto, bubblewrap or docker (default: your setting).")] = "",
    unsafe_local: Annotated[
        bool, typer.Option("--unsafe-local", help="Show what does not hold without a sandbox.")
    ] = False,
    json_: Json = False,
) -> None:
    """Try to get out of the sandbox, to use it all up and to stay, and show which promise was proved.

    Lays bait on this machine meanwhile. Exit status 0: all hold; 1: one does not; 2: there is no sandbox.
    """
    from veriloop.tools.sandbox import sandbox

    box = sandbox(unsafe_local, name)
    found = _tried(box, json_)
    broken = [line for line in found if line.outcome == "fails"]
    if json_:
        typer.echo(json.dumps({"sandbox": box.name, "holds": not broken, "checks": [line._asdict() for line in found]}))
    else:
        _show(box, found)
    raise typer.Exit(int(bool(broken)))


def _tried(box: Sandbox, quiet: bool) -> list[Line]:
    from veriloop.apps.cli.show import console
    from veriloop.apps.cli.work import at_work
    from veriloop.tools.sandbox.conformance import check

    with console(quiet).status(f"trying {box.name}") as status:
        return at_work(check(box, lambda name: status.update(f"trying {box.name}: {name}")), str)


def _show(box: Sandbox, found: list[Line]) -> None:
    from veriloop.apps.cli.show import console, table

    shown = table("promise", "", "detail")
    for line in found:
        shown.add_row(line.name, MARKS.get(line.outcome, line.outcome), line.detail)
    out = console()
    out.print(shown)
    broken = sum(line.outcome == "fails" for line in found)
    out.print(f"{box.name}: {len(found) - broken} of {len(found)} promises proved on this machine")

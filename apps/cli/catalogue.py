"""``veriloop models``, ``strategies`` and ``verifiers``: what can be named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from inspect import getdoc
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value for machines.")]


def complete_strategies(incomplete: str) -> list[str]:
    """The known strategies that begin so."""
    from veriloop.graphs.strategies import KNOWN

    return [name for name in KNOWN if name.startswith(incomplete)]


def _also_alone(group: typer.Typer, show: Callable[[bool], None]) -> None:
    """Without a command the group shows its list."""

    @group.callback()
    def alone(context: typer.Context, json_: Json = False) -> None:  # pyright: ignore[reportUnusedFunction]
        if not context.invoked_subcommand:
            show(json_)


models = typer.Typer(help="The models that can be named.", invoke_without_command=True)


@models.command("list")
def list_models(json_: Json = False) -> None:
    """Show the models that can be named."""
    from veriloop.apps.cli.show import console, table
    from veriloop.models.catalogue import catalogue

    lines = catalogue()
    if json_:
        typer.echo(json.dumps([line.__dict__ for line in lines]))
        return
    shown = table("name", "what", "status")
    for line in lines:
        shown.add_row(line.name, line.what, line.status)
    console().print(shown)


@models.command("check")
def check_model(
    name: Annotated[str, typer.Argument(help="The model, as in solve --model.")], json_: Json = False
) -> None:
    """Ask a model for everything it declares, in about twenty short calls. The exit status is 1 when a line fails."""
    from veriloop.apps.cli.show import console, table
    from veriloop.apps.cli.work import at_work
    from veriloop.core.settings import load
    from veriloop.models import named
    from veriloop.models.conformance import HELLO, PROBES, Line, check

    model = named(name, load().timeouts)
    getattr(model, "ready", int)()
    out = console()

    async def asked(tell: Callable[[str], None] | None = None) -> list[Line]:
        await model.generate(HELLO)  # what is wrong with the key or the server is told once, in one line
        return await check(model, tell)

    if json_:
        found = at_work(asked(), str)
        typer.echo(json.dumps([line._asdict() for line in found]))
    else:
        with out.status(f"asking {name}") as status:
            done: list[str] = []

            def tell(line: str) -> None:
                done.append(line)
                status.update(f"asking {name}: {line} ({len(done)} of {len(PROBES)})")

            found = at_work(asked(tell), str)
        shown = table("what", "outcome", "detail")
        for line in found:
            shown.add_row(line.name, line.outcome, line.detail)
        out.print(shown)
    raise typer.Exit(int(any(line.outcome == "fails" for line in found)))


strategies = typer.Typer(help="The ways to search.", invoke_without_command=True)


@strategies.command("list")
def list_strategies(json_: Json = False) -> None:
    """Show the strategies that can be named."""
    from veriloop.apps.cli.show import console, table
    from veriloop.graphs.strategies import describe_all

    found = describe_all()
    if json_:
        typer.echo(json.dumps(found))
        return
    shown = table("strategy", "what it does", "parameters")
    for each in found:
        shown.add_row(
            each["name"], each["summary"], ", ".join(f"{p['name']}={p['default']}" for p in each["parameters"])
        )
    console().print(shown)


@strategies.command("show")
def show_strategy(
    name: Annotated[str, typer.Argument(help="The strategy.", autocompletion=complete_strategies)], json_: Json = False
) -> None:
    """Show what a strategy does and its parameters."""
    from veriloop.apps.cli.show import console, table
    from veriloop.graphs.strategies import describe

    found = describe(name)
    if json_:
        typer.echo(json.dumps(found))
        return
    out = console()
    out.print(found["name"], style="bold")
    if found["about"]:
        out.print(f"\n{flowing(found['about'])}\n")
    if not found["parameters"]:
        return
    shown = table("parameter", "default", "kind")
    for each in found["parameters"]:
        shown.add_row(each["name"], str(each["default"]), each["kind"])
    out.print(shown)


def flowing(text: str) -> str:
    """Text with each paragraph in one line, to be wrapped as the terminal is wide; lists and what is indented stay."""
    parts = text.split("\n\n")
    return "\n\n".join(part if re.search(r"^[\s*-]", part, re.M) else " ".join(part.split()) for part in parts)


verifiers = typer.Typer(help="The ways to verify.", invoke_without_command=True)


@verifiers.command("list")
def list_verifiers(json_: Json = False) -> None:
    """Show the verifiers that can be named."""
    from veriloop.apps.cli.show import console, table
    from veriloop.core.registry import load
    from veriloop.verifiers import FORMS, KNOWN

    paths = {**KNOWN, "shell": "veriloop.verifiers.shell:Shell"}
    paths |= {each.name: f"{each.module}:{each.attr}" for each in entry_points(group="veriloop.verifier")}
    found = [
        {"name": name, "form": FORMS.get(name, ""), "summary": flowing((getdoc(load(path)) or "").split("\n\n")[0])}
        for name, path in paths.items()
    ]
    if json_:
        typer.echo(json.dumps(found))
        return
    shown = table("verifier", "also, or only", "what it does")
    for each in found:
        shown.add_row(each["name"], each["form"], each["summary"].replace("`", ""))
    shown.add_row("package.module:name", "", "your own: a function of the answer, or name and async verify")
    console().print(shown)


for group, show in ((models, list_models), (strategies, list_strategies), (verifiers, list_verifiers)):
    _also_alone(group, show)

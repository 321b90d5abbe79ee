"""``veriloop runs``: list, show, resume, remove and prune runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from veriloop.core.settings import Settings
    from veriloop.memory.info import RunInfo

app = typer.Typer(help="Runs that were made: list, show, resume, remove.", no_args_is_help=True)


def _settings() -> Settings:
    """The settings, with what ended processes left behind put away first."""
    from veriloop.core.settings import load
    from veriloop.memory.runs import collect

    settings = load()
    collect(settings)
    return settings


def _complete(incomplete: str) -> list[str]:
    from veriloop.core.settings import load
    from veriloop.memory.runs import list_runs

    return [info.id for info in list_runs(load(), 50) if info.id.startswith(incomplete)]


RunId = Annotated[str, typer.Argument(help="The run's id, or its beginning.", autocompletion=_complete)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value for machines.")]


@app.command("list")
def list_command(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20, json_: Json = False
) -> None:
    """The newest runs, newest first."""
    from veriloop.apps.cli.show import clip, console, spent, table
    from veriloop.core.wire import encode
    from veriloop.memory.runs import list_runs, where

    settings = _settings()
    infos = list_runs(settings, limit)
    if json_:
        typer.echo(json.dumps([encode(info) for info in infos]))
        return
    shown = table("run", "when", "status", "strategy", "question", "spent")
    for info in infos:
        when = info.created.astimezone().strftime("%Y-%m-%d %H:%M")
        shown.add_row(info.id, when, info.status, info.strategy, clip(info.question, 60), spent(info.spend))
    out = console()
    out.print(shown if infos else "no runs yet")
    out.print(where(settings), style="dim")


@app.command()
def show(run: RunId, json_: Json = False) -> None:
    """How a run went: every attempt, its verdict and what refined what."""
    from veriloop.apps.cli.show import attempt, console
    from veriloop.core.wire import encode
    from veriloop.memory.info import attempts_of
    from veriloop.memory.runs import find

    info, records = find(_settings(), run)
    attempts = attempts_of(records)
    if json_:
        typer.echo(json.dumps({**encode(info), "attempts": [encode(each) for each in attempts]}))
        return
    out = console()
    _head(out, info)
    number = -1
    for each in attempts:
        if each.round != number:
            number = each.round
            out.rule(f"round {number + 1}", align="left", style="dim")
        out.print(attempt(each))
    if info.status == "unfinished":
        out.print(f"\nnot finished; go on with: veriloop runs resume {info.id}")


def _head(out: Console, info: RunInfo) -> None:
    from rich.text import Text

    from veriloop.apps.cli.show import clip, spent

    lines = [
        ("question", info.question),
        ("run", f"{info.id} · {info.created.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("strategy", f"{info.strategy} · {info.model or 'a model object'}"),
        ("status", info.status + (f" · stopped: {info.stopped}" if info.stopped else "")),
        ("answer", "none" if info.answer is None else json.dumps(info.answer, ensure_ascii=False)),
        ("spent", spent(info.spend)),
    ]
    for name, value in lines:
        out.print(Text.assemble((f"{name:9}", "bold"), clip(value)))


@app.command()
def resume(
    run: RunId,
    gold: Annotated[str | None, typer.Option(help="The right answer, where the run used --verify oracle.")] = None,
    json_: Json = False,
) -> None:
    """Go on with a run that was cut off. Calls that were recorded are not paid again."""
    from veriloop.apps.cli.solve import Watch, finish
    from veriloop.core.settings import load
    from veriloop.graphs.solve import aresume
    from veriloop.memory.runs import find

    name = find(load(), run)[0].id
    watch = Watch(json_)
    finish(watch.over(aresume(name, gold=gold, on_event=watch)), json_)


@app.command()
def rm(
    runs: Annotated[list[str], typer.Argument(help="Ids, or their beginnings.", autocompletion=_complete)],
    json_: Json = False,
) -> None:
    """Forget runs."""
    from veriloop.memory.runs import remove

    count = remove(_settings(), runs)
    typer.echo(json.dumps({"removed": count}) if json_ else f"removed {count}")


@app.command()
def prune(
    days: Annotated[float, typer.Option(help="Forget runs begun longer ago than this.", min=0)] = 30.0,
    json_: Json = False,
) -> None:
    """Forget old runs and give the space back."""
    from veriloop.memory.runs import prune as forget

    count, size = forget(_settings(), days)
    typer.echo(json.dumps({"removed": count, "bytes": size}) if json_ else f"removed {count} runs, {size / 1e6:.1f} MB")

"""``veriloop runs``: list, show, resume, remove and prune runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from veriloop.apps.cli.catalogue import Json
from veriloop.apps.cli.solve import Unsafe, unsafe
from veriloop.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from veriloop.core.journal import Record
    from veriloop.core.search import Result
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


@app.command("list")
def list_command(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20, json_: Json = False
) -> None:
    """The newest runs, newest first."""
    from veriloop.apps.cli.show import clip, console, spent, table
    from veriloop.core.wire import encode
    from veriloop.memory.runs import count_runs, list_runs, where

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
    if len(infos) == limit and (more := count_runs(settings) - limit) > 0:
        out.print(f"{more} more: veriloop runs list --limit {limit + more}")
    if any(info.status == "unfinished" for info in infos):
        out.print("go on with an unfinished one: veriloop runs resume RUN")
    out.print(where(settings), style="dim")


@app.command()
def show(run: RunId, json_: Json = False) -> None:
    """How a run went: every attempt, its verdict and what refined what, the tree of a search, and the answer."""
    from veriloop.apps.cli import trees
    from veriloop.apps.cli.show import answer, attempt, clip, console, spent
    from veriloop.core.wire import encode
    from veriloop.memory.runs import find

    info, records = find(_settings(), run)
    result = _result(info, records)
    if json_:
        told = {"best": result.best.id if result.best else None, "numbers": encode(result.numbers)}
        typer.echo(json.dumps({**encode(info), **told, "attempts": [encode(a) for a in result.attempts]}))
        return
    out = console()
    _head(out, info)
    number = -1
    for each in result.attempts:
        if each.round != number:
            number = each.round
            out.rule(f"round {number + 1}", align="left", style="dim")
        out.print(attempt(each))
    out.print()
    if trees.grown(result):
        out.print(trees.tree(result))
    if info.status in ("running", "unfinished"):
        out.print(f"spent so far: {spent(info.spend)}")
    else:
        out.print(answer(result))
    if info.status == "unfinished":
        why = f"stopped by an {info.stopped}" if info.stopped.startswith("error") else info.stopped or "not finished"
        out.print(f"{clip(why)}; go on with: veriloop runs resume {info.id}")


def _result(info: RunInfo, records: Sequence[Record]) -> Result:
    from veriloop.memory.info import result_of

    try:
        return result_of(info, records)
    except ValueError:
        raise UsageError(f"run {info.id} was recorded by another version of veriloop: it cannot be shown") from None


def _head(out: Console, info: RunInfo) -> None:
    from rich.text import Text

    from veriloop.apps.cli.show import clip

    lines = [
        ("question", info.question),
        ("run", f"{info.id} · {info.created.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("strategy", f"{info.strategy} · {info.model or 'a model object'}"),
        ("status", info.status),
    ]
    for name, value in lines:
        out.print(Text.assemble((f"{name:9}", "bold"), clip(value)))


@app.command()
def resume(
    run: RunId,
    gold: Annotated[str | None, typer.Option(help="The right answer, where the run used --verify oracle.")] = None,
    unsafe_local: Unsafe = False,
    json_: Json = False,
) -> None:
    """Go on with a run that was cut off. Calls that were recorded are not paid again."""
    from veriloop.apps.cli.work import Watch, finish
    from veriloop.core.settings import load
    from veriloop.graphs.solve import aresume
    from veriloop.memory.runs import find

    unsafe(unsafe_local)
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
    days: Annotated[float, typer.Option(help="Forget runs begun longer ago than this.", min=0, max=100_000)] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Forget old runs, finished or not, and give the space back."""
    from veriloop.apps.cli.show import counted
    from veriloop.memory.runs import older_than
    from veriloop.memory.runs import prune as forget

    settings = _settings()
    if not yes and (json_ or not sys.stdin.isatty()):
        raise UsageError("prune forgets runs for good and there is nobody to ask: give --yes")
    if not yes and (old := older_than(settings, days)):
        typer.confirm(f"Forget {counted(len(old), 'run')} begun more than {days:g} days ago, for good?", abort=True)
    count, size = forget(settings, days)
    removed = f"removed {counted(count, 'run')}, {size / 1e6:.1f} MB"
    typer.echo(json.dumps({"removed": count, "bytes": size}) if json_ else removed)

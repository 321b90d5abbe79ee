"""``veriloop solve``, ``demo``, ``models``, ``strategies``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from veriloop.core.errors import UsageError

if TYPE_CHECKING:
    from veriloop.core.search import Result
    from veriloop.graphs.strategies import Strategy


def _complete_strategies(incomplete: str) -> list[str]:
    from veriloop.graphs.strategies import KNOWN

    return [name for name in KNOWN if name.startswith(incomplete)]


def _complete_models(incomplete: str) -> list[str]:
    from veriloop.models.embedded import known

    return [name for name in (*(f"embedded:{n}" for n in known()), "openai:") if name.startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON value for machines.")]
StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy", "-s", help="How to search (see: veriloop strategies).", autocompletion=_complete_strategies
    ),
]
Set = Annotated[list[str], typer.Option("--set", help="A parameter of the strategy: NAME=VALUE. Repeatable.")]
Models = Annotated[
    list[str],
    typer.Option("--model", "-m", help="MODEL, or ROLE=MODEL. Repeatable.", autocompletion=_complete_models),
]


def solve(
    question: Annotated[str, typer.Argument(help="What to answer.")],
    db: Annotated[Path | None, typer.Option(help="SQLite file that the question is about.")] = None,
    strategy: StrategyName = None,
    model: Models = [],  # noqa: B006 (typer reads the default, nobody changes it)
    proposals: Annotated[int | None, typer.Option("--proposals", "-n", min=1, help="Candidates at most.")] = None,
    set_: Set = [],  # noqa: B006
    verify: Annotated[
        str, typer.Option(help="sql, judge, oracle, shell:COMMAND, pkg.module:name, A+B, or none.")
    ] = "auto",
    gold: Annotated[str | None, typer.Option(help="The right answer, for --verify oracle alone.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same proposals.")] = 0,
    max_calls: Annotated[int | None, typer.Option(min=0, help="Model replies at most.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens read and written at most.")] = None,
    max_money: Annotated[float | None, typer.Option(min=0, help="US dollars at most.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="Seconds at most.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write the run to this file, for --replay.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Take all model replies from this file.")] = None,
    journal: Annotated[bool, typer.Option(help="Keep the run, so that it can be resumed and shown.")] = True,
    json_: Json = False,
) -> None:
    """Answer a question. Exit status 0: answered; 1: no answer that passed; 2: it could not be tried."""
    from veriloop.core.settings import load
    from veriloop.core.task import Limits, Task
    from veriloop.graphs.solve import asolve, default_strategy

    limits = Limits(calls=max_calls, tokens=max_tokens, money=max_money, seconds=max_seconds)
    task = Task(question, database=None if db is None else str(db), limits=limits)
    wanted = None if verify == "none" else verify
    chosen = _strategy(strategy or load().strategy or default_strategy(task, wanted), set_, proposals)
    work = asolve(
        task,
        strategy=chosen,
        model=_roles(model),
        verify=wanted,
        gold=gold,
        seed=seed,
        journal=journal,
        record=record,
        replay=replay,
        on_event=(watch := Watch(json_, chosen, max_seconds, kept=journal)),
    )
    finish(watch.over(work), json_)


def finish(result: Result, as_json: bool) -> None:
    """Print the answer; exit 1 where none passed."""
    from veriloop.apps.cli import show
    from veriloop.core.wire import encode

    if as_json:
        typer.echo(json.dumps({**encode(result), "answer": encode(result.answer), "outcome": result.verdict.outcome}))
    else:
        show.console().print(show.answer(result))
    if result.best is None or result.verdict.outcome in ("failed", "infra_error"):
        raise typer.Exit(1)


class Watch:
    """Shows a run while it works: on the terminal, or (for ``--json``) not at all."""

    def __init__(
        self, quiet: bool, strategy: Strategy | None = None, seconds: float | None = None, kept: bool = True
    ) -> None:
        self._watcher: Any = None
        self._kept = kept
        self.run_id = ""
        if not quiet:
            from veriloop.apps.cli.show import Watcher, console

            at_most = getattr(strategy.make(), "at_most", None) if strategy else None
            self._watcher = Watcher(console(), at_most, seconds)

    def __call__(self, event: Any) -> None:
        self.run_id = event.run
        if self._watcher:
            self._watcher(event)

    def over(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` to its end."""
        try:
            if self._watcher is None:
                return asyncio.run(work)
            with self._watcher:
                return asyncio.run(work)
        except KeyboardInterrupt:
            hint = f"; go on with: veriloop runs resume {self.run_id}" if self._kept and self.run_id else ""
            typer.echo(f"veriloop: interrupted{hint}", err=True)
            raise typer.Exit(130) from None


def _strategy(name: str, set_: list[str], proposals: int | None) -> Strategy:
    from veriloop.graphs import strategies as known

    parameters: dict[str, Any] = known.proposals(name, proposals) if proposals else {}
    for each in set_:
        key, equals, text = each.partition("=")
        if not equals:
            raise UsageError(f"--set {each!r}: write NAME=VALUE")
        parameters[key] = text
    chosen = known.Strategy(name, parameters)
    chosen.make()
    return chosen


def _roles(models: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for each in models:
        role, equals, name = each.partition("=")
        found.update({role: name} if equals else {"proposer": each})
    if found and "proposer" not in found:
        from veriloop.core.settings import load

        found["proposer"] = load().model
    return found or None


def demo(
    json_: Json = False,
    seed: Annotated[int, typer.Option(help="Same seed, same proposals.")] = 0,
) -> None:
    """Build the database atlas.sqlite here and answer questions over it with the embedded model, offline."""
    from veriloop.apps.demo.show import run_demo

    run_demo(as_json=json_, seed=seed)


def models(json_: Json = False) -> None:
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


strategies = typer.Typer(help="The ways to search.", invoke_without_command=True)


@strategies.callback()
def list_strategies(context: typer.Context, json_: Json = False) -> None:
    """Show the strategies that can be named."""
    if context.invoked_subcommand:
        return
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
    name: Annotated[str, typer.Argument(help="The strategy.", autocompletion=_complete_strategies)], json_: Json = False
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
    out.print(f"\n{found['about']}\n")
    shown = table("parameter", "default", "kind")
    for each in found["parameters"]:
        shown.add_row(each["name"], str(each["default"]), each["kind"])
    out.print(shown)

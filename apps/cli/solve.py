"""``veriloop solve`` and ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from veriloop.apps.cli.catalogue import Json, complete_strategies
from veriloop.core.errors import UsageError

if TYPE_CHECKING:
    from veriloop.core.messages import Message
    from veriloop.core.task import Task
    from veriloop.graphs.strategies import Strategy


def complete_models(incomplete: str) -> list[str]:
    from veriloop.models import PROVIDERS
    from veriloop.models.embedded import known

    names = (*(f"embedded:{n}" for n in known()), *(f"{p}:" for p in PROVIDERS if p != "embedded"))
    return [name for name in names if name.startswith(incomplete)]


StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        "-s",
        help="How to search: NAME or NAME:PARAMETER=VALUE:… (see: veriloop strategies). Default: the setting "
        "VERILOOP_STRATEGY, else iad where something verifies and single where nothing does.",
        autocompletion=complete_strategies,
    ),
]
Set = Annotated[list[str], typer.Option("--set", help="A parameter of the strategy: NAME=VALUE. Repeatable.")]
Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        "-m",
        help="MODEL, or ROLE=MODEL. Repeatable. Default: the setting VERILOOP_MODEL, else embedded:sql.",
        autocompletion=complete_models,
    ),
]
Tools = Annotated[
    list[str],
    typer.Option("--tools", help="What the model may call: python, mcp:SERVER, or pkg.module:Class. Repeatable."),
]
Mcp = Annotated[
    list[str],
    typer.Option("--mcp", help="An MCP server whose tools it may call: a command, or http(s)://…. Repeatable."),
]
Unsafe = Annotated[
    bool,
    typer.Option(
        "--unsafe-local",
        help="Run code that the model writes without a sandbox: with your rights, your files and your network.",
    ),
]


def unsafe(wanted: bool) -> None:
    """From now on code runs without a sandbox, if that is ``wanted``; it is said."""
    if wanted:
        from veriloop.tools.sandbox.choose import UNSAFE

        UNSAFE.set(True)
        typer.echo("veriloop: code runs without a sandbox: it can do whatever you can (--unsafe-local)", err=True)


def solve(
    question: Annotated[str, typer.Argument(help="What to answer.")],
    db: Annotated[Path | None, typer.Option(help="SQLite file that the question is about.")] = None,
    image: Annotated[list[Path], typer.Option(help="A picture that the question is about. Repeatable.")] = [],  # noqa: B006
    strategy: StrategyName = None,
    model: Models = [],  # noqa: B006 (typer reads the default, nobody changes it)
    proposals: Annotated[int | None, typer.Option("--proposals", "-n", min=1, help="Candidates at most.")] = None,
    set_: Set = [],  # noqa: B006
    verify: Annotated[
        str,
        typer.Option(
            help="What says whether an answer is right: a verifier (see: veriloop verifiers), as judge or "
            "shell:COMMAND, several as A+B, or none. auto: sql where there is a database, else what the strategy has."
        ),
    ] = "auto",
    tools: Tools = [],  # noqa: B006
    mcp: Mcp = [],  # noqa: B006
    unsafe_local: Unsafe = False,
    gold: Annotated[str | None, typer.Option(help="The right answer, for --verify oracle alone.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same proposals.")] = 0,
    max_calls: Annotated[int | None, typer.Option(min=0, help="Model replies at most.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens read and written at most.")] = None,
    max_money: Annotated[float | None, typer.Option(min=0, help="US dollars at most.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="Seconds at most.")] = None,
    max_tool_runs: Annotated[int | None, typer.Option(min=0, help="Tool runs (queries) at most.")] = None,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Through the provider's batch interface: half the price, hours instead of seconds."
        ),
    ] = False,
    record: Annotated[Path | None, typer.Option(help="Write the run to this new file, for --replay.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Take all model replies from this file.")] = None,
    journal: Annotated[bool, typer.Option(help="Keep the run, so that it can be resumed and shown.")] = True,
    json_: Json = False,
) -> None:
    """Answer a question. Exit status 0: answered; 1: no answer that passed; 2: it could not be tried."""
    from veriloop.apps.cli.work import Watch, finish
    from veriloop.core.task import Limits, Task
    from veriloop.graphs.solve import asolve

    limits = Limits(calls=max_calls, tokens=max_tokens, money=max_money, seconds=max_seconds, tool_runs=max_tool_runs)
    task = Task(_asked(question, image), database=None if db is None else str(db), limits=limits)
    unsafe(unsafe_local)
    name, note = (strategy, "") if strategy else _default(task, verify)
    chosen = _strategy(name, set_, proposals)
    work = asolve(
        task,
        strategy=chosen,
        model=roles(model),
        verify=verify,
        tools=named_tools(tools, mcp),
        gold=gold,
        seed=seed,
        batch=batch,
        journal=journal,
        record=record,
        replay=replay,
        on_event=(watch := Watch(json_, chosen, max_seconds, kept=journal, note=note)),
    )
    finish(watch.over(work), json_, journal)


def named_tools(tools: list[str], mcp: list[str]) -> list[str]:
    """The names that ``--tools`` holds, which is given several times or joins them by commas, and the MCP servers."""
    return [*(name.strip() for each in tools for name in each.split(",") if name.strip()), *(f"mcp:{m}" for m in mcp)]


def _asked(question: str, images: list[Path]) -> tuple[Message, ...] | str:
    """The question, with its pictures where there are any."""
    from veriloop.core.messages import Image, Message, Text

    return (Message("user", (Text(question), *map(Image.from_file, images))),) if images else question


def _default(task: Task, verify: str) -> tuple[str, str]:
    """The strategy where none is named, and a line for people where it is another one because nothing verifies."""
    from veriloop.core.settings import load
    from veriloop.graphs.solve import default_strategy

    if load().strategy:
        return load().strategy, ""
    name, usual = default_strategy(task, verify), default_strategy(task, "auto")
    note = f"nothing verifies, so the strategy is {name}, not {usual} (--strategy)"
    return name, note if name == "single" != usual else ""


def _strategy(name: str, set_: list[str], proposals: int | None) -> Strategy:
    from veriloop.graphs import strategies as known

    named = known.Strategy.of(name)
    sized: dict[str, Any] = known.proposals(named.name, proposals) if proposals else {}
    parameters = {**sized, **named.parameters}
    for each in set_:
        key, equals, text = each.partition("=")
        if not equals:
            raise UsageError(f"--set {each!r}: write NAME=VALUE")
        parameters[key] = text
    chosen = known.Strategy(named.name, parameters)
    chosen.make()
    return chosen


def roles(models: list[str]) -> dict[str, str] | None:
    """Models by role; none where none is named."""
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

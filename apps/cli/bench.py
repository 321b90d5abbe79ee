"""``veriloop bench``: compare strategies on a benchmark, at equal cost and with intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from veriloop.apps.cli import bench_more
from veriloop.apps.cli.catalogue import Json
from veriloop.apps.cli.solve import Mcp, Models, Tools, Unsafe, named_tools, roles, unsafe
from veriloop.core.errors import UsageError

if TYPE_CHECKING:
    from veriloop.apps.bench.course import Course, Order
    from veriloop.apps.cli.bench_board import Board

PROPOSALS = (
    "Candidates of each run, for all strategies alike. Default: each strategy's own number (best_of_n 8, "
    "iad 4 rounds x 2, self_refine 4), so their budgets differ."
)


class NameFirst(TyperGroup):
    """``bench NAME …`` is ``bench run NAME …`` for every name that is no command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names, else ``run`` with all words."""
        words = args if args and (args[0] in self.commands or args[0].startswith("-")) else ["run", *args]
        return super().resolve_command(ctx, words)


app = typer.Typer(
    cls=NameFirst,
    no_args_is_help=True,
    help="Compare strategies on a benchmark: veriloop bench text2sql --data DIR --strategies single,best_of_n,iad …",
)
app.command("report")(bench_more.report)
app.command("compare")(bench_more.compare)


@app.command("run")
def run(
    name: Annotated[
        str,
        typer.Argument(
            help="text2sql, gsm8k, math, humaneval, mbpp, graph_coloring, game24, natural_plan, or pkg.module:Name."
        ),
    ],
    data: Annotated[Path, typer.Option(help="Its data: a folder as the benchmark reads it.")],
    out: Annotated[Path, typer.Option(help="Where results go; what is there already is gone on with.")],
    strategies: Annotated[
        str, typer.Option("--strategies", "-s", help="What to compare: single,best_of_n,iad:rounds=8:width=1 …")
    ] = "single,best_of_n,self_refine,iad",
    verify: Annotated[
        str,
        typer.Option(
            help="Verifiers (see: veriloop verifiers), each strategy with each: sql+judge,oracle. Default: the "
            "benchmark's own (see: docs/bench.md)."
        ),
    ] = "",
    tools: Tools = [],  # noqa: B006 (typer reads the default, nobody changes it)
    mcp: Mcp = [],  # noqa: B006
    unsafe_local: Unsafe = False,
    proposals: Annotated[int | None, typer.Option("--proposals", "-n", min=1, help=PROPOSALS)] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How often each task is run, with seeds 0, 1, …")] = 1,
    model: Models = [],  # noqa: B006
    metric: Annotated[str, typer.Option(help="The main metric. Default: the benchmark's first.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="So many tasks, drawn always the same.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="Of every strategy that has one.")] = None,
    tune: Annotated[
        float | None, typer.Option(help="Choose each strategy's temperature on this share of the tasks, not measured.")
    ] = None,
    tune_on: Annotated[Path | None, typer.Option(help="Choose it on the tasks of this folder instead.")] = None,
    temperatures: Annotated[
        str, typer.Option(help="What is tried. Default: 0.3,0.7,1.0 and each strategy's own.")
    ] = "",
    ablate: Annotated[
        str,
        typer.Option(
            help="Changed copies of each iad, joined by commas: feedback shuffled noise flip sparse tk. With values: "
            "feedback=none,raw (answers score text best worst untried), noise=0.1,0.4@feedback (x sd of the scores; "
            "@selection @feedback @both), flip=0.1, sparse=0.5,1, tk=1,2,4,8 (rounds x width; alone: --proposals)."
        ),
    ] = "",
    abstain_below: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Give no answer whose P(right) is lower; needs --tune or --tune-on."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 16,
    max_money: Annotated[
        float | None, typer.Option(min=0, help="Begin no run once so many US dollars are spent.")
    ] = None,
    json_: Json = False,
) -> None:
    """Run every strategy on every task, write OUT/results.jsonl and OUT/report.html, print the table.

    The same command again goes on where it stopped. Exit status 2: it cannot be, some cells met trouble, or no cell
    could be run; broken tasks among others count as wrong, with a line on stderr.
    """
    from veriloop.apps.bench.course import Course, Order
    from veriloop.apps.cli.work import cut_off

    unsafe(unsafe_local)
    order = Order(
        benchmark=name,
        data=data,
        out=out,
        strategies=_words(strategies),
        models=models_of(model),
        verify=_words(verify),
        tools=named_tools(tools, mcp),
        ablate=ablate,
        proposals=proposals,
        temperature=temperature,
        tune=tune,
        tune_on=tune_on,
        temperatures=_numbers(temperatures),
        abstain_below=abstain_below,
        seeds=seeds,
        limit=limit,
        metric=metric,
        concurrency=concurrency,
        max_money=max_money,
    )
    with cut_off(go_on):
        _follow(Course(order), order, json_)


def go_on() -> str:
    """How a command that was cut off goes on."""
    return "the same command goes on"


def _follow(course: Course, order: Order, json_: bool) -> None:
    from veriloop.apps.bench import report
    from veriloop.apps.bench.measured import measured
    from veriloop.apps.bench.stats import summary
    from veriloop.apps.cli.bench_board import Board, results
    from veriloop.apps.cli.show import console
    from veriloop.apps.cli.work import at_work

    out = console(quiet=json_)
    with Board(out, course.metric) as board:
        plan = at_work(course.run(board), go_on)
    out.print("writing the report …", style="dim")
    run = measured(order.out)
    page = report.write(run)
    if json_:
        arms = summary(run)
        typer.echo(json.dumps({"out": str(order.out), "report": str(page), "plan": plan, "arms": arms}))
    else:
        out.print(results(run, course.metric))
        out.print(f"\n{page}", style="dim")
    settle(board)


def settle(board: Board) -> None:
    """Say what went wrong with cells. Raises ``UsageError`` where some met trouble or none could be run."""
    if board.broken and not board.sound:
        raise UsageError(f"no cell could be run, the first: {next(iter(board.broken.values()))}")
    if board.broken:
        typer.echo(f"veriloop: {board.broken_line}", err=True)
    if board.trouble:
        raise UsageError(f"{board.trouble_line}; the same command tries them again")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise UsageError(f"--temperatures {text!r}: give numbers, as in 0.3,0.7,1.0") from None


def models_of(given: list[str]) -> dict[str, str]:
    """Models by role; that of the settings where none is named."""
    from veriloop.core.settings import load

    return roles(given) or {"proposer": load().model}

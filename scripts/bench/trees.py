"""Search over steps in the game of 24: every policy at equal generated tokens, with embedded:game24, offline.

    python scripts/bench/trees.py --data DIR --out OUT --plot trees.png

DIR holds game24_enumerated.jsonl. Each policy has the same budget, fixed beforehand: what it has answered when that
many tokens are generated counts (proposals and opinions on steps together), and nothing later. Temperatures and sizes
are chosen on sets that are not trained on and not measured (scripts/embedded_game24/held_out.py; try others
with --only and --sizes). The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from command import Parser, command, drawable, some
from rich.console import Console

from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.generated import Generated
from veriloop.apps.cli.bench import go_on, settle
from veriloop.apps.cli.bench_board import Board
from veriloop.apps.cli.work import at_work

STEPS = "budget=130:temperature=1.0:max_tokens=40"
POLICIES = {
    "best_of_n": "n=44:temperature=0.7:max_tokens=80",
    "tree_of_thought": f"{STEPS}:children=2",
    "rebase": f"{STEPS}:width=13",
    "beam": STEPS,
    "particle_filter": STEPS,
    "a_star": f"{STEPS}:children=2",
    "mcts": STEPS,
    "mixture": "algorithms=tree_of_thought+rebase+best_of_n:prior_weight=0:loops=8:n=1:children=4:budget=70:width=9"
    ":temperature=1.0:max_tokens=80",
}
BUDGETS = (50, 100, 200, 400, 800, 1600)
BASE = "best_of_n"


def arms(only: Sequence[str] = (), sizes: str = "") -> list[str]:
    """The strategies as the benchmark takes them."""
    return [f"{name}:{sizes or POLICIES[name]}" for name in only or POLICIES]


def measure(arguments: argparse.Namespace) -> Board:
    """All cells that have not ended, as they went; a terminal shows it."""
    order = Order(
        benchmark="game24",
        data=arguments.data,
        out=arguments.out,
        strategies=arms(arguments.only, arguments.sizes),
        models={"proposer": arguments.model},
        seeds=arguments.seeds,
        limit=arguments.limit,
        concurrency=arguments.concurrency,
    )
    course = Course(order)
    out = Console(stderr=True, markup=False)
    out.quiet = not out.is_terminal
    with Board(out, course.metric) as board:
        at_work(course.run(board), go_on)
    return board


def shown(rows: Sequence[dict[str, Any]]) -> Any:
    """The table for people: solved in per cent at each budget, and the difference to best_of_n in points."""
    from rich.table import Table

    table = Table("policy", *(f"{budget} tokens" for budget in BUDGETS), "steps", "within its size")
    for row in rows:
        cells = []
        for point in row["points"]:
            text = f"{100 * point['value']:.1f} [{100 * point['low']:.1f}, {100 * point['high']:.1f}]"
            if point["versus"]:
                by = point["versus"]
                text += f"\n{100 * by['value']:+.1f} [{100 * by['low']:+.1f}, {100 * by['high']:+.1f}]"
            cells.append(text)
        table.add_row(row["strategy"], *cells, f"{row['proposals']:.1f}", "yes" if row["kept"] else "NO")
    return table


def plot(run: Generated, path: Path) -> None:
    """Solved over generated tokens, with 95 % bands."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    grid = sorted({round(25 * 2 ** (step / 4)) for step in range(25)} | set(BUDGETS))
    figure, axes = pyplot.subplots(figsize=(7.2, 4.4), layout="constrained")
    for at, row in enumerate(run.table(grid, base_of(run))):
        x, y, low, high = ([point[name] for point in row["points"]] for name in ("at", "value", "low", "high"))
        base = row["strategy"] == BASE
        colour = "black" if base else f"C{at}"
        axes.plot(x, [100 * v for v in y], color=colour, ls="--" if base else "-", lw=1.8, label=row["strategy"])
        axes.fill_between(x, [100 * v for v in low], [100 * v for v in high], color=colour, alpha=0.1, lw=0)
    axes.set_xscale("log")
    axes.set_xticks(BUDGETS, map(str, BUDGETS))
    axes.set_xticks([], minor=True)
    axes.set_xlim(25, max(BUDGETS))
    axes.set_ylim(0, 100)
    axes.set_xlabel("generated tokens a puzzle, proposals and opinions (log scale)")
    axes.set_ylabel("solved, %")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=110)


def base_of(run: Generated) -> str:
    """The arm that all others are held against: best_of_n, or the first."""
    return next((arm.label for arm in run.run.arms if arm.strategy == BASE), run.run.arms[0].label)


def main() -> None:
    """Reads the arguments, measures and tells."""
    parser = Parser(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="embedded:game24")
    parser.add_argument("--seeds", type=some, default=3)
    parser.add_argument("--limit", type=some, help="so many puzzles, drawn always the same")
    parser.add_argument("--only", nargs="+", choices=POLICIES, default=[], help="these policies")
    parser.add_argument("--sizes", default="", help="other parameters for them, as budget=60:children=2")
    parser.add_argument("--concurrency", type=some, default=16)
    parser.add_argument("--plot", type=Path, help="a picture of the curves, .png or .svg")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    command(lambda: work(arguments))


def work(arguments: argparse.Namespace) -> None:
    """Measures and tells."""
    if arguments.plot:
        drawable(arguments.plot)
    board = measure(arguments)
    run = Generated.of(arguments.out)
    rows = run.table(BUDGETS, base_of(run))
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        Console(width=170).print(shown(rows))
    if arguments.plot:
        plot(run, arguments.plot)
    settle(board)


if __name__ == "__main__":
    main()

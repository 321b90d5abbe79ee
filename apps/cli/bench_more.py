"""``veriloop bench report`` and ``compare``: what a run left, as a page; two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from veriloop.apps.cli.catalogue import Json

if TYPE_CHECKING:
    from rich.table import Table


def report(
    out: Annotated[Path, typer.Argument(help="The folder of a benchmark run.")],
    cost: Annotated[float, typer.Option(help="What a wrong answer costs, where a right one gains 1.", min=0)] = 1.0,
) -> None:
    """Write OUT/report.html again, from what is recorded."""
    from veriloop.apps.bench import report as page
    from veriloop.apps.cli.show import console

    console().print(f"{page.write(out, cost)}")


def compare(
    out_a: Annotated[Path, typer.Argument(help="The folder of one benchmark run.")],
    out_b: Annotated[Path, typer.Argument(help="The folder of another.")],
    json_: Json = False,
) -> None:
    """What two runs have in common, paired: accuracy in each, the difference B - A, and what their plans differ in."""
    from veriloop.apps.bench.compare import compare as found_in
    from veriloop.apps.cli.show import clip, console, table

    found = found_in(out_a, out_b)
    if json_:
        typer.echo(json.dumps(found))
        return
    out = console()
    shared = f"{found['tasks']} tasks in common ({found['tasks_a']} in A, {found['tasks_b']} in B)"
    out.print(f"A {out_a}\nB {out_b}\n{shared}\n")
    for metric in found["metrics"]:
        out.print(_differences(found, metric))
        out.print()
    for name in "ab":
        if alone := found[f"only_{name}"]:
            out.print(f"only in {name.upper()}: {', '.join(alone)}")
    plans = table("the plans differ in", "A", "B")
    for each in found["plans"]:
        plans.add_row(*(clip(_word(each[key]), 80) for key in ("name", "a", "b")))
    out.print(plans if found["plans"] else "the plans differ in nothing that decides results")


def _differences(found: dict[str, Any], metric: str) -> Table:
    from veriloop.apps.cli.show import table

    shown = table(metric, "A", "B", "B - A", "95 %", "p")
    for column in shown.columns[1:]:
        column.justify = "right"
    for arm in found["arms"]:
        one = arm["metrics"][metric]
        inside = f"[{_points(one['low'])}, {_points(one['high'])}]"
        shown.add_row(
            arm["label"], _share(one["a"]), _share(one["b"]), _points(one["value"]), inside, _chance(one["p"])
        )
    return shown


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f}"


def _chance(value: float | None) -> str:
    return "–" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _word(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

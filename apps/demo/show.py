"""``veriloop demo``: real questions over a real database, answered offline, with every step shown."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import typer

from veriloop.apps.demo import atlas
from veriloop.core.errors import UsageError, VeriloopError

QUESTIONS = (
    "which state has the most rivers?",
    "how big is oregon?",
    "what is the capital of the state that borders the most other states?",
    "how many people live in the largest city of colorado?",
    "which mountains in alaska are higher than 5000 meters?",
    "what is the longest river that runs through texas?",
    "which states border the state with the highest population density?",
    "where is tahoe?",
)
"""At seed 0 most pass at once; Oregon's first attempts are caught by the verifier and a later one passes; for Tahoe
none does, and the demo says so."""
DATABASE = Path("atlas.sqlite")


def run_demo(as_json: bool, seed: int) -> None:
    """Build the database where it is missing, then answer every question; a table at the end."""
    from veriloop.apps.cli.show import Watcher, answer, console
    from veriloop.apps.cli.work import at_work, resumable
    from veriloop.core.task import Task
    from veriloop.graphs.solve import asolve

    out = console(quiet=as_json)
    if _missing():
        atlas.build(DATABASE)
        out.print(f"built {DATABASE}: states, cities, rivers, borders, peaks, lakes and roads of the United States")
    watchers: list[Watcher] = []

    async def all_of_them() -> list[tuple[str, Any]]:
        results: list[tuple[str, Any]] = []
        for question in QUESTIONS:
            out.print(f"\n{question}", style="bold")
            watchers.append(watcher := Watcher(out, at_most=8))
            with watcher:
                task = Task(question, database=str(DATABASE))
                result = await asolve(task, strategy="iad", model="embedded:sql", seed=seed, on_event=watcher)
            out.print(answer(result))
            results.append((question, result))
        return results

    started = time.monotonic()
    results = at_work(all_of_them(), lambda: resumable(watchers[-1].run_id) if watchers else "")
    _summary(out, results, time.monotonic() - started)
    if as_json:
        found = [{"question": q, "answer": r.answer, "outcome": r.verdict.outcome, "run": r.run_id} for q, r in results]
        typer.echo(json.dumps(found))


def _missing() -> bool:
    """Whether the database is not there yet. Raises ``UsageError`` where something else has its name."""
    if not DATABASE.exists():
        return True
    from veriloop.tools.sql.schema import read_schema

    try:
        there = {table.name for table in read_schema(DATABASE).tables}
    except VeriloopError:
        there = set[str]()
    if not there.issuperset(atlas.TABLES):
        raise UsageError(
            f"{DATABASE} in this folder is not the demo's database: move it away, or run the demo in another folder"
        )
    return False


def _summary(out: Any, results: list[tuple[str, Any]], seconds: float) -> None:
    from veriloop.apps.cli.show import MARKS, table, value

    shown = table("question", "answer", "verdict", "candidates", "run")
    for question, result in results:
        mark = MARKS[result.verdict.outcome][0]
        count = str(len(result.candidates))
        shown.add_row(question, value(result)[:120], f"{mark} {result.verdict.outcome}", count, result.run_id)
    out.rule("what was asked", align="left", style="dim")
    out.print(shown)
    out.print(
        f"\n{len(results)} questions in {seconds:.1f} s, no network used. A passed verdict means that the query runs "
        "and its result is plausible, not that it is right.\n"
        "See how an answer was reached: veriloop runs show RUN\n"
        'Ask your own:                  veriloop solve "how many rivers run through ohio?" --db atlas.sqlite'
    )

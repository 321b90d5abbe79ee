"""What models that were trained on one half of the templates write for questions of the other half, and what the
verifiers say of it: the attempts that embedded:sql learns to judge and to revise.

    python scripts/embedded_sql/mistakes.py --model FOLDER --half 1 --count 20000 --seed 31 --out mistakes.jsonl
    python scripts/embedded_sql/mistakes.py --model FOLDER --questions FILE --out attempts.jsonl

From half of the questions a word or two are missing or unknown: such a question can be read in several ways, and what
was found of one reading has to lead to the next. A line is a question, its SQL, and its distinct attempts: their marks
(what the result looks like, and what the verifiers ``sql`` and ``oracle`` say), how often they were written, and
whether they are right on the demo's database. With ``--questions`` it also says what was found of them on two thinned
copies of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from grammar import Example, examples

from veriloop import Candidate, Proposal, Task
from veriloop.apps.demo import atlas
from veriloop.core.messages import ToolCall
from veriloop.core.search import ToolRun
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.jobs import Job
from veriloop.models.embedded.reading import ordered, result_marks, said_marks
from veriloop.models.embedded.text import normalise
from veriloop.tools.sql.match import same_result
from veriloop.tools.sql.runner import SqlRunner
from veriloop.tools.sql.tool import run_tool
from veriloop.verifiers.oracle import difference
from veriloop.verifiers.sql import SqlVerifier

AT_ONCE = 64
COPIES = ("thin", "part")
"""What thinned copies are called: one with a part of all rows, one with a part of the things."""
WHOLE = ("state", "border_info", "highlow")
"""The tables that a copy with a part of the things has whole."""


def blurred(rng: Random, question: str, sql: str, count: int) -> str:
    """A question in plain form with some words, but no names or numbers of its query, missing or unknown."""
    words, names = normalise(question).split(), set(" ".join(sql.split("'")[1::2]).split())
    free = [at for at, word in enumerate(words) if word not in names and not word.isdecimal()]
    for at in rng.sample(free, min(len(free), count, len(words) // 2)):
        words[at] = "" if rng.random() < 0.5 else "".join(rng.choices("aeioubdfgklmnprst", k=6))
    return " ".join(word for word in words if word)


class Site:
    """A database that attempts run on."""

    def __init__(self, database: Path) -> None:
        self.database = str(database)
        self.runner = SqlRunner(database, seconds=2, workers=1)

    async def run(self, sql: str) -> ToolRun:
        """What a query gives here."""
        return await run_tool(self.runner, ToolCall("sql", {"query": sql}), sql)

    async def marks(self, question: str, sql: str, run: ToolRun) -> dict[str, Any]:
        """The marks of a result, and of what the verifier ``sql`` says of it."""
        candidate = Candidate(
            id="0", proposal=Proposal(), round=0, artifact=sql, complete=True, key=sql, tool_runs=(run,)
        )
        task = Task(question, database=self.database)
        verdict = await SqlVerifier().verify(task, candidate, None)  # type: ignore[arg-type]
        shown = f"error: {run.error}" if run.error else str(run.output)[:2000]
        return {"ran": ordered(result_marks(shown)), "sql_says": said_marks(verdict.text)}


def thinned(source: Path, target: Path, things: bool, keep: float = 0.4, seed: int = 1) -> Path:
    """A copy of a database with that share of its rows, of all tables; or of its ``things``, while what is known of
    states stays whole.

    Many a right query gives nothing there, so that a judge does not learn that nothing is wrong.
    """
    shutil.copy(source, target)
    rng = Random(seed)
    with closing(sqlite3.connect(target)) as database:
        named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for table in sorted(name for (name,) in named if not (things and name in WHOLE)):
            by = f"{table}_name" if things else "rowid"
            keys = database.execute(f"SELECT DISTINCT {by} FROM {table} ORDER BY {by}").fetchall()
            gone = [key for key in keys if rng.random() > keep]
            database.executemany(f"DELETE FROM {table} WHERE {by} = ?", gone)
        database.commit()
    return target


class Maker:
    """Writes attempts with a model, and has them verified on a database and on thinned copies of it, by name."""

    def __init__(
        self,
        engine: Engine,
        full: Site,
        copies: dict[str, Site],
        temperature: float,
        blurring: bool = False,
        inorder: bool = False,
    ) -> None:
        self.engine = engine
        self.inorder = inorder
        self.blurring = blurring
        self.full = full
        self.copies = copies
        self.temperature = temperature

    async def line(self, example: Example, seed: int) -> dict[str, Any] | None:
        """The line of a question; none where the right query gives nothing, as then much else looks right."""
        gold = await self.full.run(example.sql)
        if gold.error or not gold.output["rows"] or all(c is None for row in gold.output["rows"] for c in row):
            return None
        rng = Random(seed)
        count = rng.choice((0, 0, 1, 2)) if self.blurring else 0
        example = replace(example, question=blurred(rng, example.question, example.sql, count))
        counts = await self._attempts(example.question, seed)
        tries = [await self._try(example, gold, sql, count) for sql, count in counts.items()]
        if example.sql not in counts and not self.inorder:
            tries.append(await self._try(example, gold, example.sql, 0))
        return {"question": example.question, "sql": example.sql, "template": example.template, "tries": tries}

    async def _attempts(self, question: str, seed: int) -> Counter[str]:
        """Four samples, and then three more of which each differs from all before it; or eight distinct ones, the most
        probable first."""
        if self.inorder:
            found = Counter[str]()
            while len(found) < 8:
                (text,) = await self.engine.generate([Job(question, never=tuple(found))])
                if text.text in found:  # there is nothing else to write
                    break
                found[text.text] = 1
            return found
        jobs = [Job(question, temperature=self.temperature, top_p=0.95, seed=seed + at) for at in range(4)]
        counts = Counter(text.text for text in await self.engine.generate(jobs))
        for at in range(3):
            job = Job(question, never=tuple(counts), temperature=self.temperature, top_p=0.95, seed=seed + 4 + at)
            counts[(await self.engine.generate([job]))[0].text] += 0
        return counts

    async def _try(self, example: Example, gold: ToolRun, sql: str, count: int) -> dict[str, Any]:
        run = await self.full.run(sql)
        right = sql == example.sql
        if not run.error and not right:
            order = "order by" in example.sql.lower()
            right = same_result(gold.output["rows"], run.output["rows"], ordered=order)
        told = "" if right or run.error else difference(gold.output["rows"], run.output["rows"])
        return {
            "sql": sql,
            "count": count,
            "right": right,
            **await self.full.marks(example.question, sql, run),
            "oracle_says": [] if right else said_marks(f"It is not right. {told}"),
            **{
                name: await site.marks(example.question, sql, await site.run(sql)) for name, site in self.copies.items()
            },
        }


def given(path: Path, half: int | None) -> list[Example]:
    """The questions of a file, or of its first or second half, as examples of no template."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    middle = len(lines) // 2
    asked = {None: lines, 0: lines[:middle], 1: lines[middle:]}[half]
    return [Example(line["question"], line["gold_sql"], "") for line in asked]


async def write(args: argparse.Namespace, scratch: Path) -> None:
    """Write the lines, a few dozen questions at a time."""
    engine, database = Engine.load(args.model), atlas.build(scratch / "atlas.sqlite")
    full = Site(database)
    copies = {
        name: Site(thinned(database, scratch / f"{name}.sqlite", name == "part"))
        for name in (COPIES if args.questions else ())
    }
    if args.questions:
        maker, asked = Maker(engine, full, copies, 0.0, inorder=True), given(args.questions, args.half)
        source, count = iter(asked), len(asked)
    else:
        maker = Maker(engine, full, copies, args.temperature, blurring=not args.held)
        source, count = islice(examples(args.seed, held=args.held, half=args.half), args.count), args.count
    done = 0
    part = args.out.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        while some := list(islice(source, AT_ONCE)):
            work = (maker.line(example, args.seed + 100 * (done + at)) for at, example in enumerate(some))
            for line in await asyncio.gather(*work):
                if line is not None:
                    out.write(json.dumps(line) + "\n")
            done += len(some)
            print(f"{done} of {count}", end="\r", flush=True)
    for site in (full, *copies.values()):
        await site.runner.close()
    part.replace(args.out)


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--half", type=int, choices=(0, 1), help="questions of this half of the templates, or of the file"
    )
    parser.add_argument("--held", action="store_true", help="questions of held-out templates")
    parser.add_argument("--questions", type=Path, help="questions of this file, with eight attempts each, in order")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(write(args, Path(scratch)))


if __name__ == "__main__":
    main()

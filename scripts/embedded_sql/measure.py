"""Measures embedded:sql by execution: greedy (one sample), and whether any of several samples is right.

    python scripts/embedded_sql/measure.py --data DIR              (DIR has questions.jsonl and db/*.sqlite)
    python scripts/embedded_sql/measure.py --dev --failures        (the development questions, over the atlas)

Right means the same result by Spider's rule. Of a data folder only aggregates are printed, with 95 % bootstrap
intervals over questions; nothing of it may guide the model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from veriloop.apps.demo import atlas
from veriloop.core.errors import VeriloopError
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.jobs import Job
from veriloop.tools.sql.match import drop_distinct, same_result
from veriloop.tools.sql.runner import SqlRunner

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parents[1] / "models" / "embedded" / "sql"


async def right(runner: SqlRunner, gold: str, sql: str) -> bool:
    """Whether a query gives what the gold query gives."""
    wanted, found = [await runner.run(drop_distinct(query)) for query in (gold, sql)]
    return (
        not wanted.error
        and not found.error
        and same_result(wanted.rows, found.rows, ordered="order by" in gold.lower())
    )


def interval(hits: list[bool], seed: int, rounds: int = 2000) -> list[float]:
    """A share and its 95 % bootstrap interval, in per cent."""
    rng = Random(seed)
    shares = sorted(sum(rng.choices(hits, k=len(hits))) / len(hits) for _ in range(rounds))
    return [
        round(100 * x, 1) for x in (sum(hits) / len(hits), shares[int(0.025 * rounds)], shares[int(0.975 * rounds)])
    ]


async def measure(
    engine: Engine, rows: list[dict[str, Any]], runners: dict[str, SqlRunner], args: argparse.Namespace
) -> dict[str, Any]:
    """The aggregates of one set of questions."""
    began = time.monotonic()
    single: list[bool] = []
    covered: list[bool] = []
    sampled: list[bool] = []
    for index, row in enumerate(rows):
        runner = runners[row.get("db_id") or next(iter(runners))]
        seeds = [args.seed + 1000 * index + at for at in range(args.samples)]
        jobs = [Job(row["question"], temperature=args.temperature, top_p=args.top_p, seed=seed) for seed in seeds]
        greedy, *samples = [text.text for text in await engine.generate([Job(row["question"]), *jobs])]
        known = {sql: await right(runner, row["gold_sql"], sql) for sql in {greedy, *samples}}
        hits = [known[sql] for sql in samples]
        single.append(known[greedy])
        covered.append(any(hits))
        sampled.extend(hits)
        if args.failures and args.dev and not known[greedy]:
            print(f"{row['question']}\n   gold {row['gold_sql']}\n   got  {greedy}   {sum(hits)}/{len(hits)}")
    return {
        "questions": len(rows),
        "greedy": interval(single, args.seed),
        f"covered by {args.samples}": interval(covered, args.seed),
        "one sample": interval(sampled, args.seed),
        "temperature": args.temperature,
        "top_p": args.top_p,
        "seed": args.seed,
        "seconds": round(time.monotonic() - began, 1),
    }


def load(path: Path) -> list[dict[str, Any]]:
    """The questions of a JSON-lines file, each with its gold query as ``gold_sql``."""
    if not path.is_file():
        sys.exit(f"there is no {path}: name a folder with questions.jsonl and db/*.sqlite")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [{**row, "gold_sql": row.get("gold_sql") or row["sql"]} for row in rows]


async def report(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Measure what was asked for."""
    if args.dev:
        rows, files = load(HERE / "dev_questions.jsonl"), [atlas.build(scratch / "atlas.sqlite")]
    else:
        rows, files = load(args.data / "questions.jsonl"), sorted((args.data / "db").glob("*.sqlite"))
    runners = {file.stem: SqlRunner(file, seconds=30, rows=100_000, max_bytes=50_000_000) for file in files}
    return await measure(Engine.load(args.model), rows, runners, args)


def main() -> None:
    """Measure a data folder or the development questions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="a folder with questions.jsonl and db/*.sqlite")
    what.add_argument("--dev", action="store_true", help="the development questions")
    parser.add_argument("--failures", action="store_true", help="show the development questions that greedy got wrong")
    parser.add_argument("--model", type=Path, default=WEIGHTS)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            found = asyncio.run(report(args, Path(scratch)))
        except VeriloopError as error:
            sys.exit(str(error))
    print(
        json.dumps(found, indent=1) if args.json else "\n".join(f"{name:14} {value}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()

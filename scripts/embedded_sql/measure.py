"""Measures the embedded SQL model by execution: greedy, and whether any of several samples is right.

    python scripts/embedded_sql/measure.py --data /work/shared/data/text2sql_geoquery --samples 8
    python scripts/embedded_sql/measure.py --dev --failures        (the development questions, over the atlas)

Of a data folder (questions.jsonl and db/*.sqlite) only aggregates are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import itertools
import json
import re
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 2.0
PERMUTED = 6

Rows = list[tuple[Any, ...]]


def without_distinct(sql: str) -> str:
    """The query without DISTINCT, as Spider's rule has it."""
    return re.sub(r"\bdistinct\b", "", sql, flags=re.IGNORECASE)


def execute(database: sqlite3.Connection, sql: str) -> Rows | None:
    """The rows of a query; none where it fails or takes too long."""
    limit = time.monotonic() + SECONDS
    database.set_progress_handler(lambda: int(time.monotonic() > limit), 2000)
    try:
        return database.execute(without_distinct(sql)).fetchmany(20_000)
    except (sqlite3.Error, sqlite3.Warning, ValueError):
        return None
    finally:
        database.set_progress_handler(None, 0)


def same(gold: Rows, other: Rows, ordered: bool) -> bool:
    """Whether two results are equal under some order of the columns; row order counts only where asked."""
    if len(gold) != len(other):
        return False
    if not gold:
        return True
    width = len(gold[0])
    if width != len(other[0]):
        return False
    if width > PERMUTED:
        orders: Iterable[tuple[int, ...]] = [tuple(range(width))]
    else:
        orders = itertools.permutations(range(width))
    for order in orders:
        turned = [tuple(row[at] for at in order) for row in other]
        if turned == gold if ordered else Counter(turned) == Counter(gold):
            return True
    return False


def right(database: sqlite3.Connection, gold: str, sql: str) -> bool:
    """Whether a query gives what the gold query gives."""
    wanted, found = execute(database, gold), execute(database, sql)
    if wanted is None or found is None:
        return False
    return same(wanted, found, bool(re.search(r"\border\s+by\b", gold, re.IGNORECASE)))


def atlas(path: Path) -> sqlite3.Connection:
    """The demo's facts as a database in memory."""
    database = sqlite3.connect(":memory:")
    for file in sorted(path.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream)
        extra = ["country_name"] if file.stem not in ("border_info", "highlow") else []
        density = ["density"] if file.stem == "state" else []
        names = header + extra + density
        database.execute(f"CREATE TABLE {file.stem} ({', '.join(names)})")
        for row in rows:
            values: list[Any] = [_value(text) for text in row] + ["usa"] * len(extra)
            if density:
                values.append(values[header.index("population")] / values[header.index("area")])
            database.execute(f"INSERT INTO {file.stem} VALUES ({', '.join('?' * len(names))})", values)
    return database


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def opened(path: Path) -> sqlite3.Connection:
    """A database, read only."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def interval(hits: list[bool], seed: int, rounds: int = 2000) -> tuple[float, float]:
    """A 95 % bootstrap interval of a share."""
    rng = Random(seed)
    shares = sorted(sum(rng.choices(hits, k=len(hits))) / len(hits) for _ in range(rounds))
    return shares[int(0.025 * rounds)], shares[int(0.975 * rounds)]


async def answers(engine: Any, questions: list[str], arguments: argparse.Namespace) -> list[list[str]]:
    """The greedy query and the sampled ones of each question."""
    from veriloop.models.embedded.engine import Job

    out: list[list[str]] = []
    heat, top_p = arguments.temperature, arguments.top_p
    for index, question in enumerate(questions):
        seeds = [arguments.seed + 1000 * index + at for at in range(arguments.samples)]
        jobs = [Job(question), *(Job(question, temperature=heat, top_p=top_p, seed=seed) for seed in seeds)]
        out.append([text.text for text in await engine.generate(jobs)])
    return out


def measure(engine: Any, rows: list[dict[str, Any]], databases: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """The aggregates of one set of questions."""
    began = time.time()
    written = asyncio.run(answers(engine, [row["question"] for row in rows], arguments))
    seconds = time.time() - began
    single, covered, sampled, kinds = [], [], [], {}
    golds = [(databases(row), row.get("gold_sql") or row.get("sql")) for row in rows]
    found_rows = [execute(database, gold) for database, gold in golds]
    filled = [bool(result) for result in found_rows]
    chance = [
        right(*golds[at - 1], greedy) if golds[at - 1][0] is golds[at][0] else False
        for at, (greedy, *_) in enumerate(written)
    ]
    for row, (greedy, *samples) in zip(rows, written, strict=True):
        database, gold = databases(row), row.get("gold_sql") or row.get("sql")
        single.append(right(database, gold, greedy))
        hits = [right(database, gold, sql) for sql in samples]
        covered.append(any(hits))
        sampled.extend(hits)
        kinds.setdefault(row.get("kind", "all"), []).append(single[-1])
        if arguments.failures and not single[-1] and "sql" in row:
            print(f"{row['kind']}: {row['question']}\n   gold {gold}\n   got  {greedy}   {sum(hits)}/{len(hits)}")
    found: dict[str, Any] = {
        "questions": len(rows),
        "seconds": round(seconds, 1),
        "samples": arguments.samples,
        "temperature": arguments.temperature,
        "top_p": arguments.top_p,
        "seed": arguments.seed,
    }
    found["gold_fails"] = sum(result is None for result in found_rows)
    found["gold_empty"] = sum(result == [] for result in found_rows)
    parts = {
        "greedy": single,
        "greedy_where_gold_has_rows": [hit for hit, rows_there in zip(single, filled, strict=True) if rows_there],
        "greedy_answers_to_the_question_before": chance,
        "covered": covered,
        "sampled": sampled,
    }
    for name, hits in parts.items():
        if hits:
            low, high = interval(hits, arguments.seed)
            found[name] = round(sum(hits) / len(hits), 4)
            found[name + "_95"] = [round(low, 4), round(high, 4)]
    if len(kinds) > 1:
        found["kinds"] = {kind: f"{sum(hits)}/{len(hits)}" for kind, hits in sorted(kinds.items())}
    return found


def load(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main() -> None:
    """Measures a data folder, the development questions, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with questions.jsonl and db/*.sqlite")
    parser.add_argument("--dev", action="store_true", help="also the development questions")
    parser.add_argument("--failures", action="store_true", help="show the development questions that greedy got wrong")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "embedded" / "sql")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    from veriloop.models.embedded.engine import Engine

    engine = Engine.load(arguments.model)
    report: dict[str, Any] = {}
    if arguments.dev or not arguments.data:
        facts = atlas(ROOT / "apps" / "demo" / "facts")
        report["dev"] = measure(engine, load(HERE / "dev_questions.jsonl"), lambda row: facts, arguments)
    if arguments.data:
        connections = {path.stem: opened(path) for path in sorted((arguments.data / "db").glob("*.sqlite"))}
        only = next(iter(connections.values()))
        report["data"] = measure(
            engine,
            load(arguments.data / "questions.jsonl"),
            lambda row: connections.get(row.get("db_id", ""), only),
            arguments,
        )
    if arguments.json:
        json.dump(report, sys.stdout, indent=1)
        print()
        return
    for name, found in report.items():
        print(name, *(f"{key}={value}" for key, value in found.items()), sep="\n  ")


if __name__ == "__main__":
    main()

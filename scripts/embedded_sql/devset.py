"""Writes a benchmark folder over the demo's database, to choose temperatures on: nothing of it is measured elsewhere.

    python scripts/embedded_sql/devset.py OUT --held 300

OUT/questions.jsonl holds the development questions and questions of held-out templates, OUT/db/atlas.sqlite the
database.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from grammar import Example, examples

from veriloop.apps.demo import atlas

HERE = Path(__file__).resolve().parent


def answered(connection: sqlite3.Connection, example: Example) -> bool:
    """Whether the question has an answer in the database."""
    rows = connection.execute(example.sql).fetchall()
    return any(cell is not None for row in rows for cell in row)


def write(out: Path, held: int, seed: int) -> None:
    """Write the folder."""
    (out / "db").mkdir(parents=True, exist_ok=True)
    database = atlas.build(out / "db" / "atlas.sqlite")
    own = [json.loads(line) for line in (HERE / "dev_questions.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [("dev", each["question"], each["sql"]) for each in own]
    with closing(sqlite3.connect(database)) as connection:
        drawn = (example for example in examples(seed, held=True) if answered(connection, example))
        rows += [("held", example.question, example.sql) for example in islice(drawn, held)]
    lines = [
        {"id": f"{kind}_{at:04}", "db_id": "atlas", "question": question, "gold_sql": sql}
        for at, (kind, question, sql) in enumerate(rows)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (out / "questions.jsonl").write_text(text, encoding="utf-8")


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held", type=int, default=300, help="questions of held-out templates")
    parser.add_argument("--seed", type=int, default=999)
    args = parser.parse_args()
    write(args.out, args.held, args.seed)


if __name__ == "__main__":
    main()

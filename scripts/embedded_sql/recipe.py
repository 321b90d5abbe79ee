"""Trains embedded:sql from nothing, with two processes at a time, in under two hours on two cores.

    python scripts/embedded_sql/recipe.py --work DIR

1. A base model on the grammar, and beside it two models on one half of its templates each.
2. Each of the two writes on the other's half, and what it writes is verified: attempts that no one learned by heart.
3. The base model learns to revise from these, and goes on writing; beside it the judge, from nothing, learns to judge.
4. What the judge goes by is weighed on attempts at questions that no grammar wrote.

Each step leaves its files in DIR, and a step whose files are there is not done again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parents[1] / "models" / "embedded" / "sql"


def run(made: Path, script: str, *arguments: object) -> None:
    """Runs a script of this folder on one core, unless what it makes is there."""
    if made.exists():
        print(f"{made} is there", flush=True)
        return
    with (made.parent / f"{made.name}.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run(command, check=True, stdout=log, env={**os.environ, **one})
    made.touch()
    print(f"{made} is made", flush=True)


def base(work: Path) -> None:
    """The model that writes."""
    run(work / "base" / "done", "train.py", "--steps", 12000, "--seed", 4, "--out", work / "base")


def halves(work: Path) -> None:
    """Two models that know one half of the templates each, and what each writes on the other half."""
    for half in (0, 1):
        folder = work / f"half{half}"
        run(folder / "done", "train.py", "--steps", 4000, "--seed", 20 + half, "--half", half, "--out", folder)
    for half in (0, 1):
        made = work / f"mistakes{1 - half}.jsonl"
        seed = 31 if half == 0 else 1_000_031
        options = ("--half", 1 - half, "--count", 10_000, "--seed", seed, "--out", made)
        run(made, "mistakes.py", "--model", work / f"half{half}", *options)


def learned(work: Path, out: Path) -> None:
    """The model that writes and revises, and its judge."""
    held = work / "held.jsonl"
    run(held, "mistakes.py", "--model", work / "base", "--held", "--count", 800, "--seed", 555, "--out", held)
    shared = ("--held", held, "--mistakes", work / "mistakes0.jsonl", work / "mistakes1.jsonl")
    tokenizer = work / "base" / "grown" / "tokenizer.json"
    tokenizer.parent.mkdir(exist_ok=True)
    run(tokenizer, "grow.py", work / "base", tokenizer.parent)
    with ThreadPoolExecutor(2) as lanes:
        tune = lanes.submit(run, work / "tuned", "tune.py", "--start", work / "base", "--out", out, *shared)
        judge = ("--tokenizer", tokenizer, "--out", out / "judge", *shared)
        for lane in [tune, lanes.submit(run, work / "judge", "judge.py", *judge)]:
            lane.result()
    attempts = work / "attempts.jsonl"
    questions = ("--questions", HERE / "judge_questions.jsonl")
    run(attempts, "mistakes.py", "--model", out, *questions, "--out", attempts)
    run(work / "judged", "judging.py", "--model", out, "--attempts", attempts, "--held", held)


def main() -> None:
    """Read the arguments and run the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for what lies between")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    for name in ("base", "half0", "half1"):
        (args.work / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as lanes:
        for lane in [lanes.submit(base, args.work), lanes.submit(halves, args.work)]:
            lane.result()
    learned(args.work, args.out)


if __name__ == "__main__":
    main()

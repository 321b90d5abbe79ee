"""Trains embedded:sql from nothing, with two processes at a time, in about two hours on two cores.

    python scripts/embedded_sql/recipe.py --work DIR

1. A base model on the grammar, and beside it two models on one half of its templates each.
2. Each of the two writes on the other's half, and what it writes is verified: attempts that no one learned by heart.
3. The base model learns to revise from these, and goes on writing; beside it the judge, from nothing, learns to judge.
4. The finished writer answers questions that no grammar wrote, and the judge learns from that, too.
5. What the judge goes by is weighed on attempts at other questions of that kind.

Each step leaves its files in DIR, and a step whose files are there is not done again.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from once import once

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parents[1] / "models" / "embedded" / "sql"


def base(work: Path) -> None:
    """The model that writes."""
    once(work, "base", HERE / "train.py", "--steps", 12000, "--seed", 4, "--out", work / "base")


def halves(work: Path) -> None:
    """Two models that know one half of the templates each, and what each writes on the other half."""
    for half in (0, 1):
        name = f"half{half}"
        options = ("--steps", 4000, "--seed", 20 + half, "--half", half, "--out", work / name)
        once(work, name, HERE / "train.py", *options)
    for half in (0, 1):
        name = f"mistakes{1 - half}"
        seed = 31 if half == 0 else 1_000_031
        options = ("--half", 1 - half, "--count", 10_000, "--seed", seed, "--out", work / f"{name}.jsonl")
        once(work, name, HERE / "mistakes.py", "--model", work / f"half{half}", *options)


def learned(work: Path, out: Path) -> None:
    """The model that writes and revises, and its judge."""
    held, begun = work / "held.jsonl", work / "base"
    options = ("--held", "--count", 800, "--seed", 555, "--out", held)
    once(work, "held", HERE / "mistakes.py", "--model", begun, *options)
    shared = ("--held", held, "--mistakes", work / "mistakes0.jsonl", work / "mistakes1.jsonl")
    judge = ("--tokenizer", begun / "tokenizer.json", *shared)
    together(
        (once, work, "tuned", HERE / "tune.py", "--start", begun, "--out", out, *shared),
        (once, work, "judge_begun", HERE / "judge.py", "--out", work / "judge", *judge),
    )
    tried(work, out)
    own = ("--start", work / "judge", "--own", work / "own0.jsonl", work / "own1.jsonl", "--out", out / "judge")
    rates = ("--rate", 1.2e-3, "--muon", 1.6e-3)
    once(work, "judge_own", HERE / "judge.py", *judge, *own, "--steps", 6000, "--seed", 46, "--threads", 2, *rates)
    attempts = ("--attempts", work / "attempts.jsonl")
    once(work, "judged", HERE / "judging.py", "--model", out, *attempts, "--held", held)


def tried(work: Path, model: Path) -> None:
    """What the finished writer writes for questions that no grammar wrote."""

    def tries(name: str, *asked: object) -> None:
        options = ("--model", model, "--out", work / f"{name}.jsonl", "--questions", *asked)
        once(work, name, HERE / "mistakes.py", *options)

    taught, weighed = HERE / "taught_questions.jsonl", HERE / "judge_questions.jsonl"
    together((tries, "own0", taught, "--half", 0), (tries, "own1", taught, "--half", 1))
    tries("attempts", weighed)


def together(*calls: tuple[Any, ...]) -> None:
    """Calls side by side, each a function and its arguments."""
    with ThreadPoolExecutor(len(calls)) as lanes:
        for lane in [lanes.submit(*call) for call in calls]:
            lane.result()


def main() -> None:
    """Read the arguments and run the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for what lies between")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    together((base, args.work), (halves, args.work))
    learned(args.work, args.out)


if __name__ == "__main__":
    main()

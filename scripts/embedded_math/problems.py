"""Writes held-out problems as a folder that `veriloop bench gsm8k --data` reads: gsm8k.jsonl with id, question, answer.

    python scripts/embedded_math/problems.py out/problems --number 500 --seed 900

All are of templates that training leaves out. With `--trained` they are of the others, with new draws: a pool to
collect trajectories from. What a model sees of a line is its question.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from solving import Problem
from texts import problems


def different(seed: int, held: bool) -> Iterator[Problem]:
    """Endless problems, each question once."""
    seen: set[str] = set()
    for problem in problems(seed, held):
        if problem.question not in seen:
            seen.add(problem.question)
            yield problem


def write(folder: Path, number: int, seed: int, held: bool = True) -> Path:
    """The file of so many problems in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "gsm8k.jsonl"
    rows = [
        {"id": f"p{at:04}", "question": each.question, "answer": str(each.answer), "template": each.template}
        for at, each in enumerate(islice(different(seed, held), number))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def main() -> None:
    """Reads the arguments and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=500)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--trained", action="store_true", help="problems of the templates that are trained on")
    arguments = parser.parse_args()
    path = write(arguments.folder, arguments.number, arguments.seed, not arguments.trained)
    print(f"{arguments.number} problems in {path}")


if __name__ == "__main__":
    main()

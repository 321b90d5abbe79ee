"""Writes the held-out sets that have a solution, as a folder that `veriloop bench game24 --data` reads.

python scripts/embedded_game24/held_out.py out/held_out --number 100
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent))

from solver import State, sets, share, solvable


def held_out() -> list[State]:
    """All of them, in an order of no meaning."""
    found = [state for state in sets() if share(state) == "held out" and solvable(state)]
    Random(24).shuffle(found)
    return found


def write(folder: Path, number: int) -> Path:
    """The file of so many in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "game24_enumerated.jsonl"
    numbers = [list(map(int, state)) for state in held_out()[:number]]
    rows = [{"id": "h24_" + "_".join(map(str, each)), "numbers": each, "solvable": True} for each in numbers]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def main() -> None:
    """Reads the arguments and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=100)
    arguments = parser.parse_args()
    print(write(arguments.folder, arguments.number))


if __name__ == "__main__":
    main()

"""A sequential method round by round, and against the other arms at equal generated tokens.

python scripts/bench/rounds.py OUT [OUT …]

Each OUT is the folder of a benchmark run over the same tasks. The first arm that goes in rounds is compared with each
other one: for every problem with the first round (or sample) by which that has generated at least as many tokens.
"""

from __future__ import annotations

import sys
from pathlib import Path

from command import command

from veriloop.apps.bench.rounds import table
from veriloop.core.errors import UsageError


def work() -> None:
    """Prints the table."""
    if len(sys.argv) < 2:
        raise UsageError("give the folders of benchmark runs: python scripts/bench/rounds.py OUT [OUT …]")
    print("\n".join(table([Path(each) for each in sys.argv[1:]])))


if __name__ == "__main__":
    command(work, str)

"""A sequential method round by round, and against the other arms at equal generated tokens.

python scripts/bench/rounds.py OUT [OUT …]

Each OUT is the folder of a benchmark run over the same tasks. The first arm that goes in rounds is compared with each
other one: for every problem with the first round (or sample) by which that has generated at least as many tokens.
"""

from __future__ import annotations

import sys
from pathlib import Path

from veriloop.apps.bench.rounds import table
from veriloop.core.errors import UsageError

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        print("\n".join(table([Path(each) for each in sys.argv[1:]])))
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

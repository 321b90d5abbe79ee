"""What each round of a sequential method changed, for every arm of a benchmark run: right, and since the round before
0→1 and 1→0.

python scripts/bench/flips.py OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from veriloop.apps.bench.flips import table
from veriloop.core.errors import UsageError

if __name__ == "__main__":
    try:
        if len(sys.argv) != 2:
            raise UsageError("give the folder of a benchmark run: python scripts/bench/flips.py OUT")
        print("\n".join(table(Path(sys.argv[1]))))
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

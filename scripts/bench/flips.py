"""What each round of a sequential method changed, for every arm of a benchmark run: right, 0→1, 1→0.

python scripts/bench/flips.py OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from veriloop.apps.bench.flips import table

if __name__ == "__main__":
    print("\n".join(table(Path(sys.argv[1]))))

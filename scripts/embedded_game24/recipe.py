"""Trains embedded:game24 from nothing, on one core, and says how it does on held-out sets.

    python scripts/embedded_game24/recipe.py --work DIR

1. The model learns to write steps and to judge states (about fifteen minutes on one core).
2. The held-out sets as a folder that `veriloop bench game24 --data` reads: what policies are sized with.
3. How well it writes and judges there.

Each step leaves its files in DIR, and a step that is done is not done again. With `--install` the weights go into the
package.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "embedded_sql"))

from once import once, recipe

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "models" / "embedded" / "game24"


def make(work: Path, steps: int, seed: int) -> None:
    """All steps."""
    once(work, "game24", HERE / "learn.py", "--steps", steps, "--seed", seed, "--out", work / "game24")
    once(work, "held_out", HERE / "held_out.py", work / "held_out")
    once(work, "look", HERE / "measure.py", "--weights", work / "game24")


if __name__ == "__main__":
    recipe(__doc__, make, PACKAGE, 1600)

"""Trains embedded:math from nothing, on two cores, and looks at what hints do to it.

    python scripts/embedded_math/recipe.py --work DIR

1. The model learns from the grammar (about an hour).
2. Held-out problems to measure with, and problems of the trained templates to collect trajectories on.
3. A quick look at each kind of hint on other held-out problems.

Each step leaves its files in DIR, and a step that is done is not done again. The weights go into the package
with `--install`, once they are to be shipped.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "embedded_sql"))

from once import once, recipe

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "models" / "embedded" / "math"


def make(work: Path, steps: int, seed: int) -> None:
    """All steps."""
    once(work, "math", HERE / "learn.py", "--steps", steps, "--seed", seed, "--out", work / "math")
    once(work, "held_out", HERE / "problems.py", work / "held_out", "--number", 500, "--seed", 900)
    once(work, "pool", HERE / "problems.py", work / "pool", "--number", 3000, "--seed", 901, "--trained")
    once(work, "look", HERE / "measure.py", "--weights", work / "math", "--number", 200)


if __name__ == "__main__":
    recipe(__doc__, make, PACKAGE, 3400)

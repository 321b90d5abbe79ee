"""A seeded generator of questions over the geography schema with the SQL that answers them.

python scripts/embedded_sql/grammar.py --seed 1 --count 20
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from zlib import crc32

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from noise import typed
from templates import ASKS

HELD_OUT = 25
LONGEST = 420


@dataclass(frozen=True)
class Example:
    """A question, its SQL, and the template it came from."""

    question: str
    sql: str
    template: str


def held_out(template: str) -> bool:
    """Whether a template is kept away from training, to choose the weights by."""
    return crc32(template.encode()) % HELD_OUT == 0


def half_of(template: str) -> int:
    """Which of two halves a template belongs to, whether it is held out or not."""
    return crc32(template.encode()) // HELD_OUT % 2


def draw(rng: Random) -> Example | None:
    """One example, or none where the draw made no sense."""
    weights, asks = zip(*ASKS, strict=True)
    depth = rng.choices((0, 1, 2), (38, 42, 20))[0]
    question, sql, template = rng.choices(asks, weights)[0](rng, depth)
    if len(sql) > LONGEST or re.search(r"\{|\[|\}", question + sql):
        return None
    return Example(typed(rng, question, sql), sql, template)


def examples(seed: int, held: bool | None = False, half: int | None = None) -> Iterator[Example]:
    """Endless examples: of training templates, of held-out ones (`held`), or of both (None); of one half, or both."""
    rng = Random(seed)
    while True:
        example = draw(rng)
        if example is None or (half is not None and half_of(example.template) != half):
            continue
        if held is None or held_out(example.template) == held:
            yield example


def main() -> None:
    """Print some examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    for example, _ in zip(examples(arguments.seed, None), range(arguments.count), strict=False):
        print(f"{example.question}\n    {example.sql}\n    {example.template[:100]}")


if __name__ == "__main__":
    main()

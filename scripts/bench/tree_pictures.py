"""A picture of the tree that each policy grows on one puzzle of the game of 24, with the numbers that it decided by.

    python scripts/bench/tree_pictures.py docs/pictures

The colour of a step is its score, from red (0) to green (1), and the first number below it. Behind it are the policy's
own, and how often it was proposed if not once. Thick frames are the way to the answer.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from command import Parser, command, drawable
from trees import POLICIES

import veriloop as vl
from veriloop.agents.steps import same
from veriloop.apps.bench.arms import Wanted, strategy_of
from veriloop.apps.bench.game24 import GAME
from veriloop.core.errors import UsageError
from veriloop.core.search import Candidate, Result
from veriloop.verifiers.game24 import numbers_of

LETTER, HIGH = 0.056, 0.46
"""Inches of a letter and of a row."""
COLOURS = 48
"""Of a picture: more make its file larger, not better."""
SAME = ("worth", "reward")
"""Numbers that are the score."""


@dataclass
class Node:
    """A step: what it says, its numbers, its score (none: no step), and how often it was proposed."""

    said: str
    numbers: str = ""
    score: float | None = None
    right: bool = False
    times: int = 1
    children: dict[str, Node] = field(default_factory=dict[str, "Node"])
    row: float = 0.0


def grown(result: Result) -> Node:
    """The tree of a result. Whole texts stand line by line, and each try of a mixture has a node of its own."""
    root = Node("4 numbers")
    known: dict[str, Node] = {}
    for candidate in result.candidates:
        above = next((known[id] for id in candidate.proposal.parents if id in known), None)
        if above is None and (scope := candidate.proposal.scope.rstrip("/")):
            above = root.children.setdefault(scope, Node(scope))
        above = above or root
        before = candidate.proposal.prefix.count("\n")
        *earlier, last = candidate.text.rstrip("\n").split("\n")[before:] or [""]
        for line in earlier:  # a text that was written as a whole
            above = above.children.setdefault(line, Node(short(line)))
        known[candidate.id] = leaf(above, last, candidate, result)
    return root


def leaf(above: Node, line: str, candidate: Candidate, result: Result) -> Node:
    """The node of a candidate's last line; the same line again is counted."""
    key = same(line)
    if key in above.children:
        above.children[key].times += 1
        return above.children[key]
    numbers = {name: value for name, value in result.numbers.get(candidate.id, {}).items() if name not in SAME}
    shown = " · ".join(f"{name} {value:.2g}" for name, value in numbers.items())
    passed = candidate.complete and candidate.verdict.outcome == "passed"
    node = above.children[key] = Node(short(line), shown, candidate.verdict.score, passed)
    return node


def short(line: str) -> str:
    """A line as a picture shows it."""
    return line.removeprefix("Answer: ").replace(", left: ", "  →  ").replace(" * ", " × ").replace(" - ", " − ")


def place(node: Node, next_row: float = 0.0) -> float:
    """Gives each node its row, a parent in the middle of its children; the next free row."""
    for child in node.children.values():
        next_row = place(child, next_row)
    if not node.children:
        node.row = next_row
        return next_row + 1
    rows = [child.row for child in node.children.values()]
    node.row = (rows[0] + rows[-1]) / 2
    return next_row


def depth(node: Node) -> int:
    """How many columns are below a node."""
    return max((1 + depth(child) for child in node.children.values()), default=0)


def label_of(node: Node) -> str:
    """What stands in a node."""
    score = "" if node.score is None else f"{node.score:.2f}"
    times = f"× {node.times}" if node.times > 1 else ""
    below = "  ".join(filter(None, (score, node.numbers, times)))
    return f"{node.said}\n{below}" if below else node.said


def longest(node: Node) -> int:
    """The letters of the longest line in any node."""
    return max([*map(len, label_of(node).split("\n")), *map(longest, node.children.values())])


def good(node: Node) -> bool:
    """Whether a right answer is below a node."""
    return node.right or any(map(good, node.children.values()))


def draw(root: Node, title: str, path: Path) -> None:
    """Writes the picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    rows, columns = place(root), depth(root)
    wide = LETTER * max(34, longest(root)) + 0.4
    figure, axes = pyplot.subplots(figsize=(wide * (columns + 1), HIGH * (rows + 1.2)))
    figure.subplots_adjust(0, 0, 1, 1)
    axes.set_xlim(-0.5, columns + 0.5)
    axes.set_ylim(rows - 0.4, -1.4)
    axes.axis("off")
    axes.text(-0.48, -1.0, title, fontsize=10, weight="bold", va="center")
    _draw(axes, root, 0)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    if path.suffix == ".png":
        from PIL import Image

        Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def _draw(axes: Any, node: Node, column: int) -> None:
    from matplotlib import colormaps

    for child in node.children.values():
        way = good(child)
        style: dict[str, Any] = {"color": "black" if way else "0.7", "lw": 1.6 if way else 0.8, "zorder": 1}
        axes.plot([column, column + 0.5, column + 1], [node.row, child.row, child.row], **style)
        _draw(axes, child, column + 1)
    face: Any = "0.95"
    if node.score is not None:
        face = [0.4 * part + 0.6 for part in colormaps["RdYlGn"](0.08 + 0.84 * node.score)]
    way, label = good(node), label_of(node)
    box = {"boxstyle": "round,pad=0.2", "fc": face, "ec": "black" if way else "0.6", "lw": 1.6 if way else 0.6}
    axes.text(column, node.row, label, fontsize=7, ha="center", va="center", bbox=box, zorder=2, linespacing=1.15)


def main() -> None:
    """Reads the arguments and draws."""
    parser = Parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--numbers", default="2 5 8 11")
    parser.add_argument("--model", default="embedded:game24")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=POLICIES, default=list(POLICIES))
    arguments = parser.parse_args()
    command(lambda: work(arguments), str)


def work(arguments: argparse.Namespace) -> None:
    """Grows each tree and draws it."""
    drawable()
    question = GAME.format(numbers=arguments.numbers)
    numbers = " ".join(map(str, numbers_of(question) or ()))
    if numbers != " ".join(arguments.numbers.replace(",", " ").split()):
        raise UsageError(f"--numbers {arguments.numbers!r}: give four whole numbers, as '2 5 8 11'")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        result = vl.solve(
            question,
            strategy=strategy_of(f"{name}:{POLICIES[name]}", Wanted((), ())).make(),
            model=arguments.model,
            verify="game24",
            seed=arguments.seed,
            journal=False,
        )
        root = grown(result)
        root.said = numbers
        written = sum(c.usage.tokens_out + c.verifying.tokens_out for c in result.candidates)
        title = f"{name}: {len(result.candidates)} proposals, {written} tokens generated, {result.stopped}"
        draw(root, title, arguments.folder / f"{name}.png")
        print(f"{title}: {arguments.folder / name}.png", flush=True)


if __name__ == "__main__":
    main()

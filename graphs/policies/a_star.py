"""A*-decoding (arXiv 2505.13672): of all open texts the one with the least f = g + h is gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ...core.search import Candidate, Search
from .common import positive
from .trees import Growth, Node, Tree, TreePolicy, worth


@dataclass(frozen=True, kw_only=True)
class AStar(TreePolicy):
    """The best open text, wherever it is, gets ``children`` next steps; of equals the longest, then the first.

    h, what is still to be paid, is 1 - r (the paper's), with r the score of the steps so far. g, what was paid, is
    ours: the sum of all losses of r on the way from the empty text (r = 1), ``caution`` times; 0 makes it greedy. Where
    nothing is open, a text is gone on with again. Defaults are ours.
    """

    children: int = 3
    caution: float = 0.5

    def __post_init__(self) -> None:
        positive(children=self.children)
        super().__post_init__()

    def grow(self, search: Search, tree: Tree) -> Growth:
        """The open text with the least f."""
        best = min(tree.open(), key=lambda node: (self.cost(tree, node)[2], -tree.depth(node)), default=None)
        return [(best or tree.again(), self.children)]

    def cost(self, tree: Tree, node: Candidate) -> tuple[float, float, float]:
        """g, h and f of a text."""
        way: list[Node] = [None, *tree.path(node)]
        paid = self.caution * sum(max(0.0, worth(before) - worth(after)) for before, after in pairwise(way))
        left = 1 - worth(node)
        return paid, left, paid + left

    def rate(self, search: Search, tree: Tree) -> Mapping[str, Mapping[str, float]]:
        """g, h and f of all nodes."""
        return {node.id: dict(zip("ghf", self.cost(tree, node), strict=True)) for node in tree.nodes}

"""Beam search over steps: level by level, the best texts go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...core.search import Search
from .common import positive
from .trees import Growth, Tree, TreePolicy, worth


@dataclass(frozen=True, kw_only=True)
class Beam(TreePolicy):
    """A level's ``width`` best texts get ``children`` next steps each, the empty one ``width`` times as many. When none
    of a level lives, a new beam begins with the best texts that were left behind, else with the empty one. Defaults are
    ours.
    """

    width: int = 4
    children: int = 3

    def __post_init__(self) -> None:
        positive(width=self.width, children=self.children)
        super().__post_init__()

    def grow(self, search: Search, tree: Tree) -> Growth:
        """The best of the newest level, else of all open texts."""
        every = tree.open()
        level = [node for node in tree.newest() if node in every] or every
        best = sorted(level, key=worth, reverse=True)[: self.width]
        return [(node, self.children) for node in best] or [(None, self.width * self.children)]

    def rate(self, search: Search, tree: Tree) -> Mapping[str, Mapping[str, float]]:
        """Worth of all nodes, and how many of their level come before."""
        ranks: dict[str, Mapping[str, float]] = {}
        levels: dict[int, int] = {}
        for node in sorted(tree.nodes, key=worth, reverse=True):
            depth = tree.depth(node)
            ranks[node.id] = {"worth": worth(node), "rank": levels.get(depth, 0)}
            levels[depth] = levels.get(depth, 0) + 1
        return ranks

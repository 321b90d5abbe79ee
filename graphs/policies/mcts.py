"""Monte Carlo tree search: go down by UCT (Kocsis and Szepesvári 2006), go on from the leaf, and let the worth of the
new steps count for all texts above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, sqrt

from ...core.errors import UsageError
from ...core.search import Candidate, Search
from .common import positive
from .trees import Growth, Node, Tree, TreePolicy, worth

Visits = Mapping[str, tuple[int, float]]
"""How often each text was visited and the sum of what that was worth, by id (empty: the root)."""


@dataclass(frozen=True, kw_only=True)
class MCTS(TreePolicy):
    """Each round goes down from the empty text, at each fork to the child with the highest mean worth +
    ``exploration`` * sqrt(ln(visits of the parent) / visits), and draws ``children`` next steps at the end.

    A visit is a step proposed in a text or below it; its worth is the step's score, without a playout. A text with no
    hope below it is drawn from again, up to ``again`` times, before it is given up; the empty one never is. Defaults
    are ours.
    """

    children: int = 3
    exploration: float = 0.3
    again: int = 3

    def __post_init__(self) -> None:
        positive(children=self.children)
        super().__post_init__()
        for name in ("exploration", "again"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least 0")

    def grow(self, search: Search, tree: Tree) -> Growth:
        """Down to a text without children that have hope, and on from there."""
        visits, node = _visits(search, tree), None
        hopes = set[str]()
        for each in reversed(tree.nodes):  # children before their parents
            left = tree.tries[each.id] < self.children * (1 + self.again)
            if tree.alive(each) and (left or any(below.id in hopes for below in tree.children(each))):
                hopes.add(each.id)
        while hopeful := [child for child in tree.children(node) if child.id in hopes]:
            node = max(hopeful, key=lambda child: self._uct(visits, tree, child))
        return [(node, self.children)]

    def _uct(self, visits: Visits, tree: Tree, child: Candidate) -> float:
        parent: Node = tree.parent(child)
        times, total = visits[child.id]
        above = visits[parent.id if parent else ""][0]
        return total / times + self.exploration * sqrt(log(above) / times)

    def rate(self, search: Search, tree: Tree) -> Mapping[str, Mapping[str, float]]:
        """Visits, mean worth and UCT of all nodes."""
        visits = _visits(search, tree)
        return {
            node.id: {
                "visits": visits[node.id][0],
                "mean": visits[node.id][1] / visits[node.id][0],
                "uct": self._uct(visits, tree, node),
            }
            for node in tree.nodes
        }


def _visits(search: Search, tree: Tree) -> Visits:
    """A step that was drawn twice is visited twice."""
    found: dict[str, tuple[int, float]] = {}
    for candidate in search.candidates:
        if candidate.verdict.outcome == "infra_error":
            continue
        for id in ("", *(node.id for node in tree.path(tree.first(candidate)))):
            times, total = found.get(id, (0, 0.0))
            found[id] = times + 1, total + worth(candidate)
    return found

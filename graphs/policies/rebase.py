"""REBASE, reward balanced search (arXiv 2408.00724), as PlanGEN has it (arXiv 2502.16111): of a level's texts the
better get more children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, floor, isqrt

from ...core.errors import UsageError
from ...core.search import Candidate, Search
from .common import positive
from .trees import Growth, Tree, TreePolicy, worth


@dataclass(frozen=True, kw_only=True)
class Rebase(TreePolicy):
    """The first level has ``width`` steps, and each expansion one fewer than the one before. They are shared out among
    the open texts of the deepest level that has any, in proportion to exp(reward / ``balance``).

    A text that gets none stays open; the search comes back to it when what is below has ended in vain, and then to the
    empty text. It ends when the width is used up. ``width`` and the -1 are PlanGEN's, the softmax is REBASE's;
    ``balance``, ``depth``, ``floor`` and going back are ours.
    """

    width: int = 10
    balance: float = 0.2

    def __post_init__(self) -> None:
        positive(width=self.width)
        super().__post_init__()
        if self.balance <= 0:
            raise UsageError(f"balance is {self.balance}: it must be above 0")

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return min(self.budget, self.width * (self.width + 1) // 2)

    def sized(self, total: int) -> dict[str, int]:
        """It ends when its width is used up: where its own is not enough, also one that is."""
        enough = (isqrt(8 * total - 7) + 1) // 2
        return {"budget": total} if enough <= self.width else {"budget": total, "width": enough}

    def grow(self, search: Search, tree: Tree) -> Growth:
        """The next expansion's children, shared out."""
        width = self.width - len({c.round for c in search.candidates})
        nodes = self._level(tree)
        return [*zip(nodes, self._shares(nodes, width), strict=True)] if nodes else [(tree.again(), width)]

    def _level(self, tree: Tree) -> list[Candidate]:
        nodes = tree.open()
        deepest = max(map(tree.depth, nodes), default=0)
        return [node for node in nodes if tree.depth(node) == deepest]

    def _shares(self, nodes: Sequence[Candidate], width: int) -> list[int]:
        return shared([weight * width for weight in softmax([worth(node) for node in nodes], self.balance)])

    def rate(self, search: Search, tree: Tree) -> Mapping[str, Mapping[str, float]]:
        """Reward and weight of a level, and how many children each gets."""
        nodes, width = self._level(tree), max(0, self.width - len({c.round for c in search.candidates}))
        weights = softmax([worth(node) for node in nodes], self.balance)
        rows = zip(nodes, weights, self._shares(nodes, width), strict=True)
        return {node.id: {"reward": worth(node), "weight": weight, "children": n} for node, weight, n in rows}


def softmax(values: Sequence[float], temperature: float) -> list[float]:
    """Weights that add up to 1, in proportion to exp(value / temperature)."""
    top = max(values, default=0.0)
    raised = [exp((value - top) / temperature) for value in values]
    return [each / sum(raised) for each in raised]


def shared(quotas: Sequence[float]) -> list[int]:
    """Quotas that add up to a whole number, rounded so that they still do: the largest remainders go up, the first
    among equals."""
    whole = [floor(quota + 1e-9) for quota in quotas]
    rest = round(sum(quotas)) - sum(whole)
    order = sorted(range(len(quotas)), key=lambda i: (round(whole[i] - quotas[i], 9), i))
    return [n + (i in order[:rest]) for i, n in enumerate(whole)]

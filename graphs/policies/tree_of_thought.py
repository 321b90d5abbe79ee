"""Tree of Thought, as PlanGEN has it (arXiv 2502.16111): every step is scored, the best path is followed, and where it
ends in vain the search goes back."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.search import Search
from .common import positive
from .trees import Growth, Tree, TreePolicy, worth


@dataclass(frozen=True, kw_only=True)
class TreeOfThought(TreePolicy):
    """Each text that is followed gets ``children`` next steps; the best of them is followed. A path ends in vain where
    a whole text fails or nothing is worth more than ``floor``: then the best of all open texts is next, and without one
    a text that was gone on with before.

    ``children`` and ``budget`` are the paper's; ``depth``, ``floor`` and going back are ours.
    """

    children: int = 3
    budget: int = 20

    def __post_init__(self) -> None:
        positive(children=self.children)
        super().__post_init__()

    def grow(self, search: Search, tree: Tree) -> Growth:
        """The best child of the text before, else the best of all open texts."""
        every = tree.open()
        fresh = [node for node in tree.newest() if node in every]
        return [(max(fresh or every, key=worth, default=None) or tree.again(), self.children)]

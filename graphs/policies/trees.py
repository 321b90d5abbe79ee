"""What policies by steps share: the tree of texts that a search has grown, each a line longer than its parent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...agents.roles import VERIFIED, share
from ...agents.steps import same
from ...core.errors import UsageError
from ...core.search import Candidate, Proposal, Search
from .common import best_whole, positive, samplable, scored, worth

Node = Candidate | None
"""A text of the tree; none is the empty one, its root."""
Growth = Sequence[tuple[Node, int]]
"""From which texts to go on, and with how many children each."""
ENOUGH = share(VERIFIED)
"""What a model must think of a whole text that nothing verifies, for the search to end."""


class Tree:
    """The candidates of a search as nodes, by the first of their parents; those lost to infrastructure are none.

    Of children with the same text the first is the node, the others are its twins. A step is worth its score; one of
    ``floor`` or less is hopeless, and a text of ``depth`` steps is long enough: neither is gone on with.
    """

    def __init__(self, search: Search, depth: int, floor: float = 0.0) -> None:
        self._most, self._floor = depth, floor
        self._first: dict[str, Candidate] = {}
        self._children: dict[str, list[Candidate]] = {"": []}
        self._twins: dict[tuple[str, str, bool], Candidate] = {}
        self._depth = {"": 0}
        self.tries: Counter[str] = Counter()
        """How often each text was gone on with, by id (empty: the root), whatever came of it."""
        self.nodes: list[Candidate] = []
        """In the order in which they were proposed."""
        lost = {c.id for c in search.candidates} - {c.id for c in scored(search.candidates)}
        for candidate in search.candidates:
            above = _id(self.parent(candidate))
            self.tries[above] += 1
            if candidate.id not in lost:
                self._place(candidate, above)

    def _place(self, candidate: Candidate, above: str) -> None:
        twin = self._twins.setdefault((above, same(candidate.text), candidate.complete), candidate)
        self._first[candidate.id] = twin
        if twin is candidate:
            self.nodes.append(candidate)
            self._children[above].append(candidate)
            self._children[candidate.id] = []
            self._depth[candidate.id] = self._depth[above] + 1

    def first(self, candidate: Candidate) -> Candidate:
        """The node of a candidate: itself, or the one that it is a twin of."""
        return self._first[candidate.id]

    def parent(self, candidate: Candidate) -> Node:
        """The text that it goes on with."""
        return self._first.get(next(iter(candidate.proposal.parents), ""))

    def children(self, node: Node) -> Sequence[Candidate]:
        """The texts that go on with it, each once, in the order proposed."""
        return self._children[_id(node)]

    def path(self, node: Node) -> list[Candidate]:
        """The nodes from the first step to it."""
        found: list[Candidate] = []
        while node is not None:
            found.append(node)
            node = self.parent(node)
        return found[::-1]

    def depth(self, node: Node) -> int:
        """How many steps it has."""
        return self._depth[_id(node)]

    def alive(self, node: Candidate) -> bool:
        """Whether it may be gone on with: a partial text with some hope."""
        return not node.complete and worth(node) > self._floor and self.depth(node) < self._most

    def open(self) -> list[Candidate]:
        """The nodes that live and were not gone on with yet."""
        return [node for node in self.nodes if self.alive(node) and not self.tries[node.id]]

    def newest(self) -> list[Candidate]:
        """The nodes of the last round."""
        last = self.nodes[-1].round if self.nodes else 0
        return [node for node in self.nodes if node.round == last]

    def again(self) -> Node:
        """Where to go on once more when nothing is open: where it was tried least, of those the worthiest."""
        tried: list[Node] = [None, *(node for node in self.nodes if self.alive(node) and self.tries[node.id])]
        return min(tried, key=lambda node: (self.tries[_id(node)], -worth(node)))


def _id(node: Node) -> str:
    return node.id if node else ""


def passed(search: Search) -> bool:
    """Whether a whole text has passed, or is ``ENOUGH`` in the opinion of a model where nothing verifies."""
    return any(c.complete and (c.verdict.outcome == "passed" or _liked(c)) for c in search.candidates)


def _liked(candidate: Candidate) -> bool:
    return candidate.verdict.outcome == "unscored" and candidate.score >= ENOUGH


@dataclass(frozen=True, kw_only=True)
class TreePolicy(ABC):
    """A search over steps: ``budget`` steps are proposed at most, a text has ``depth`` at most, and one that is worth
    ``floor`` or less is not gone on with. It ends with the first whole text that passes (without a verifier, that a
    model finds good enough); one that fails ends nothing.
    """

    budget: int = 60
    depth: int = 16
    floor: float = 0.1
    temperature: float = 0.7
    max_tokens: int = 1024

    by_steps = True  # not a parameter

    def __post_init__(self) -> None:
        positive(budget=self.budget, depth=self.depth)
        samplable(self.temperature, self.max_tokens)
        if not 0 <= self.floor < 1:
            raise UsageError(f"floor is {self.floor}: it must be at least 0 and less than 1")

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return self.budget

    def sized(self, total: int) -> dict[str, int]:
        """The parameters that let it propose ``total`` steps."""
        return {"budget": total}

    @abstractmethod
    def grow(self, search: Search, tree: Tree) -> Growth:
        """From which texts to go on, and how often; nothing = done."""

    def rate(self, search: Search, tree: Tree) -> Mapping[str, Mapping[str, float]]:
        """The numbers that the next decision goes by, by candidate id."""
        return {node.id: {"worth": worth(node)} for node in tree.nodes}

    def tree(self, search: Search) -> Tree:
        """The tree as far as it has grown."""
        return Tree(search, self.depth, self.floor)

    def propose(self, search: Search) -> list[Proposal]:
        """The next steps, as many as the budget still allows."""
        room = self.at_most - len(search.candidates)
        if room <= 0 or passed(search):
            return []
        growth = self.grow(search, self.tree(search))
        return [step for node, count in growth for step in [self.step(node)] * count][:room]

    def step(self, node: Node) -> Proposal:
        """The proposal of one step after a text."""
        return Proposal(
            parents=(node.id,) if node else (),
            prefix=node.text if node else "",
            until="step",
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )

    def select(self, search: Search) -> Candidate | None:
        """The best whole text by score, the first among equals; without one the worthiest of the partial ones."""
        return best_whole(search.candidates)

    def enough(self, search: Search) -> bool:
        """Whether a whole text has passed, or is good enough where nothing verifies."""
        return passed(search)

    def numbers(self, search: Search) -> Mapping[str, Mapping[str, float]]:
        """The numbers of each decision so far; of a candidate the last ones that it was thought about with."""
        found: dict[str, Mapping[str, float]] = {}
        for number in range(search.round + 1):
            past = tuple(a for a in search.attempts if a.round < number)
            then = replace(search, round=number, attempts=past)
            found.update(self.rate(then, self.tree(then)))
        return found

"""PlanGEN's mixture of algorithms (arXiv 2502.16111): a draft; while no verification is good enough, a modified UCB
with a model's priors picks best-of-n, tree of thought or REBASE for another try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ...agents.prompts import fenced, render
from ...agents.roles import VERIFIED, share, show
from ...core.errors import UsageError, meant
from ...core.protocols import Memory, Policy
from ...core.search import Attempt, Candidate, Proposal, Search
from ...core.seeds import fingerprint
from ...core.task import Task
from ...core.wire import to_bytes
from .best_of_n import BestOfN
from .common import best_whole, positive, samplable, scored
from .rebase import Rebase
from .tree_of_thought import TreeOfThought
from .ucb import UCB, Record, Trial, pick, records

Scope = Literal["instance", "run"]
Asked = Literal["each", "once"]
ALGORITHMS = ("best_of_n", "tree_of_thought", "rebase")
DRAFT = "draft"
SELECTION = "selection"
FEEDBACK = 6000
"""Characters of a verdict that the next try is told."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A draft, then at most ``loops`` tries, until an answer's score reaches ``threshold`` (-100 to 100).

    Before each try, or ``once``, the role ``selection`` gives each of the ``algorithms`` (their names, joined by +) a
    prior; ``prior_weight`` 0 asks for none. The algorithm with the largest UCB value (``ucb.UCB``, with ``diversity``
    and ``recovery``) tries next, its prompts holding the best answer so far and its verification. Its reward is the
    best score it reached. With the ``scope`` ``run`` statistics go on from task to task, in the memory that
    ``memory()`` makes: give the same to each ``solve``. ``n`` is best-of-n's, ``children`` and ``budget`` are tree of
    thought's, ``width`` is REBASE's (4 + 3 + 2 + 1 steps). The paper gives neither the loops nor any weight.
    """

    loops: int = 3
    threshold: float = VERIFIED
    algorithms: str = "+".join(ALGORITHMS)
    select_by: Asked = "each"
    scope: Scope = "instance"
    prior_weight: float = 10.0
    diversity: float = 1.0
    recovery: float = 0.1
    n: int = 5
    children: int = 3
    budget: int = 20
    width: int = 4
    depth: int = 16
    temperature: float = 0.7
    max_tokens: int = 2048

    by_steps = True  # not parameters
    verifier = "plangen"

    def __post_init__(self) -> None:
        positive(loops=self.loops)
        samplable(self.temperature, self.max_tokens)
        if not -100 <= self.threshold <= 100:
            raise UsageError(f"threshold is {self.threshold}: it must be from -100 to 100")
        for name in self._names:
            if name not in ALGORITHMS:
                raise UsageError(f"no algorithm {name!r}{meant(name, ALGORITHMS)}; there are: {'+'.join(ALGORITHMS)}")
            self._algorithm(name)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles besides the proposer that it asks for."""
        return (SELECTION,) if self.prior_weight else ()

    @property
    def at_most(self) -> int:
        """The most candidates it proposes."""
        return 1 + self.loops * max(getattr(self._algorithm(name), "at_most", 0) for name in self._names)

    def propose(self, search: Search) -> list[Proposal]:
        """The draft, an opinion on the algorithms, or what the algorithm at work proposes."""
        if not search.attempts:
            return [self._plan(search)]
        if self._accepted(search):
            return []
        tries = self._tries(search)
        if tries and (more := self._dressed(search, tries[-1])):
            return more
        number = len(tries)
        if number >= self.loops:
            return []
        if self.prior_weight and not self._asked(search, number):
            return [self._question(search, number)]
        return self._dressed(search, f"{number}.{pick(self.values(search))}")

    def select(self, search: Search) -> Candidate | None:
        """The best whole answer by score, the first among equals; without one the best of the partial ones."""
        return best_whole(search.candidates)

    def enough(self, search: Search) -> bool:
        """Whether an answer is good enough."""
        return self._accepted(search)

    def values(self, search: Search) -> Mapping[str, float]:
        """The UCB values that the next pick goes by."""
        given: Mapping[str, Any] = search.experience.get("ucb", {}) if self.scope == "run" else {}
        known = self.records(search, {name: Record(**each) for name, each in given.items()})
        return UCB(self.prior_weight, self.diversity, self.recovery).values(known, self._priors(search))

    def records(self, search: Search, past: Mapping[str, Record]) -> dict[str, Record]:
        """What is known of each algorithm: the ``past``, and its trials in this search."""
        return records(self._names, self.trials(search), self._reward, past)

    def memory(self) -> Memory | None:
        """What goes on from task to task; nothing where each stands for itself."""
        return Experience(self) if self.scope == "run" else None

    def numbers(self, search: Search) -> Mapping[str, Mapping[str, float]]:
        """Each algorithm's own numbers for its candidates, and the UCB value with which it was picked."""
        found: dict[str, dict[str, float]] = {}
        for name in self._tries(search):
            view = search.scoped(name)
            own = getattr(self._algorithm(name), "numbers", None)
            inner: Mapping[str, Mapping[str, float]] = own(view) if own else {}
            before = replace(search, attempts=self._before(search, name))
            value = self.values(before)[_algorithm_of(name)]
            found.update({c.id: {"ucb": value, **inner.get(c.id, {})} for c in view.candidates})
        return found

    def trials(self, search: Search) -> list[Trial]:
        """The algorithms that have tried so far, and the best score of each try. A try whose answers nobody could judge
        is none; one without a whole answer has earned nothing."""
        found: list[Trial] = []
        for name in self._tries(search):
            mine = scored(search.scoped(name).candidates)
            whole = [c for c in mine if c.complete]
            scores = [c.verdict.score for c in whole if c.verdict.score is not None]
            if scores or (mine and not whole):
                found.append((_algorithm_of(name), max(scores, default=0.0)))
        return found

    @property
    def _names(self) -> list[str]:
        return [name.strip() for name in self.algorithms.split("+")]

    @property
    def _reward(self) -> float:
        """The threshold as a reward, 0 to 1."""
        return share(self.threshold)

    def _accepted(self, search: Search) -> bool:
        whole = [c for c in search.candidates if c.complete]
        return any(c.verdict.outcome != "infra_error" and c.score >= self._reward for c in whole)

    def _algorithm(self, name: str) -> Policy:
        """The algorithm of a try (``0.rebase``) or of a name."""
        common: dict[str, Any] = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        match _algorithm_of(name):
            case "best_of_n":
                return BestOfN(n=self.n, early_stop=False, **common)
            case "tree_of_thought":
                return TreeOfThought(children=self.children, budget=self.budget, depth=self.depth, **common)
            case _:
                return Rebase(width=self.width, depth=self.depth, **common)

    def _tries(self, search: Search) -> list[str]:
        """The names of the tries that have begun, in order: ``0.rebase``, ``1.best_of_n``."""
        names = dict.fromkeys(_place(a, search) for a in search.attempts)
        return [name for name in names if _algorithm_of(name) in ALGORITHMS]

    def _before(self, search: Search, name: str) -> tuple[Attempt, ...]:
        """What there was when a try began."""
        places = [_place(a, search) for a in search.attempts]
        return search.attempts[: places.index(name)] if name in places else search.attempts

    def _dressed(self, search: Search, name: str) -> list[Proposal]:
        """What the algorithm of a try proposes, with the best answer before it and its verification."""
        wanted = self._algorithm(name).propose(search.scoped(name))
        top = best_whole([a for a in self._before(search, name) if isinstance(a, Candidate)])
        said = render("refine", previous=show(top), critique=fenced(top.verdict.text, FEEDBACK)) if top else ""
        scope = f"{search.scope}{name}/"
        return [replace(p, scope=scope, instruction=f"{said}\n\n{p.instruction}".strip()) for p in wanted]

    def _plan(self, search: Search) -> Proposal:
        scope = f"{search.scope}{DRAFT}/"
        return Proposal(scope=scope, temperature=self.temperature, max_tokens=self.max_tokens)

    def _question(self, search: Search, number: int) -> Proposal:
        top = best_whole(search.candidates)
        said = fenced(top.verdict.text, FEEDBACK) if top and top.verdict.text else ""
        return Proposal(
            role=SELECTION,
            scope=f"{search.scope}{number}.{SELECTION}/",
            parents=(top.id,) if top else (),
            instruction=render("algorithms", feedback=said, algorithms=self._names),
            temperature=0.0,
        )

    def _asked(self, search: Search, number: int) -> bool:
        """Whether the opinion for this try is there."""
        if self.select_by == "once":
            return bool(search.opinions)
        return any(_place(opinion, search) == f"{number}.{SELECTION}" for opinion in search.opinions)

    def _priors(self, search: Search) -> dict[str, float]:
        """The latest opinion's priors; none where there is no usable one."""
        latest = next(reversed(search.opinions), None)
        given: Sequence[Mapping[str, Any]] = latest.value["priors"] if latest and latest.value else ()
        return {each["algorithm"].strip(): min(1.0, max(0.0, each["prior"])) for each in given}


def _place(attempt: Attempt, search: Search) -> str:
    """The part of the mixture that an attempt belongs to."""
    return attempt.proposal.scope.removeprefix(search.scope).partition("/")[0]


def _algorithm_of(name: str) -> str:
    return name.rpartition(".")[2]


class Experience:
    """A memory for the scope ``run``: how the algorithms of a mixture did on the tasks of this process, in the order in
    which these ended. What it says depends on that order."""

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture
        self._records: dict[str, Record] = {}
        self._known = set[bytes]()

    async def recall(self, task: Task) -> Mapping[str, Any]:
        """The statistics so far."""
        return {"experience": {"ucb": {name: asdict(record) for name, record in self._records.items()}}}

    async def learn(self, search: Search, best: Candidate | None) -> None:
        """Count the trials of a finished search, once."""
        known = fingerprint(to_bytes(search.task) + str(search.seed).encode())
        if known not in self._known:
            self._known.add(known)
            self._records = self._mixture.records(search, self._records)

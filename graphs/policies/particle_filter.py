"""Particle filtering over steps (arXiv 2502.01618): texts survive in proportion to their reward; with entropic
annealing and look-ahead where asked for (arXiv 2510.05825)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from ...core.search import Candidate, Search
from ...core.seeds import derive
from .common import positive
from .trees import Growth, Node, Tree, TreePolicy, worth


@dataclass(frozen=True, slots=True)
class Generation:
    """Texts of one length after their resampling: each once, with its weight, and how many particles go on from it."""

    nodes: Sequence[Candidate]
    weights: Sequence[float]
    counts: Sequence[int]
    ess: float
    temperature: float


@dataclass(frozen=True, kw_only=True)
class ParticleFilter(TreePolicy):
    """``n`` particles, each a text. Every generation is resampled systematically, with weights in proportion to the
    rewards, and each survivor gets one more step. When no particle is left (all have ended in vain), ``n`` new ones
    begin.

    ``annealing`` raises the weights to 1/temperature, with temperature = N/ESS (1 - t/T), never below 1: where few
    particles have most of the weight (the effective sample size ESS falls) more of the others survive, most of all
    early (t of T = ``depth`` steps). ``look_ahead`` draws one next step of each text before the resampling; its reward
    multiplies the text's. Both are off in the first paper. Defaults are ours.
    """

    n: int = 8
    floor: float = 0.0
    annealing: bool = False
    look_ahead: bool = False

    def __post_init__(self) -> None:
        positive(n=self.n)
        super().__post_init__()

    def grow(self, search: Search, tree: Tree) -> Growth:
        """The steps that are missing in the newest generation."""
        *_, growth = self._played(search, tree)
        return [] if isinstance(growth, Generation) else growth

    def _played(self, search: Search, tree: Tree) -> Iterator[Generation | Growth]:
        """All generations so far, played again from the first, and last what must be drawn next."""
        begun, drawn = 0, _drawn(search, tree)
        while True:
            begun += self.n
            if (missing := begun - tree.tries[""]) > 0:
                yield [(None, missing)]
                return
            particles = drawn[""][begun - self.n : begun]
            for step in range(self.depth):
                nodes, copies = _alive(tree, particles)
                if not nodes:
                    break
                scouts = [(node, 1) for node in nodes if self.look_ahead and not tree.tries[node.id]]
                if scouts:
                    yield scouts
                    return
                rng = Random(derive(search.seed, search.scope, "resample", begun, step))
                generation = self._resampled(nodes, copies, step, drawn, rng)
                yield generation
                pairs = list(zip(nodes, generation.counts, strict=True))
                short = [(node, count - tree.tries[node.id]) for node, count in pairs if count > tree.tries[node.id]]
                if short:
                    yield short
                    return
                particles = [each for node, count in pairs for each in drawn[node.id][:count]]

    def _resampled(
        self,
        nodes: Sequence[Candidate],
        copies: Sequence[int],
        step: int,
        drawn: Mapping[str, Sequence[Candidate]],
        rng: Random,
    ) -> Generation:
        rewards = [worth(node) for node in nodes]
        if self.look_ahead:
            ahead = [max((worth(each) for each in drawn[node.id][:1]), default=0.0) for node in nodes]
            rewards = [reward * next for reward, next in zip(rewards, ahead, strict=True)]
            rewards = rewards if any(rewards) else [worth(node) for node in nodes]
        temperature = 1.0
        ess = effective(rewards, copies)
        if self.annealing:
            temperature = max(1.0, sum(copies) / ess * (1 - step / self.depth))
            rewards = [reward ** (1 / temperature) for reward in rewards]
        total = sum(reward * times for reward, times in zip(rewards, copies, strict=True))
        weights = [reward * times / total for reward, times in zip(rewards, copies, strict=True)]
        return Generation(nodes, weights, systematic(weights, self.n, rng), ess, temperature)

    def rate(self, search: Search, tree: Tree) -> Mapping[str, Mapping[str, float]]:
        """Weights and particles of each generation, its effective sample size and temperature."""
        return {
            node.id: {"weight": weight, "particles": count, "ess": each.ess, "temperature": each.temperature}
            for each in self._played(search, tree)
            if isinstance(each, Generation)
            for node, weight, count in zip(each.nodes, each.weights, each.counts, strict=True)
        }


def _drawn(search: Search, tree: Tree) -> dict[str, list[Candidate]]:
    """What was drawn after each text, by id, in order, twins and lost ones included."""
    found: dict[str, list[Candidate]] = {"": [], **{node.id: [] for node in tree.nodes}}
    for candidate in search.candidates:
        above: Node = tree.parent(candidate)
        found[above.id if above else ""].append(candidate)
    return found


def _alive(tree: Tree, particles: Sequence[Candidate]) -> tuple[list[Candidate], list[int]]:
    """The texts of particles that can go on, each once, and how many particles have it."""
    counts: dict[str, int] = {}
    nodes: dict[str, Candidate] = {}
    for particle in particles:
        if particle.verdict.outcome != "infra_error" and tree.alive(node := tree.first(particle)):
            nodes[node.id] = node
            counts[node.id] = counts.get(node.id, 0) + 1
    return list(nodes.values()), list(counts.values())


def effective(rewards: Sequence[float], copies: Sequence[int]) -> float:
    """The effective sample size, (sum of weights)^2 / sum of their squares, of particles in so many copies each."""
    top = max(rewards)  # 1 at most, so that no square of a tiny reward is 0
    pairs = [(reward / top, times) for reward, times in zip(rewards, copies, strict=True)]
    return sum(w * k for w, k in pairs) ** 2 / sum(w * w * k for w, k in pairs)


def systematic(weights: Sequence[float], n: int, rng: Random) -> list[int]:
    """How many of ``n`` particles each gets: n times its weight on average, and never off by one or more."""
    start, counts, reached, taken = rng.random(), list[int](), 0.0, 0
    for weight in weights:
        reached += weight * n
        upto = min(n, max(taken, _points(reached - start)))
        counts.append(upto - taken)
        taken = upto
    if taken < n:  # what rounding left over belongs to the last that has any weight
        counts[max(i for i, weight in enumerate(weights) if weight > 0)] += n - taken
    return counts


def _points(length: float) -> int:
    """How many of the points 0, 1, 2, … are below ``length``."""
    return max(0, -int(-length // 1))

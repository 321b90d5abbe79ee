"""Arms: what a benchmark run compares. Each is a strategy with all its parameters, and the verifier it listens to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from veriloop.core.errors import UsageError
from veriloop.graphs.strategies import KNOWN, UNVERIFIED, VERIFIED, Strategy, parsed, proposals

if TYPE_CHECKING:
    from veriloop.apps.bench.ablate import Row, Seen, Wrap
    from veriloop.apps.bench.benchmark import Benchmark, Item


@dataclass(frozen=True)
class Arm:
    """A strategy, ``verify`` (a verifier's name, or ``none``), and ``change``: what an ablation does to it, in words.

    ``strategy`` holds every parameter of its policy. ``label`` tells the arm from all others of a run. A changed arm
    names the one it is a copy of (``base``); ``wrap`` is what it does to the verifier, and ``seen`` what it has to know
    of its base's records for that (see ``waits``). ``pinned``: its temperature was given with the strategy.
    """

    label: str
    strategy: Strategy
    verify: str
    change: str = ""
    base: str = ""
    wrap: Wrap | None = None
    seen: Seen | None = None
    pinned: bool = False

    @property
    def waits(self) -> bool:
        """Whether it can run only after its base has ended: give it those records (``learn``)."""
        return self.wrap is not None and self.wrap.learns and self.seen is None

    def learn(self, rows: Sequence[Row]) -> Arm:
        """The arm that has seen the records of its base."""
        from veriloop.apps.bench.ablate import Seen

        return replace(self, seen=Seen.of(rows))

    def at(self, temperature: float) -> Arm:
        """The same arm at another temperature; itself where that is pinned or the strategy has none."""
        if self.pinned or self.temperature is None:
            return self
        warm = Strategy(self.strategy.name, {**self.strategy.parameters, "temperature": temperature})
        return replace(self, strategy=Strategy(warm.name, Strategy.of(warm.make()).parameters))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All parameters of the strategy that a user can set."""
        return {name: value for name, value in self.strategy.parameters.items() if name != "roles"}

    @property
    def temperature(self) -> float | None:
        """What the proposals are sampled at; none where the strategy has no such parameter."""
        return self.strategy.parameters.get("temperature")

    @property
    def by_oracle(self) -> bool:
        """Whether it is told the right answer: a ceiling, no method."""
        return "oracle" in self.verify.split("+")

    def options(self, benchmark: Benchmark, item: Item, seed: int) -> dict[str, Any]:
        """What ``asolve`` is given for one task besides task, strategy, model and seed."""
        from veriloop.apps.bench.benchmark import oracle_of
        from veriloop.verifiers import make

        verify: Any = self.verify
        if self.by_oracle:
            stages = [oracle_of(benchmark, item) if part == "oracle" else part for part in self.verify.split("+")]
            verify = stages[0] if len(stages) == 1 else stages
        return {"verify": self.wrap.around(make(verify), item.id, seed, self.seen) if self.wrap else verify}


@dataclass(frozen=True)
class Wanted:
    """What the options of a command ask for: strategies as ``iad`` or ``iad:rounds=8:width=1``, verifiers by name,
    proposals in all, and the temperature of whatever has one (none: each strategy's own)."""

    strategies: Sequence[str]
    verify: Sequence[str]
    proposals: int | None = None
    temperature: float | None = None


def arms_of(wanted: Wanted) -> list[Arm]:
    """Each strategy with each verifier; one that by definition works without a verifier stands once.

    Raises ``UsageError`` for an unknown strategy, verifier or parameter, and for the same arm twice.
    """
    found: list[Arm] = []
    for text in wanted.strategies:
        strategy = strategy_of(text, wanted)
        verifiers = ("none",) if strategy.name in UNVERIFIED else tuple(wanted.verify)
        for verify in verifiers:
            _refuse(strategy.name, verify)
            label = text if len(verifiers) == 1 else f"{text} · {verify}"
            found.append(Arm(label, strategy, verify, pinned="temperature" in parsed(text)[1]))
    labels = [arm.label for arm in found]
    if twice := next((label for label in labels if labels.count(label) > 1), ""):
        raise UsageError(f"the arm {twice} is asked for twice: leave one out")
    return found


def _refuse(strategy: str, verify: str) -> None:
    """Raise ``UsageError`` for a verifier that there is not, before every task fails on it."""
    from veriloop.verifiers import make

    if verify == "none" and strategy in VERIFIED:
        raise UsageError(f"strategy {strategy} needs a verifier, and --verify names none: give one, as in --verify sql")
    parts = [verify] if verify.startswith("shell:") else [part.strip() for part in verify.split("+")]
    for part in parts:
        if part not in ("oracle", "none"):
            make(part)


def strategy_of(text: str, wanted: Wanted) -> Strategy:
    """The strategy that ``NAME:PARAMETER=VALUE:…`` stands for, with all its parameters."""
    name, given = parsed(text)
    sized = _sized(name, wanted.proposals, given) if wanted.proposals else {}
    whole = {"early_stop": False} if name == "best_of_n" else {}  # all samples are drawn, so that pass@k is unbiased
    first = Strategy(name, {**whole, **sized, **given})
    every = Strategy.of(first.make()).parameters
    warm = wanted.temperature
    if warm is None or "temperature" not in every or "temperature" in given:
        return Strategy(name, every)
    return Strategy(name, Strategy.of(Strategy(name, {**every, "temperature": warm}).make()).parameters)


def _sized(name: str, total: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that give a strategy ``total`` proposals, as far as none of them is given."""
    if name not in KNOWN or name == "single":
        return {}
    sized: dict[str, Any] = proposals(name, total)
    if name == "iad" and ("rounds" in given) != ("width" in given):
        known, other = ("rounds", "width") if "rounds" in given else ("width", "rounds")
        share = int(given[known]) if str(given[known]).isdecimal() else 0
        sized[other] = max(1, total // share) if share else sized[other]
    return sized

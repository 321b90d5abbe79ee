"""The seam for benchmarks: a small file each loads tasks, names a verifier that needs no gold, and scores with gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from veriloop.core.errors import UsageError, VeriloopError, told
from veriloop.core.protocols import Context, Verifier
from veriloop.core.registry import resolve
from veriloop.core.search import Candidate, Finding, Verdict
from veriloop.core.task import Task

KNOWN = {
    "text2sql": "veriloop.apps.bench.text2sql:Text2SQL",
    "gsm8k": "veriloop.apps.bench.answers:Gsm8k",
    "math": "veriloop.apps.bench.answers:Math",
    "humaneval": "veriloop.apps.bench.humaneval:HumanEval",
    "mbpp": "veriloop.apps.bench.mbpp:Mbpp",
    "game24": "veriloop.apps.bench.game24:Game24",
    "graph_coloring": "veriloop.apps.bench.graph_coloring:GraphColorings",
    "natural_plan": "veriloop.apps.bench.natural_plan.benchmark:NaturalPlan",
}

Scores = Mapping[str, bool | float]
"""A candidate's worth by each metric: right or not, or 0..1."""


@dataclass(frozen=True, slots=True)
class Item:
    """One task of a benchmark. ``id`` tells it from all others, ``gold`` is for scoring alone, ``group`` is what it
    shares with others (its database), ``tags`` hold what a reader may want to group by (its difficulty)."""

    id: str
    task: Task
    gold: Any
    group: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict[str, Any])


@runtime_checkable
class Benchmark(Protocol):
    """What can be measured.

    ``verify`` names the verifier that strategies listen to where the user names none; it needs no gold. ``metrics``
    names what ``score`` tells of a candidate, the main one first. ``load`` reads a folder (or a file) and raises
    ``UsageError`` when it holds no such data. ``score`` raises an error for a task whose own gold is broken: it then
    counts as wrong for every arm, and the rest goes on. A ``ToolError`` is trouble that may pass: it is tried again.

    A benchmark may also have ``name``; ``async ready(item)``, which raises such an error before anything is paid for
    the task; ``oracle(item)``, a verifier named ``oracle`` for ceilings (without it, what its first metric says); and
    ``async close()``.
    """

    @property
    def verify(self) -> str: ...

    @property
    def metrics(self) -> tuple[str, ...]: ...

    def load(self, data: Path) -> list[Item]: ...

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]: ...


def make(wanted: str | Benchmark) -> Benchmark:
    """The benchmark that a name stands for: a known one, an entry point ``veriloop.benchmark``, or an import path.

    Raises ``UsageError`` when it stands for none.
    """
    found: Any = resolve("benchmark", wanted, KNOWN) if isinstance(wanted, str) else wanted
    try:
        made: Any = found() if isinstance(found, type) else found
    except TypeError as error:
        raise UsageError(f"benchmark {wanted!r} cannot be made by name alone: {error}") from error
    if not isinstance(made, Benchmark):
        raise UsageError(f"{wanted!r} is not a benchmark: it needs verify, metrics, load and an async score")
    if not made.metrics:
        raise UsageError(f"benchmark {wanted!r} names no metric")
    return made


def name_of(benchmark: Benchmark, asked: str | Benchmark) -> str:
    """What a report calls it."""
    own: str = getattr(benchmark, "name", "")
    return own or (asked if isinstance(asked, str) else type(benchmark).__qualname__)


@dataclass(frozen=True)
class ByScore:
    """The verifier ``oracle`` of any benchmark: what its main metric says of a candidate, which gold decides."""

    benchmark: Benchmark
    item: Item
    name: str = "oracle"

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the candidate is right; the feedback never quotes gold. ``UsageError``: the task is broken."""
        try:
            (scores,) = await self.benchmark.score(self.item, [candidate])
        except VeriloopError:
            raise
        except Exception as error:  # else it would look like trouble around the candidate, which may pass
            raise UsageError(told(error)) from error
        score = float(scores[self.benchmark.metrics[0]])
        message = "It is right." if score >= 1 else "It is not right."
        return Verdict("passed" if score >= 1 else "failed", score, (Finding("oracle", score, message),), self.name)


def oracle_of(benchmark: Benchmark, item: Item) -> Verifier:
    """The verifier named ``oracle`` for one task."""
    own = getattr(benchmark, "oracle", None)
    return ByScore(benchmark, item) if own is None else own(item)

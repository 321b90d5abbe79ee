"""What the benchmarks of programs share: gold is a set of tests that nobody is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from veriloop.apps.bench.benchmark import Item, Scores
from veriloop.core.errors import ToolError, UsageError
from veriloop.core.protocols import Verifier
from veriloop.core.search import Candidate
from veriloop.verifiers.code.python_tests import PythonTests
from veriloop.verifiers.conformance import Everyone

SECONDS = 30.0
"""What all tests of a task may take."""


@dataclass(frozen=True)
class Tests:
    """The gold of a task: its tests, what it gives with the question, and the function under test."""

    tests: str
    setup: str = ""
    entry: str = ""

    def __str__(self) -> str:
        return self.tests.strip()

    def verifier(self, name: str = "tests") -> PythonTests:
        """What runs them, and quotes none."""
        return PythonTests(self.tests, self.setup, self.entry, hidden=True, seconds=SECONDS, name=name)


class Programs:
    """A program is right (``passed``) when it passes all tests; ``checks`` is the share of assertions that hold.

    Strategies listen to ``python-tests``, which runs what the question shows: examples, or some of the tests.
    """

    verify = "python-tests"
    metrics = ("passed", "checks")

    async def ready(self, item: Item) -> None:
        """Raises ``UsageError`` when there is no sandbox, or the tests are no Python: before anything is paid."""
        await item.gold.verifier().ready(item.task)

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]:
        """Each candidate, tried on all tests. Raises ``ToolError`` when a sandbox breaks, ``UsageError`` when there is
        none or the tests cannot be run."""
        return [await self._score(item, candidate) for candidate in candidates]

    async def _score(self, item: Item, candidate: Candidate) -> Scores:
        verdict = await item.gold.verifier().verify(item.task, candidate, Everyone())
        if verdict.outcome == "infra_error":
            raise ToolError(verdict.text)
        if verdict.outcome == "unscored":
            raise UsageError(f"{item.id}: {verdict.text}")
        return {"passed": verdict.outcome == "passed", "checks": verdict.score or 0.0}

    def oracle(self, item: Item) -> Verifier:
        """The verifier ``oracle``: all tests; its feedback says how many assertions hold, and quotes none."""
        return item.gold.verifier("oracle")

"""The game of 24: four numbers, + - * / and parentheses, step by step. The question itself says what is right.

game24_enumerated.jsonl   id, numbers [, solvable]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from veriloop.apps.bench.benchmark import Item, Scores
from veriloop.apps.bench.lines import Row, items_of
from veriloop.core.errors import UsageError
from veriloop.core.search import Candidate
from veriloop.core.task import Task
from veriloop.verifiers.game24 import numbers_of, solves

GAME = """\
Use each of four numbers exactly once, with + - * / and parentheses, to make 24.
Work in steps, one a line: take two of the numbers that are left, and write what they make and what is left then, as
a + b = c, left: x y c
When 24 alone is left, write the whole expression on a last line, as
Answer: (a + b) * (x - y) = 24
Numbers: {numbers}"""


class Game24:
    """``solved``: an expression of all four numbers makes 24. Puzzles without a solution are left out."""

    name = "game24"
    verify = "game24"
    metrics = ("solved",)

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with game24_enumerated.jsonl, or of a file of its form."""
        items = items_of(data, "game24_enumerated.jsonl", ("numbers",), _item)
        found = [item for item in items if item.tags["solvable"]]
        if items and not found:
            raise UsageError(f"{data}: none of its puzzles has a solution")
        return found

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]:
        """Each candidate's answer, checked."""
        return [{"solved": solves(item.task.question, str(candidate.artifact or ""))} for candidate in candidates]


def _item(row: Row) -> Item:
    numbers: list[Any] = row["numbers"] if isinstance(row["numbers"], list) else []  # type: ignore[reportUnknownVariableType]
    question = GAME.format(numbers=" ".join(map(str, numbers)))
    if len(numbers) != 4 or numbers_of(question) != tuple(numbers):
        raise UsageError(f"task {row['id']}: its numbers are not four whole numbers, as [1, 8, 11, 13]")
    return Item(str(row["id"]), Task(question), "24", tags={"solvable": row.get("solvable", True) is not False})

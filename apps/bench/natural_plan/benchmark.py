"""NATURAL PLAN: scheduling a meeting, meeting friends, planning a trip.

calendar_scheduling.jsonl  id, task, prompt_0shot, golden_plan [, num_people, num_days, structured_constraints]
meeting_planning.jsonl     id, task, prompt_0shot, golden_plan, constraints, dist_matrix [, gold_score]
trip_planning.jsonl        id, task, prompt_0shot, golden_plan, cities, durations
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from veriloop.apps.bench.benchmark import Item, Scores
from veriloop.apps.bench.lines import Row, items_of
from veriloop.apps.bench.natural_plan import calendar, meeting, trip
from veriloop.core.errors import UsageError, told
from veriloop.core.search import Candidate
from veriloop.core.task import Task


class Gold(Protocol):
    """What is right for a task."""

    def exact(self, text: str) -> bool: ...

    def valid(self, text: str) -> bool: ...


@dataclass(frozen=True)
class Kind:
    """A kind of task: its name, its gold out of a record, and what makes it complex."""

    name: str
    gold: Callable[[Row], Any]
    complexity: Callable[[Row, Any], Mapping[str, int]]


KINDS = {
    "calendar_scheduling": Kind("calendar", calendar.calendar_of, calendar.complexity),
    "meeting_planning": Kind("meeting", meeting.meetings_of, meeting.complexity),
    "trip_planning": Kind("trip", trip.trip_of, trip.complexity),
}
"""By the value of ``task``, which also names the file."""
FIELDS = ("task", "prompt_0shot", "golden_plan")
SHAPE = f"give a folder with {', '.join(f'{name}.jsonl' for name in KINDS)} or some of them, or one such file"


class NaturalPlan:
    """``exact``: right by the official rule, comparable with papers. ``valid``: keeps everything that was asked, also
    where the gold plan is another one; what is exact is valid.

    Tasks are asked by ``prompt_0shot`` as it is. Their group is kind and complexity (people and days, people, cities).
    """

    name = "natural_plan"
    verify = "natural-plan"
    metrics = ("exact", "valid")

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with a file for each kind, or of one such file."""
        return items(data)

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]:
        """Each candidate's plan, compared and checked."""
        return [scores(item, str(candidate.artifact or "")) for candidate in candidates]


def items(data: Path, heard: Callable[[Row], object] = lambda row: None) -> list[Item]:
    """The tasks of a folder or a file; ``heard`` gets each record. Raises ``UsageError`` where there are none."""
    files = [data] if data.is_file() else [path for name in KINDS if (path := data / f"{name}.jsonl").is_file()]
    if not files:
        raise UsageError(f"{data} {'has no tasks' if data.is_dir() else 'is not there'}: {SHAPE}")

    def item(row: Row) -> Item:
        heard(row)
        return _item(row)

    return [each for file in files for each in items_of(file, file.name, FIELDS, item)]


def scores(item: Item, text: str) -> Scores:
    """What an answer is worth."""
    gold: Gold = item.gold
    exact = gold.exact(text)
    return {"exact": exact, "valid": exact or gold.valid(text)}


def _item(row: Row) -> Item:
    kind = KINDS.get(str(row["task"]))
    if kind is None:
        raise UsageError(f"task {row['id']}: there is no kind of task {row['task']!r}; known: {', '.join(KINDS)}")
    try:
        gold = kind.gold(row)
        complexity = kind.complexity(row, gold)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        missing = f"it has no {error}" if isinstance(error, KeyError) else ""
        what = missing or (str(error) if type(error) is ValueError else f"a field is of another kind ({told(error)})")
        raise UsageError(f"task {row['id']}: {what}") from error
    group = ", ".join([kind.name, *(f"{what} {number}" for what, number in complexity.items())])
    return Item(str(row["id"]), Task(str(row["prompt_0shot"])), gold, group, {"kind": kind.name, **complexity})

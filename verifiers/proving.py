"""Constraints that code decides: checks that a model wrote are tried on their own examples, in a sandbox, and only
those that tell right from wrong there are believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..agents.formats import json_values
from ..agents.roles import Check, Constraint
from ..core.errors import ToolError, UsageError
from ..core.search import Candidate
from ..core.task import Task
from ..tools.sandbox import Bounds, Sandbox, sandbox
from ..tools.sql.runner import SqlResult, SqlRunner
from .code.relay import START_SECONDS, desk, started

SECONDS = 5.0
"""What a check may take for all that it is shown at once."""
MEMORY = 256 << 20
WIDTH = 16
"""Columns that the table ``answer`` has at least."""
MOST_ANSWER = 60_000
"""Characters of an answer, as JSON, that a check is shown."""
MOST_EXAMPLES = 16
"""Examples of each kind; a check with more counts as one that did not pass them."""
MOST_CODE = 20_000

Said = bool | None
"""What a check says of an answer: kept, broken, or nothing that counts."""
Say = Callable[[Sequence[Any]], Awaitable[list[Said]]]
"""A check at work: what it says of each of some answers."""
Reading = Callable[[SqlResult], Said]


@dataclass(frozen=True)
class Prover:
    """Which constraints of a task code decides. ``checks`` are those that proved themselves on their examples, by the
    place of their constraint; ``unsound`` are the places of the others, and ``trouble`` says why no Python is run."""

    checks: Mapping[int, Say] = field(default_factory=dict[int, Say])
    unsound: tuple[int, ...] = ()
    trouble: str = ""

    @classmethod
    async def of(cls, task: Task, constraints: Sequence[Constraint], box: Sandbox | None = None) -> Prover:
        """Try the constraints' checks on their examples. Without a sandbox those in Python do not count; they are never
        run in this process or with the user's rights."""
        given = {place: each.check for place, each in enumerate(constraints) if each.check is not None}
        trouble = ""
        if box is None and any(check.language == "python" for check in given.values()):
            box, trouble = _sandbox()
        tried = await asyncio.gather(*(_sound(task, check, box) for check in given.values()))
        checks = {place: sound for place, sound in zip(given, tried, strict=True) if sound is not None}
        unsound = tuple(p for p, c in given.items() if p not in checks and not (trouble and c.language == "python"))
        return cls(checks, unsound, trouble)

    async def prove(self, candidate: Candidate) -> dict[int, bool]:
        """What code says of a candidate: whether it keeps a constraint, by place. A check that raises, or comes to no
        end, says nothing."""
        said = await asyncio.gather(*(say([candidate.answer]) for say in self.checks.values()))
        return {place: kept for place, (kept,) in zip(self.checks, said, strict=True) if kept is not None}


def _sandbox() -> tuple[Sandbox | None, str]:
    """The sandbox, or why there is none: what a user lets run without one is not what an agent thinks of."""
    try:
        box = sandbox()
    except UsageError as error:
        return None, str(error)
    return (None, "there is no sandbox") if box.name == "unsafe-local" else (box, "")


async def _sound(task: Task, check: Check, box: Sandbox | None) -> Say | None:
    """The check, where it holds for all its right examples and for none of its wrong ones."""
    right, wrong = check.right, check.wrong
    if not (0 < len(right) <= MOST_EXAMPLES and 0 < len(wrong) <= MOST_EXAMPLES):
        return None
    wanted: list[Said] = [*[True] * len(right), *[False] * len(wrong)]
    try:
        examples = [_value(task, text) for text in (*right, *wrong)]
    except ValueError:
        return None
    for say in _readings(task, check, box):
        if await say(examples) == wanted:
            return say
    return None


def _readings(task: Task, check: Check, box: Sandbox | None) -> Iterator[Say]:
    """The ways in which a check can be meant: a query may look for what breaks a constraint, or ask if it is kept."""
    if check.language == "python" and box is not None:
        yield partial(run_python, box, check.code)
    if check.language == "sql" and task.database is not None:
        yield partial(_read, _no_row, task.database, check.code)
        yield partial(_read, _one_true, task.database, check.code)


def _value(task: Task, text: str) -> Any:
    """An example as an answer to the task is: a text, or data. Raises ``ValueError`` for what is none."""
    if task.database is None and task.output_schema is None:
        return text.strip()
    for value in json_values(text):
        return value
    raise ValueError("an example that is no JSON")


async def run_python(box: Sandbox, code: str, answers: Sequence[Any]) -> list[Said]:
    """What the function ``check`` of a code that nobody trusts says of each answer, all in one process of a sandbox."""
    said: list[Said] = []
    try:
        order = json.dumps({"code": code[:MOST_CODE], "answers": [_bounded(each) for each in answers]}).encode()
        async with desk(), AsyncExitStack() as stack:
            seconds = START_SECONDS + SECONDS
            bounds = Bounds(seconds=seconds, cpu_seconds=seconds, memory=MEMORY, processes=16)
            inside = await started(box, stack, "proof", bounds)
            await inside.send(order)
            await inside.receive(START_SECONDS)
            async with asyncio.timeout(SECONDS):
                for _ in answers:
                    said.append(_holds(await inside.receive(SECONDS)))
    except (ToolError, TimeoutError, EOFError, TypeError, ValueError, RecursionError):
        pass
    return said + [None] * (len(answers) - len(said))


def _bounded(answer: Any) -> Any:
    """The answer. Raises ``ValueError`` for one that is too long."""
    if len(json.dumps(answer)) > MOST_ANSWER:
        raise ValueError("too long an answer")
    return answer


def _holds(frame: bytes) -> Said:
    """A frame of the check's process, which may be anything."""
    if len(frame) > 10_000:
        return None
    found: Any = json.loads(frame)
    held: Any = found.get("holds") if isinstance(found, dict) else None  # type: ignore[reportUnknownMemberType]
    return held if isinstance(held, bool) else None


async def _read(read: Reading, path: str, query: str, answers: Sequence[Any]) -> list[Said]:
    return [read(result) for result in await run_sql(path, query, answers)]


async def run_sql(path: str, query: str, answers: Sequence[Any]) -> list[SqlResult]:
    """What a query gives on the database with each answer's rows as the table ``answer``; it can only read."""
    async with SqlRunner(path, workers=1) as runner:
        return [await _run(runner, query, rows) for rows in answers]


async def _run(runner: SqlRunner, query: str, rows: Any) -> SqlResult:
    try:
        return await runner.run(_with_answer(query, rows))
    except (ToolError, ValueError, TypeError) as error:
        return SqlResult(error=str(error), error_kind="sql")


def _with_answer(query: str, rows: Any) -> str:
    """The query with the rows as the table ``answer`` (c1, c2, …). Raises ``ValueError`` for what is no table."""
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):  # type: ignore[reportUnknownVariableType]
        raise ValueError("the answer has no rows")
    data = json.dumps(_bounded(rows))
    width = max(WIDTH, max((len(row) for row in rows), default=0))  # type: ignore[reportUnknownArgumentType]
    columns = ", ".join(f"json_extract(value, '$[{i}]') AS c{i + 1}" for i in range(min(width, 100)))
    quoted = data.replace("'", "''")
    inner = query.strip().rstrip(";")
    return f"WITH answer AS (SELECT {columns} FROM json_each('{quoted}'))\nSELECT * FROM (\n{inner}\n) LIMIT 2"


def _no_row(result: SqlResult) -> Said:
    """Kept where the query finds no row that breaks it."""
    return None if result.error else not result.rows


def _one_true(result: SqlResult) -> Said:
    """Kept where the query gives one value that is true."""
    if result.error or len(result.rows) != 1 or len(result.rows[0]) != 1:
        return None
    return bool(result.rows[0][0])

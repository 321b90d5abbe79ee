"""Collecting: a benchmark run of ``start`` whose every text is kept, plain and hinted, scored by the benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from veriloop.agents.fences import in_words
from veriloop.agents.insertion import DOUBTS
from veriloop.agents.proposer import Proposer
from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.records import Cell, Results
from veriloop.apps.bench.runner import Watch
from veriloop.apps.train.records import Record, Trajectories, collected
from veriloop.core.errors import UsageError
from veriloop.core.messages import Capabilities, ToolSpec
from veriloop.core.search import Candidate, Proposal, Result, Segment
from veriloop.core.task import Task
from veriloop.tools import made
from veriloop.tools.hints import hints

RUN, TIMES = 16, 3
"""So many words that stand so often in a text are a pattern that repeats."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What ``veriloop train collect`` is asked for: ``start``'s parameters, and those of a benchmark run."""

    benchmark: str
    data: Path
    out: Path
    models: Mapping[str, str]
    tools: Sequence[str] = ("python",)
    parameters: Mapping[str, Any]
    seeds: int = 1
    limit: int | None = None
    concurrency: int = 16
    max_money: float | None = None


class Collection:
    """The run, before it begins. Raises ``UsageError`` for what cannot be."""

    def __init__(self, wanted: Wanted) -> None:
        self._file = Trajectories(wanted.out)
        self._tools = wanted.tools
        self._specs: list[ToolSpec] | None = None
        given = ":".join(f"{name}={value}" for name, value in wanted.parameters.items())
        order = Order(
            benchmark=wanted.benchmark,
            data=wanted.data,
            out=wanted.out,
            strategies=[f"start:{given}" if given else "start"],
            models=wanted.models,
            verify=("none",),
            tools=wanted.tools,
            seeds=wanted.seeds,
            limit=wanted.limit,
            concurrency=wanted.concurrency,
            max_money=wanted.max_money,
            keep=self._keep,
        )
        self.course = Course(order)
        if any(item.task.database for item in self.course.items):
            raise UsageError(f"{wanted.benchmark}: hints go into texts; collect on problems that are answered by one")

    async def run(self, watch: Watch) -> dict[str, Any]:
        """From where it stands to the end; returns how many texts there are and how many are right.

        Raises ``UsageError`` where texts of cells that have ended are missing."""
        out = self.course.order.out
        try:
            await self.course.run(watch)
        finally:
            self._file.close()
        records = collected(out) if self._file.path.exists() else []
        rows = Results(out)
        ended = {(row["task"], int(row["seed"])) for row in rows.rows() if not row["error"]}
        if missing := ended - {(record.problem, record.seed) for record in records}:
            raise UsageError(
                f"{self._file.path} lacks the texts of {len(missing)} problems: remove {rows.path}, and the same "
                "command writes them from the journals, without asking anything again"
            )
        return summary(records)

    async def _keep(self, item: Any, cell: Cell, result: Result) -> None:
        if self._specs is None:
            self._specs = [tool.spec for tool in await made(self._tools)]
        told = Told(item.task, cell, self._specs, self.course.benchmark, self.course.metric)
        self._file.add(told.records(result.candidates))


@dataclass(frozen=True)
class Told:
    """A cell whose candidates become records."""

    task: Task
    cell: Cell
    specs: Sequence[ToolSpec]
    benchmark: Any
    metric: str

    def records(self, candidates: Sequence[Candidate]) -> list[Record]:
        """A record for each candidate that was not lost."""
        right = {shown.id: bool(float(shown.right[self.metric]) >= 1) for shown in self.cell.candidates}
        by_id = {candidate.id: candidate for candidate in candidates}
        first = next((c for c in candidates if not c.round), None)
        plain_right = first is not None and right[first.id]
        found: list[Record] = []
        for each in candidates:
            if each.verdict.outcome != "infra_error" and all(parent in by_id for parent in each.proposal.parents):
                before = by_id[each.proposal.parents[-1]] if each.proposal.parents else None
                found.append(self._record(each, before, right, plain_right))
        return found

    def _record(
        self, candidate: Candidate, before: Candidate | None, right: Mapping[str, bool], plain_right: bool
    ) -> Record:
        function, words = named(candidate.proposal.hint)
        places = [at for at, segment in enumerate(candidate.segments) if segment.source == "hint"]
        since = places[-1] + 1 if places else 0
        ran = candidate.tool_runs[sum(segment.source == "tool" for segment in candidate.segments[:since]) :]
        return Record(
            problem=self.cell.task,
            source=getattr(self.benchmark, "name", "") or type(self.benchmark).__qualname__,
            seed=self.cell.seed,
            round=candidate.round,
            run=self.cell.run,
            messages=asked(self.task, self.specs),
            before_text=before.text if before else "",
            before_answer=self._answer(before) if before else "",
            hint=function,
            paraphrase=words,
            position=self._position(candidate.proposal.hint),
            segments=candidate.segments,
            code=tuple(_code(run.call.arguments) for run in ran),
            output=tuple(run.error or in_words(run.output) for run in ran),
            after_answer=self._answer(candidate),
            plain_right=plain_right,
            before_right=right[before.id] if before else plain_right,
            after_right=right[candidate.id],
            execution_ok=not any(run.error for run in ran),
            repeated=repeated(candidate.segments[since:]),
            complete=candidate.complete,
        )

    def _answer(self, candidate: Candidate) -> str:
        """The final answer as the benchmark reads it; the whole artifact where it reads none."""
        final = getattr(self.benchmark, "final", str)
        return str(final(str(candidate.artifact or "")))

    def _position(self, hint: str) -> str:
        asked_for = str(self.cell.parameters.get("position", ""))
        return "" if not hint else "before_stop" if asked_for in DOUBTS and not hint.startswith(",") else asked_for


def _code(arguments: Mapping[str, Any]) -> str:
    """What was run: the one text that a tool takes, else its arguments."""
    values = list(arguments.values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else in_words(dict(arguments))


def asked(task: Task, specs: Sequence[ToolSpec]) -> tuple[Mapping[str, str], ...]:
    """What a model is asked on a task with these tools, as ``start`` asks it."""
    proposer, can = Proposer.of(task), Capabilities(prefix=True)
    request = proposer.request(Proposal(blocks=True), (), specs, True, can)
    if specs:
        request = proposer.in_blocks(request, True, request.max_tokens, can)
    return tuple({"role": message.role, "content": message.text} for message in request.messages)


def named(hint: str) -> tuple[str, str]:
    """The function and the words of a hint as it was put in; ``wait`` is the bare doubt."""
    for each in hints():
        for words in each.paraphrases:
            if words in hint:
                return each.name, words
    return ("wait", "") if hint else ("", "")


def repeated(segments: Sequence[Segment]) -> bool:
    """Whether what the model wrote in these repeats itself: the same ``RUN`` words ``TIMES`` times."""
    words = " ".join(segment.text for segment in segments if segment.source == "model").split()
    runs = Counter(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))
    return any(count >= TIMES for count in runs.values())


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """How many texts there are, and for each round how many are right and how many a hint turned right and wrong."""
    rounds = sorted({record.round for record in records})
    return {
        "texts": len(records),
        "problems": len({record.problem for record in records}),
        "rounds": [_round(at, [record for record in records if record.round == at]) for at in rounds],
    }


def _round(number: int, records: Sequence[Record]) -> dict[str, int]:
    return {
        "round": number,
        "texts": len(records),
        "right": sum(record.after_right for record in records),
        "turned_right": sum(record.after_right and not record.before_right for record in records if number),
        "turned_wrong": sum(record.before_right and not record.after_right for record in records if number),
    }

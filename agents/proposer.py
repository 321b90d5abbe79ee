"""The proposer: a task and a proposal become a request; a reply becomes a candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.messages import Capabilities, Message, Request, Sample, ToolSpec, Usage
from ..core.search import UNSCORED, Candidate, Finding, Proposal, Segment, ToolRun, Verdict
from ..core.task import Task
from .formats import Format, Parsed, format_of

LONGEST = 100_000
"""Characters of a reply that are kept."""


@dataclass(frozen=True)
class Proposer:
    """What all proposals of a run share: the task's format, its system prompt, and the check of a wanted type.

    ``system`` holds what the task is about (a schema) and what memory recalled; ``check`` raises ``ValueError`` for
    data that is not of the wanted type.
    """

    task: Task
    format: Format
    system: str
    check: Callable[[Any], Any] | None = None

    @classmethod
    def of(cls, task: Task, about: str = "", check: Callable[[Any], Any] | None = None) -> Proposer:
        """The proposer for a task."""
        format = format_of(task)
        return cls(task, format, format.system(task, about), check)

    def request(
        self, proposal: Proposal, turns: Sequence[Message], tools: Sequence[ToolSpec], again: bool, can: Capabilities
    ) -> Request:
        """The request for a proposal: what is stable first, what the method adds last, then the turns with tools, which
        may be called ``again``."""
        messages = [Message("system", self.system), *self.task.turns]
        if proposal.instruction:
            messages.append(Message("user", proposal.instruction, purpose="instruction"))
        if proposal.prefix and not can.prefix:
            messages.append(Message("user", f"Begin your answer with exactly: {proposal.prefix}", "instruction"))
        return Request(
            messages=(*messages, *turns),
            seeds=(proposal.seed or 0,),
            temperature=proposal.temperature,
            top_p=proposal.top_p,
            max_tokens=proposal.max_tokens,
            stop=proposal.stop if can.stop else (),
            tools=tuple(tools),
            tool_choice="auto" if again else "none",
            schema=self.task.output_schema if can.schema and self.task.database is None else None,
            prefix=proposal.prefix if can.prefix else "",
        )

    def candidate(self, proposal: Proposal, round: int, sample: Sample, usage: Usage, spliced: bool) -> Candidate:
        """The candidate that a reply makes; what cannot be parsed is incomplete and already failed."""
        segments = (Segment(sample.text[:LONGEST]),)
        if proposal.prefix and spliced:
            segments = (Segment(proposal.prefix, "hint"), *segments)
        parsed = self.format.parse("".join(s.text for s in segments))
        wrong = self._wrong(parsed, sample)
        return Candidate(
            id=proposal.id,
            proposal=proposal,
            round=round,
            segments=segments,
            artifact=parsed.artifact if parsed else None,
            answer=parsed.artifact if parsed and self.format.tool is None else None,
            complete=not wrong,
            key=parsed.key if parsed else "",
            logprob=sample.logprob,
            usage=usage,
            verdict=misfit(wrong) if wrong else UNSCORED,
        )

    def _wrong(self, parsed: Parsed | None, sample: Sample) -> str:
        """Why a reply is no answer at all; empty when it is one."""
        if sample.finish == "length":
            return "the reply was cut at max_tokens: it must be shorter, or the limit higher"
        if parsed is None:
            return "the reply holds no usable answer"
        try:
            if self.check is not None:
                self.check(parsed.artifact)
        except ValueError as error:
            return f"the answer is not of the wanted type: {error}"
        return ""


def executed(candidate: Candidate, runs: tuple[ToolRun, ...]) -> Candidate:
    """The candidate after its artifact ran: the last run's rows are its answer."""
    last = runs[-1]
    rows = None if last.error else last.output["rows"]
    return replace(candidate, tool_runs=runs, answer=rows)


def misfit(why: str) -> Verdict:
    """The verdict on a reply that is no answer at all: the minimum, and it still counts (IAD, the loop)."""
    return Verdict("failed", 0.0, (Finding("format", 0.0, why),), "format")

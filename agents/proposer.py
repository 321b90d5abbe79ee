"""The proposer: a task and a proposal become a request; a reply becomes a candidate."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.messages import Capabilities, Message, Request, Sample, ToolSpec, Usage
from ..core.search import UNSCORED, Candidate, Finding, Proposal, Segment, ToolRun, Verdict
from ..core.task import Task
from .drafts import CALLS, as_turns, joined, takes_text
from .fences import STOP
from .formats import Format, Parsed, TextFormat, format_of
from .prompts import render
from .steps import STOP as LINE
from .steps import asking

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
        self,
        proposal: Proposal,
        turns: Sequence[Message],
        tools: Sequence[ToolSpec],
        again: bool,
        can: Capabilities,
        written: Sequence[Segment] = (),
    ) -> Request:
        """The request for a proposal: what is stable first, what the method adds last, then the turns with tools, which
        may be called ``again``. What is ``written`` already is continued, or shown as turns where it cannot be."""
        messages = [Message("system", self.system), *self.task.turns]
        step, stop = proposal.until == "step", proposal.stop
        if proposal.instruction:
            messages.append(Message("user", proposal.instruction, purpose="instruction"))
        if step and not can.prefix:
            messages.extend(asking(written))
        elif asks_for_beginning(proposal, written, can):
            words = f"Begin your answer with exactly: {joined(written)}"
            messages.append(Message("user", words, "instruction"))
        elif not can.prefix:
            messages.extend(as_turns(written))
        elif step:
            stop = (*stop, LINE)
        return Request(
            messages=(*messages, *turns),
            seeds=(proposal.seed or 0,),
            temperature=proposal.temperature,
            top_p=proposal.top_p,
            max_tokens=proposal.max_tokens,
            stop=stop if can.stop else (),
            tools=tuple(tools),
            tool_choice="auto" if again else "none",
            schema=self.task.output_schema if can.schema and self.task.database is None and not step else None,
            prefix=joined(written) if can.prefix else "",
        )

    def in_blocks(self, request: Request, again: bool, room: int, can: Capabilities) -> Request:
        """The same request where tools are called by blocks: told in the system prompt, stopped at a block's end, with
        ``room`` for so many tokens. No schema: a text with blocks is none."""
        shown = [
            {
                "name": spec.name,
                "text": takes_text(spec),
                "description": spec.description,
                "parameters": json.dumps(dict(spec.parameters), ensure_ascii=False),
            }
            for spec in request.tools
        ]
        told = Message("system", f"{self.system}\n\n{render('blocks', tools=shown, most=CALLS)}")
        return replace(
            request,
            messages=(told, *request.messages[1:]),
            tools=(),
            tool_choice="auto",
            schema=None,
            max_tokens=room,
            stop=(*request.stop, STOP) if again and can.stop else request.stop,
        )

    def candidate(
        self,
        proposal: Proposal,
        round: int,
        sample: Sample,
        usage: Usage,
        written: Sequence[Segment] = (),
        partial: bool = False,
    ) -> Candidate:
        """The candidate that a reply makes of what was ``written`` before; what cannot be parsed is incomplete and
        already failed. What tools gave is no part of the answer. A ``partial`` text is incomplete and not failed."""
        segments = tuple(written)
        if sample.text or not segments:
            segments = (*segments, Segment(sample.text[:LONGEST]))
        parsed = TextFormat().parse(joined(segments)) if partial else self._parsed(segments)
        wrong = "" if partial else self._wrong(parsed, sample)
        return Candidate(
            id=proposal.id,
            proposal=proposal,
            round=round,
            segments=segments,
            artifact=parsed.artifact if parsed else None,
            answer=parsed.artifact if parsed and self.format.tool is None and not partial else None,
            complete=not wrong and not partial,
            key=parsed.key if parsed else "",
            logprob=sample.logprob,
            usage=usage,
            verdict=misfit(wrong) if wrong else UNSCORED,
        )

    def _parsed(self, segments: Sequence[Segment]) -> Parsed | None:
        """What a text holds. Data is looked for after the last hint or output first: code and earlier answers hold data
        as well."""
        ends = [i for i, segment in enumerate(segments) if i and segments[i - 1].source != segment.source]
        for start in (*(reversed(ends) if self.format.name == "json" else ()), 0):
            if parsed := self.format.parse(joined([s for s in segments[start:] if s.source != "tool"])):
                return parsed
        return None

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


def asks_for_beginning(proposal: Proposal, written: Sequence[Segment], can: Capabilities) -> bool:
    """Whether the beginning of a text must be asked for in words: it is nobody's, and the model cannot continue it."""
    return bool(proposal.prefix) and not can.prefix and all(segment.source == "hint" for segment in written)


def executed(candidate: Candidate, runs: tuple[ToolRun, ...]) -> Candidate:
    """The candidate after its artifact ran: the last run's rows are its answer."""
    last = runs[-1]
    rows = None if last.error else last.output["rows"]
    return replace(candidate, tool_runs=runs, answer=rows)


def misfit(why: str) -> Verdict:
    """The verdict on a reply that is no answer at all: the minimum, and it still counts (IAD, the loop)."""
    return Verdict("failed", 0.0, (Finding("format", 0.0, why),), "format")

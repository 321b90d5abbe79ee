"""A text while it grows: what it begins with, what a reply adds, which block of it calls a tool; and the same as turns,
for a model that cannot continue a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, cast

from ..core.messages import Message, Sample, ToolCall, ToolSpec
from ..core.search import Attempt, Candidate, Proposal, Segment, ToolRun
from ..models.chat import arguments
from .fences import STOP, Block, blocks, fenced_output, in_words, open_at_end
from .prompts import render

CALLS = 6
"""Calls by blocks in what is written for one proposal (START)."""
PIECES = 24
"""Replies that are asked for one text; the last is taken as it comes."""
LAST = "That was the last run: from here on no code is run. Finish the answer without."
SHORT = {"py": "python", "python3": "python"}
"""Tags that models write, and the tools they mean."""

Written = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Grown:
    """What a reply made of a text: its last piece, the ``call`` that ends it, or whether it goes on (``more``)."""

    sample: Sample
    call: ToolCall | None = None
    more: bool = False


def joined(written: Sequence[Segment]) -> str:
    """The text of segments."""
    return "".join(segment.text for segment in written)


def begun(proposal: Proposal, parents: Sequence[Attempt]) -> tuple[Written, tuple[ToolRun, ...]]:
    """What a proposal's text begins with, and the tool runs in it: the prefix, with the sources of the parent whose
    text begins so (of anybody else's it is a hint), then the hint."""
    kept: Written = (Segment(proposal.prefix, "hint"),) if proposal.prefix else ()
    runs: tuple[ToolRun, ...] = ()
    for parent in parents if proposal.prefix else ():
        if isinstance(parent, Candidate) and parent.text.startswith(proposal.prefix):
            kept = first(parent.segments, len(proposal.prefix))
            runs = parent.tool_runs[: sum(segment.source == "tool" for segment in kept)]
            break
    return (*kept, Segment(proposal.hint, "hint")) if proposal.hint else kept, runs


def first(written: Sequence[Segment], length: int) -> Written:
    """The segments of the first ``length`` characters."""
    kept: list[Segment] = []
    for segment in written:
        if length > 0 and segment.text:
            kept.append(replace(segment, text=segment.text[:length]))
        length -= len(segment.text)
    return tuple(kept)


def grown(written: Sequence[Segment], sample: Sample, tools: Sequence[ToolSpec], id: str) -> Grown:
    """What ``sample`` makes of the text so far: cut after the first block that calls one of the ``tools``.

    A block that the stop text ended, or in which the model ended, is closed. A call has this ``id``.
    """
    before = joined(written)
    text, stopped = _closed(before, sample)
    for block in blocks(before + text):
        if block.closed and block.end > len(before) and (call := _call(block, tools, id)):
            kept = text[: block.end - len(before)]
            exact = len(kept) >= len(sample.text)
            return Grown(replace(sample, text=kept, logprob=sample.logprob if exact else None), call)
    return Grown(replace(sample, text=text), more=stopped)


def _closed(before: str, sample: Sample) -> tuple[str, bool]:
    """A reply's text with the stop text that ended it, or that may have; and whether it did."""
    if sample.finish != "stop" or sample.stopped not in (None, "", STOP):
        return sample.text, False
    inside = open_at_end(before + sample.text) is not None
    if sample.stopped == STOP or inside:
        return sample.text + STOP, sample.stopped != ""
    return sample.text, False


def _call(block: Block, tools: Sequence[ToolSpec], id: str) -> ToolCall | None:
    """The call that a block makes of the tool that its tag names: a tool with one text argument takes the block as it
    is, any other takes JSON."""
    name = SHORT.get(block.tag, block.tag)
    spec = next((spec for spec in tools if spec.name.lower() == name), None)
    if spec is None:
        return None
    taken = takes_text(spec)
    given: dict[str, Any] = {taken: block.body} if taken else dict(arguments(block.body.strip() or "{}"))
    return ToolCall(spec.name, given, id)


def takes_text(spec: ToolSpec) -> str:
    """The name of a tool's one argument, where that is a text; else empty."""
    properties = cast("dict[str, Any]", spec.parameters.get("properties") or {})
    if len(properties) != 1:
        return ""
    name, kind = next(iter(properties.items()))
    return name if isinstance(kind, dict) and cast("dict[str, Any]", kind).get("type") == "string" else ""


def gave(written: Sequence[Segment], run: ToolRun, last: bool) -> Segment:
    """The segment that shows what a tool gave, below the block that called it."""
    newline = "" if joined(written).endswith("\n") else "\n"
    said = f"error: {run.error}" if run.error else in_words(run.output)
    return Segment(newline + fenced_output(said, LAST if last else ""), "tool")


def as_turns(written: Sequence[Segment]) -> Iterator[Message]:
    """A text as turns that end in one of the user's: what the model wrote as its own, hints and output as answers."""
    purpose = "reply"
    for source, group in groupby(written, key=lambda segment: segment.source):
        text = joined(tuple(group))
        if source == "hint":
            purpose = "instruction"
            yield Message("user", render("hint", hint=text.strip()), purpose)
        elif source == "tool":
            purpose = "tool"
            yield Message("user", text, purpose)
        elif text.strip():
            purpose = "reply"
            yield Message("assistant", text, purpose)
    if written and purpose == "reply":
        yield Message("user", render("go_on"), "instruction")

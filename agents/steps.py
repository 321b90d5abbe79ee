"""A text that grows by steps: a step is a line; empty lines are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..core.messages import Message, Sample
from ..core.search import Segment
from .drafts import joined
from .prompts import render

STOP = "\n"
"""What ends a step. It stays in the text where that goes on: what is continued begins a new line."""
BLANK = 4
"""Empty lines in a row that a model may begin a step with."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a reply is as a step: its ``sample``, cut behind the first line, and whether the text goes on after it (none
    where nobody knows). ``blank`` says that it holds no word, so that the step is still to come."""

    sample: Sample
    goes_on: bool | None
    blank: bool = False


def taken(sample: Sample, continued: bool) -> Step:
    """The step that a reply holds. A model that has ``continued`` a text ends it where no stop text ended the reply;
    the reply of one that was asked for a step says nothing of the end."""
    text = sample.text if continued else sample.text.lstrip()
    if not text.strip() and (not continued or sample.stopped != ""):
        return Step(replace(sample, text=text + STOP), None, blank=True)
    end = text.find(STOP, len(text) - len(text.lstrip()))
    if end < 0 and sample.finish == "length":
        return Step(sample, False)
    if end < 0:
        goes_on = None if sample.stopped is None else sample.stopped == STOP
    else:
        goes_on = bool(text[end:].strip()) or sample.finish == "length"
    goes_on = goes_on if continued else None
    line = text[: end + 1] if end >= 0 else text if goes_on is False else text + STOP
    exact = len(line) >= len(sample.text)
    return Step(Sample(line, logprob=sample.logprob if exact else None, stopped=sample.stopped), goes_on)


def asking(written: Sequence[Segment]) -> Iterator[Message]:
    """The turns that ask a model for a step that cannot continue a text: the steps so far, and what to write."""
    before = joined(written).strip()
    if before:
        yield Message("assistant", before, "reply")
    yield Message("user", render("step", first=not before), "instruction")


def count(text: str) -> int:
    """The steps of a text."""
    return sum(bool(line.strip()) for line in text.split(STOP))


def same(text: str) -> str:
    """What texts share that differ in white space only."""
    return " ".join(text.split())

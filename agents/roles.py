"""The other roles: each a prompt file ``prompts/ROLE.jinja`` and a typed output; their answers are opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from ..core.errors import UsageError
from ..core.messages import Message, Text
from ..core.search import Attempt, Candidate
from ..core.task import Task
from .fences import in_words
from .prompts import fenced, render


class Critique(BaseModel):
    """A critic's opinion of a candidate (self-refine: no verifier, the model judges itself)."""

    problems: list[str] = Field(description="what is wrong, one sentence each; empty when nothing is")
    advice: str = Field(description="how to mend it, in one or two sentences")
    good_enough: bool = Field(description="true when nothing should be changed")


class Judgement(BaseModel):
    """A judge's opinion of a candidate."""

    reasons: list[str] = Field(description="what is right or wrong, one sentence each")
    score: float = Field(ge=0.0, le=1.0, description="how likely the answer is right, 0 to 1")


OUTPUTS: Mapping[str, type[BaseModel]] = {"critic": Critique, "judge": Judgement}


def messages(
    role: str, task: Task, parents: Sequence[Attempt], instruction: str = "", heard: str = ""
) -> tuple[Message, ...]:
    """What the agent of a role is told: the task, its parents' texts and what was ``heard`` of them, as delimited data.

    Raises ``UsageError`` for a role that nobody plays.
    """
    if role not in OUTPUTS:
        raise UsageError(f"unknown role {role!r}; known: proposer, {', '.join(sorted(OUTPUTS))}")
    candidates = [show(p) for p in parents if isinstance(p, Candidate)]
    said = fenced(heard, 1500) if heard else ""
    text = render(role, question=fenced(task.question), candidates=candidates, instruction=instruction, heard=said)
    pictures = task.turns[-1].images
    asked = Message("user", (Text(text), *pictures) if pictures else text)
    return (Message("system", render("data")), *task.turns[:-1], asked)


def show(candidate: Candidate, limit: int = 6000) -> str:
    """A candidate as a prompt shows it: its artifact and what came of running it, as delimited data. A text that called
    tools holds what they gave."""
    if any(segment.source == "tool" for segment in candidate.segments):
        return fenced(candidate.text, limit)
    artifact = candidate.artifact if isinstance(candidate.artifact, str) else candidate.text
    shown = fenced(artifact, limit)
    if not candidate.tool_runs:
        return shown
    last = candidate.tool_runs[-1]
    said = str(last.output) if last.call.name == "sql" else in_words(last.output)  # the embedded model knows it so
    result = f"error: {last.error}" if last.error else said
    return f"{shown}\nWhat running it gave:\n{fenced(result, limit // 3)}"

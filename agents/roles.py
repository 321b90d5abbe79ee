"""The other roles: each a prompt file ``prompts/ROLE.jinja`` and a typed output; their answers are opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, Field

from ..core.errors import UsageError
from ..core.messages import Message, Text
from ..core.search import Attempt, Candidate
from ..core.task import Task
from .fences import in_words
from .prompts import fenced, render

QUESTION = 60_000
"""Characters of a question that an agent is shown: tasks of planning with worked examples are long."""


class Critique(BaseModel):
    """A critic's opinion of a candidate (self-refine: no verifier, the model judges itself)."""

    problems: list[str] = Field(description="what is wrong, one sentence each; empty when nothing is")
    advice: str = Field(description="how to mend it, in one or two sentences")
    good_enough: bool = Field(description="true when nothing should be changed")


class Judgement(BaseModel):
    """A judge's opinion of a candidate."""

    reasons: list[str] = Field(description="what is right or wrong, one sentence each")
    score: float = Field(ge=0.0, le=1.0, description="how likely the answer is right, 0 to 1")


class Check(BaseModel):
    """How code tells whether an answer keeps a constraint, and examples that show that it does."""

    language: Literal["python", "sql"]
    code: str = Field(description="the Python function check(answer), or one SELECT")
    right: list[str] = Field(description="short example answers that keep the constraint")
    wrong: list[str] = Field(description="short example answers that break it")


class Constraint(BaseModel):
    """One condition that a good answer keeps (PlanGEN's constraint agent, arXiv 2502.16111; the check is ours)."""

    text: str = Field(description="the condition, one sentence")
    kind: str = Field(description="what it is about, one or two words")
    strength: Literal["hard", "soft"] = Field(description="hard where an answer that breaks it is wrong")
    how: str = Field(description="how it can be checked, one sentence")
    check: Check | None = Field(default=None, description="code that checks it, or null")


class Constraints(BaseModel):
    """What the constraint agent reads out of a task."""

    constraints: list[Constraint]


class Point(BaseModel):
    """What a verification says about one constraint."""

    constraint: int = Field(description="its number; 0 for what is in no constraint")
    met: bool
    critique: str = Field(description="what is right or wrong, and how to mend it")


VERIFIED = 95
"""What an opinion of a whole answer must be to be good enough, of -100 to 100 (PlanGEN)."""


def share(score: float) -> float:
    """A score of -100 to 100 as a verdict has it, 0 to 1."""
    return (score + 100) / 200


class Verification(BaseModel):
    """The verification agent's opinion of an answer, or of a step (PlanGEN)."""

    critique: list[Point] = Field(description="constraint by constraint")
    score: int = Field(ge=-100, le=100, description="-100 where everything is wrong, 100 where everything is right")

    @property
    def share(self) -> float:
        """The score as a verdict has it, 0 to 1."""
        return share(self.score)


class Completion(BaseModel):
    """Whether steps end with the whole answer (PlanGEN's completion check, 1 or 0 there)."""

    complete: bool = Field(description="true where no step is missing")


class Prior(BaseModel):
    """How well an algorithm suits a task, in the selection agent's opinion."""

    algorithm: str
    reason: str
    prior: float = Field(ge=0.0, le=1.0, description="0 where it does not suit, 1 where it suits best")


class Selection(BaseModel):
    """The selection agent's opinion of all algorithms (PlanGEN)."""

    priors: list[Prior] = Field(description="one for each algorithm")


OUTPUTS: Mapping[str, type[BaseModel]] = {
    "critic": Critique,
    "judge": Judgement,
    "constraint": Constraints,
    "verification": Verification,
    "step_reward": Verification,
    "completion": Completion,
    "selection": Selection,
}


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
    question = fenced(task.question, QUESTION)
    text = render(role, question=question, candidates=candidates, instruction=instruction, heard=said)
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

"""What a search is made of: proposals, candidates, opinions, verdicts, and the view of them that a policy reads."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .messages import ToolCall, Usage
from .seeds import derive
from .task import Limits, Task

Outcome = Literal["passed", "failed", "unscored", "infra_error"]
Source = Literal["model", "hint", "tool", "recalled"]
Until = Literal["answer", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Whatever a policy wants of a model.

    ``role`` names the agent that answers it: ``proposer`` yields a candidate, any other role an opinion. ``parents``
    are ids of earlier attempts, ``instruction`` is what the method adds to the task's own messages, ``prefix`` exact
    text to continue (the beginning of a parent's text keeps its sources and its tools' state), ``hint`` what is put
    after it in the model's own voice. ``until`` says what is wanted: the answer, or one step, a line; the candidate is
    then complete only if the text ends there. ``tools`` names those the model may call, none = those that
    the user gave; with ``blocks`` it calls them by fenced blocks in its text, also where it has calls of its own.
    ``max_tokens`` bounds all that the model writes for the proposal (each turn of it, where it calls tools itself).
    ``id`` and ``seed`` are filled by the graph where the policy leaves them empty.
    """

    id: str = ""
    role: str = "proposer"
    scope: str = ""
    parents: tuple[str, ...] = ()
    instruction: str = ""
    prefix: str = ""
    hint: str = ""
    until: Until = "answer"
    blocks: bool = False
    tools: tuple[str, ...] | None = None
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a candidate's text and where it came from."""

    text: str
    source: Source = "model"


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One action executed for a candidate: what was called, what came back, or the error the *action* caused.

    ``output`` is plain JSON data, bounded in size by the tool. ``broken`` says that the tool itself failed, not the
    action: it is left out when a session is opened from what was recorded.
    """

    call: ToolCall
    output: Any = None
    error: str = ""
    seconds: float = 0.0
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a verifier saw: the criterion, how well it is met (0..1, or none), and a sentence feedback can use."""

    criterion: str
    score: float | None
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says of a candidate.

    ``unscored`` means that nothing verified it (never zero; a score is then a model's opinion, to rank by);
    ``infra_error`` that something around the candidate broke (never a score). ``score`` is 0..1 or none. ``verifier``
    is the name that every report prints.
    """

    outcome: Outcome
    score: float | None = None
    findings: tuple[Finding, ...] = ()
    verifier: str = ""

    def __post_init__(self) -> None:
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ValueError(f"a score is between 0 and 1, not {self.score}")

    @property
    def text(self) -> str:
        """The findings' sentences, one a line."""
        return "\n".join(f.message for f in self.findings if f.message)


UNSCORED = Verdict("unscored")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A proposed answer.

    ``artifact`` is what the model's text was parsed to (SQL, typed data, plain text); ``answer`` what the user asked
    for (the rows of a query, the typed data, the text). ``key`` is what equal answers share, for votes.
    ``complete`` is false for a step that must be continued and for text that did not parse. ``tool_runs`` are those of
    all its text, also of what it took over from a parent; ``usage`` is what proposing it took, ``verifying`` what the
    models took that its verifier asked.
    """

    id: str
    proposal: Proposal
    round: int
    segments: tuple[Segment, ...] = ()
    artifact: Any = None
    answer: Any = None
    complete: bool = False
    key: str = ""
    logprob: float | None = None
    tool_runs: tuple[ToolRun, ...] = ()
    usage: Usage = field(default_factory=Usage)
    verdict: Verdict = UNSCORED
    verifying: Usage = field(default_factory=Usage)

    @property
    def text(self) -> str:
        """All segments joined."""
        return "".join(s.text for s in self.segments)

    @property
    def partial(self) -> bool:
        """Whether it is steps on their way to an answer: neither that answer yet nor a text that did not parse."""
        return self.proposal.until == "step" and not self.complete and self.verdict.verifier != "format"

    @property
    def score(self) -> float:
        """The selection score: the verdict's, and -1 where nothing was scored (below every scored candidate)."""
        return -1.0 if self.verdict.score is None else self.verdict.score


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """The typed output of any role but the proposer (critic, judge, selection, …); ``error`` says why there is none."""

    id: str
    proposal: Proposal
    round: int
    value: Mapping[str, Any] | None = None
    error: str = ""
    usage: Usage = field(default_factory=Usage)


Attempt = Candidate | Opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What was spent. ``cached`` of ``tokens_in`` came from the provider's cache. ``money`` is US dollars, none while
    any price is unknown. ``unsettled`` counts replies that were asked for and may have to be paid though they never
    came (time-outs, cut connections)."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    money: float | None = None
    seconds: float = 0.0
    tool_runs: int = 0
    verdicts: int = 0
    unsettled: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read plus written."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The immutable view a policy decides on: all closed rounds, and what is left of the budget.

    ``round`` counts from 0. ``remaining`` holds what each limit still allows (none = no limit). ``experience`` is a
    snapshot of statistics of earlier tasks, taken by recall.
    """

    task: Task
    seed: int = 0
    round: int = 0
    attempts: tuple[Attempt, ...] = ()
    remaining: Limits = field(default_factory=Limits)
    experience: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scope: str = ""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Candidates in the order they were proposed, those lost to infrastructure errors included."""
        return tuple(a for a in self.attempts if isinstance(a, Candidate))

    @property
    def opinions(self) -> tuple[Opinion, ...]:
        """Opinions in the order they were asked for."""
        return tuple(a for a in self.attempts if isinstance(a, Opinion))

    def rng(self, label: str) -> random.Random:
        """A fresh generator, the same for the same seed, scope, round and label."""
        return random.Random(derive(self.seed, self.scope, self.round, label))

    def scoped(self, name: str) -> Search:
        """The view of the sub-policy ``name``: only its own attempts."""
        scope = f"{self.scope}{name}/"
        mine = tuple(a for a in self.attempts if a.proposal.scope.startswith(scope))
        return Search(
            task=self.task,
            seed=self.seed,
            round=self.round,
            attempts=mine,
            remaining=self.remaining,
            experience=self.experience,
            scope=scope,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended.

    ``answer`` is none when the run abstained. ``stopped`` says why it ended: ``passed`` (the policy saw enough),
    ``done`` (the policy had nothing more to propose), ``budget: NAME``, or ``error: …`` (a whole round was lost;
    the run can be resumed). ``numbers`` are those that the policy has for candidates: by id, each by its name.
    """

    run_id: str
    answer: Any = None
    best: Candidate | None = None
    attempts: tuple[Attempt, ...] = ()
    spend: Spend = field(default_factory=Spend)
    stopped: str = "done"
    strategy: str = ""
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])

    @property
    def verdict(self) -> Verdict:
        """The verdict on the answer; ``unscored`` when the run abstained."""
        return self.best.verdict if self.best else UNSCORED

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate, in the order proposed."""
        return tuple(a for a in self.attempts if isinstance(a, Candidate))

    @property
    def opinions(self) -> tuple[Opinion, ...]:
        """Every opinion, in the order asked for."""
        return tuple(a for a in self.attempts if isinstance(a, Opinion))

    @property
    def tree(self) -> tuple[tuple[int, Candidate], ...]:
        """The candidates with their depth, from 0: each below the first of its parents, children in order."""
        below: dict[str, list[Candidate]] = {}
        known = {c.id for c in self.candidates}
        for candidate in self.candidates:
            above = next((id for id in candidate.proposal.parents if id in known), "")
            below.setdefault(above, []).append(candidate)
        found: list[tuple[int, Candidate]] = []
        waiting = [(0, root) for root in reversed(below.get("", []))]
        while waiting:
            depth, candidate = waiting.pop()
            found.append((depth, candidate))
            waiting.extend((depth + 1, child) for child in reversed(below.get(candidate.id, [])))
        return tuple(found)

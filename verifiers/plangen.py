"""PlanGEN's verifier (arXiv 2502.16111): a task's constraints, read out of it once a run, and a verification agent that
scores answers against them; what code can check of them, code decides (ours)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..agents.prompts import fenced, render
from ..agents.roles import VERIFIED, Constraint, Constraints, Verification, messages
from ..core.errors import OutputError, UsageError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Outcome, Verdict
from ..core.task import Task
from ..models.ask import ask
from ..tools.sandbox import Sandbox
from .proving import Prover
from .threads import in_thread

MOST = 24
"""Constraints that are looked at."""
TEXT, CRITIQUE = 300, 400
"""Characters of a constraint and of a critique that are told."""
OTHERS = 4
"""Remarks on what no constraint says."""
TOKENS = 4096
"""What an agent may write: a list of constraints with checks is long."""
KEPT: Mapping[bool | None, str] = {True: "kept", False: "broken", None: "not judged"}


@dataclass(frozen=True)
class Known:
    """What a run knows of its task: the constraints, which of them code decides, and why there are none."""

    constraints: tuple[Constraint, ...] = ()
    prover: Prover = field(default_factory=Prover)
    fault: str = ""

    def words(self, proved: Mapping[int, bool]) -> str:
        """The constraints for a prompt, as delimited data; empty where there are none."""
        lines = [f"{n + 1}. [{c.strength}] {_line(c.text, TEXT)}{_by_code(proved.get(n))}" for n, c in self._numbered]
        return render("constraints", constraints=fenced("\n".join(lines), MOST * (TEXT + 40)) if lines else "")

    @property
    def _numbered(self) -> Iterator[tuple[int, Constraint]]:
        return enumerate(self.constraints)


@dataclass(frozen=True)
class PlanGen:
    """Passed when the verification agent's score reaches ``threshold`` (-100 to 100; the verdict's is (s + 100) / 200)
    and no hard constraint is broken that code decides.

    The roles ``constraint`` (one call a run) and ``verification`` (one a candidate) are asked, at temperature 0. Each
    constraint is a finding, ``proved N`` where code decided it, else ``judged N``. The constraint agent may attach a
    check to a constraint, Python or (for a task with a database) SQL; with ``prove`` those count that hold for all
    their right examples and for no wrong one, in a sandbox. A hard constraint that is proved broken fails the candidate
    whatever the agent says, and halves its score. An agent without a usable opinion leaves the candidate unscored.
    ``instruction`` is what the agents that judge are told besides.
    """

    threshold: int = VERIFIED
    prove: bool = True
    box: Sandbox | None = None
    instruction: str = ""

    roles = ("constraint", "verification")  # not a parameter: who is asked

    def __post_init__(self) -> None:
        if not -100 <= self.threshold <= 100:
            raise UsageError(f"threshold is {self.threshold}: it must be from -100 to 100")

    @property
    def name(self) -> str:
        """``plangen``, or ``plangen:judged`` where nothing is proved."""
        return "plangen" if self.prove else "plangen:judged"

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """One call, one repair turn at most, and the constraints' own where nobody has asked for them yet."""
        known = await self.known(task, context)
        proved = await known.prover.prove(candidate)
        prompt = messages("verification", task, [candidate], self._told(known.words(proved)))
        model, seed = context.model("verification"), candidate.proposal.seed or 0
        try:
            said = await ask(model, prompt, Verification, seed=seed, max_tokens=TOKENS)
        except OutputError as error:
            return self._verdict(known, proved, None, str(error))
        return self._verdict(known, proved, said, "")

    async def step(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """How good the steps so far are, by the role ``step_reward``, which is told the constraints. Raises
        ``OutputError`` where that has no usable opinion."""
        known = await self.known(task, context)
        prompt = messages("step_reward", task, [candidate], self._told(known.words({})))
        seed = candidate.proposal.seed or 0
        said = await ask(context.model("step_reward"), prompt, Verification, seed=seed, max_tokens=TOKENS)
        last = Finding("step", said.share, f"Score {said.score} of -100 to 100.")
        return Verdict("failed", said.share, (*_findings(known, {}, said), last), self.name)

    def _told(self, constraints: str) -> str:
        return f"{constraints}\n\n{self.instruction}".strip()

    async def known(self, task: Task, context: Context) -> Known:
        """The task's constraints, read out of it once a run, and its checks, tried once."""

        async def read(own: Context) -> Known:
            return await self._read(task, own)

        # One that proves asks for checks, too: beside one that does not (plan, then execute) it asks for itself.
        return await context.once("constraints" if self.prove else "constraints:judged", read)

    async def _read(self, task: Task, context: Context) -> Known:
        asked = await in_thread(_checks, task) if self.prove else ""
        prompt = messages("constraint", task, [], asked)
        try:
            said = await ask(context.model("constraint"), prompt, Constraints, max_tokens=TOKENS)
        except OutputError as error:
            return Known(fault=f"no constraints could be read out of the task ({error})")
        constraints = tuple(said.constraints[:MOST])
        prover = await Prover.of(task, constraints, self.box) if self.prove else Prover()
        return Known(constraints, prover)

    def _verdict(self, known: Known, proved: Mapping[int, bool], said: Verification | None, fault: str) -> Verdict:
        hard = [n for n, c in enumerate(known.constraints) if c.strength == "hard" and proved.get(n) is False]
        score = None if said is None else said.share
        last = Finding("plangen", score, _summary(known, proved, said, fault))
        findings = (*_findings(known, proved, said), last)
        if hard:
            return Verdict("failed", (score or 0.0) / 2, findings, self.name)
        if said is None:
            return Verdict("unscored", None, findings, self.name)
        outcome: Outcome = "passed" if said.score >= self.threshold else "failed"
        return Verdict(outcome, score, findings, self.name)


def _checks(task: Task) -> str:
    """What the constraint agent is told of checks: what an answer is, and which database there is."""
    answer = "The answer is the text of the answer." if task.output_schema is None else "The answer is JSON data."
    if task.database is None:
        return render("checks", answer=answer, about="")
    from ..tools.sql.schema import describe

    return render("checks", answer="The answer is a list of rows, each a list.", about=describe(task.database))


def _findings(known: Known, proved: Mapping[int, bool], said: Verification | None) -> Iterator[Finding]:
    """One for each constraint, and some for what the agent says besides."""
    points = {point.constraint: point for point in reversed(said.critique)} if said else {}
    for place, constraint in enumerate(known.constraints):
        point = points.get(place + 1)
        sure = proved.get(place)
        kept = sure if sure is not None else point.met if point else None
        soft = "" if constraint.strength == "hard" else " (soft)"
        critique = _line(point.critique, CRITIQUE) if point and point.met == kept else ""
        words = f"{_line(constraint.text, TEXT)}{soft}: {KEPT[kept]}{_by_code(sure)}. {critique}".strip()
        criterion = f"{'judged' if sure is None else 'proved'} {place + 1}"
        yield Finding(criterion, None if kept is None else float(kept), words)
    others = [p for p in (said.critique if said else ()) if not 1 <= p.constraint <= len(known.constraints)]
    for point in others[:OTHERS]:
        yield Finding("judged", float(point.met), _line(point.critique, CRITIQUE))


def _summary(known: Known, proved: Mapping[int, bool], said: Verification | None, fault: str) -> str:
    """The score in words, how much of it is proved, and what could not be."""
    scored = f"Score {said.score} of -100 to 100" if said else f"No score ({fault})"
    total, unsound, trouble = len(known.constraints), len(known.prover.unsound), known.prover.trouble
    parts = [f"{scored}; {len(proved)} of {total} constraints proved by code, the others judged."]
    parts += [f"{known.fault}."] if known.fault else []
    parts += [f"{unsound} checks did not pass their own examples."] if unsound else []
    parts += [f"No check in Python was run: {trouble}."] if trouble else []
    return " ".join(parts)


def _by_code(kept: bool | None) -> str:
    return "" if kept is None else f" (code says: {KEPT[kept]})"


def _line(text: str, limit: int) -> str:
    """A model's text as one line of at most ``limit`` characters."""
    words = " ".join(text.split())
    return words if len(words) <= limit else f"{words[:limit]}…"


def with_argument(argument: str) -> PlanGen:
    """``plangen:judged`` proves nothing (the paper's verifier); ``plangen:90`` passes from 90 on."""
    if argument == "judged":
        return PlanGen(prove=False)
    try:
        return PlanGen(threshold=int(argument))
    except ValueError:
        raise UsageError(f"plangen:{argument}: give a score from -100 to 100, or judged") from None

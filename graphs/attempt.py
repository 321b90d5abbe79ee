"""An attempt as a graph: propose ⇄ execute → verify. A role other than the proposer ends after propose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, TypeVar

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from ..agents.drafts import CALLS, PIECES, gave, grown
from ..agents.fences import in_words
from ..agents.proposer import asks_for_beginning, executed, misfit
from ..agents.roles import OUTPUTS, messages
from ..agents.steps import BLANK, Step, taken
from ..core.errors import BudgetSpent, JournalMismatch, OutputError, UsageError, told
from ..core.events import Proposed
from ..core.excerpt import shortened
from ..core.messages import Message, Sample, ToolCall, ToolSpec, Usage
from ..core.protocols import Model, Session
from ..core.search import Attempt, Candidate, Finding, Opinion, Proposal, Segment, ToolRun, Verdict
from ..models.ask import ask
from ..models.desk import Desk
from .acting import act, findings
from .run import Run

T = TypeVar("T")
SHOWN = 2000
"""Characters of a tool's output, of its head and of its tail, that a model with calls of its own is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How far an attempt has come.

    ``turns`` is the talk with tools after the prompt, or ``written`` the text so far where tools are called by blocks
    in it; ``pending`` is what is to be executed next, ``ran`` what was (the first ``taken`` of it by a parent),
    ``steps`` how often the model has called tools, ``pieces`` how many replies there were, ``ended`` the outcome so
    far. ``sessions`` are the open tools.
    """

    proposal: Proposal
    round: int
    desk: Desk
    parents: tuple[Attempt, ...] = ()
    turns: tuple[Message, ...] = ()
    written: tuple[Segment, ...] = ()
    pending: tuple[ToolCall, ...] = ()
    ran: tuple[ToolRun, ...] = ()
    taken: int = 0
    steps: int = 0
    pieces: int = 0
    usage: Usage = field(default_factory=Usage)
    ended: Attempt | None = None
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])


class State(TypedDict):
    """One channel: LangGraph's cost for a step grows with the number of channels."""

    work: Work


def _go(node: str, work: Work) -> Command[str]:
    return Command(update={"work": work}, goto=node)


async def propose(state: State, runtime: Runtime[Run]) -> Command[str]:
    """Ask the model that plays the proposal's role."""
    run, work = runtime.context, state["work"]
    if work.proposal.role != "proposer":
        return _go(END, replace(work, ended=await _opinion(run, work)))
    model, tools = work.desk.model("proposer"), _offered(run, work.proposal)
    if work.proposal.until == "step":
        return await _step(run, work, model)
    if work.proposal.prefix and not model.capabilities.prefix:
        words = asks_for_beginning(work.proposal, work.written, model.capabilities)
        run.gateway.notice(
            f"{model.name} cannot continue a text: "
            + ("its beginning is asked for in words" if words else "hints are follow-up turns")
        )
    if tools and (work.proposal.blocks or not model.capabilities.tools):
        return await _write(run, work, model, tools)
    again = work.steps < run.tool_steps  # else the last word: the model must answer
    request = run.proposer.request(work.proposal, work.turns, tools, again, model.capabilities, work.written)
    reply = await model.generate(request)
    sample, usage = reply.samples[0], work.usage + reply.usage
    if sample.tool_calls and tools and again:
        return _go("execute", _called(work, sample, usage))
    return _proposed(run, replace(work, usage=usage, written=_own(work, model)), sample)


async def _write(run: Run, work: Work, model: Model, tools: list[ToolSpec]) -> Command[str]:
    """Ask for the next piece of a text that calls tools by blocks; what calls one is executed before the next."""
    room = work.proposal.max_tokens - work.usage.tokens_out
    if room < 1:
        return _proposed(run, work, Sample("", finish="length"))
    can, last = model.capabilities, work.steps >= CALLS or work.pieces >= PIECES
    request = run.proposer.request(work.proposal, (), tools, True, can, work.written)
    reply = await model.generate(run.proposer.in_blocks(request, not last, room, can))
    sample, written = reply.samples[0], _own(work, model)
    work = replace(work, usage=work.usage + reply.usage, pieces=work.pieces + 1, written=written)
    if last:
        return _proposed(run, work, sample)
    step = grown(written, sample, tools, f"block{len(work.ran)}")
    longer = replace(work, written=(*written, Segment(step.sample.text)) if step.sample.text else written)
    if step.call is not None:
        return _go("execute", replace(longer, pending=(step.call,), steps=work.steps + 1))
    return _go("propose", longer) if step.more else _proposed(run, work, step.sample)


async def _step(run: Run, work: Work, model: Model) -> Command[str]:
    """The next line of a text makes the candidate. Where nobody knows whether the text ends with it, the verifier is
    asked."""
    work, step = await _line(run, work, model)
    partial = step.goes_on is not False and not step.blank
    candidate = run.proposer.candidate(work.proposal, work.round, step.sample, work.usage, work.written, partial)
    if step.blank:
        candidate = replace(candidate, complete=False, verdict=misfit("the reply holds no step"))
    elif step.goes_on is None:
        run.proposed[candidate.id] = candidate
        ends = await _asked(run, lambda: _ends(run, work, candidate))
        if isinstance(ends, Verdict):
            candidate = replace(candidate, verdict=ends)
        elif ends:
            candidate = run.proposer.candidate(work.proposal, work.round, step.sample, work.usage, work.written)
        candidate = replace(candidate, verifying=work.desk.usage - work.usage)
    return _made(run, work, candidate)


async def _line(run: Run, work: Work, model: Model) -> tuple[Work, Step]:
    """Ask for a line; empty ones are passed over."""
    can = model.capabilities
    if not can.prefix:
        run.gateway.notice(f"{model.name} cannot continue a text: it is asked for each step in words")
    while True:
        reply = await model.generate(run.proposer.request(work.proposal, (), (), True, can, work.written))
        step = taken(reply.samples[0], can.prefix)
        work = replace(work, usage=work.usage + reply.usage, pieces=work.pieces + 1)
        if not step.blank or not can.prefix or work.pieces > BLANK:
            return work, step
        work = replace(work, written=(*work.written, Segment(step.sample.text)))


async def _ends(run: Run, work: Work, candidate: Candidate) -> bool:
    """Whether the verifier says that the text is a whole answer."""
    ends = getattr(run.verifier, "ends", None)
    return ends is not None and await ends(run.task, candidate, work.desk)


def _own(work: Work, model: Model) -> tuple[Segment, ...]:
    """What is written, less a beginning that the model is asked to write itself."""
    return () if asks_for_beginning(work.proposal, work.written, model.capabilities) else work.written


def _proposed(run: Run, work: Work, sample: Sample) -> Command[str]:
    """The last piece makes the candidate."""
    return _made(run, work, run.proposer.candidate(work.proposal, work.round, sample, work.usage, work.written))


def _made(run: Run, work: Work, candidate: Candidate) -> Command[str]:
    """The candidate is there; its artifact may have to be executed."""
    candidate = replace(candidate, tool_runs=work.ran) if work.ran else candidate
    run.proposed[candidate.id] = candidate
    run.emit(Proposed, f"proposed/{candidate.id}", candidate=candidate)
    tool = run.proposer.format.tool
    if not candidate.complete or tool is None:
        return _go("verify", replace(work, ended=candidate))
    call = ToolCall(tool, {"query": candidate.artifact})
    return _go("execute", replace(work, ended=candidate, pending=(call,)))


def _offered(run: Run, proposal: Proposal) -> list[ToolSpec]:
    """The tools that the proposal allows."""
    allowed = run.offered if proposal.tools is None else proposal.tools
    return [tool.spec for name, tool in run.tools.items() if name in allowed]


def _called(work: Work, sample: Sample, usage: Usage) -> Work:
    said = Message("assistant", sample.text, "reply", sample.tool_calls, state=sample.state)
    turns = (*work.turns, said)
    return replace(work, turns=turns, pending=sample.tool_calls, steps=work.steps + 1, usage=usage)


async def _opinion(run: Run, work: Work) -> Opinion:
    proposal = work.proposal
    prompt = messages(proposal.role, run.task, work.parents, proposal.instruction)
    blank = Opinion(id=proposal.id, proposal=proposal, round=work.round)
    try:
        value = await ask(
            work.desk.model(proposal.role),
            prompt,
            OUTPUTS[proposal.role],
            temperature=proposal.temperature,
            seed=proposal.seed or 0,
            max_tokens=proposal.max_tokens,
        )
    except OutputError as error:
        return replace(blank, error=str(error), usage=work.desk.usage)
    return replace(blank, value=value.model_dump(), usage=work.desk.usage)


async def execute(state: State, runtime: Runtime[Run]) -> Command[str]:
    """Run what is pending: the tools a model called for, or the finished candidate's artifact."""
    run, work = runtime.context, state["work"]
    ended, ran, turns, written = work.ended, work.ran, work.turns, work.written
    for call in work.pending:
        done = await act(run, work.proposal.id, call, ran, work.sessions, asked=ended is None)
        ran = (*ran, done)
        if work.pieces:
            written = (*written, gave(written, done, work.steps >= CALLS))
        else:
            gives = shortened(done.error or in_words(done.output), SHOWN, SHOWN)
            turns = (*turns, Message("tool", gives, "tool", (), call.id))
    if isinstance(ended, Candidate):
        run.proposed[ended.id] = ended = executed(ended, ran)
        return _go("verify", replace(work, ended=ended))
    return _go("propose", replace(work, ran=ran, turns=turns, written=written))


async def verify(state: State, runtime: Runtime[Run]) -> dict[str, Work]:
    """Ask the verifier, also about a partial text. What is no answer at all has failed already. Tools that failed are
    found, too."""
    run, work = runtime.context, state["work"]
    candidate = work.ended
    assert isinstance(candidate, Candidate)
    found = findings(work.ran[work.taken :])
    open = candidate.complete or candidate.verdict.outcome == "unscored"
    judged = await _judged(run, work, candidate) if open and run.verifier is not None else candidate
    if found:
        judged = replace(judged, verdict=replace(judged.verdict, findings=(*judged.verdict.findings, *found)))
    return {"work": replace(work, ended=judged)}


async def _judged(run: Run, work: Work, candidate: Candidate) -> Candidate:
    verifier = run.verifier
    assert verifier is not None
    run.budget.count_verdict()
    before = work.desk.usage
    verdict = await _asked(run, lambda: verifier.verify(run.task, candidate, work.desk))
    return replace(candidate, verdict=verdict, verifying=candidate.verifying + work.desk.usage - before)


async def _asked(run: Run, asking: Callable[[], Awaitable[T]]) -> T | Verdict:
    """What the verifier says, or the verdict on a candidate where it cannot: its text was paid for, so it is kept."""
    name = run.verifier.name if run.verifier else ""
    try:
        return await asking()
    except BudgetSpent as error:
        return Verdict("unscored", None, (Finding("budget", None, str(error)),), name)
    except (UsageError, JournalMismatch):
        raise
    except Exception as error:
        return Verdict("infra_error", None, (Finding("infrastructure", None, told(error)),), name)


def build() -> Any:
    """The compiled sub-graph of one attempt."""
    graph: Any = StateGraph(State, context_schema=Run)  # langgraph leaves its own types partly unknown
    graph.add_node("propose", propose, destinations=("execute", "verify", END))
    graph.add_node("execute", execute, destinations=("propose", "verify"))
    graph.add_node("verify", verify)
    graph.add_edge(START, "propose")
    graph.add_edge("verify", END)
    return graph.compile(checkpointer=False)

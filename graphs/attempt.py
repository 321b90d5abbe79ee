"""An attempt as a graph: propose ⇄ execute → verify. A role other than the proposer ends after propose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from ..agents.proposer import executed
from ..agents.roles import OUTPUTS, messages
from ..core.errors import BudgetSpent, JournalMismatch, OutputError, UsageError, told
from ..core.events import Executed, Proposed
from ..core.messages import Message, Sample, ToolCall, ToolSpec, Usage
from ..core.protocols import Session
from ..core.search import Attempt, Candidate, Finding, Opinion, Proposal, ToolRun, Verdict
from ..core.seeds import fingerprint
from ..core.wire import decode, dumps, encode, to_bytes
from ..models.ask import ask
from ..models.desk import Desk
from .run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How far an attempt has come.

    ``turns`` is the talk with tools after the prompt, ``pending`` what is to be executed next, ``ran`` what was,
    ``steps`` how often the model has called tools, ``ended`` the outcome so far. ``sessions`` are the open tools.
    """

    proposal: Proposal
    round: int
    desk: Desk
    parents: tuple[Attempt, ...] = ()
    turns: tuple[Message, ...] = ()
    pending: tuple[ToolCall, ...] = ()
    ran: tuple[ToolRun, ...] = ()
    steps: int = 0
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
    if work.proposal.prefix and not model.capabilities.prefix:
        run.gateway.notice(f"{model.name} cannot continue a text: its beginning is asked for in words")
    again = work.steps < run.tool_steps  # else the last word: the model must answer
    request = run.proposer.request(work.proposal, work.turns, tools, again, model.capabilities)
    reply = await model.generate(request)
    sample, usage = reply.samples[0], work.usage + reply.usage
    if sample.tool_calls and tools and again:
        return _go("execute", _called(work, sample, usage))
    candidate = run.proposer.candidate(work.proposal, work.round, sample, usage, bool(request.prefix))
    run.proposed[candidate.id] = candidate
    run.emit(Proposed, f"proposed/{candidate.id}", candidate=candidate)
    tool = run.proposer.format.tool
    if not candidate.complete or tool is None:
        ended = replace(candidate, tool_runs=work.ran) if work.ran else candidate
        return _go("verify", replace(work, ended=ended))
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
    ran, turns = work.ran, work.turns
    for call in work.pending:
        done = await _act(run, work, call, ran)
        ran = (*ran, done)
        turns = (*turns, Message("tool", done.error or dumps(done.output).decode()[:4000], "tool", (), call.id))
    if isinstance(work.ended, Candidate):
        run.proposed[work.ended.id] = ended = executed(work.ended, ran)
        return _go("verify", replace(work, ended=ended))
    return _go("propose", replace(work, ran=ran, turns=turns))


async def _act(run: Run, work: Work, call: ToolCall, ran: tuple[ToolRun, ...]) -> ToolRun:
    """One tool run, recorded before it is used."""
    key = f"{work.proposal.id}/{len(ran)}"
    hash = fingerprint(to_bytes(call)).hex() if run.log.active else ""
    found = None if run.log.replaying else run.log.get("tool", key, hash)
    if found is not None:
        done = decode(ToolRun, found)
    elif call.name not in run.tools:
        done = ToolRun(call, error=f"there is no tool {call.name!r}; there are: {', '.join(run.tools) or 'none'}")
    else:
        run.budget.take_tool_run()
        session = await run.session(call.name, work.sessions, ran)
        done = decode(ToolRun, encode(await session.act(call)))  # as plain as it will be read back
        if run.log.active:
            run.log.put("tool", key, done, hash, t=run.budget.seconds)
    run.emit(Executed, f"executed/{key}", attempt=work.proposal.id, tool_run=done)
    return done


async def verify(state: State, runtime: Runtime[Run]) -> dict[str, Work]:
    """Ask the verifier. A candidate that is no answer at all has failed already."""
    run, work = runtime.context, state["work"]
    candidate = work.ended
    if not isinstance(candidate, Candidate) or not candidate.complete or run.verifier is None:
        return {"work": work}
    run.budget.count_verdict()
    before = work.desk.usage
    try:
        verdict = await run.verifier.verify(run.task, candidate, work.desk)
    except BudgetSpent as error:
        verdict = Verdict("unscored", None, (Finding("budget", None, str(error)),), run.verifier.name)
    except (UsageError, JournalMismatch):
        raise
    except Exception as error:  # the candidate is kept: its text was paid for
        verdict = Verdict("infra_error", None, (Finding("infrastructure", None, told(error)),), run.verifier.name)
    judged = replace(candidate, verdict=verdict, verifying=work.desk.usage - before)
    return {"work": replace(work, ended=judged)}


def build() -> Any:
    """The compiled sub-graph of one attempt."""
    graph: Any = StateGraph(State, context_schema=Run)  # langgraph leaves its own types partly unknown
    graph.add_node("propose", propose, destinations=("execute", "verify", END))
    graph.add_node("execute", execute, destinations=("propose", "verify"))
    graph.add_node("verify", verify)
    graph.add_edge(START, "propose")
    graph.add_edge("verify", END)
    return graph.compile(checkpointer=False)

"""An attempt as a graph: propose ⇄ execute → verify. A role other than the proposer ends after propose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from ..agents.proposer import executed
from ..agents.roles import OUTPUTS, messages
from ..core.errors import BudgetSpent, OutputError
from ..core.events import Executed, Proposed
from ..core.messages import Message, ToolCall, Usage
from ..core.protocols import Session
from ..core.search import Attempt, Candidate, Finding, Opinion, Proposal, ToolRun, Verdict
from ..core.wire import decode, dumps, encode
from ..core.seeds import fingerprint
from ..models.ask import ask
from ..models.gateway import Desk
from .run import Run


class Work(TypedDict, total=False):
    """The state of one attempt."""

    proposal: Proposal
    round: int
    desk: Desk
    parents: tuple[Attempt, ...]
    turns: list[Message]
    pending: tuple[ToolCall, ...]
    runs: tuple[ToolRun, ...]
    steps: int
    usage: Usage
    ended: Attempt
    sessions: dict[str, Session]


async def propose(state: Work, runtime: Runtime[Run]) -> Command[str]:
    """Ask the model that plays the proposal's role."""
    run, proposal = runtime.context, state["proposal"]
    if proposal.role != "proposer":
        return Command(update={"ended": await _opinion(run, state)}, goto=END)
    model = state["desk"].model("proposer")
    last = state.get("steps", 0) >= run.tool_steps
    tools = [] if last else [t.spec for name, t in run.tools.items() if name in (proposal.tools or ())]
    request = run.proposer.request(proposal, state.get("turns", []), tools, model.capabilities)
    reply = await model.generate(request)
    sample, usage = reply.samples[0], state.get("usage", Usage()) + reply.usage
    if sample.tool_calls and tools:
        said = Message("assistant", sample.text, "reply", sample.tool_calls)
        turns = [*state.get("turns", []), said]
        return Command(update={"turns": turns, "pending": sample.tool_calls, "usage": usage}, goto="execute")
    candidate = run.proposer.candidate(proposal, state["round"], sample, usage, bool(request.prefix))
    run.emit(Proposed(run=run.id, id=f"{run.id}/proposed/{proposal.id}", candidate=candidate))
    tool = run.proposer.format.tool
    if not candidate.complete or tool is None:
        return Command(update={"ended": candidate}, goto="verify")
    call = ToolCall(tool, {"query": candidate.artifact})
    return Command(update={"ended": candidate, "pending": (call,)}, goto="execute")


async def _opinion(run: Run, state: Work) -> Opinion:
    proposal = state["proposal"]
    prompt = messages(proposal.role, run.task, state["parents"], proposal.instruction)
    output = OUTPUTS[proposal.role]
    blank = Opinion(id=proposal.id, proposal=proposal, round=state["round"])
    try:
        value = await ask(
            state["desk"].model(proposal.role),
            prompt,
            output,
            temperature=proposal.temperature,
            seed=proposal.seed or 0,
            max_tokens=proposal.max_tokens,
        )
    except OutputError as error:
        return replace(blank, error=str(error))
    return replace(blank, value=value.model_dump())


async def execute(state: Work, runtime: Runtime[Run]) -> Command[str]:
    """Run what is pending: the tools a model called for, or the finished candidate's artifact."""
    run, ran, turns = runtime.context, state.get("runs", ()), list(state.get("turns", []))
    for call in state["pending"]:
        done = await _act(run, state, call, len(ran))
        ran = (*ran, done)
        turns.append(Message("tool", done.error or dumps(done.output).decode()[:4000], "tool", (), call.id))
    candidate = state.get("ended")
    if isinstance(candidate, Candidate):
        return Command(update={"ended": executed(candidate, ran)}, goto="verify")
    return Command(update={"turns": turns, "runs": ran, "steps": state.get("steps", 0) + 1}, goto="propose")


async def _act(run: Run, state: Work, call: ToolCall, ordinal: int) -> ToolRun:
    """One tool run, recorded before it is used."""
    key, name = f"{state['proposal'].id}/{ordinal}", state["proposal"].id
    hash = fingerprint(dumps(encode(call))).hex() if run.log.active else ""
    found = run.log.get("tool", key, hash)
    if found is not None:
        done = decode(ToolRun, found)
    elif call.name not in run.tools:
        done = ToolRun(call, error=f"there is no tool {call.name!r}; there are: {', '.join(run.tools)}")
    else:
        run.budget.take_tool_run()
        session = await run.session(call.name, state["sessions"])
        done = await session.act(call)
        if run.log.active:
            run.log.put("tool", key, encode(done), hash, t=run.budget.seconds)
    run.emit(Executed(run=run.id, id=f"{run.id}/executed/{key}", attempt=name, tool_run=done))
    return done


async def verify(state: Work, runtime: Runtime[Run]) -> dict[str, Any]:
    """Ask the verifier. A candidate that is no answer at all has failed already."""
    run, candidate = runtime.context, state["ended"]
    assert isinstance(candidate, Candidate)
    if not candidate.complete or run.verifier is None:
        return {"ended": candidate}
    run.budget.count_verdict()
    try:
        verdict = await run.verifier.verify(run.task, candidate, state["desk"])
    except BudgetSpent as error:
        verdict = Verdict("unscored", None, (Finding("budget", None, str(error)),), run.verifier.name)
    return {"ended": replace(candidate, verdict=verdict)}


def build() -> Any:
    """The compiled sub-graph of one attempt."""
    graph = StateGraph(Work, context_schema=Run)
    graph.add_node("propose", propose, destinations=("execute", "verify", END))
    graph.add_node("execute", execute, destinations=("propose", "verify"))
    graph.add_node("verify", verify)
    graph.add_edge(START, "propose")
    graph.add_edge("verify", END)
    return graph.compile()



"""The one graph: recall → refine ⇉ [propose ⇄ execute → verify] ⇉ refine → … → select → learn."""

from __future__ import annotations

import asyncio
import json
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from ..agents.drafts import begun
from ..core.errors import BudgetSpent, JournalMismatch, UsageError, told
from ..core.events import AttemptEnded
from ..core.protocols import Session
from ..core.search import Attempt, Candidate, Proposal, Result, Search
from ..core.waiting import through
from ..core.wire import dumps
from ..models.desk import Desk
from .acting import GRACE, within
from .attempt import Work
from .attempt import build as build_attempt
from .policies.proposed import blamed
from .run import Run, broken


class State(TypedDict, total=False):
    """What flows between the rounds."""

    attempts: Annotated[list[Attempt], operator.add]
    round: int
    stopped: str
    result: Result


class One(TypedDict):
    """What one attempt is given."""

    proposal: Proposal
    round: int
    parents: tuple[Attempt, ...]


async def recall(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    """Ask memory for what earlier tasks taught; recorded, so a resumed run recalls the same. A memory that fails is
    noticed and does without."""
    run = runtime.context
    assert run.memory is not None
    found: Any = run.log.get("recall", "")
    if found is None:
        try:
            found = json.loads(dumps(dict(await run.memory.recall(run.task))))  # as plain as it will be read back
        except Exception as error:
            run.gateway.notice(f"memory recalls nothing: {told(error)}")
            found = {}
        run.log.put("recall", "", found)
    run.recall(found)
    return {}


async def refine(state: State, runtime: Runtime[Run]) -> Command[str]:
    """Close the round that has ended, ask the policy for the next, fan out one attempt each."""
    run, attempts, number = runtime.context, state.get("attempts", []), state.get("round", 0)
    spend = run.close(attempts)
    search = run.search(attempts, number, spend)
    proposals, stopped = run.plan(search)
    if not proposals:
        return Command(update={"stopped": stopped}, goto="select")
    run.open(search, proposals)
    by_id = {a.id: a for a in attempts}
    sends = [
        Send("attempt", One(proposal=p, round=number, parents=tuple(by_id[i] for i in p.parents if i in by_id)))
        for p in proposals
    ]
    return Command(update={"round": number + 1}, goto=sends)


async def attempt(state: One, runtime: Runtime[Run]) -> dict[str, Any]:
    """One attempt, within its round: restored where it is recorded, else run; cancelled ones leave nothing."""
    run, proposal = runtime.context, state["proposal"]
    assert run.round is not None
    if run.round.recorded is not None and proposal.id in run.round.recorded:
        ended = run.round.recorded[proposal.id]
    else:
        ended = await run.round.run(lambda: _work(run, state)) or run.unjudged(proposal)
    if ended is None:
        return {"attempts": []}
    run.emit(AttemptEnded, f"attempt/{proposal.id}", attempt=ended, spend=run.budget.spend)
    return {"attempts": [ended]}


async def _work(run: Run, state: One) -> Attempt | None:
    """Run the attempt's sub-graph. What breaks around it becomes an ``infra_error``, so that its siblings live on."""
    proposal = state["proposal"]
    restored = run.restored(proposal)
    if restored is not None:
        return restored
    desk = Desk(run.gateway, proposal.id, run.groups.get(proposal.id))
    written, ran = begun(proposal, state["parents"])
    work = Work(
        proposal=proposal,
        round=state["round"],
        desk=desk,
        parents=state["parents"],
        written=written,
        ran=ran,
        taken=len(ran),
    )
    try:
        ended: Attempt = (await _attempt_graph().ainvoke({"work": work}, output_keys="work")).ended
        run.record(ended)
        return ended
    except BudgetSpent as error:
        run.spent = error.limit
        return None
    except (UsageError, JournalMismatch):
        raise
    except Exception as error:
        return broken(proposal, state["round"], told(error))
    finally:
        desk.leave()
        await through(asyncio.ensure_future(_close(list(work.sessions.values()))))


async def _close(sessions: Sequence[Session]) -> None:
    """End all of an attempt's tools: what has ended well is not lost to one that cannot be closed."""
    await asyncio.gather(*(within(GRACE, session.close()) for session in sessions), return_exceptions=True)


async def select(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    """Let the policy pick; say why the run ended."""
    run, attempts = runtime.context, state.get("attempts", [])
    spend = run.budget.spend
    search = run.search(attempts, state.get("round", 0), spend)
    with blamed(f"{run.strategy}.select"):
        chosen = run.policy.select(search)
    stopped = state.get("stopped", "done")
    if stopped == "done" and chosen is not None and chosen.verdict.outcome == "passed":
        stopped = "passed"
    elif stopped == "done" and (run.spent or run.cut):
        stopped = f"budget: {run.spent or run.cut}"
    result = Result(
        run_id=run.id,
        answer=chosen.answer if chosen else None,
        best=chosen,
        attempts=tuple(attempts),
        spend=spend,
        stopped=stopped,
        strategy=run.strategy,
        numbers=_numbers(run, search),
    )
    return {"result": result}


def _numbers(run: Run, search: Search) -> dict[str, dict[str, float]]:
    """What the policy thinks of the candidates, where it says so; the answer is not lost when it fails."""
    numbers = getattr(run.policy, "numbers", None)
    try:
        return {id: dict(each) for id, each in numbers(search).items()} if numbers else {}
    except Exception as error:
        run.gateway.notice(f"{run.strategy} has no numbers: {told(error)}")
        return {}


async def learn(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    """Hand memory the finished search, where a verifier has judged at least one candidate. The answer is not lost when
    memory fails."""
    run, result = runtime.context, state.get("result")
    assert run.memory is not None
    assert result is not None
    if any(isinstance(a, Candidate) and a.verdict.score is not None for a in result.attempts):
        search = run.search(list(result.attempts), state.get("round", 0), result.spend)
        try:
            await run.memory.learn(search, result.best)
        except Exception as error:
            run.gateway.notice(f"memory learned nothing: {told(error)}")
    return {}


@lru_cache(maxsize=1)
def _attempt_graph() -> Any:
    return build_attempt()


@lru_cache(maxsize=2)
def build(with_memory: bool = False) -> Any:
    """The compiled graph; without a memory, recall and learn are absent."""
    graph: Any = StateGraph(State, context_schema=Run)  # langgraph leaves its own types partly unknown
    graph.add_node("refine", refine, destinations=("attempt", "select"))
    graph.add_node("attempt", attempt, input_schema=One)
    graph.add_node("select", select)
    graph.add_edge("attempt", "refine")
    if with_memory:
        graph.add_node("recall", recall)
        graph.add_node("learn", learn)
        graph.add_edge(START, "recall")
        graph.add_edge("recall", "refine")
        graph.add_edge("select", "learn")
        graph.add_edge("learn", END)
    else:
        graph.add_edge(START, "refine")
        graph.add_edge("select", END)
    return graph.compile(checkpointer=False)  # not even that of a graph around it: the journal is the durability

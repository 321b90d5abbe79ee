"""A run inside somebody's own graph or chain is one step: it shows nothing of its inside and inherits nothing."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from talker import Talker

import veriloop as vl
from veriloop.core.errors import RunFailed
from veriloop.core.messages import Request
from veriloop.models.langchain import LangChain
from veriloop.models.scripted import Scripted

TWO_ROUNDS = vl.Strategy.of("iad", rounds=2, width=3)
THREAD: Any = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    """A user's state."""

    question: str
    answer: str
    approved: bool


def says_no(request: Request, seed: int) -> str:
    return "no"


def is_yes(answer: str) -> tuple[bool, str]:
    return answer == "yes", "say yes"


async def ask(question: str, **options: Any) -> str:
    options = {"model": Scripted(says_no), "strategy": TWO_ROUNDS, "verify": is_yes, **options}
    return (await vl.asolve(question, **options)).answer


async def answer(state: State) -> State:
    return {"answer": await ask(state["question"])}


def answer_at_once(state: State) -> State:
    result = vl.solve(state["question"], model=Scripted(says_no), strategy=TWO_ROUNDS, verify=is_yes)
    return {"answer": result.answer}


def graph_of(node: Callable[..., Any], saver: Any = None) -> Any:
    graph: Any = StateGraph(State)
    return graph.add_node("answer", node).add_edge(START, "answer").add_edge("answer", END).compile(saver)


def run(node: Callable[..., Any], config: Any = None, saver: Any = None) -> Any:
    graph = graph_of(node, saver)
    return asyncio.run(asyncio.wait_for(graph.ainvoke({"question": "yes?"}, config), 20))


def streamed(node: Callable[..., Any], **options: Any) -> list[Any]:
    async def listen() -> list[Any]:
        return [part async for part in graph_of(node).astream({"question": "yes?"}, **options)]

    return asyncio.run(listen())


@pytest.mark.parametrize("node", [answer, answer_at_once])
def test_the_checkpointer_keeps_the_users_state_and_nothing_else(node: Callable[..., Any]):
    saver = InMemorySaver()
    assert run(node, THREAD, saver)["answer"] == "no"
    assert list(saver.storage["1"]) == [""]


def test_a_synchronous_graph_takes_it_too():
    saver = InMemorySaver()
    assert graph_of(answer_at_once, saver).invoke({"question": "yes?"}, THREAD)["answer"] == "no"
    assert list(saver.storage["1"]) == [""]


def test_solve_works_in_an_asynchronous_node():
    async def blocking(state: State) -> State:
        return answer_at_once(state)

    assert run(blocking, THREAD, InMemorySaver())["answer"] == "no"


def test_the_graphs_limits_do_not_bind_the_run():
    assert run(answer, {"recursion_limit": 2, "max_concurrency": 1})["answer"] == "no"


@pytest.mark.parametrize("mode", ["updates", "values", "tasks", "debug", "messages"])
def test_the_stream_shows_one_step(mode: str):
    async def talked(state: State) -> State:
        return {"answer": await ask(state["question"], model=LangChain(Talker()))}

    async def silent(state: State) -> State:
        return {"answer": "yes"}

    seen, usual = (streamed(node, stream_mode=mode, subgraphs=True) for node in (talked, silent))
    assert [part[0] for part in seen] == [part[0] for part in usual] == [()] * len(usual)


def test_the_users_callbacks_see_one_step():
    class Listening(BaseCallbackHandler):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            self.seen.append(kwargs["name"])

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            self.seen.append("model")

    async def talked(state: State) -> State:
        return {"answer": await ask(state["question"], model=LangChain(Talker()))}

    listening = Listening()
    run(talked, {"callbacks": [listening]})
    assert listening.seen == ["LangGraph", "answer"]
    listening = Listening()
    asyncio.run(RunnableLambda(ask).ainvoke("yes?", {"callbacks": [listening]}))
    assert listening.seen == ["ask"]


def test_what_the_user_keeps_in_the_context_is_there():
    mark: ContextVar[str] = ContextVar("mark")
    seen: list[str] = []

    def look(answer: str) -> bool:
        seen.append(mark.get())
        return True

    async def marked(state: State) -> State:
        mark.set("mine")
        return {"answer": await ask(state["question"], verify=look)}

    run(marked)
    assert set(seen) == {"mine"}


def test_the_node_is_itself_again_afterwards():
    async def writes(state: State) -> State:
        found = await ask(state["question"])
        get_stream_writer()("written")
        return {"answer": found}

    assert streamed(writes, stream_mode="custom") == ["written"]


async def watched(state: State) -> State:
    return {"answer": await ask(state["question"], on_event=get_stream_writer())}


def watched_at_once(state: State) -> State:
    writer = get_stream_writer()
    result = vl.solve(state["question"], model=Scripted(says_no), strategy="single", verify=None, on_event=writer)
    return {"answer": result.answer}


@pytest.mark.parametrize("node", [watched, watched_at_once])
def test_its_events_go_into_the_custom_stream_of_the_node(node: Callable[..., Any]):
    seen = streamed(node, stream_mode="custom", subgraphs=True)
    kinds = [type(event).__name__ for _, event in seen]
    assert (kinds[0], kinds[-1]) == ("RunStarted", "RunEnded")
    assert "Proposed" in kinds
    assert {place for place, _ in seen} == {()}


def test_a_synchronous_graph_streams_events_too():
    kinds = [type(e).__name__ for e in graph_of(watched_at_once).stream({"question": "yes?"}, stream_mode="custom")]
    assert (kinds[0], kinds[-1]) == ("RunStarted", "RunEnded")


def test_the_writer_may_be_fetched_late():
    async def late(state: State) -> State:
        return {"answer": await ask(state["question"], on_event=lambda event: get_stream_writer()(event.id))}

    assert len(streamed(late, stream_mode="custom")) > 5


def test_cancelling_the_graph_cancels_the_run():
    class Slow(Scripted):
        stopped = 0

        async def generate(self, request: Request) -> Any:
            try:
                await asyncio.sleep(60)
            finally:
                self.stopped += 1

    slow = Slow()

    async def waits(state: State) -> State:
        return {"answer": await ask(state["question"], model=slow)}

    async def main() -> None:
        outer = asyncio.create_task(graph_of(waits).ainvoke({"question": "yes?"}))
        await asyncio.sleep(0.5)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    asyncio.run(main())
    assert slow.stopped == 1


def test_several_runs_at_once():
    class Many(TypedDict, total=False):
        answers: Annotated[list[str], operator.add]

    async def one(state: Any) -> Many:
        return {"answers": [await ask(state["question"], model=Scripted(lambda request, seed: state["question"]))]}

    graph: Any = StateGraph(Many)
    graph.add_node("one", one)
    graph.add_conditional_edges(START, lambda state: [Send("one", {"question": f"q{i}"}) for i in range(5)], ["one"])
    found = asyncio.run(graph.compile(InMemorySaver()).ainvoke({}, THREAD))
    assert found["answers"] == [f"q{i}" for i in range(5)]


def test_a_node_that_interrupts_elsewhere_does_not_repeat_the_run():
    made: list[str] = []

    async def counted(state: State) -> State:
        made.append("run")
        return await answer(state)

    def approve(state: State) -> State:
        return {"approved": interrupt(state["answer"])}

    graph: Any = StateGraph(State).add_node(counted).add_node(approve)
    graph = graph.add_edge(START, "counted").add_edge("counted", "approve").compile(InMemorySaver())

    async def main() -> Any:
        await graph.ainvoke({"question": "yes?"}, THREAD)
        return await graph.ainvoke(Command(resume=True), THREAD)

    assert asyncio.run(main()) == {"question": "yes?", "answer": "no", "approved": True}
    assert made == ["run"]


def test_an_interrupt_inside_a_verifier_is_an_error():
    def asks(answer: str) -> bool:
        return interrupt(answer)

    async def interrupted(state: State) -> State:
        return {"answer": await ask(state["question"], verify=asks)}

    with pytest.raises(RunFailed, match="Interrupt"):
        run(interrupted, THREAD, InMemorySaver())


def test_a_run_inside_a_run():
    async def asks(answer: str) -> bool:
        return await ask("a question of its own") == "no"

    assert asyncio.run(ask("yes?", verify=asks)) == "no"


def test_a_task_of_an_entrypoint():
    @task
    async def asked(question: str) -> str:
        return await ask(question)

    @entrypoint(checkpointer=InMemorySaver())
    async def workflow(question: str) -> str:
        return await asked(question)

    assert asyncio.run(workflow.ainvoke("yes?", THREAD)) == "no"


def test_a_runnable_works_both_ways():
    chain = RunnableLambda(lambda text: answer_at_once({"question": text})["answer"], ask) | str.upper
    assert chain.invoke("yes?") == "NO"
    assert asyncio.run(chain.ainvoke("yes?")) == "NO"


def test_a_chat_model_of_langchain_is_a_model_as_it_is():
    talker = Talker()
    for model in (talker, talker.bind(stop=["x"]), {"proposer": talker}):
        assert vl.solve("yes?", model=model, verify=is_yes, strategy="single").verdict.outcome == "passed"
    assert len(talker.asked) == 3

"""Bare LangGraph of the same shape as veriloop's graph: refine ⇉ [propose ⇄ execute → verify] ⇉ refine → select."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send


class Attempt(TypedDict, total=False):
    """One attempt."""

    seed: int
    text: str
    attempts: list[str]


class Output(TypedDict):
    """What an attempt gives back."""

    attempts: list[str]


class Search(TypedDict, total=False):
    """The whole search."""

    attempts: Annotated[list[str], operator.add]
    round: int
    answer: str


def bare(model: Any, width: int) -> Callable[[], Awaitable[Any]]:
    """A run of ``width`` attempts, each asking ``model`` once."""
    from veriloop.core.messages import Message, Request

    async def propose(state: Attempt) -> Command[str]:
        reply = await model.generate(Request(messages=(Message("user", "yes?"),), seeds=(state["seed"],)))
        return Command(update={"text": reply.samples[0].text}, goto="verify")

    async def execute(state: Attempt) -> Command[str]:
        return Command(goto="verify")

    async def verify(state: Attempt) -> Attempt:
        return {"attempts": [state["text"]]}

    async def refine(state: Search) -> Command[Any]:
        if state.get("round"):
            return Command(goto="select")
        return Command(update={"round": 1}, goto=[Send("attempt", {"seed": i}) for i in range(width)])

    async def select(state: Search) -> Search:
        return {"answer": state["attempts"][0]}

    inner: Any = StateGraph(Attempt, output_schema=Output)
    inner.add_node("propose", propose, destinations=("execute", "verify"))
    inner.add_node("execute", execute, destinations=("propose", "verify"))
    inner.add_node("verify", verify)
    inner.add_edge(START, "propose")
    inner.add_edge("verify", END)
    outer: Any = StateGraph(Search)
    outer.add_node("refine", refine, destinations=("attempt", "select"))
    outer.add_node("attempt", inner.compile())
    outer.add_node("select", select)
    outer.add_edge(START, "refine")
    outer.add_edge("attempt", "refine")
    outer.add_edge("select", END)
    graph = outer.compile()
    return lambda: graph.ainvoke({})

"""PlanGEN's strategies on an instance of meeting planning, end to end over real HTTP in both protocols, with the calls
that the paper's table says."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any, Literal

import anthropic_server
import loopback
import pytest
from anthropic_server import MessagesServer
from loopback import ChatServer
from sandboxed import needs_bubblewrap

import veriloop as vl
from veriloop.core.errors import UsageError
from veriloop.core.messages import Request
from veriloop.graphs.strategies import PRESETS, describe
from veriloop.models.anthropic import Anthropic
from veriloop.models.openai import OpenAI
from veriloop.models.scripted import Scripted

QUESTION = """You are visiting San Francisco for the day and want to meet as many friends as possible.

Travel distances (in minutes):
Marina District to Mission District: 20.
Mission District to Marina District: 19.

CONSTRAINTS: You arrive at Marina District at 9:00AM. Stephanie will be at Mission District from 10:30AM to 1:30PM.
You'd like to meet Stephanie for a minimum of 120 minutes."""
PLAN = [
    "You start at Marina District at 9:00AM.",
    "You travel to Mission District in 20 minutes and arrive at 9:20AM.",
    "You wait until 10:30AM.",
    "You meet Stephanie for 120 minutes from 10:30AM to 12:30PM.",
]
CONSTRAINTS = [
    {
        "text": "You start at Marina District at 9:00AM.",
        "kind": "start",
        "strength": "hard",
        "how": "read",
        "check": None,
    },
    {"text": "Stephanie is met for 120 minutes.", "kind": "length", "strength": "hard", "how": "count", "check": None},
]
SAYS = {
    "List the constraints": "constraint",
    "Verify the answer step by step": "verification",
    "Judge the steps": "step_reward",
    "Do the steps end with": "completion",
    "Which algorithm is likeliest": "selection",
}
Protocol = Literal["openai", "anthropic"]
both = pytest.mark.parametrize("protocol", ["openai", "anthropic"])


class World:
    """A model that plays every role, behind a server of either protocol; ``score`` is what it thinks of whole plans."""

    def __init__(self, protocol: Protocol, score: int = 60, best: str = "best_of_n") -> None:
        self.protocol = protocol
        self.score = score
        self.best = best
        self.roles: Counter[str] = Counter()
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.steps = 0

    def server(self) -> AbstractContextManager[Any]:
        return ChatServer(self.reply) if self.protocol == "openai" else MessagesServer(self.reply)

    def model(self, server: Any) -> Any:
        if self.protocol == "openai":
            return OpenAI("test", base_url=server.base_url, api_key="none")
        return Anthropic("test", base_url=server.base_url, api_key="none")

    def reply(self, body: dict[str, Any], index: int) -> list[Any]:
        text = (loopback if self.protocol == "openai" else anthropic_server).last_user_text(body)
        role = next((role for words, role in SAYS.items() if words in text), "proposer")
        count = body.get("n") or 1
        self.roles[role] += count
        self.bodies.append((role, body))
        return [self._say(role, text, body) for _ in range(count)]

    def _say(self, role: str, text: str, body: dict[str, Any]) -> str:
        if role == "constraint":
            return json.dumps({"constraints": CONSTRAINTS})
        if role in ("verification", "step_reward"):
            points = [{"constraint": n, "met": True, "critique": "It is so."} for n in (1, 2)]
            return json.dumps({"critique": points, "score": self.score if role == "verification" else 40})
        if role == "completion":
            return json.dumps({"complete": "You meet Stephanie" in text.partition("Their steps so far:")[2]})
        if role == "selection":
            names = ("best_of_n", "tree_of_thought", "rebase")
            priors = [{"algorithm": n, "reason": "so", "prior": 0.9 if n == self.best else 0.1} for n in names]
            return json.dumps({"priors": priors})
        return self._step(body) if "Write only the" in text else "\n".join(PLAN)

    def _step(self, body: dict[str, Any]) -> str:
        """The plan's next line, told from its siblings by a number."""
        said = [turn for turn in body["messages"] if turn["role"] == "assistant"]
        content = said[-1]["content"] if said else ""
        before = content if isinstance(content, str) else "".join(part["text"] for part in content)
        self.steps += 1
        return f"{PLAN[min(len(before.splitlines()), 3)]} ({self.steps})"


def solve(world: World, strategy: Any, **options: Any) -> vl.Result:
    with world.server() as server:
        return vl.solve(QUESTION, strategy=strategy, model=world.model(server), **options)


@both
def test_best_of_n_takes_ten_calls_and_the_constraints(protocol: Protocol):
    world = World(protocol)
    result = solve(world, "plangen-best-of-n")
    assert world.roles == {"proposer": 5, "verification": 5, "constraint": 1}
    assert (result.spend.calls, len(result.candidates)) == (11, 5)
    assert (result.answer, result.verdict.score, result.verdict.verifier) == ("\n".join(PLAN), 0.8, "plangen")
    assert [f.criterion for f in result.verdict.findings] == ["judged 1", "judged 2", "plangen"]


@both
def test_tree_of_thought_takes_three_calls_a_step(protocol: Protocol):
    """One child a step: the four lines of the plan, and it passes."""
    world = World(protocol, score=96)
    result = solve(world, vl.Strategy.of("plangen-tot", children=1))
    assert world.roles == {"proposer": 4, "completion": 4, "step_reward": 3, "verification": 1, "constraint": 1}
    assert (result.stopped, result.spend.calls) == ("passed", 3 * 4 + 1)
    assert [line.partition(" (")[0] for line in result.answer.splitlines()] == PLAN


@both
def test_tree_of_thought_ends_with_its_budget(protocol: Protocol):
    world = World(protocol)
    result = solve(world, vl.Strategy.of("plangen-tot", budget=8))
    assert len(result.candidates) == world.roles["proposer"] == world.roles["completion"] == 8
    assert world.roles["step_reward"] + world.roles["verification"] == 8
    assert result.spend.calls == 3 * 8 + 1


@both
def test_rebase_takes_thirty_calls_at_most_and_the_constraints(protocol: Protocol):
    world = World(protocol)
    result = solve(world, "plangen-rebase")
    assert [sum(c.round == n for c in result.candidates) for n in range(4)] == [4, 3, 2, 1]
    assert world.roles["proposer"] == world.roles["completion"] == 10
    assert (result.spend.calls, world.roles["constraint"]) == (3 * 10 + 1, 1)
    assert result.best is not None
    assert result.best.complete


@both
def test_the_mixture_takes_a_draft_and_for_each_loop_a_selection_and_its_algorithm(protocol: Protocol):
    world = World(protocol)
    result = solve(world, vl.Strategy.of("plangen-mixture", loops=2))
    assert world.roles == {"proposer": 11, "verification": 11, "constraint": 1, "selection": 2}
    assert result.spend.calls == 2 + 1 + 2 * (1 + 10)
    assert result.verdict.verifier == "steps:plangen"


@both
def test_the_mixture_with_a_tree(protocol: Protocol):
    world = World(protocol, best="tree_of_thought")
    result = solve(world, vl.Strategy.of("plangen-mixture", loops=1, budget=4, children=2))
    assert world.roles["proposer"] == 1 + 4
    assert result.spend.calls == 2 + 1 + 1 + 3 * 4
    steps = [json.dumps(body) for role, body in world.bodies if role == "proposer"][1:]
    assert all("A critic found" in step for step in steps)


@both
def test_the_mixture_takes_a_draft_that_is_good_enough(protocol: Protocol):
    world = World(protocol, score=95)
    result = solve(world, "plangen-mixture")
    assert (result.stopped, result.spend.calls) == ("passed", 3)


@both
def test_plan_then_execute_takes_one_call_more(protocol: Protocol):
    world = World(protocol)
    result = solve(world, "plan_execute", verify=lambda answer: "Stephanie" in answer)
    assert world.roles == {"proposer": 6, "verification": 5, "constraint": 1}
    assert result.spend.calls == 12
    assert (result.best and result.best.proposal.scope, result.verdict.outcome) == ("execute/", "passed")
    plans, execution = result.candidates[:5], result.candidates[5]
    assert {plan.verdict.score for plan in plans} == {0.8}
    assert "A plan for answering" in execution.proposal.instruction
    verified = [json.dumps(body) for role, body in world.bodies if role == "verification"]
    assert all("is a plan for answering, not the answer" in body for body in verified)


@both
def test_without_a_verifier_an_answer_by_plan_is_unscored(protocol: Protocol):
    result = solve(World(protocol), vl.Strategy.of("plan_execute", inner="rebase"))
    assert (result.answer is not None, result.verdict.outcome) == (True, "unscored")
    assert result.spend.calls == 30 + 1 + 1


@needs_bubblewrap
def test_an_answer_by_plan_is_proved_where_plangen_verifies_it():
    """The plans' verifier asks for no checks; the answer's asks for itself."""
    check = {
        "language": "python",
        "code": "def check(answer):\n    return answer > 'a'",
        "right": ["b"],
        "wrong": ["0"],
    }

    def plays(request: Request, seed: int) -> str:
        if request.role == "constraint":
            asked = "attach a check" in request.messages[-1].text
            return json.dumps({"constraints": [{**CONSTRAINTS[0], "check": check if asked else None}]})
        return json.dumps({"critique": [], "score": 80}) if request.role == "verification" else "x"

    result = vl.solve("Name a letter.", strategy="plan_execute", verify="plangen", model=Scripted(plays))
    *plans, answer = ([f.criterion for f in c.verdict.findings] for c in result.candidates)
    assert (plans, answer) == ([["judged 1", "plangen"]] * 5, ["proved 1", "plangen"])


def test_a_step_whose_reward_cannot_be_read_costs_one_call_more():
    def plays(request: Request, seed: int) -> str:
        if request.role == "constraint":
            return json.dumps({"constraints": []})
        return "so so" if request.role == "step_reward" else "a step\nanother"

    model = Scripted(plays)
    result = vl.solve("Q?", strategy=vl.Strategy.of("plangen-tot", budget=1), model=model)
    assert [r.role for r in model.requests] == ["proposer", "constraint", "step_reward", "step_reward"]
    assert result.verdict.outcome == "unscored"
    assert "no valid Verification" in result.verdict.text


def test_what_is_not_answered_in_text_is_not_planned():
    with pytest.raises(UsageError, match="a plan is text"):
        vl.solve(QUESTION, strategy="plan_execute", model=Scripted(), output=list[int])


@pytest.mark.parametrize("name", PRESETS)
def test_a_strategy_of_plangen_is_a_policy_with_its_parameters_and_verifier(name: str):
    shown = {parameter["name"]: parameter["default"] for parameter in describe(name)["parameters"]}
    policy = vl.Strategy.of(name).make()
    assert shown == {parameter: getattr(policy, parameter) for parameter in shown}
    assert "arXiv 2502.16111" in describe(name)["summary"]
    assert vl.Strategy.of(name).verifier == "plangen"
    assert vl.Strategy.of(policy).name == name.replace("plangen-", "").replace("-", "_").replace(
        "tot", "tree_of_thought"
    )


@both
def test_the_agents_are_asked_at_temperature_0(protocol: Protocol):
    world = World(protocol)
    solve(world, vl.Strategy.of("plangen-mixture", loops=1))
    for role, body in world.bodies:
        if protocol == "openai":
            assert body["temperature"] == (0.7 if role == "proposer" else 0.0), role
        else:
            assert "temperature" not in body  # that protocol has none
    asked = [json.dumps(body) for role, body in world.bodies if role == "verification"]
    assert all("1. [hard] You start at Marina District" in body for body in asked)

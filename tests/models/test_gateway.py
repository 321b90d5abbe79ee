"""Every call goes one way: as few requests as can be, tried again where that helps, and never past the budget."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Answer, ChatServer, Raw, obedient
from sittings import score

import veriloop as vl
from veriloop.core.budget import Budget
from veriloop.core.errors import BudgetSpent, RunFailed, UsageError
from veriloop.core.events import Emitter, Noticed, RoundStarted
from veriloop.core.journal import RunLog
from veriloop.core.messages import Message, Reply, Request, Sample, Usage
from veriloop.core.provider import Price
from veriloop.core.search import Candidate, Proposal, Search
from veriloop.models.desk import Desk
from veriloop.models.gateway import Gateway, split
from veriloop.models.line import TRIES
from veriloop.models.openai import OpenAI
from veriloop.models.scripted import Scripted

FIVE = vl.Strategy("best_of_n", {"n": 5})
IAD = vl.Strategy("iad", {"rounds": 4, "width": 2})
ONE_BY_ONE = replace(Scripted().capabilities, n=False, seed=True)


def ran(
    reply: Callable[[dict[str, Any], int], Answer] = obedient, latency: float = 0.0, **options: Any
) -> tuple[vl.Result, ChatServer, list[Any]]:
    """A run against a server on loopback: its result, the server, the events."""
    events: list[Any] = []

    async def run() -> tuple[vl.Result, ChatServer]:
        async with ChatServer(reply, latency=latency) as server:
            model = OpenAI("m", base_url=server.base_url)
            given = {"strategy": FIVE, "model": model, "verify": score, "on_event": events.append, **options}
            return await vl.asolve("Which fruit?", **given), server

    return *asyncio.run(run()), events


def sent(server: ChatServer) -> list[int]:
    """How many samples each request asked for."""
    return [logged.body.get("n", 1) for logged in server.requests]


# --- as few requests as can be ----------------------------------------------------------------------------------------


def test_identical_prompts_of_a_round_go_out_as_one_request() -> None:
    result, server, _ = ran()
    assert sent(server) == [5]
    assert [c.id for c in result.candidates] == ["0.0", "0.1", "0.2", "0.3", "0.4"]
    assert len({c.text for c in result.candidates}) == 5
    assert len({c.proposal.seed for c in result.candidates}) == 5
    assert result.spend.calls == 5


def test_each_round_is_a_request_of_its_own() -> None:
    _, server, _ = ran(strategy=IAD)
    assert sent(server) == [2, 2, 2, 2]


def test_a_model_without_n_is_asked_for_each_sample_with_its_own_seed() -> None:
    model = Scripted(lambda request, seed: f"fruit {seed}", capabilities=ONE_BY_ONE)
    result = vl.solve("Which?", strategy=FIVE, model=model, verify=score)
    assert [request.n for request in model.requests] == [1] * 5
    assert sorted(r.seeds[0] for r in model.requests) == sorted(c.proposal.seed or 0 for c in result.candidates)
    assert [c.text for c in result.candidates] == [f"fruit {c.proposal.seed}" for c in result.candidates]


def test_a_server_that_ignores_n_is_asked_for_the_rest_and_a_notice_says_so() -> None:
    result, server, events = ran(lambda body, index: [f"fruit {index}"])
    assert sent(server) == [5, 1, 1, 1, 1]
    assert len({c.text for c in result.candidates}) == 5
    assert result.spend.calls == 5
    assert [e.text for e in events if isinstance(e, Noticed)] == [
        "openai:m ignores n: the samples were asked for one by one"
    ]


@given(k=st.integers(1, 40), usage=st.builds(Usage, *[st.integers(0, 10**6)] * 4))
def test_the_shares_of_a_request_add_up_to_the_whole(k, usage) -> None:
    shares = split(Reply(tuple(Sample(str(i)) for i in range(k)), usage))
    assert sum((share.usage for share in shares), Usage()) == usage
    assert [share.samples[0].text for share in shares] == [str(i) for i in range(k)]


def test_what_the_candidates_used_is_what_the_run_spent() -> None:
    result, _, _ = ran(strategy=IAD)
    used = sum((c.usage for c in result.candidates), Usage())
    assert (used.tokens_in, used.tokens_out) == (result.spend.tokens_in, result.spend.tokens_out)


@pytest.mark.parametrize("limits", [vl.Limits(calls=3), vl.Limits(tokens=3 * 1024 + 500)], ids=["calls", "tokens"])
def test_a_budget_too_small_for_all_asks_for_the_first_ones(limits) -> None:
    result, server, _ = ran(limits=limits)
    assert sent(server) == [3]
    assert [c.id for c in result.candidates] == ["0.0", "0.1", "0.2"]
    assert result.stopped in ("budget: calls", "budget: tokens")


# --- tried again where that helps -------------------------------------------------------------------------------------


def first(answers: list[Answer]) -> Callable[[dict[str, Any], int], Answer]:
    """These answers, and after them good ones."""
    return lambda body, index: answers[index] if index < len(answers) else obedient(body, index)


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    result, server, events = ran(first([Raw(429, {"error": {"message": "busy"}}, {"retry-after": "0.4"})]))
    assert len(result.candidates) == 5
    early, late = server.requests
    assert 0.4 <= late.started - early.ended < 0.8
    (notice,) = [e for e in events if isinstance(e, Noticed)]
    assert notice.text.startswith("trying again: ")
    assert "busy" in notice.text


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_and_paid_once(status) -> None:
    result, server, _ = ran(first([status, status]))
    assert sent(server) == [5, 5, 5]
    assert result.spend.calls == 5


def test_what_does_not_pass_is_given_up_after_a_few_tries() -> None:
    tries: list[int] = []

    def down(body: dict[str, Any], index: int) -> Answer:
        tries.append(index)
        return Raw(503, "", {"retry-after": "0"})

    with pytest.raises(RunFailed, match="failed"):
        ran(down)
    assert len(tries) == TRIES


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_will_not_pass_is_not_tried_again(status) -> None:
    tries: list[int] = []

    def refusing(body: dict[str, Any], index: int) -> Answer:
        tries.append(index)
        return status

    with pytest.raises(RunFailed, match=str(status)):
        ran(refusing)
    assert len(tries) == 1


def test_a_try_that_fails_leaves_the_budget_as_it_was() -> None:
    budget = Budget(vl.Limits(calls=1, tokens=5000))
    gateway = Gateway({"proposer": Scripted([ValueError("broken"), "good"])}, RunLog("r"), budget, Emitter("r"))
    model = Desk(gateway, "0.0").model("proposer")
    request = Request(messages=(Message("user", "Which?"),))

    async def twice() -> None:
        with pytest.raises(ValueError, match="broken"):
            await model.generate(request)
        await model.generate(request)

    asyncio.run(twice())
    assert budget.spend.calls == 1


# --- never past the budget --------------------------------------------------------------------------------------------


class Paid(Scripted):
    """A scripted model with a price."""

    name = "paid"


@dataclass(frozen=True)
class Rounds:
    """``rounds`` of ``width`` proposals of at most ``max_tokens``, whatever comes of them."""

    rounds: int
    width: int
    max_tokens: int

    def propose(self, search: Search) -> list[Proposal]:
        """The next round."""
        return [Proposal(max_tokens=self.max_tokens)] * self.width if search.round < self.rounds else []

    def select(self, search: Search) -> Candidate | None:
        """The first."""
        return search.candidates[0] if search.candidates else None


limited = st.builds(
    vl.Limits,
    calls=st.none() | st.integers(0, 14),
    tokens=st.none() | st.integers(0, 2500),
    money=st.none() | st.floats(0, 0.02),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=limited, rounds=st.integers(1, 4), width=st.integers(1, 5), longest=st.integers(1, 60), n=st.booleans())
def test_no_limit_is_ever_passed(monkeypatch, limits, rounds, width, longest, n) -> None:
    monkeypatch.setenv("VERILOOP_PRICES", json.dumps({"paid": {"input": 3.0, "output": 20.0}}))
    can = replace(Scripted().capabilities, n=n, seed=True)
    model = Paid(lambda request, seed: "word " * (1 + seed % request.max_tokens), capabilities=can, latency=0.001)
    policy = Rounds(rounds, width, longest)
    result = vl.solve("Which?", strategy=policy, model=model, verify=None, limits=limits, journal=False)
    spend = result.spend
    assert limits.calls is None or spend.calls <= limits.calls
    assert limits.tokens is None or spend.tokens <= limits.tokens
    assert limits.money is None or (spend.money or 0.0) <= limits.money
    assert spend.calls == sum(request.n for request in model.requests) == len(result.candidates)
    assert len(result.candidates) == rounds * width or result.stopped.startswith("budget: ")


class ReadsEach(Scripted):
    """A model that reads the prompt anew for each sample, as servers do that have no n of their own."""

    async def generate(self, request: Request) -> Reply:
        """The script's replies, the prompt counted for each."""
        reply = await super().generate(request)
        return replace(reply, usage=replace(reply.usage, tokens_in=reply.usage.tokens_in * request.n))


def test_no_limit_is_passed_by_a_server_that_reads_the_prompt_for_each_sample() -> None:
    task = vl.Task("Which fruit? " + "I like a great many of them. " * 50, limits=vl.Limits(tokens=1200))
    result = vl.solve(task, strategy=Rounds(2, 8, 4), model=ReadsEach(lambda r, s: "fig"), verify=None)
    assert 0 < result.spend.tokens <= 1200


def test_a_money_limit_needs_a_price() -> None:
    class Unpriced(Scripted):
        name = "nobody:knows"

    model = Unpriced()
    with pytest.raises(UsageError, match="the price of nobody:knows is unknown"):
        vl.solve("Which?", strategy=FIVE, model=model, verify=score, limits=vl.Limits(money=1.0))
    assert model.requests == []
    free = vl.solve("Which?", strategy=FIVE, model=model, verify=score)
    assert free.spend.money is None


def test_a_request_that_does_not_fit_is_not_sent() -> None:
    model = Paid()
    price = {"paid": Price(1.0, 1000.0)}
    gateway = Gateway({"proposer": model}, RunLog("r"), Budget(vl.Limits(money=0.5)), Emitter("r"), prices=price)
    with pytest.raises(BudgetSpent, match="the budget of money is spent"):
        asyncio.run(
            Desk(gateway, "0.0")
            .model("proposer")
            .generate(Request(messages=(Message("user", "Which?"),), max_tokens=501))
        )
    assert model.requests == []
    assert gateway.budget.spend.money == 0.0


# --- cancelling -------------------------------------------------------------------------------------------------------


async def ended(server: ChatServer) -> list[str]:
    """What became of the requests, once none is pending any more (1 s at most)."""
    for _ in range(200):
        if all(r.outcome != "pending" for r in server.requests):
            break
        await asyncio.sleep(0.005)
    return [r.outcome for r in server.requests]


def test_cancelling_a_run_closes_its_requests() -> None:
    class Noticing(ChatServer):
        async def _answer(self, http: Any) -> Any:
            arrived.set()
            return await super()._answer(http)

    arrived = asyncio.Event()

    async def run() -> list[str]:
        async with Noticing(latency=30) as server:
            model = OpenAI("m", base_url=server.base_url)
            work = asyncio.create_task(vl.asolve("Which?", strategy=FIVE, model=model, verify=score))
            await arrived.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            return await ended(server)

    assert asyncio.run(run()) == ["cancelled"]


def test_enough_closes_the_requests_that_are_still_open() -> None:
    def race(body: dict[str, Any], index: int) -> Answer:
        return ["right" if index == 0 else "wrong"]

    class Uneven(ChatServer):
        async def _send(self, http: Any, answer: Answer, body: dict[str, Any]) -> Any:
            await asyncio.sleep(0 if answer == ["right"] else 30)
            return await super()._send(http, answer, body)

    async def run() -> tuple[vl.Result, list[str]]:
        async with Uneven(race) as server:
            model = OpenAI("m", base_url=server.base_url, capabilities=ONE_BY_ONE)
            result = await vl.asolve("Which?", strategy=FIVE, model=model, verify=lambda answer: answer == "right")
            return result, await ended(server)

    result, outcomes = asyncio.run(run())
    assert (result.answer, result.stopped) == ("right", "passed")
    assert sorted(outcomes) == ["cancelled"] * 4 + ["completed"]


def test_a_time_limit_stops_a_stalled_request_and_gives_the_best_so_far() -> None:
    class Stalling(ChatServer):
        async def _send(self, http: Any, answer: Answer, body: dict[str, Any]) -> Any:
            await asyncio.sleep(30 if len(self.requests) > 1 else 0)
            return await super()._send(http, answer, body)

    async def run() -> tuple[vl.Result, float, list[str]]:
        async with Stalling() as server:
            model = OpenAI("m", base_url=server.base_url)
            await vl.asolve("Warm up?", strategy="single", model=Scripted(), journal=False)
            begun: list[float] = []
            result = await vl.asolve(
                "Which?",
                strategy=IAD,
                model=model,
                verify=score,
                limits=vl.Limits(seconds=1.0),
                on_event=lambda e: begun.append(time.monotonic()) if isinstance(e, RoundStarted) else None,
            )
            return result, time.monotonic() - begun[0], await ended(server)

    result, seconds, outcomes = asyncio.run(run())
    assert result.stopped == "budget: seconds"
    assert [c.id for c in result.candidates] == ["0.0", "0.1"]
    assert result.answer == max(result.candidates, key=lambda c: c.score).answer
    assert 0.9 <= seconds <= 1.3
    assert outcomes == ["completed", "cancelled"]

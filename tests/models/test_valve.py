"""The valve finds out how many calls a server takes, whatever else the server refuses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from veriloop.models.valve import MOST, Outcome, Valve, valve_of


class Virtual(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer, so that seconds take no time and nothing depends on the machine."""

    _now = 0.0
    _ready: Any
    _scheduled: Any

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


class Server:
    """Takes ``cap`` calls at once for ``latency`` seconds, and refuses a share of them anyway."""

    def __init__(self, cap: int, refusing: float = 0.0, latency: float = 0.5) -> None:
        self.cap, self.refusing, self.latency = cap, refusing, latency
        self.now = self.most = self.asked = 0
        self.random = random.Random(1)

    async def call(self) -> Outcome:
        """One call."""
        self.asked += 1
        if self.now >= self.cap or self.random.random() < self.refusing:
            await asyncio.sleep(0.005)
            return "refused"
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.latency)
        self.now -= 1
        return "accepted"


async def through(valve: Valve, server: Server) -> None:
    """Ask until the server takes it."""
    outcome: Outcome = "unknown"
    while outcome != "accepted":
        ticket = await valve.enter()
        outcome = await server.call()
        valve.leave(ticket, outcome)
        if outcome == "refused":
            await asyncio.sleep(0.4 * server.random.random())


def run(valve: Valve, server: Server, calls: int) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(through(valve, server) for _ in range(calls)))

    with asyncio.Runner(loop_factory=Virtual) as runner:
        runner.run(all_of_them())


@pytest.mark.parametrize("refusing", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("cap", [1, 5, 50])
def test_it_learns_what_a_server_takes(cap: int, refusing: float) -> None:
    valve, server = Valve(), Server(cap, refusing)
    run(valve, server, 12 * cap + 40)
    assert cap * 0.8 <= valve.proven <= cap
    assert server.most == cap


def test_refusals_beyond_what_the_server_takes_stay_few() -> None:
    valve, server = Valve(), Server(20)
    run(valve, server, 1000)
    assert server.asked < 1800  # the first burst, and what it takes to learn


def test_without_refusals_it_opens_as_far_as_it_may() -> None:
    valve, server = Valve(), Server(10_000)
    run(valve, server, 4000)
    assert server.most == MOST
    valve, server = Valve(most=7), Server(10_000)
    run(valve, server, 100)
    assert server.most == 7


def test_one_call_that_succeeds_closes_nothing() -> None:
    valve, server = Valve(), Server(10_000)
    run(valve, server, 1)
    run(valve, server, 200)
    assert server.most == 200


def test_it_closes_when_the_server_takes_less_than_before() -> None:
    valve, server = Valve(), Server(50)
    run(valve, server, 600)
    server.cap = 5
    run(valve, server, 300)
    assert valve.proven < 25


def in_loop(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 5))


def test_a_cancelled_caller_keeps_no_place() -> None:
    async def work() -> None:
        valve = Valve(most=1)
        first = await valve.enter()
        gone = [asyncio.create_task(valve.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        gone[0].cancel()
        await asyncio.sleep(0)
        valve.leave(first, "accepted")
        gone[1].cancel()  # its place is there already
        second = await gone[2]
        valve.leave(second, "accepted")
        await valve.enter()

    in_loop(work())


def test_all_runs_of_a_loop_share_a_models_valve() -> None:
    async def work() -> None:
        assert valve_of("a") is valve_of("a")
        assert valve_of("a") is not valve_of("b")

    in_loop(work())

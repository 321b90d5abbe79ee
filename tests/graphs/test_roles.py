"""Models of one name, groups that close early, replies that cannot be written: each run keeps its books."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from batch_client import until
from loopback import ChatServer

import veriloop as vl
from veriloop.core.errors import RunFailed
from veriloop.core.messages import Capabilities, Reply, Request, Sample, ToolCall, Usage
from veriloop.core.provider import Price
from veriloop.core.settings import load
from veriloop.memory.runs import find
from veriloop.models.gateway import split
from veriloop.models.openai import OpenAI
from veriloop.models.scripted import Scripted


def test_models_of_one_name_at_two_servers_keep_their_roles():
    judged = '{"reasons": [], "score": 1.0}'
    with ChatServer(lambda body, index: ["blue"]) as one, ChatServer(lambda body, index: [judged]) as other:
        models = {"proposer": OpenAI("m", base_url=one.base_url), "judge": OpenAI("m", base_url=other.base_url)}
        result = vl.solve("Which?", model=models, verify="judge", strategy="single")
    assert (result.answer, result.verdict.outcome) == ("blue", "passed")
    assert (len(one.requests), len(other.requests)) == (1, 1)


@pytest.mark.parametrize("stop", ["enough", "cancel"])
def test_what_a_round_no_longer_wants_is_stopped(stop: str):
    """A server that ignores n: the rest is asked for one by one, and the first answer is enough."""

    async def main() -> None:
        async with ChatServer(lambda body, index: ["blue"]) as server:
            slow = server.reply

            def late(body: dict[str, Any], index: int) -> Any:
                server.latency = 0.0 if index == 0 else 5.0
                return slow(body, index)

            server.reply = late
            model = OpenAI("m", base_url=server.base_url)
            strategy = vl.Strategy.of("best_of_n", n=8)
            wanted = stop == "enough"
            work = asyncio.create_task(vl.asolve("q?", model=model, strategy=strategy, verify=lambda answer: wanted))
            if stop == "cancel":
                await until(lambda: len(server.requests) >= 8)
                work.cancel()
            ended = (await asyncio.gather(work, return_exceptions=True))[0]
            await until(lambda: all(request.outcome != "pending" for request in server.requests))
            assert sum(request.outcome == "completed" for request in server.requests) == 1
            if isinstance(ended, vl.Result):
                assert (ended.spend.calls, ended.spend.unsettled) == (1, len(server.requests) - 1)

    asyncio.run(main())


def test_halves_of_characters_in_a_tool_call_are_no_loss(home: Path):
    def says(request: Request, seed: int) -> Sample:
        called = any(message.role == "tool" for message in request.messages)
        return Sample("done") if called else Sample("", (ToolCall("nope", {"a\ud800": ["\udfff"]}, "1"),))

    result = vl.solve("q?", model=Scripted(says), strategy=vl.Strategy.of("best_of_n", n=4), verify=lambda a: False)
    assert result.spend.calls == 4
    assert len([record for record in find(load(), result.run_id)[1] if record.kind == "model"]) == 4


def test_a_reply_without_a_sample_is_told():
    class Silent(Scripted):
        async def generate(self, request: Request) -> Reply:
            return Reply(())

    with pytest.raises(RunFailed, match="scripted gave no sample"):
        vl.solve("q?", model=Silent(), strategy="single", verify=None)


def test_a_share_of_a_long_request_costs_what_the_whole_says():
    price = Price(1.0, 2.0, long=100, long_factor=2.0)
    whole = Usage(tokens_in=150, tokens_out=40)
    shares = split(Reply((Sample("a"), Sample("b"), Sample("c")), whole))
    assert sum(price.of(share.usage, share.whole) for share in shares) == pytest.approx(price.of(whole))


def test_a_model_that_does_not_stream_is_held_to_the_total_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_TIMEOUTS", '{"first_token": 0.1, "idle": 0.1, "total": 5}')
    with ChatServer(lambda body, index: ["blue"], latency=0.4) as server:
        model = OpenAI("m", base_url=server.base_url, capabilities=Capabilities(n=True))
        assert vl.solve("q?", model=model, strategy="single").answer == "blue"
    assert len(server.requests) == 1


def test_what_resume_does_not_take_is_refused():
    with pytest.raises(TypeError):
        vl.resume("nobody", limits=vl.Limits(calls=8))

"""What a request meets on its way: time-outs, tries, a provider's limits; and what a call keeps when a part fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer

import veriloop as vl
from veriloop.core.budget import Budget
from veriloop.core.errors import ModelError, TransientModelError
from veriloop.core.events import Emitter, Event, Noticed, Wrote
from veriloop.core.journal import RunLog
from veriloop.core.messages import Capabilities, Message, Reply, Request, Sample, Usage
from veriloop.core.protocols import Heard
from veriloop.core.provider import Rate, Timeouts
from veriloop.models.cache import Cache
from veriloop.models.desk import Desk
from veriloop.models.gateway import Gateway
from veriloop.models.line import BUSY_TRIES, TRIES, pause
from veriloop.models.openai import OpenAI
from veriloop.models.scripted import Scripted

ASKED = Request(messages=(Message("user", "Which?"),))
ONE_BY_ONE = replace(Scripted().capabilities, n=False)


def bound(
    model: Any, *events: Callable[[Event], None], log: RunLog | None = None, stream: bool = False, **options: Any
) -> Any:
    """The model as an attempt may call it, and its gateway."""
    emit = Emitter("r", events, stream)
    gateway = Gateway({"proposer": model}, log or RunLog("r"), Budget(vl.Limits()), emit, **options)
    return Desk(gateway, "0.0").model("proposer"), gateway


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(work, 10)

    return asyncio.run(main())


class Slow:
    """Streams its pieces after the pauses before them."""

    name = "slow"
    capabilities = Capabilities(streaming=True)

    def __init__(self, *pauses: float) -> None:
        self.pauses = pauses
        self.calls = self.cancelled = 0

    async def stream(self, request: Request, heard: Heard) -> Reply:
        self.calls += 1
        try:
            for pause_before in self.pauses:
                await asyncio.sleep(pause_before)
                heard(0, "a")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Reply((Sample("a" * len(self.pauses)),), Usage(1, 1))

    async def generate(self, request: Request) -> Reply:
        return await self.stream(request, lambda sample, text: None)


# --- time-outs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pauses", "timeouts", "says"),
    [
        ((5.0,), Timeouts(first_token=0.05), "was silent for too long"),
        ((0.0, 5.0), Timeouts(idle=0.05), "was silent for too long"),
        ((5.0,), Timeouts(idle=0.05), "was silent for too long"),
        ((0.04,) * 200, Timeouts(idle=1.0, total=0.1), "gave no whole reply within 0.1 s"),
        ((5.0,), Timeouts(total=0.05), "gave no whole reply within 0.05 s"),
    ],
)
def test_a_model_that_keeps_silent_is_given_up_and_the_calls_are_unsettled(
    monkeypatch: pytest.MonkeyPatch, pauses: tuple[float, ...], timeouts: Timeouts, says: str
) -> None:
    monkeypatch.setattr("veriloop.models.line.TRIES", 2)
    slow = Slow(*pauses)
    model, gateway = bound(slow, timeouts=timeouts)
    with pytest.raises(TransientModelError, match=says):
        run(model.generate(ASKED))
    assert (slow.calls, slow.cancelled) == (2, 2)
    assert gateway.budget.spend.unsettled == 2
    assert gateway.budget.spend.calls == 0


def test_a_slow_model_that_goes_on_writing_is_left_in_peace() -> None:
    slow = Slow(0.3, *[0.03] * 20)
    model, _ = bound(slow, timeouts=Timeouts(first_token=2.0, idle=0.25))
    assert run(model.generate(ASKED)).samples[0].text == "a" * 21


# --- tries ------------------------------------------------------------------------------------------------------------


def busy(after: float | None = None) -> TransientModelError:
    return TransientModelError("slow down", after, busy=True)


def test_it_waits_as_long_as_it_is_asked_to_and_never_the_same_for_all() -> None:
    waits = {pause(busy(2.0), 0, 1, 0.0) for _ in range(20)}
    assert all(wait is not None and 2.0 <= wait <= 2.2 for wait in waits)
    assert len(waits) > 1
    assert len({pause(TransientModelError("down"), 1, 0, 0.0) for _ in range(20)}) > 1


def test_tries_end_and_more_are_allowed_where_a_server_is_only_busy() -> None:
    down = TransientModelError("down")
    assert pause(down, TRIES - 1, 0, 0.0) is not None
    assert pause(down, TRIES, 0, 0.0) is None
    assert pause(down, 1, 0, 31.0) is None
    assert pause(busy(), 0, BUSY_TRIES - 1, 31.0) is not None
    assert pause(busy(), 0, BUSY_TRIES, 0.0) is None
    assert pause(busy(), 0, 1, 301.0) is None


# --- a part fails -----------------------------------------------------------------------------------------------------


def failing(*bad: int, kind: type[Exception] = ModelError) -> Callable[[Request, int], str]:
    def script(request: Request, seed: int) -> str:
        if seed in bad:
            raise kind(f"no {seed}")
        return f"fruit {seed}"

    return script


@pytest.mark.parametrize("kind", [ModelError, ValueError])
def test_one_failed_sample_of_eight_never_loses_the_other_seven(kind: type[Exception]) -> None:
    model, gateway = bound(Scripted(failing(3, kind=kind), capabilities=ONE_BY_ONE), log=(log := RunLog("r")))
    log.written = []
    reply = run(model.generate(replace(ASKED, seeds=tuple(range(8)))))
    assert [sample.text for sample in reply.samples] == [f"fruit {i}" for i in range(8) if i != 3]
    assert [record.key for record in log.written] == [f"0.0/proposer/{i}" for i in range(8) if i != 3]
    assert gateway.budget.spend.calls == 7
    assert gateway.budget.spend.tokens == reply.usage.tokens_in + reply.usage.tokens_out


class Short(Scripted):
    """Leaves out all but the first ``given`` samples of a request, and fails for single ones from ``fails``."""

    def __init__(self, given: int, fails: int = 10**9) -> None:
        super().__init__(lambda request, seed: f"fruit {seed}")
        self.given, self.fails = given, fails

    async def generate(self, request: Request) -> Reply:
        reply = await super().generate(request)
        if request.n == 1 and request.seeds[0] >= self.fails:
            raise ModelError(f"no {request.seeds[0]}")
        return replace(reply, samples=reply.samples[: self.given])


def test_samples_that_are_left_out_are_asked_for_and_all_that_came_is_kept() -> None:
    for given, sizes in ((1, [8] + [1] * 7), (5, [8, 1, 1, 1])):
        short, notices = Short(given), list[str]()
        model, _ = bound(short, lambda e, to=notices: to.append(e.text) if isinstance(e, Noticed) else None)
        reply = run(model.generate(replace(ASKED, seeds=tuple(range(8)))))
        assert [sample.text for sample in reply.samples] == [f"fruit {i}" for i in range(8)]
        assert [request.n for request in short.requests] == sizes
        assert len(notices) == 1
    run(model.generate(replace(ASKED, seeds=(8, 9))))
    assert [request.n for request in short.requests][4:] == [2]


def test_what_was_ignored_once_is_not_asked_for_again() -> None:
    short = Short(1)
    model, _ = bound(short)

    async def twice() -> None:
        await model.generate(replace(ASKED, seeds=(1, 2)))
        await model.generate(replace(ASKED, seeds=(3, 4)))

    run(twice())
    assert [request.n for request in short.requests] == [2, 1, 1, 1]


def test_when_asking_for_the_rest_fails_what_came_is_recorded_and_used() -> None:
    result = vl.solve(
        "Which?",
        strategy=vl.Strategy.of("best_of_n", n=8, early_stop=False),
        model=_Seeded(Short(6), bad=2),
        verify=lambda answer: True,
    )
    assert sorted(c.verdict.outcome for c in result.candidates) == ["infra_error"] * 2 + ["passed"] * 6
    assert result.spend.calls == 6


class _Seeded:
    """Fails for single samples once ``bad`` of eight have been left out."""

    def __init__(self, inner: Short, bad: int) -> None:
        self.name, self.capabilities, self._inner = inner.name, inner.capabilities, inner

    async def generate(self, request: Request) -> Reply:
        if request.n == 1:
            raise ModelError("no more")
        return await self._inner.generate(request)


def test_a_recorded_sample_is_not_asked_for_again_when_its_siblings_failed() -> None:
    log = RunLog("r")
    log.written = []
    first, _ = bound(Scripted(failing(1, 2), capabilities=ONE_BY_ONE), log=log)
    run(first.generate(replace(ASKED, seeds=tuple(range(4)))))
    again = RunLog("r", {(r.kind, r.key): replace(r, value=_plain(r.value)) for r in log.written})
    whole = Scripted(failing(), capabilities=ONE_BY_ONE)
    model, _ = bound(whole, log=again)
    reply = run(model.generate(replace(ASKED, seeds=tuple(range(4)))))
    assert sorted(sample.text for sample in reply.samples) == [f"fruit {i}" for i in range(4)]
    assert sorted(request.seeds[0] for request in whole.requests) == [1, 2]


def _plain(value: Any) -> Any:
    from veriloop.core.wire import encode

    return encode(value)


# --- words as they come -----------------------------------------------------------------------------------------------


def wrote(events: Sequence[Any], attempt: str) -> str:
    return "".join(e.text for e in events if isinstance(e, Wrote) and e.attempt == attempt)


@pytest.mark.parametrize("n", [True, False])
def test_words_are_heard_as_they_come_by_who_asked_for_them(n: bool) -> None:
    model = Scripted(lambda r, seed: f"red {seed} apples", capabilities=replace(Scripted().capabilities, n=n))
    asked = {"strategy": vl.Strategy.of("best_of_n", n=3), "model": model, "verify": lambda answer: False}
    events: list[Any] = []
    result = vl.solve("Which?", **asked, stream=True, on_event=events.append)
    assert [wrote(events, c.id) for c in result.candidates] == [c.text for c in result.candidates]
    assert len([e for e in events if isinstance(e, Wrote)]) >= 9
    events.clear()
    vl.solve("Which?", **asked, on_event=events.append)
    assert not [e for e in events if isinstance(e, Wrote)]


def test_a_request_that_is_tried_again_says_that_it_begins_anew() -> None:
    class Breaks(Slow):
        async def stream(self, request: Request, heard: Heard) -> Reply:
            await super().stream(request, heard)
            if self.calls == 1:
                raise TransientModelError("cut", unsettled=True)
            return Reply((Sample("aa"),))

    events: list[Any] = []
    model, gateway = bound(Breaks(0.0, 0.0), events.append, stream=True)
    run(model.generate(ASKED))
    assert [(e.tried, e.text) for e in events if isinstance(e, Wrote)] == [(0, "a"), (0, "a"), (1, "a"), (1, "a")]
    assert gateway.budget.spend.unsettled == 1


# --- limits -----------------------------------------------------------------------------------------------------------


class Remote(Scripted):
    """A model behind an address, which counts how many calls are under way."""

    address = "here"

    def __init__(self, latency: float = 0.02) -> None:
        super().__init__(latency=latency)
        self.now = self.most = 0

    async def generate(self, request: Request) -> Reply:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super().generate(request)
        finally:
            self.now -= 1


def test_runs_share_a_models_concurrency() -> None:
    remote = Remote()

    async def many() -> None:
        each = [bound(remote, rates={"scripted": Rate(concurrency=3)})[0] for _ in range(12)]
        await asyncio.gather(*(model.generate(ASKED) for model in each))

    run(many())
    assert (len(remote.requests), remote.most) == (12, 3)


@pytest.mark.parametrize("rate", [Rate(requests_per_minute=600), Rate(tokens_per_minute=600 * 1036)])
def test_a_rate_is_kept(rate: Rate) -> None:
    remote = Remote(0.0)

    async def many() -> float:
        begun = time.monotonic()
        model, _ = bound(remote, rates={"scripted": rate})
        await asyncio.gather(*(model.generate(ASKED) for _ in range(615)))
        return time.monotonic() - begun

    assert 1.3 <= run(many()) <= 6.0  # a minute's worth at once, then ten a second


# --- replies kept across runs -----------------------------------------------------------------------------------------


def test_a_reply_is_paid_once_across_runs_and_samples_stay_distinct(tmp_path: Path) -> None:
    model: Any = Scripted(lambda request, seed: f"fruit {seed}")
    model.identity = "a server"
    given = {"strategy": vl.Strategy.of("best_of_n", n=4), "model": model, "verify": lambda answer: False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERILOOP_HOME", str(tmp_path))
        patch.setenv("VERILOOP_CACHE", "true")
        first = vl.solve("Which?", seed=1, **given)
        second = vl.solve("Which?", seed=1, **given)
        third = vl.solve("Which?", seed=2, **given)
    assert [c.text for c in second.candidates] == [c.text for c in first.candidates]
    assert len({c.text for c in (*first.candidates, *third.candidates)}) == 8
    assert (first.spend.calls, second.spend.calls, third.spend.calls) == (4, 0, 4)
    assert len(model.requests) == 2


def test_replies_of_one_name_at_two_servers_are_not_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILOOP_CACHE", "true")
    for said in ("from one", "from another"):
        with ChatServer(lambda body, index, said=said: [said]) as server:
            model = OpenAI("m", base_url=server.base_url)
            assert vl.solve("Which?", model=model, strategy="single").answer == said
            assert vl.solve("Which?", model=model, strategy="single").answer == said
        assert len(server.requests) == 1
    for said in ("a", "b"):
        assert vl.solve("Which?", model=Scripted([said]), strategy="single").answer == said


def test_a_spoiled_cache_is_none(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    path.write_text("this is no database" * 100)
    cache = Cache(path)
    cache.put("key", Reply((Sample("a"),)))
    assert cache.get("key") is None

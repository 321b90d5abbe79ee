"""Runs whose requests go through a provider's batch interface: the same answers, half the price."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from batch_client import QUICK
from batch_server import BatchServer

import veriloop as vl
from veriloop.core.errors import UsageError
from veriloop.core.events import Event, Noticed
from veriloop.models.batch import Batched
from veriloop.models.openai import OpenAI
from veriloop.models.scripted import Scripted


def solving(work: Any) -> Any:
    return asyncio.run(work)


def test_runs_that_start_together_share_a_batch_and_pay_half(tmp_path: Path):
    async def main() -> None:
        async with BatchServer() as server:
            plain = OpenAI("gpt-5-mini", base_url=server.openai_url)
            model = Batched(plain, tmp_path, **QUICK)
            strategy = vl.Strategy.of("best_of_n", n=2, early_stop=False)
            asked = [
                vl.asolve(f"q{i}?", model=model, strategy=strategy, verify=lambda answer: True, seed=i, batch=True)
                for i in range(3)
            ]
            results = await asyncio.gather(*asked)
            assert len(server.made) == 1
            assert len(server.made[0].bodies) == 6
            for i, result in enumerate(results):
                assert [str(c.answer).startswith(f"q{i}?") for c in result.candidates] == [True, True]
                spend = result.spend
                assert spend.calls == 2
                full = (spend.tokens_in * 0.25 + spend.tokens_out * 2.0) / 1e6
                assert spend.money == pytest.approx(full / 2)

    solving(main())


def test_a_judge_that_runs_here_is_asked_at_once(tmp_path: Path):
    async def main() -> None:
        async with BatchServer() as server:
            model = Batched(OpenAI("m", base_url=server.openai_url), tmp_path, **QUICK)
            judge = Scripted(lambda request, seed: '{"reasons": [], "score": 1.0}')
            models = {"proposer": model, "judge": judge}
            result = await vl.asolve("q?", model=models, verify="judge", strategy="best_of_n", batch=True)
            assert result.verdict.outcome == "passed"
            assert len(judge.requests) >= 1
            assert len(server.made) == 1

    solving(main())


def test_a_named_model_goes_in_batches_too_and_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def main() -> None:
        async with BatchServer(looks=1) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
            seen: list[Event] = []
            result = await vl.asolve("q?", model="openai:m", strategy="single", batch=True, on_event=seen.append)
            assert str(result.answer).startswith("q?")
            notices = [event.text for event in seen if isinstance(event, Noticed)]
            assert any(text.startswith("openai:m: submitted 1 request as batch batch_") for text in notices), notices

    solving(main())


def test_without_a_batch_interface_it_is_refused_before_any_call():
    model = Scripted()
    with pytest.raises(UsageError, match=r"^scripted has no batch interface: leave out batch \(--batch\)$"):
        vl.solve("q?", model=model, batch=True)
    assert model.requests == []

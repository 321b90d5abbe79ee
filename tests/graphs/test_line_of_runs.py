"""Whole runs on the line to a server: no key leaks, nothing stays open, nothing waits for ever, all is in the spend."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from batch_client import until
from loopback import ChatServer, Raw, Stall

import veriloop as vl
from veriloop.core.errors import VeriloopError
from veriloop.core.events import Event, Noticed
from veriloop.core.settings import load
from veriloop.graphs.record import journal_in
from veriloop.memory.runs import find, list_runs
from veriloop.models.anthropic import Anthropic
from veriloop.models.openai import OpenAI

CANARY = "sk-canary-0123456789abcdef"


def is_blue(answer: str) -> bool:
    return answer == "blue"


def telling(status: int, words: str = "no") -> Raw:
    """A failure whose words repeat the key, as some servers do."""
    return Raw(status, {"error": {"message": f"{words}: {CANARY}", "type": "invalid_request_error"}})


def test_a_key_is_nowhere(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    weather: list[Any] = [telling(500), telling(400, "Unsupported parameter: 'seed'"), ["blue"], telling(401)]
    seen: list[Event] = []
    with ChatServer(lambda body, index: weather[index]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        ask: Any = {"model": "openai:m", "strategy": "single", "on_event": seen.append}
        result = vl.solve("Which?", **ask, record=tmp_path / "tape")
        with pytest.raises(VeriloopError) as caught:
            vl.solve("Which?", **ask)
    assert server.requests[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert result.answer == "blue"
    notices = [event.text for event in seen if isinstance(event, Noticed)]
    assert any("trying again" in text and "[key]" in text for text in notices)
    assert any("refuses seed" in text for text in notices)
    assert "OPENAI_API_KEY" in str(caught.value)
    settings = load()
    shown = [repr(find(settings, info.id)) for info in list_runs(settings)]  # collects them into the store, too
    files = [path for folder in (home, tmp_path) for path in folder.rglob("*") if path.is_file()]
    assert len(shown) == 2
    assert len(files) >= 2
    kept = [path.read_bytes().decode(errors="replace") for path in files]
    for text in (repr(result), repr(seen), str(caught.value), caplog.text, *shown, *kept):
        assert "canary" not in text


@pytest.mark.parametrize("stream", [False, True])
def test_cancelled_runs_leave_no_request_open(stream: bool):
    async def main() -> None:
        async with ChatServer(lambda body, index: Stall(60, after=1 if body.get("stream") else 0)) as server:
            model = OpenAI("m", base_url=server.base_url)
            strategy = vl.Strategy.of("best_of_n", n=4)
            options: Any = {"model": model, "strategy": strategy, "verify": lambda answer: True, "stream": stream}
            runs = [
                asyncio.create_task(vl.asolve(f"q{i}?", seed=i, on_event=lambda event: None, **options))
                for i in range(8)
            ]
            await until(lambda: len(server.requests) >= 8)
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)
            cancelled = time.monotonic()
            await until(lambda: all(request.outcome != "pending" for request in server.requests))
            assert time.monotonic() - cancelled < 1.0
            assert {request.outcome for request in server.requests} == {"cancelled"}
            assert all(run.cancelled() for run in runs)

    asyncio.run(main())


def test_what_was_under_way_when_a_run_was_cut_is_unsettled(home: Path):
    async def main() -> None:
        async with ChatServer(latency=5) as server:
            model = OpenAI("m", base_url=server.base_url)
            strategy = vl.Strategy.of("best_of_n", n=3, early_stop=False)
            run = asyncio.create_task(vl.asolve("q?", model=model, strategy=strategy, verify=is_blue))
            await until(lambda: len(server.requests) == 1)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            journal_in(home).close()  # as at the end of a process
            journal_in.cache_clear()
            info = list_runs(load())[0]
            assert (info.status, info.stopped, info.spend.unsettled) == ("unfinished", "interrupted", 3)
            server.latency = 0
            ended = await vl.aresume(info.id, model=model, verify=is_blue)
            assert (ended.spend.calls, ended.spend.unsettled) == (3, 3)

    asyncio.run(main())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("most", [None, 1, 2, 7, 64])
def test_no_limit_is_a_deadlock(host: str, most: int | None, monkeypatch: pytest.MonkeyPatch):
    if most is not None:
        monkeypatch.setenv("VERILOOP_LIMITS", json.dumps({"openai:m": {"concurrency": most}}))

    async def main() -> int:
        async with ChatServer(latency=0.002) as server:
            model = OpenAI("m", base_url=server.base_url.replace("127.0.0.1", host))
            strategy = vl.Strategy.of("best_of_n", n=3, early_stop=False)
            # A verifier that asks the same model while the round waits for it.
            options: Any = {"model": model, "strategy": strategy, "verify": "judge"}
            ended = await asyncio.gather(*(vl.asolve(f"q{i}?", seed=i, **options) for i in range(20)))
            return sum(len(result.candidates) for result in ended)

    assert asyncio.run(asyncio.wait_for(main(), 30)) == 60


def test_judges_and_repairs_are_in_the_spend():
    def says(body: dict[str, Any], index: int) -> list[str]:
        judged = "tildes" in json.dumps(body["messages"])
        broken = judged and all(message["role"] != "assistant" for message in body["messages"])
        return ["I think so" if broken else '{"reasons": ["fine"], "score": 1.0}' if judged else "blue"]

    with ChatServer(says) as server:
        result = vl.solve("Which?", model=OpenAI("m", base_url=server.base_url), strategy="single", verify="judge")
    assert result.verdict.outcome == "passed"
    assert len(server.requests) == 3, "a proposal, a judgement that is none, and its repair"
    assert result.spend.calls == 3
    assert result.spend.tokens == sum(_tokens(says(request.body, 0), request.body) for request in server.requests)


def _tokens(said: list[str], body: dict[str, Any]) -> int:
    read = sum(len(str(message["content"]).split()) for message in body["messages"])
    return read + sum(len(text.split()) for text in said)


def test_a_key_that_anthropic_repeats_is_hidden_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    with ChatServer() as server, pytest.raises(VeriloopError) as caught:
        vl.solve("Which?", model=Anthropic(CANARY, base_url=server.base_url), strategy="single")
    assert "does not know" in str(caught.value)
    assert CANARY not in str(caught.value)

"""The loopback server itself: its weather, and what it writes down as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer, Cut, Raw, Stall, faulty, obedient, pick
from loopback_client import request

from veriloop.core.errors import ModelError, TransientModelError
from veriloop.core.messages import Reply
from veriloop.models.openai import Backend, OpenAI
from veriloop.models.responses import Responses


@contextmanager
def process(folder: Path, *options: str) -> Iterator[str]:
    """The server in a process of its own: its base url. It logs to ``log.jsonl``."""
    port, server = folder / "port", Path(__file__).parents[1] / "loopback.py"
    command = [sys.executable, str(server), "--port-file", str(port), "--log", str(folder / "log.jsonl"), *options]
    with subprocess.Popen(command) as running:
        while not port.exists():
            assert running.poll() is None
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port.read_text()}/v1"
        running.send_signal(signal.SIGTERM)
    assert running.returncode == 0


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_process_logs_what_it_settled(tmp_path: Path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps(["zero", "one", "two"]))
    with process(tmp_path, "--script", str(script), "--latency", "0.01") as url:
        model = OpenAI("m", base_url=url)
        reply = asyncio.run(model.generate(request("Hi", seeds=(4, 5, 6))))
        asyncio.run(Responses("m", base_url=url).stream(request("Hi you"), lambda *_: None))
    assert [sample.text for sample in reply.samples] == [pick(["zero", "one", "two"], 4 + i, "Hi") for i in range(3)]
    first, second = logged(tmp_path)
    assert (first["body"]["n"], first["n"], second["n"]) == (3, 3, 1)
    assert first["usage"] == {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    assert second["usage"]["input_tokens"] == 2


async def storm(models: list[Backend], count: int) -> list[Reply | BaseException]:
    """So many requests at once, streamed by turns."""
    calls = [
        model.generate(request(f"number {i}")) if i % 2 else model.stream(request(f"number {i}"), lambda *_: None)
        for i in range(count)
        for model in models
    ]
    return await asyncio.gather(*calls, return_exceptions=True)


def test_in_a_storm_the_log_has_what_the_clients_got(tmp_path: Path):
    rates = {"429": 0.2, "429:2": 0.1, "500": 0.1, "stall:30": 0.05, "cut": 0.1, "reset": 0.1, "html": 0.05}
    with process(tmp_path, "--faults", json.dumps(rates), "--seed", "7") as url:
        models = [make("m", base_url=url, total=1.0) for make in (OpenAI, Responses)]
        ended = asyncio.run(storm(models, 100))
    replies = [end for end in ended if isinstance(end, Reply)]
    settled = logged(tmp_path)
    assert len(replies) == len(settled)
    assert 30 < len(replies) < 100
    assert all(isinstance(end, Reply | ModelError) for end in ended)
    written = sum(line["usage"].get("completion_tokens") or line["usage"]["output_tokens"] for line in settled)
    assert sum(reply.usage.tokens_out for reply in replies) == written
    waits = [end.retry_after for end in ended if isinstance(end, TransientModelError) and end.busy]
    assert {None, 2.0} == set(waits)


def test_the_weather_is_the_same_for_the_same_seed():
    rates = {"429": 0.2, "529": 0.1, "stall": 0.1, "cut": 0.1, "reset": 0.1, "html": 0.1}
    body = {"model": "m", "messages": [], "stream": True}
    seen = [[faulty(obedient, rates, seed)(body, index) for index in range(1000)] for seed in (1, 1, 2)]
    assert seen[0] == seen[1] != seen[2]
    kinds = Counter(answer.status if isinstance(answer, Raw) else type(answer) for answer in seen[0])
    assert 150 < kinds[429] < 250
    assert 60 < kinds[529] < 140
    assert 60 < kinds[Stall] < 140
    assert 150 < kinds[Cut] < 250
    assert 200 < kinds[list] < 400


@pytest.mark.parametrize("in_flight", [3, None])
def test_more_at_once_than_allowed_are_asked_to_slow_down(in_flight: int | None):
    async def run() -> int:
        async with ChatServer(latency=0.5, in_flight=in_flight) as server:
            ended = await storm([OpenAI("m", base_url=server.base_url)], 8)
            assert all(end.busy for end in ended if isinstance(end, TransientModelError))
            return sum(isinstance(end, Reply) for end in ended)

    assert asyncio.run(run()) == (in_flight or 8)

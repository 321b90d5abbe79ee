"""Our client of OpenAI's protocol against a server that is not ours: ``transformers serve`` with a tiny model."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import LESSONS, shared

from veriloop.core.errors import VeriloopError
from veriloop.core.messages import Message, Reply, Request
from veriloop.models.conformance import check
from veriloop.models.openai import OpenAI

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STARTED = "Application startup complete"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that runs while these tests do."""
    log = tmp_path_factory.mktemp("serve") / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", shared("text"), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cpu"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=env)
    try:
        while STARTED not in log.read_text():
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def tiny(url: str) -> OpenAI:
    """The server's model. It ignores a schema and log-probabilities, and this one sees no pictures."""
    model = OpenAI(str(shared("text")), url)
    can = replace(model.capabilities, schema=False, logprobs=False, images=False)
    return OpenAI(str(shared("text")), url, capabilities=can)


def test_the_suite_passes(url: str):
    lines = asyncio.run(check(tiny(url)))
    assert {line.name for line in lines if line.outcome == "n/a"} == {"schema", "logprobs", "prefix", "images"}
    assert [line for line in lines if line.outcome == "fails"] == []


def test_what_it_says_is_what_the_model_learned(url: str):
    async def main() -> list[Reply]:
        model = tiny(url)
        asked = [Request(messages=(Message("user", question),), temperature=0.0) for question, _ in LESSONS[:3]]
        return await asyncio.gather(*map(model.generate, asked))

    assert [reply.samples[0].text for reply in asyncio.run(main())] == [reply for _, reply in LESSONS[:3]]


def test_a_model_it_does_not_serve_is_told_in_one_line(url: str):
    with pytest.raises(VeriloopError) as caught:
        asyncio.run(OpenAI("nobody/no-such-model", url).generate(Request(messages=(Message("user", "Say hello."),))))
    assert "\n" not in str(caught.value)

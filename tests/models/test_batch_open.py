"""Batches that outlive who asked for them: callers that leave, processes that are killed, receipts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from anthropic_server import fault
from batch_client import BOTH, PROVIDERS, ask, model_of, receipts, request, texts, until, url_of
from batch_server import BatchServer, Made
from loopback import Raw

import veriloop as vl
from veriloop.core.errors import ModelError, TransientModelError, UsageError
from veriloop.models.batch_receipts import KEPT, locked

CLIENT = """
import asyncio, json, sys
from pathlib import Path
from veriloop.core.messages import Message, Request
from veriloop.models.anthropic import Anthropic
from veriloop.models.batch import Batched
from veriloop.models.openai import OpenAI

provider, url, folder, *texts = sys.argv[1:]

async def main():
    model = (OpenAI if provider == "openai" else Anthropic)("m", base_url=url)
    batch = Batched(model, Path(folder), quiet=0.1, poll=(0.02, 0.05))
    asked = [Request(messages=(Message("user", text),)) for text in texts]
    replies = await asyncio.gather(*map(batch.generate, asked))
    print(json.dumps([reply.samples[0].text for reply in replies]))

asyncio.run(main())
"""

DYING = """
import asyncio, os, signal, sys
from pathlib import Path
import veriloop as vl
from veriloop.core.journal import Journal
from veriloop.models.anthropic import Anthropic
from veriloop.models.batch import Batched
from veriloop.models.openai import OpenAI

provider, url, folder = sys.argv[1:]
append, replies = Journal.append, 0

def dying(self, records):
    global replies
    records = list(records)
    replies += any(record.kind == "model" for record in records)
    if replies == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, records)

Journal.append = dying
model = (OpenAI if provider == "openai" else Anthropic)("m", base_url=url)
batch = Batched(model, Path(folder), quiet=0.1, poll=(0.02, 0.05))
vl.solve(
    "Say something.",
    model=batch,
    strategy=vl.Strategy.of("best_of_n", n=4),
    verify=lambda answer: (len(answer) / 1000, "longer"),
    on_event=lambda event: print(event.run, flush=True),
)
"""
"""Dies when all of four replies have come and three are in the journal."""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "OPENAI_"))]:
        monkeypatch.delenv(name)


# ---- callers that leave


@BOTH
def test_a_caller_that_leaves_before_the_submission_is_not_asked_for(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            model = model_of(provider, server, tmp_path)
            leaving = asyncio.create_task(model.generate(request("leaving")))
            staying = asyncio.create_task(model.generate(request("staying")))
            await asyncio.sleep(0.02)
            leaving.cancel()
            assert texts([await staying]) == ["staying"]
            assert [made.texts for made in server.made] == [["staying"]]

    asyncio.run(run())


@BOTH
def test_a_batch_whose_callers_have_left_stays_open_and_is_found_again(provider: str, tmp_path: Path):
    async def run() -> None:
        told: list[str] = []
        async with BatchServer(hold=True) as server:
            model = model_of(provider, server, tmp_path, tell=told.append)
            calls = [asyncio.create_task(model.generate(request(text))) for text in "ab"]
            await until(lambda: server.made and server.made[0].looks)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            assert "goes on; a run that asks the same again" in told[-1]
            looks = server.made[0].looks
            await asyncio.sleep(0.15)
            assert server.made[0].looks <= looks + 1  # nobody looks while nobody waits
            server.hold = False
            assert texts(await ask(model, "a")) == ["a"]
            assert list(receipts(tmp_path)[0]["requests"])  # what b asked for is still to be got
            other = model_of(provider, server, tmp_path)
            assert texts(await ask(other, "b", "c")) == ["b", "c"]
            assert [sorted(made.texts) for made in server.made] == [["a", "b"], ["c"]]
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_a_caller_that_leaves_as_its_reply_comes_does_not_lose_it(tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            model = model_of("openai", server, tmp_path)
            call = asyncio.create_task(model.generate(request("a")))
            give = model._setup.provider.read

            def read(*args: Any) -> Any:
                call.cancel()
                return give(*args)

            model._setup.provider.read = read
            with pytest.raises(asyncio.CancelledError):
                await call
            assert len(receipts(tmp_path)) == 1
            model._setup.provider.read = give
            assert texts(await ask(model, "a")) == ["a"]
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


# ---- processes that die


async def client(provider: str, server: BatchServer, folder: Path, *asked: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-c", CLIENT, provider, url_of(provider, server), str(folder), *asked]
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def answered(process: asyncio.subprocess.Process) -> list[str]:
    out, faults = await process.communicate()
    assert process.returncode == 0, faults.decode()
    return [text.removesuffix(" [0]") for text in json.loads(out)]


async def killed(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.communicate()


@BOTH
def test_a_killed_process_leaves_its_batch_to_the_next(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer(hold=True) as server:
            first = await client(provider, server, tmp_path, *"abcde")
            await until(lambda: server.made and server.made[0].looks > 1)
            await killed(first)
            assert [len(receipt["requests"]) for receipt in receipts(tmp_path)] == [5]
            server.hold = False
            assert await answered(await client(provider, server, tmp_path, *"edcba")) == list("edcba")
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


@BOTH
def test_a_kill_between_the_submission_and_the_writing_of_its_id_does_not_pay_twice(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer(looks=1) as server:
            server.faults = ["stall"]
            first = await client(provider, server, tmp_path, *"abc")
            await until(lambda: server.made)
            await killed(first)
            assert [receipt["id"] for receipt in receipts(tmp_path)] == [""]
            # Other people's batches of the same size, one of them still at work, and of another.
            for i, size in enumerate([3, 2, 3, 3]):
                bodies = {f"other-{k}": dict(body) for k, body in enumerate(server.made[0].bodies.values())}
                server.add(Made("", server.made[0].kind, dict(list(bodies.items())[:size]), held=i == 2, looks=5))
            assert await answered(await client(provider, server, tmp_path, *"abc")) == list("abc")
            assert len(server.made) == 5
        assert receipts(tmp_path) == []

    asyncio.run(run())


@BOTH
def test_a_submission_that_never_arrived_is_made_again(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            server.faults = ["stall"]
            first = await client(provider, server, tmp_path, *"abc")
            await until(lambda: server.made)
            await killed(first)
            server.made.clear()
            assert await answered(await client(provider, server, tmp_path, *"abc")) == list("abc")
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
UNREAD = {
    "cut": "cut",
    "500": Raw(500, fault("api_error", "oops")),
    "status": b"HTTP/1.1 2OO OK\r\n\r\n",
    "header": HEAD + b"x-long: " + b"x" * 100_000 + b"\r\n\r\n",
    "chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "page": HEAD + b"content-length: 6\r\n\r\n<html>",
    "no batch": HEAD + b"content-length: 2\r\n\r\n[]",
    "no id": HEAD + b"content-length: 2\r\n\r\n{}",
    "never made": Raw(200, "<html>Welcome</html>"),
    "gzip": HEAD + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello",
}


@BOTH
@pytest.mark.parametrize("how", UNREAD.values(), ids=UNREAD.keys())
def test_a_submission_with_an_unknown_end_is_looked_for_before_it_is_repeated(provider: str, how: Any, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            server.faults = [how]
            model = model_of(provider, server, tmp_path)
            errors = await ask(model, "a", "b")
            assert all(isinstance(error, TransientModelError) and error.unsettled for error in errors)
            assert texts(await ask(model, "a", "b")) == ["a", "b"]
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


@BOTH
@pytest.mark.parametrize("listed", ["<html>", [], {"data": None}, {"data": [1]}], ids=str)
def test_a_list_that_cannot_be_read_does_not_say_that_there_is_no_batch(provider: str, listed: Any, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            server.faults, server.lists = ["cut"], [Raw(200, listed)]
            model = model_of(provider, server, tmp_path)
            await ask(model, "a")
            (error,) = await ask(model, "a")
            assert type(error) is ModelError
            assert "gave no usable reply" in str(error)
            assert texts(await ask(model, "a")) == ["a"]
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_a_listed_batch_with_our_token_is_known_at_once(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(hold=True) as server:
            server.faults = ["cut"]
            model = model_of("openai", server, tmp_path)
            await ask(model, "a")
            asking = asyncio.create_task(ask(model, "a"))
            await until(lambda: receipts(tmp_path)[0]["id"] == server.made[0].id)
            server.hold = False
            assert texts(await asking) == ["a"]
            assert len(server.made) == 1

    asyncio.run(run())


@BOTH
@pytest.mark.parametrize("date", [None, "soon", [1]], ids=str)
def test_a_listed_batch_with_an_odd_date_is_looked_at(provider: str, date: Any, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            server.faults = ["cut"]
            model = model_of(provider, server, tmp_path)
            await ask(model, "a")
            metadata = {"veriloop": receipts(tmp_path)[0]["token"]}
            shown = {"id": server.made[0].id, "created_at": date, "metadata": metadata}
            server.lists = [Raw(200, {"data": [{**shown, "request_counts": {"succeeded": 1}}], "has_more": False})]
            assert texts(await ask(model, "a")) == ["a"]
            assert len(server.made) == 1

    asyncio.run(run())


@BOTH
def test_two_processes_that_ask_the_same_share_a_batch(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer(looks=20) as server:
            both = [await client(provider, server, tmp_path, *"abc") for _ in range(2)]
            assert await asyncio.gather(*map(answered, both)) == [list("abc")] * 2
            assert sorted(text for made in server.made for text in made.texts) == list("abc")

    asyncio.run(run())


# ---- receipts


def test_receipts_of_other_models_and_servers_are_left_alone(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(hold=True) as server, BatchServer() as other:
            calls = [asyncio.create_task(ask(model_of(name, server, tmp_path), "a")) for name in PROVIDERS]
            await until(lambda: len(server.made) == 2 and all(receipt["id"] for receipt in receipts(tmp_path)))
            assert texts(await ask(model_of("openai", other, tmp_path), "a")) == ["a"]
            assert len(receipts(tmp_path)) == 2
            for call in calls:
                call.cancel()

    asyncio.run(run())


def test_receipts_older_than_two_days_are_cleared_away(tmp_path: Path):
    old = {
        "model": "openai:m",
        "address": "x",
        "token": "old",
        "created": time.time() - KEPT - 1,
        "requests": {"h": {}},
    }
    (tmp_path / "old.json").write_text(json.dumps(old))

    async def run() -> None:
        async with BatchServer() as server:
            assert texts(await ask(model_of("openai", server, tmp_path), "a")) == ["a"]
        assert receipts(tmp_path) == []

    asyncio.run(run())


def test_a_file_that_is_no_receipt_is_not_skipped(tmp_path: Path):
    (tmp_path / "mine.json").write_text("{}")

    async def run() -> None:
        async with BatchServer() as server:
            (error,) = await ask(model_of("openai", server, tmp_path), "a")
            assert isinstance(error, UsageError)
            assert str(error) == f"{tmp_path / 'mine.json'} is not a receipt of a batch: remove it"
            assert server.made == []

    asyncio.run(run())


def test_who_submits_is_alone(tmp_path: Path):
    async def run() -> None:
        order: list[str] = []

        async def enter(name: str) -> None:
            async with locked(tmp_path):
                order.append(name)
                await asyncio.sleep(0.05)
                order.append(name)

        await asyncio.gather(*map(enter, "ab"))
        assert order in (list("aabb"), list("bbaa"))

    asyncio.run(run())


@BOTH
def test_a_reply_that_came_and_was_not_yet_in_the_journal_is_not_paid_again(provider: str, tmp_path: Path):
    async def run() -> None:
        async with BatchServer() as server:
            command = [sys.executable, "-c", DYING, provider, url_of(provider, server), str(tmp_path / "batches")]
            first = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            out, _ = await first.communicate()
            assert first.returncode == -signal.SIGKILL
            assert [len(receipt["requests"]) for receipt in receipts(tmp_path / "batches")] == [4]
            model = model_of(provider, server, tmp_path / "batches")
            result = await vl.aresume(out.decode().split()[0], model=model, verify=score)
            assert (len(result.candidates), result.spend.calls) == (4, 4)
            assert len(server.made) == 1

    asyncio.run(run())


def test_a_run_that_was_stopped_is_resumed_out_of_its_batch(tmp_path: Path):
    async def run() -> None:
        async with BatchServer(hold=True) as server:
            model = model_of("openai", server, tmp_path)
            runs: list[str] = []
            options: dict[str, Any] = {
                "model": model,
                "verify": score,
                "on_event": lambda event: runs.append(event.run),
            }
            solving = asyncio.create_task(
                vl.asolve("Say something.", strategy=vl.Strategy.of("best_of_n", n=4), **options)
            )
            await until(lambda: server.made)
            solving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await solving
            server.hold = False
            result = await vl.aresume(runs[0], model=model_of("openai", server, tmp_path), verify=score)
            assert len(result.candidates) == 4
            assert result.spend.calls == 4
            assert len(server.made) == 1
        assert receipts(tmp_path) == []

    asyncio.run(run())


def score(answer: str) -> tuple[float, str]:
    return len(answer) / 1000, "longer"

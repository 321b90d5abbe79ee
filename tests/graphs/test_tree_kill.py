"""A search over steps whose process is killed (SIGKILL) in the middle of its tree goes on with the same tree, over real
HTTP, and sends no request again whose reply it had."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer, last_user_text
from sittings import die_at_writes, summary, with_tests

from veriloop import Result, Strategy, asolve
from veriloop.core.journal import read
from veriloop.core.seeds import derive

SEED = 7
TREES = {
    "tree_of_thought": {"children": 2, "budget": 8, "depth": 4},
    "particle_filter": {"n": 3, "budget": 9, "depth": 4, "annealing": "true"},
}


def role(body: dict[str, Any]) -> str:
    asked = last_user_text(body)
    return "step_reward" if "Judge the steps" in asked else "completion" if "Do the steps end" in asked else "proposer"


def reply(body: dict[str, Any], _index: int) -> list[Any]:
    """A step by seed, the worth of steps by their words, and whether there are three of them."""
    said = json.dumps(body["messages"])
    if role(body) == "proposer":
        return [f"step {derive(body['seed'], i, said) % 9}" for i in range(body.get("n") or 1)]
    if role(body) == "completion":
        return [json.dumps({"complete": said.count("step ") - said.count("step is") >= 4})]
    return [json.dumps({"critique": [], "score": derive(said) % 80})]


async def search(name: str, folder: Path | None = None) -> Result:
    options: dict[str, Any] = {"journal": False} if folder is None else {"run_id": "it", "folder": folder}
    strategy = Strategy(name, TREES[name])
    return await asolve("What?", strategy=strategy, model="openai:test", verify=None, seed=SEED, **options)


def settled(folder: Path) -> set[tuple[int, str]]:
    """The replies that are in the journals: by the seed and the role that they were asked for with."""
    records = [record for path in (folder / "journals").glob("*.jsonl") for record in read(path)]
    keys = [record.key.split("/") for record in records if record.kind == "model"]
    return {(derive(SEED, attempt) & 0x7FFFFFFF, role) for attempt, role, _ in keys}


def identities(server: ChatServer, since: int) -> set[tuple[int, str]]:
    """The requests that came to the server since then, by seed and role."""
    return {(request.body["seed"], role(request.body)) for request in server.requests[since:]}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_that_is_killed_again_and_again_is_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with ChatServer(reply, latency=0.01) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        expected = asyncio.run(search(name))
        undisturbed = identities(server, 0)
        had: set[tuple[int, str]] = set()
        kills = 0
        for writes in (2, 4, 7, 0):
            before = len(server.requests)
            command = [sys.executable, str(Path(__file__)), name, str(tmp_path), str(writes)]
            done = subprocess.run(command, capture_output=True, text=True, env=with_tests(), check=False)
            kills += done.returncode == -signal.SIGKILL
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
            assert not identities(server, before) & had, "a request whose reply was there was sent again"
            had = settled(tmp_path)
        assert kills == 3
        assert identities(server, 0) == undisturbed
    assert json.loads(done.stdout) == summary(expected)
    assert len({c.proposal.parents for c in expected.candidates}) >= 3, "that was no tree"


if __name__ == "__main__":
    die_at_writes(after=int(sys.argv[3]))
    print(json.dumps(summary(asyncio.run(search(sys.argv[1], Path(sys.argv[2]))))))

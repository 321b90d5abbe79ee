"""A run whose process is killed again and again ends as if nothing had happened, and pays for nothing twice.

Real processes, really killed (SIGKILL), over real HTTP: see ``sittings``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer
from sittings import RUNS, Sittings, reply, serving, solve, summary

LATENCY = 0.04

Point = tuple[str, float] | dict[str, str]

# In each row two runs share a process. Each process is killed at its point, and the next goes on from there.
CHAINS: list[tuple[tuple[str, str], list[Point]]] = [
    (("iad", "iad"), [("bytes", n) for n in (1, 900, 2500, 4000, 1500)]),
    (("iad", "self_refine"), [("arrived", n) for n in (1, 2, 3, 2, 1)]),
    (("iad", "sql"), [("seconds", ms / 1000) for ms in (250, 400, 450, 500)]),
    (("self_refine", "iad"), [{"DIE_AFTER": str(n)} for n in (1, 3, 2, 6, 4)]),
    (("sql", "iad"), [{"DIE_BEFORE": str(n)} for n in (2, 4, 3, 7, 5)]),
]


def undisturbed(kind: str, seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    """The run without a kill, and the requests it takes."""
    with ChatServer(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        result = asyncio.run(solve(kind, seed, folder, journal=False))
    return summary(result), len(server.requests)


def lived_through(sittings: Sittings, points: list[Point]) -> Sittings:
    """The runs after being killed at all points that come before their end."""
    for point in points:
        killed = sittings.sit(**point) if isinstance(point, dict) else sittings.sit(*point)
        if not killed:
            return sittings
    assert not sittings.sit()
    return sittings


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Sittings]]:
    """All chains, two at a time."""
    folder = tmp_path_factory.mktemp("kill")
    with serving(folder, LATENCY) as (url, log), ThreadPoolExecutor(2) as pool:
        runs = [Sittings({2 * i + 1: a, 2 * i + 2: b}, folder, url, log) for i, ((a, b), _) in enumerate(CHAINS)]
        yield list(pool.map(lived_through, runs, [points for _, points in CHAINS]))


def test_killed_runs_end_as_if_undisturbed(chains, tmp_path, monkeypatch) -> None:
    for sittings in chains:
        for seed, kind in sittings.runs.items():
            expected, requests = undisturbed(kind, seed, tmp_path, monkeypatch)
            assert requests == RUNS[kind].requests
            assert sittings.results[seed] == expected
    assert sum(kill.unfinished for sittings in chains for kill in sittings.kills) >= 30


def test_no_settled_request_is_sent_again(chains) -> None:
    assert [sittings.repeated() for sittings in chains] == [[]] * len(chains)


def test_a_kill_repeats_only_what_was_in_flight(chains) -> None:
    for sittings in chains:
        undisturbed = sum(RUNS[kind].requests for kind in sittings.runs.values())
        assert len(sittings.arrived()) <= undisturbed + sittings.unsettled()


def test_the_command_goes_on_with_a_killed_run(tmp_path, monkeypatch) -> None:
    expected, requests = undisturbed("sql", 0, tmp_path, monkeypatch)
    with ChatServer(reply, latency=0.1) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        how = ["--db", "fruit.sqlite", "--set", "rounds=4", "--set", "width=2", "--set", "early_stop=false", "--json"]
        command = ["solve", "Which fruit is number 0?", "-s", "iad", "-m", "openai:test", *how]
        with veriloop(command, tmp_path) as process:
            while len(server.requests) < 3:
                assert process.poll() is None
                time.sleep(0.005)
            process.kill()
        with veriloop(["runs", "list", "--json"], tmp_path) as process:
            (listed,) = json.loads(process.communicate()[0])
        assert listed["status"] == "unfinished"
        with veriloop(["runs", "resume", listed["id"][:6], "--json"], tmp_path) as process:
            said = json.loads(process.communicate()[0])
    assert said["answer"] == expected["answer"]
    assert [a["artifact"] for a in said["attempts"]] == [a["artifact"] for a in expected["attempts"]]
    assert len(server.requests) == requests + 1
    assert [r.outcome for r in server.requests].count("cancelled") == 1


def veriloop(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """The command, at work in ``folder``."""
    command = [sys.executable, "-c", "from veriloop.apps.cli import main; main()", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)

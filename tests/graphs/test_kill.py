"""A run whose process is killed again and again ends as if nothing had happened, and pays for nothing twice.

Real processes, really killed (SIGKILL), over real HTTP: see ``sittings``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer
from sittings import RUNS, Sittings, reply, serving, solve, summary

LATENCY = 0.03

# Each chain is one run; each of its sittings is killed at the point named, and the next goes on from there.
CHAINS: dict[str, tuple[str, list[tuple[str, float] | dict[str, str]]]] = {
    "by bytes": ("iad", [("bytes", n) for n in (1, 200, 900, 1800, 2600, 1200, 400, 3000)]),
    "by requests": ("iad", [("arrived", n) for n in (1, 1, 2, 1, 1)]),
    "by time": ("iad", [("seconds", s / 1000) for s in (5, 20, 40, 60, 80, 100, 130, 160)]),
    "after each write": ("iad", [{"DIE_AFTER": str(n)} for n in (1, 1, 1, 2, 1, 3, 1, 4)]),
    "before each write": ("iad", [{"DIE_BEFORE": str(n)} for n in (1, 2, 2, 2, 3, 2, 5)]),
    "with critics": ("self_refine", [("bytes", 100), ("arrived", 1), {"DIE_BEFORE": "3"}, ("arrived", 2)]),
    "with tools": ("sql", [("arrived", 1), {"DIE_AFTER": "3"}, {"DIE_BEFORE": "4"}, ("bytes", 2500)]),
}


def undisturbed(kind: str, seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    """The run without a kill, and the requests it takes."""
    with ChatServer(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        result = asyncio.run(solve(kind, seed, folder, journal=False))
    return summary(result), len(server.requests)


def lived_through(sittings: Sittings, points: list[tuple[str, float] | dict[str, str]]) -> Sittings:
    """The run after being killed at all points that come before its end."""
    for point in points:
        killed = sittings.sit(**point) if isinstance(point, dict) else sittings.sit(*point)
        if not killed:
            return sittings
    assert not sittings.sit()
    return sittings


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sittings]]:
    """All chains, two at a time."""
    folder = tmp_path_factory.mktemp("kill")
    with serving(folder, LATENCY) as (url, log), ThreadPoolExecutor(2) as pool:
        runs = {
            name: pool.submit(lived_through, Sittings(kind, seed, folder, url, log), points)
            for seed, (name, (kind, points)) in enumerate(CHAINS.items(), start=1)
        }
        yield {name: run.result() for name, run in runs.items()}


@pytest.mark.slow
def test_a_killed_run_ends_as_if_undisturbed(chains, tmp_path, monkeypatch) -> None:
    for name, run in chains.items():
        expected, requests = undisturbed(run.kind, run.seed, tmp_path, monkeypatch)
        assert requests == RUNS[run.kind].requests
        assert run.result is not None
        ended = {**run.result, "best": None, "attempts": None}
        assert [a["id"] for a in run.result["attempts"]] == [a["id"] for a in expected["attempts"]], name
        assert ended == {**expected, "best": None, "attempts": None}, name
        assert run.result == expected, name
    assert sum(len(run.settled_at_kill) for run in chains.values()) >= 30


@pytest.mark.slow
def test_no_settled_request_is_sent_again(chains) -> None:
    for name, run in chains.items():
        assert run.repeated() == [], name


@pytest.mark.slow
def test_a_kill_repeats_only_what_was_in_flight(chains) -> None:
    for name, run in chains.items():
        assert len(run.arrived()) <= RUNS[run.kind].requests + run.unsettled(), name

"""A benchmark whose process is killed again and again ends as if nothing had happened, and pays for nothing twice."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import Answers, cells, command, folder, questions, rows, sit
from loopback import ChatServer

from veriloop.core.journal import read
from veriloop.core.seeds import derive

# Arms with temperatures of their own: a request then says whose it is.
STRATEGIES = "single:temperature=0.1,best_of_n:temperature=0.2,self_refine:temperature=0.3,iad:temperature=0.4"
HOW = ["--strategies", STRATEGIES, "--proposals", "4", "--seeds", "2", "--concurrency", "5"]
TEMPERATURES = {"single": 0.1, "best_of_n": 0.2, "self_refine": 0.3, "iad": 0.4}
TASKS = rows(8)


@dataclass
class Bench:
    """A command that is killed at points and begun again. ``kills`` hold when it was, and what was paid for then."""

    path: Path
    answers: Answers
    server: ChatServer
    kills: list[tuple[float, frozenset[str]]] = field(default_factory=list[tuple[float, frozenset[str]]])

    @property
    def out(self) -> Path:
        return self.path / "out"

    def sit(self, until: Callable[[], bool] | None = None, how: signal.Signals = signal.SIGKILL) -> Any:
        asked = command(self.path / "data", self.out, *HOW)
        ended = sit(asked, self.server, self.path / "home", until, how)
        self.kills.append((time.monotonic(), self.settled()))
        return ended

    def settled(self) -> frozenset[str]:
        """The requests of proposers whose replies are in a journal."""
        records = [r for path in self.out.glob("journals/*.jsonl") for r in read(path)]
        runs = {r.run: r.value for r in records if r.kind == "run"}
        found: set[str] = set()
        for record in records:
            proposal, role, _ = record.key.split("/") if record.kind == "model" else ("", "", "")
            if role == "proposer":
                said = runs[record.run]
                warm = TEMPERATURES[said["strategy"]["name"]]
                question = said["task"]["messages"][0]["content"]
                found.add(f"{question}|{warm}|{derive(said['seed'], proposal) & 0x7FFFFFFF}")
        return frozenset(found)

    def repeated(self) -> list[str]:
        """Requests that were sent although their reply was in a journal: there must be none."""
        return [r for at, r in self.answers.arrived if any(at > moment and r in paid for moment, paid in self.kills)]

    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.out.glob("journals/*.jsonl"))

    def lines(self) -> int:
        path = self.out / "results.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0


def more(measure: Callable[[], int], amount: int) -> Callable[[], bool]:
    """Whether something has grown so much since now."""
    before = measure()
    return lambda: measure() - before >= amount


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[Any, Any], int]:
    """The cells without a kill, and how many requests they take."""
    path = tmp_path_factory.mktemp("undisturbed")
    folder(path / "data", TASKS)
    answers = Answers(questions(TASKS))
    with ChatServer(answers) as server:
        ended = Bench(path, answers, server).sit()
    assert ended.status == 0, ended.err
    return cells(path / "out"), len(answers.arrived)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder(tmp_path / "data", TASKS)
    answers = Answers(questions(TASKS))
    with ChatServer(answers, latency=0.02) as server:
        yield Bench(tmp_path, answers, server)


POINTS: list[tuple[str, list[int]]] = [
    ("arrived", [1, 7, 30, 45]),
    ("lines", [1, 10, 20]),
    ("bytes", [1, 40_000, 150_000]),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("what", "amounts"), POINTS, ids=[what for what, _ in POINTS])
def test_killed_at_any_point_it_ends_as_if_undisturbed(
    bench: Bench, undisturbed: tuple[dict[Any, Any], int], what: str, amounts: list[int]
) -> None:
    measure: Callable[[], int] = {"arrived": lambda: len(bench.answers.arrived), "lines": bench.lines,
                                  "bytes": bench.bytes}[what]  # fmt: skip
    for amount in amounts:
        assert bench.sit(more(measure, amount)).status == -signal.SIGKILL
    ended = bench.sit()
    assert ended.status == 0, ended.err
    expected, requests = undisturbed
    assert cells(bench.out) == expected
    lines = [json.loads(line) for line in (bench.out / "results.jsonl").read_text().splitlines()]
    assert len(lines) == len(expected), "a cell was done twice"
    assert bench.repeated() == []
    assert bench.settled() & {request for _, request in bench.answers.arrived}, "the journals name no request"
    in_flight = len(amounts) * 5  # a kill may catch one request of each cell at work
    assert requests <= len(bench.answers.arrived) <= requests + in_flight


def test_interrupted_it_says_how_to_go_on(bench: Bench, undisturbed: tuple[dict[Any, Any], int]) -> None:
    ended = bench.sit(more(bench.lines, 5), signal.SIGINT)
    assert ended.status == 130
    assert ended.err == "veriloop: interrupted; the same command goes on\n"
    assert 5 <= bench.lines() < len(undisturbed[0])
    assert bench.sit().status == 0
    assert cells(bench.out) == undisturbed[0]
    assert bench.repeated() == []


def test_two_at_once_in_one_folder_are_refused(bench: Bench) -> None:
    refused: list[Any] = []

    def second() -> bool:
        if bench.lines() >= 2:
            refused.append(sit(command(bench.path / "data", bench.out, *HOW), bench.server, bench.path / "home"))
        return bool(refused)

    bench.sit(second)
    assert refused[0].status == 2
    assert "another process is at work in" in refused[0].err

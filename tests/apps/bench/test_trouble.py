"""What goes wrong around cells: a tool that fails in scoring, a first task that cannot run, other code than before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import cells
from loopback import ChatServer

from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.course import Course, Order
from veriloop.core.errors import ToolError
from veriloop.core.task import Task


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer(lambda body, index: ["well"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def course(benchmark: Any, out: Path, *strategies: str) -> Course:
    order = {"verify": ["none"], "models": {"proposer": "openai:test"}}
    return Course(Order(benchmark=benchmark, data=Path(), out=out, strategies=strategies or ("single",), **order))


class Flaky:
    """Four tasks without groups. A tool fails when the third is scored, until it does not."""

    verify = "none"
    metrics = ("said",)

    def __init__(self) -> None:
        self.fails = True
        self.first: str | None = None

    def load(self, data: Path) -> list[Item]:
        return [Item(f"f{n}", Task(f"say {n}", database=None if n else self.first), n) for n in range(4)]

    async def score(self, item: Item, candidates: Any) -> list[dict[str, bool]]:
        if self.fails and item.gold == 2:
            raise ToolError("the worker did not start")
        return [{"said": True} for _ in candidates]


def test_a_tool_that_fails_in_scoring_is_trouble_that_may_pass_and_its_run_was_paid_for(server, tmp_path: Path) -> None:
    benchmark = Flaky()
    asyncio.run(course(benchmark, tmp_path / "out").run())
    found = cells(tmp_path / "out")["single", "f2", 0]
    assert (found["stopped"], found["right"]) == ("error: the worker did not start", {"said": False})
    assert found["spend"]["tokens_in"] == cells(tmp_path / "out")["single", "f3", 0]["spend"]["tokens_in"] > 0
    seen, benchmark.fails = len(server.requests), False
    asyncio.run(course(benchmark, tmp_path / "out").run())
    assert cells(tmp_path / "out")["single", "f2", 0]["right"] == {"said": True}
    assert len(server.requests) == seen


def test_a_first_task_that_cannot_run_stops_nothing_where_tasks_have_no_groups(server, tmp_path: Path) -> None:
    benchmark = Flaky()
    benchmark.fails, benchmark.first = False, "/nowhere.sqlite"
    asyncio.run(course(benchmark, tmp_path / "out").run())
    found = cells(tmp_path / "out")
    assert [found["single", f"f{n}", 0]["stopped"] for n in range(4)] == ["broken", "done", "done", "done"]


def test_a_cell_that_other_code_has_begun_says_what_to_do(server, tmp_path: Path) -> None:
    benchmark = Flaky()
    asyncio.run(course(benchmark, tmp_path / "out").run())
    for path in (tmp_path / "out" / "journals").glob("*.jsonl"):
        path.write_text(path.read_text().replace('"hash":"', '"hash":"0'))
    asyncio.run(course(benchmark, tmp_path / "out").run())
    assert cells(tmp_path / "out")["single", "f2", 0]["error"].endswith("changed since: give another --out")

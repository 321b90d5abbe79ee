"""Flips of answers are counted round by round, against the round before."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.flips import by_round, flips, table

T, F = True, False


def counted(*answers: list[bool]) -> list[tuple[int, int, int]]:
    return [(each.right, each.gained, each.lost) for each in flips(answers)]


def test_a_round_is_held_against_the_one_before():
    assert counted([F, T, F, T], [T, F, T, F], [T, T, T, T]) == [(2, 0, 0), (2, 1, 1), (2, 1, 1), (2, 1, 1)]
    assert counted([F, T, T], [F, F, F]) == [(0, 0, 0), (1, 1, 0), (1, 0, 0)]


def test_who_ended_earlier_keeps_its_answer_and_who_has_none_is_wrong():
    assert counted([T], [F, T], []) == [(1, 0, 0), (2, 1, 0)]
    assert flips([]) == []


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1))
def test_gains_and_losses_add_up_to_what_changed(answers: list[list[bool]]):
    found = flips(answers)
    for before, each in zip([found[0], *found], found, strict=False):
        assert each.right == before.right + each.gained - each.lost
        assert each.gained + each.lost <= each.problems == len(answers)


def test_a_round_without_a_candidate_keeps_the_answer_before():
    def candidate(round: int, right: bool, outcome: str = "unscored") -> dict[str, Any]:
        return {"round": round, "right": {"m": right}, "outcome": outcome}

    row = {"candidates": [candidate(0, T), candidate(1, F, "infra_error"), candidate(2, F), candidate(2, T)]}
    assert by_round(row, "m") == [T, T, T]
    assert by_round({"candidates": [candidate(0, F, "infra_error"), candidate(1, T)]}, "m") == [F, T]
    assert by_round({"candidates": []}, "m") == []


OWN = """
import re
from pathlib import Path
from veriloop import Task
from veriloop.apps.bench.benchmark import Item
from veriloop.core.messages import Capabilities
from veriloop.models.scripted import Scripted

class Sums:
    name, metrics, verify = "sums", ("exact",), "none"
    def load(self, data):
        return [Item(str(i), Task(f"What is {i} + {i}?"), str(2 * i)) for i in range(4)]
    async def score(self, item, candidates):
        return [{"exact": c.text.endswith(item.gold + ".")} for c in candidates]

class Doubtful(Scripted):
    def __init__(self):
        super().__init__(self.say, capabilities=Capabilities(prefix=True, n=True, seed=True))
    def say(self, request, seed):
        n, turn = int(re.findall(r"\\d+", request.messages[-1].text)[0]), request.prefix.count("Wait")
        right = {0: [0, 0], 1: [0, 1], 2: [1, 0], 3: [1, 1]}[n][min(turn, 1)]
        return f" It is {2 * n if right else 99}."
"""


def test_a_benchmark_of_start_is_told_round_by_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sums.py").write_text(OWN)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    order = Order(
        benchmark="sums:Sums",
        data=Path("data"),
        out=Path("out"),
        strategies=["start"],
        models={"proposer": "sums:Doubtful"},
    )
    asyncio.run(Course(order).run())
    (label,) = {line.partition(" · ")[0] for line in table(Path("out"))}
    assert table(Path("out")) == [
        f"{label} · exact · R = 0: 2/4 right",
        f"{label} · exact · R = 1: 2/4 right; since R = 0: 0→1 1, 1→0 1",
        f"{label} · exact · R = 2: 2/4 right; since R = 1: 0→1 0, 1→0 0",
    ]


@pytest.mark.parametrize(("given", "says"), [([], "give the folder"), (["nowhere"], "nowhere")])
def test_the_script_says_in_a_line_what_is_wrong(tmp_path: Path, given: list[str], says: str):
    script = Path(__file__).parents[3] / "scripts" / "bench" / "flips.py"
    done = subprocess.run([sys.executable, script, *given], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr

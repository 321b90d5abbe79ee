"""A sequential method is compared with others at equal generated tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.rounds import Rounds, against, by_round, rounds_of, table
from veriloop.core.errors import UsageError


def made(label: str, right: list[list[int]], tokens: list[list[int]], samples: bool = False) -> Rounds:
    """Tasks by rounds, one seed."""
    blocks = [np.array(each, dtype=float)[:, None, :] for each in (right, tokens)]
    return Rounds(label, samples, *blocks)


def test_the_other_gets_the_first_round_by_which_it_has_generated_as_many_tokens():
    one = made("a", [[0, 1], [0, 1], [1, 1]], [[10, 30], [10, 40], [10, 90]])
    other = made("b", [[0, 1, 0], [0, 0, 1], [0, 1, 1]], [[10, 30, 50], [10, 39, 50], [10, 20, 30]])
    found = against(one, other, 1)
    # the first has 30 at its second round (right), the second only at its third (right), the third never has 90
    assert (found["value"], found["better"], found["worse"]) == (0.0, 0, 0)
    assert found["others_tokens"] == pytest.approx((30 + 50 + 30) / 3)
    assert found["tokens"] == pytest.approx((30 + 40 + 90) / 3)
    assert against(other, one, 0)["value"] == pytest.approx(-1 / 3)  # 10 tokens: the first round, right in one of three


def test_each_round_has_its_share_its_interval_and_its_tokens():
    first, second = by_round(made("a", [[0, 1], [0, 1], [1, 1], [0, 0]], [[10, 30], [10, 40], [10, 90], [10, 40]]))
    assert (first["value"], first["tokens"], second["value"], second["tokens"]) == (0.25, 10, 0.75, 50)
    assert first["low"] < 0.25 < first["high"]


MADE = """
import re
from veriloop import Task
from veriloop.apps.bench.benchmark import Item
from veriloop.core.messages import Capabilities, Reply, Sample, Usage

class Sums:
    name, metrics, verify = "sums", ("exact",), "none"
    def load(self, data):
        return [Item(str(i), Task(f"What is {i} + {i}?"), str(2 * i)) for i in range(3)]
    async def score(self, item, candidates):
        return [{"exact": c.text.endswith(item.gold + ".")} for c in candidates]

class Late:
    \"\"\"Right in the second round of the task 1, by its second sample in the task 2, and at once in the task 0.\"\"\"
    name, capabilities = "late", Capabilities(prefix=True, seed=True)
    asked = {}
    async def generate(self, request):
        task = int(re.search(r"\\d+", request.messages[-1].text)[0])
        at = request.prefix.count("Wait") if request.prefix else self.asked.setdefault(task, 0)
        self.asked[task] += not request.prefix
        right = at >= task and (task != 1 or bool(request.prefix))
        return Reply((Sample(f" It is {2 * task if right else 99}."),), Usage(3, 5))
"""


def bench(out: str, strategy: str, verify: str) -> Path:
    order: dict[str, Any] = {"benchmark": "made:Sums", "data": Path("data"), "out": Path(out)}
    asyncio.run(Course(Order(**order, strategies=[strategy], verify=[verify], models={"proposer": "made:Late"})).run())
    return Path(out)


def test_benchmark_runs_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "made.py").write_text(MADE)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    hinted = bench("hinted", "start:rounds=2", "none")
    plain = bench("plain", "best_of_n:n=3", "oracle")
    one, other = rounds_of([hinted, plain])
    assert (one.samples, other.samples) == (False, True)
    assert one.tokens[0, 0].tolist() == other.tokens[0, 0].tolist() == [5, 10, 15]
    lines = table([hinted, plain])
    assert lines[0].startswith("start:rounds=2 · R = 0: 33.3 [")
    assert lines[-1].startswith("start:rounds=2 at R = 2 − best_of_n:n=3 (any sample right): ")
    assert lines[-1].endswith("15 and 15 tokens")
    with pytest.raises(UsageError, match="holds no benchmark run"):
        table([tmp_path])

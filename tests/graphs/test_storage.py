"""What a run stores grows with its attempts, not with their square."""

from __future__ import annotations

from pathlib import Path

import pytest
from sittings import score

import veriloop as vl
from veriloop.models.scripted import Scripted

ANSWER = "a fruit of some length, described in a sentence as long as answers to small questions are: number"


def stored(home: Path, strategy: vl.Strategy) -> int:
    """Bytes of journal that one more run takes."""

    def size() -> int:
        return sum(path.stat().st_size for path in (home / "journals").glob("*.jsonl"))

    before = size()
    model = Scripted(lambda request, seed: f"{ANSWER} {seed % 1000}")
    result = vl.solve("Which fruit?", model=model, verify=score, strategy=strategy)
    assert len(result.candidates) == sum(request.n for request in model.requests)
    return size() - before


@pytest.mark.parametrize(
    "strategy",
    [
        lambda n: vl.Strategy("best_of_n", {"n": n}),
        lambda n: vl.Strategy("iad", {"rounds": n // 4, "width": 4, "feedback": "both"}),
        lambda n: vl.Strategy("iad", {"rounds": n, "width": 1, "feedback": "both"}),
    ],
    ids=["best_of_n", "iad with four a round", "iad with one a round"],
)
def test_four_times_the_attempts_take_about_four_times_the_bytes(home, strategy) -> None:
    assert stored(home, strategy(128)) <= 4.5 * stored(home, strategy(32))

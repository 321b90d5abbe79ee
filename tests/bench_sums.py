"""A benchmark of sums with a model that heeds feedback, so that what each part of it is worth is known beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from veriloop import Candidate, Finding, Task, Verdict
from veriloop.apps.bench.benchmark import Item
from veriloop.core.messages import Request
from veriloop.core.seeds import derive
from veriloop.models.scripted import Scripted

_SUM = re.compile(r"What is (\d+) \+ (\d+)")
_ANSWER = re.compile(r"(?:Best|Worst) answer so far:\n~+\n(-?\d+)\n")


def gold_of(text: str) -> int:
    found = _SUM.search(text)
    assert found
    return int(found[1]) + int(found[2])


class Sums:
    """Reads how many sums there are from a file ``count``; the second metric is generous."""

    verify = "bench_sums:near"
    metrics = ("exact", "close")

    def load(self, data: Path) -> list[Item]:
        first, last = map(int, (data / "count").read_text().split())
        return [Item(f"sum_{i:03}", Task(f"What is {i} + {7 * i}?"), 8 * i, "sums") for i in range(first, last)]

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Any]:
        off = [abs(int(c.answer) - item.gold) for c in candidates]
        return [{"exact": each == 0, "close": each <= 2} for each in off]


async def near(answer: str, task: Task) -> Verdict:
    """A verifier that knows how far off an answer is, and says in which direction."""
    off = int(answer) - gold_of(task.question)
    score = max(0.0, 1.0 - abs(off) / 10)
    words = f"It is {abs(off)} too {'high' if off > 0 else 'low'}." if off else "It is a sum."
    return Verdict("passed" if off == 0 else "failed", score, (Finding("near", score, words),), "near")


def says(request: Request, seed: int) -> str:
    """Off by chance, the more the warmer, and never by nothing when cold; with feedback, what it says is mended."""
    text = "\n".join(message.text for message in request.messages)
    shown, told = _ANSWER.search(text), re.search(r"It is (\d+) too (high|low)", text)
    if shown and told:
        return str(int(shown[1]) + int(told[1]) * (1 if told[2] == "low" else -1))
    width = 1 + round(6 * request.temperature)
    off = derive(seed, gold_of(text)) % width - width // 2
    return str(gold_of(text) + (3 if request.temperature < 0.5 else off))


class Model(Scripted):
    """The model of all this; ``veriloop.models.named('bench_sums:Model')`` is the one that a run asks."""

    def __init__(self) -> None:
        super().__init__(says)

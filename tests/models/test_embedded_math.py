"""The shipped model of word problems: hints make it compute, and what its card says of it is so."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sandboxed import needs_bubblewrap

import veriloop
from veriloop.apps.bench.answers import GSM8K, Gsm8k
from veriloop.graphs.policies.start import Start
from veriloop.models.embedded import HERE

FOLDER = HERE / "math"
SCRIPTS = Path(__file__).parents[2] / "scripts" / "embedded_math"


@pytest.fixture(scope="module")
def problems() -> list[Any]:
    """Twelve of held-out templates, none of those that the documentation measures with."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return list(islice(import_module("problems").different(78, True), 12))
    finally:
        sys.path.remove(str(SCRIPTS))


def test_it_is_as_large_as_its_card_says():
    weights = load_file(FOLDER / "model.safetensors")
    said = re.search(r"A decoder of ([\d,]+) parameters", (FOLDER / "CARD.md").read_text("utf-8"))
    assert said is not None
    assert int(said[1].replace(",", "")) == sum(each.size for each in weights.values()) <= 3_000_000
    assert {each.dtype for each in weights.values()} == {np.dtype(np.float16)}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 8_000_000


@needs_bubblewrap
def test_a_hint_makes_it_compute_what_it_had_wrong_in_its_head(problems: list[Any]):
    async def solved() -> list[Any]:
        runs = (
            veriloop.asolve(
                veriloop.Task(GSM8K.format(question=each.question)),
                strategy=Start(rounds=1, max_tokens=200),
                model="embedded:math",
                tools=["python"],
                verify=None,
                seed=at,
                journal=False,
            )
            for at, each in enumerate(problems)
        )
        return await asyncio.gather(*runs)

    results, golds = asyncio.run(solved()), [str(each.answer) for each in problems]
    before, after = (
        sum(Gsm8k().final(str(r.candidates[at].artifact or "")) == gold for r, gold in zip(results, golds, strict=True))
        for at in (0, 1)
    )
    assert before <= 6 < 8 <= after
    assert not any(result.candidates[0].tool_runs for result in results)
    assert sum(bool(result.candidates[1].tool_runs) for result in results) >= 10

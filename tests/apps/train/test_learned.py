"""The course on embedded:math, on a small set: what hints made it do it does without them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandboxed import TROUBLE

from veriloop.models.embedded import known

SCRIPT = Path(__file__).parents[3] / "scripts" / "embedded_math" / "problems.py"
POOL, HELD = 32, 20
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif("math" not in known(), reason="optional: embedded:math is not in this package yet"),
    pytest.mark.skipif(bool(TROUBLE), reason=f"{TROUBLE} (apt install bubblewrap)"),
]


@pytest.fixture
def problems(tmp_path: Path) -> dict[str, Path]:
    """Problems to collect on, and others of templates that no training has seen."""
    pool, held = tmp_path / "pool", tmp_path / "held"
    made = [sys.executable, str(SCRIPT)]
    subprocess.run([*made, str(pool), "--number", str(POOL), "--seed", "31", "--trained"], check=True)
    subprocess.run([*made, str(held), "--number", str(HELD), "--seed", "32"], check=True)
    return {"pool": pool, "held": held}


def test_after_one_round_it_gains_without_hints(veriloop, problems: dict[str, Path], tmp_path: Path):
    out, new = tmp_path / "out", tmp_path / "new"

    def said_by(*command: str) -> Any:
        said = veriloop(*command, "--json")
        assert said.status == 0, said.err
        return said.json

    def plainly(model: str, name: str) -> Any:
        how = ["--strategies", "start:rounds=0:max_tokens=200", "--tools", "python", "--verify", "none"]
        data = ["--data", str(problems["held"]), "--out", str(tmp_path / name)]
        return said_by("bench", "gsm8k", *data, *how, "--model", model)["arms"][0]

    collect = ["--model", "embedded:math", "--max-tokens", "200", "--out", str(out)]
    found = said_by("train", "collect", str(problems["pool"]), *collect)
    assert found["rounds"][1]["turned_right"] > 0
    said_by("train", "filter", str(out))
    said_by("train", "export", str(out))
    how = ["--model", "embedded:math", "--out", str(new), "--epochs", "8", "--batch", "8"]
    losses = said_by("train", "sft", str(out), *how)["held_out_loss"]
    assert losses[-1] < losses[0]
    before, after = plainly("embedded:math", "before"), plainly(f"embedded:{new}", "after")
    assert after["accuracy"]["right"]["value"] > before["accuracy"]["right"]["value"]
    rows = [json.loads(line) for line in (tmp_path / "after" / "results.jsonl").read_text().splitlines()]
    assert sum(row["spend"]["tool_runs"] > 0 for row in rows) > HELD / 2

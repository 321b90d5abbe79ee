"""What verifiers say of the recorded answers of NATURAL PLAN: by code from the prompt alone, and by a model."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import DATA, ROOT, needs_data
from loopback import ChatServer
from natural_plans import BAD, GOLDS, folder

from veriloop.apps.bench.natural_plan.recorded import calibration, classified, judged, judged_by_code, lines, recorded
from veriloop.core.errors import UsageError
from veriloop.core.search import Verdict


def opinion(body: dict[str, Any], _index: int) -> list[str]:
    """A constraint agent that finds one, and a verification agent that likes what is for Monday or by plane, and the
    meeting less."""
    said = " ".join(str(m["content"]) for m in body["messages"])
    if "Someone was asked" in said:
        score = 40 if "You start at The Castro at 9:00AM. You travel" in said else 96
        return [json.dumps({"critique": [{"constraint": 1, "met": True, "critique": "Well."}], "score": score})]
    one = {"text": "Be right.", "kind": "truth", "strength": "hard", "how": "Look.", "check": None}
    return [json.dumps({"constraints": [one]})]


def script(*arguments: str | Path, server: ChatServer | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "bench" / "natural_plan.py", *arguments]
    env = {"PATH": "/usr/bin:/bin", "OPENAI_BASE_URL": server.base_url if server else "", "HOME": "/nonexistent"}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=env, check=False)


def test_one_command_tells_how_far_verifiers_can_be_trusted_and_pays_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = folder(tmp_path / "data", {**GOLDS, "trip_planning": BAD["trip_planning"]}), tmp_path / "out"
    with ChatServer(opinion) as server:
        done = script(data, "--model", "openai:test", "--out", out, "--json", server=server)
        calls = len(server.requests)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        again = asyncio.run(judged(recorded(data), "openai:test", "plangen:judged", out))
        assert len(server.requests) == calls == 6  # constraints and verification, once for each answer
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    everything = found["natural-plan"][0]
    assert (everything["answers"], everything["exact"], everything["valid"], everything["passed"]) == (3, 2, 2, 2)
    assert everything["precision"]["value"] == everything["recall"]["value"] == 1.0
    judge = found["judged"]
    assert (judge["verify"], judge["scored"], judge["trouble"]) == ("plangen:judged", 3, [])
    bins = [(each["from"], each["to"], each["answers"], each["valid"]["value"]) for each in judge["bins"]]
    assert bins == [(40, 60, 1, 1.0), (80, 100, 2, 0.5)]
    assert (judge["sure"]["answers"], judge["sure"]["valid"]["value"]) == (2, 0.5)
    assert calibration(recorded(data), again)["bins"] == judge["bins"]
    text = "\n".join(lines(found))
    assert "plangen:judged with openai:test: 3 of 3 answers scored" in text
    assert "  95 and more         2  0.500 (" in text


def test_what_cannot_be_is_told_in_a_line(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", GOLDS)
    with ChatServer(lambda body, index: 400) as server:
        done = script(data, "--model", "openai:test", "--out", tmp_path / "out", server=server)
    assert done.returncode == 2
    assert "3 answers met trouble, the first: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    bad = script(tmp_path / "nowhere")
    assert (bad.returncode, len(bad.stderr.strip().splitlines())) == (2, 1)
    with pytest.raises(UsageError, match="no recorded answers"):
        recorded(folder(tmp_path / "asked"))


def test_a_table_tells_what_was_found(tmp_path: Path) -> None:
    found = recorded(folder(tmp_path, {**GOLDS, "calendar_scheduling": BAD["calendar_scheduling"]}))
    verdicts: list[Verdict | str] = [Verdict("failed", 0.1), Verdict("passed", 0.99), Verdict("unscored")]
    told = calibration(found, verdicts)
    assert (told["scored"], told["unscored"], told["sure"]["answers"]) == (2, 1, 1)
    assert told["brier"] == pytest.approx((0.1**2 + 0.01**2) / 2)
    none = calibration(found, ["down"] * 3)
    assert (none["scored"], none["auc"], none["trouble"]) == (0, None, ["down"] * 3)
    text = "\n".join(lines({"natural-plan": classified(found, judged_by_code(found))}))
    assert "meeting, people 3" in text
    with pytest.raises(UsageError, match="asks no model"):
        asyncio.run(judged(found, "openai:test", "game24", tmp_path))


@needs_data
def test_what_the_prompt_says_classifies_the_recorded_answers() -> None:
    answers = recorded(DATA / "natural_plan")
    assert all(a.exact == bool(a.official) for a in answers)
    found = {each["of"]: each for each in classified(answers, judged_by_code(answers))}
    assert (found["all"]["answers"], found["all"]["exact"], found["all"]["unscored"]) == (185, 76, 0)
    for name in ("all", "calendar", "trip"):
        assert found[name]["precision"]["value"] >= 0.95, name
        assert found[name]["recall"]["value"] >= 0.95, name
    assert found["meeting"]["precision"]["value"] == 1.0
    assert found["meeting"]["recall"]["value"] >= 0.9

"""Collecting keeps every text with its score, and after a kill goes on without asking anything settled again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hinted import pool

from veriloop.apps.train.collect import asked, named
from veriloop.apps.train.records import Record, Trajectories, collected
from veriloop.core.task import Task
from veriloop.tools.hints import hints

COUNT = 12
TESTS = Path(__file__).parents[2]


def command(data: Path, out: Path, *more: str) -> list[str]:
    how = ["--model", "hinted:Model", "--tools", "hinted:Calculator", "--out", str(out)]
    return ["train", "collect", str(data), *how, *more]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pool(tmp_path / "data", COUNT)


def by_round(out: Path, number: int) -> dict[str, Record]:
    return {each.problem: each for each in collected(out) if each.round == number}


def test_plain_and_hinted_texts_are_kept_with_their_scores(veriloop, data: Path, tmp_path: Path):
    out = tmp_path / "out"
    said = veriloop(*command(data, out, "--json"))
    assert said.status == 0, said.err
    plain, hinted = by_round(out, 0), by_round(out, 1)
    assert set(plain) == set(hinted) == {f"p{n:03}" for n in range(1, COUNT + 1)}
    assert [n for n in range(1, COUNT + 1) if plain[f"p{n:03}"].after_right] == [3, 6, 9, 12]
    assert all(each.after_right for each in hinted.values())
    assert said.json["rounds"][1] == {"round": 1, "texts": 12, "right": 12, "turned_right": 8, "turned_wrong": 0}


def test_a_record_says_what_was_before_what_ran_and_what_came_of_it(veriloop, data: Path, tmp_path: Path):
    veriloop(*command(data, tmp_path / "out"))
    one = by_round(tmp_path / "out", 1)["p001"]
    assert (one.source, one.before_text, one.before_answer) == ("gsm8k", "1 + 3 = 5.\n#### 5", "5")
    assert (one.before_right, one.plain_right, one.after_right) == (False, False, True)
    assert (one.code, one.output, one.after_answer) == (("1 + 3\n",), ("4",), "4")
    assert one.hint in [hint.name for hint in hints()]
    assert one.position == "before_stop"
    assert one.paraphrase in next(each.text for each in one.segments if each.source == "hint")
    assert [each.source for each in one.segments] == ["model", "hint", "model", "tool", "model"]
    assert (one.execution_ok, one.repeated, one.complete) == (True, False, True)
    assert not by_round(tmp_path / "out", 1)["p005"].execution_ok
    assert [each["role"] for each in one.messages] == ["system", "user"]
    assert "```python" in one.messages[0]["content"]
    assert one.messages[1]["content"].startswith("What is 1 + 3?")


def test_the_steps_to_a_file_to_learn_from(veriloop, data: Path, tmp_path: Path):
    out = tmp_path / "out"
    veriloop(*command(data, out))
    found = veriloop("train", "filter", str(out), "--json").json
    assert (found["kept"], found["dropped"]["right before"], found["dropped"]["failed"]) == (6, 4, 2)
    assert veriloop("train", "export", str(out)).status == 0
    lines = [json.loads(line) for line in (out / "sft.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    assert lines[0]["messages"][-1]["content"] == "```python\n1 + 3\n```\n```output\n4\n```\nSo it is 4.\n#### 4"


def test_what_is_older_than_the_step_before_it_is_not_gone_on_with(veriloop, data: Path, tmp_path: Path):
    out = tmp_path / "out"
    veriloop(*command(data, out))
    assert veriloop("train", "filter", str(out)).err == ""
    rows = out / "results.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:5]))
    said = veriloop("train", "filter", str(out))
    assert (said.status, said.err.count("\n")) == (0, 1)
    assert said.err.startswith("veriloop: 5 of 12 problems are collected, each seed counted: ")
    assert veriloop("train", "export", str(out)).status == 0
    assert veriloop(*command(data, out)).status == 0
    stale = veriloop("train", "export", str(out))
    newer = f"{out / 'trajectories.jsonl'} is newer than {out / 'filtered.jsonl'}"
    assert (stale.status, stale.err) == (2, f"veriloop: {newer}: run veriloop train filter again\n")
    assert veriloop("train", "filter", str(out)).err == ""
    assert veriloop("train", "export", str(out)).status == 0


def test_rounds_follow_one_another_and_each_is_compared_with_the_one_before(veriloop, data: Path, tmp_path: Path):
    veriloop(*command(data, tmp_path / "out", "--rounds", "2", "--hint", "wait", "--limit", "2", "--seeds", "2"))
    found = collected(tmp_path / "out")
    assert [(each.seed, each.round) for each in found] == [(s, r) for _ in "ab" for s in (0, 1) for r in (0, 1, 2)]
    second = next(each for each in found if each.round == 2)
    first = next(each for each in found if each.round == 1)
    assert second.before_text == "".join(each.text for each in first.segments)
    assert (second.hint, second.code) == ("wait", first.code)


def test_a_hint_after_a_doubt_that_is_not_there_stands_before_the_end(veriloop, data: Path, tmp_path: Path):
    said = veriloop(*command(data, tmp_path / "out", "--position", "after:Wait", "--limit", "1"))
    assert said.status == 0, said.err
    assert next(iter(by_round(tmp_path / "out", 1).values())).position == "before_stop"
    parameters = json.loads((tmp_path / "out" / "plan.json").read_text())["arms"][0]["parameters"]
    assert parameters["position"] == "after:Wait"


def test_hints_are_known_by_their_words():
    for hint in hints():
        assert named(f"\n\nWait, {hint.paraphrases[-1]}\n{hint.template}") == (hint.name, hint.paraphrases[-1])
    assert named("\n\nWait,") == ("wait", "")
    assert named("") == ("", "")


def test_without_tools_nothing_is_said_of_them():
    assert "run" not in asked(Task("What is 1 + 1?"), ())[0]["content"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--hint", "mach"], "did you mean 'match'"),
        (["--benchmark", "gsm8"], "did you mean 'gsm8k'"),
        (["--position", "before:Wait"], "position"),
        (["--tools", "pyton"], "did you mean 'python'"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_asked(veriloop, data: Path, tmp_path: Path, more: Any, says: str):
    said = veriloop(*command(data, tmp_path / "out", *more))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert says in said.err
    assert not (tmp_path / "out" / "trajectories.jsonl").exists()


def test_killed_it_goes_on_and_asks_nothing_settled_again(
    veriloop, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, out, log = tmp_path / "whole", tmp_path / "out", tmp_path / "asked"
    veriloop(*command(data, whole))
    env = {**os.environ, "PYTHONPATH": str(TESTS), "ASKED": str(log), "LATENCY": "0.05"}
    code = "from veriloop.apps.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *command(data, out, "--concurrency", "2")], env=env)
    file = out / "trajectories.jsonl"
    while not file.exists() or file.read_bytes().count(b"\n") < 9:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = log.read_text().splitlines()
    with file.open("a") as torn:
        torn.write('{"problem": "p0')
    monkeypatch.setenv("ASKED", str(log))
    assert veriloop(*command(data, out, "--concurrency", "2")).status == 0
    after = log.read_text().splitlines()[len(before) :]
    assert after, "nothing was left to do"
    assert len(set(before) & set(after)) <= 2, "more was asked again than what was in flight"
    assert collected(out) == collected(whole)


def test_what_cannot_be_kept_has_not_ended(veriloop, data: Path, tmp_path: Path):
    out = tmp_path / "out"
    (out / "trajectories.jsonl").mkdir(parents=True)
    (out / "plan.json").write_text("{}")  # the folder is one that a collection was begun in
    said = veriloop(*command(data, out))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert f"cannot write {out / 'trajectories.jsonl'}" in said.err
    (out / "trajectories.jsonl").rmdir()
    assert veriloop(*command(data, out)).status == 0
    assert len(by_round(out, 1)) == COUNT


def test_a_cell_without_texts_adds_none(tmp_path: Path):
    Trajectories(tmp_path).add([])
    assert not list(tmp_path.iterdir())


def test_texts_that_were_lost_come_back_from_the_journals(
    veriloop, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    veriloop(*command(data, out))
    before = collected(out)
    (out / "trajectories.jsonl").unlink()
    said = veriloop(*command(data, out))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert f"lacks the texts of {COUNT} problems: remove {out / 'results.jsonl'}" in said.err
    (out / "results.jsonl").unlink()
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    assert veriloop(*command(data, out)).status == 0
    assert collected(out) == before
    assert not (tmp_path / "asked").exists(), "something was asked again"

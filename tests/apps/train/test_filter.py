"""What is kept is wrong before the hint and right after it; each rule drops what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hinted import record

from veriloop.apps.train.collect import RUN, TIMES, repeated
from veriloop.apps.train.filter import RULES, filter_, mark
from veriloop.apps.train.records import Record, Trajectories, filtered
from veriloop.core.errors import UsageError
from veriloop.core.search import Segment

PLAIN = {"segments": (Segment("It is 4.\n#### 4"),), "round": 0, "hint": "", "paraphrase": "", "code": (), "output": ()}


def collected(folder: Path, *records: Record) -> Path:
    folder.mkdir(exist_ok=True)
    file = Trajectories(folder)
    file.add(records)
    file.close()
    return folder


CASES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("plain", PLAIN),
    ("right before", {"before_right": True}),
    ("right before", {"plain_right": True, "round": 2}),
    ("wrong after", {"after_right": False}),
    ("cut", {"complete": False}),
    ("no code", {"code": ()}),
    ("failed", {"execution_ok": False}),
    ("repeated", {"repeated": True}),
]


@pytest.mark.parametrize(("rule", "other"), CASES)
def test_a_text_is_dropped_by_the_rule_that_it_breaks(rule: str, other: dict[str, Any]):
    (marked,) = mark([record(**other)])
    assert (marked.dropped, marked.accepted) == (rule, not rule)


def test_every_rule_has_a_case():
    assert {rule for rule, _ in CASES if rule} | {"duplicate"} == set(RULES)


def test_the_same_text_on_the_same_problem_stays_once_whatever_the_hint_said():
    first, again, elsewhere = record(), record(seed=1, segments=reworded()), record(problem="p002")
    assert [each.dropped for each in mark([first, again, elsewhere])] == ["", "duplicate", ""]


def reworded() -> tuple[Segment, ...]:
    head, _, *tail = record().segments
    return (head, Segment("\n\nWait, this is a lot to calculate in my head.\n", "hint"), *tail)


def test_with_sampled_a_right_plain_text_stays_if_it_called_a_tool():
    tooled = record(**{**PLAIN, "code": ("1 + 3\n",), "plain_right": True, "before_right": True})
    assert [each.dropped for each in mark([tooled, record(**PLAIN)], sampled=True)] == ["", "no code"]


def test_with_no_code_a_hinted_text_stays_that_called_nothing():
    marked = mark([record(code=(), execution_ok=True), record(**PLAIN, problem="p009")], no_code=True)
    assert [each.dropped for each in marked] == ["", "plain"]


def test_a_pattern_that_comes_again_and_again_is_seen_and_output_does_not_count():
    loop = " ".join(f"word{n}" for n in range(RUN)) + " "
    assert repeated([Segment(loop * TIMES)])
    assert repeated([Segment("no " * (RUN + TIMES))])
    assert not repeated([Segment(loop * (TIMES - 1))])
    assert not repeated([Segment(loop * TIMES, "tool"), Segment("It is 4.")])


def test_the_command_says_how_many_each_rule_dropped(veriloop, tmp_path: Path):
    out = collected(tmp_path / "out", record(), record(problem="p002", after_right=False), record(**PLAIN))
    said = veriloop("train", "filter", str(out))
    assert said.status == 0
    assert "kept 1 of 3 texts, on 1 problems (complex-calculation 1)" in said.words
    found = veriloop("train", "filter", str(out), "--json").json
    assert found["dropped"] == {**dict.fromkeys(RULES, 0), "plain": 1, "wrong after": 1}
    assert [each.accepted for each in filtered(out)] == [False, True, False]


def test_a_later_line_on_the_same_text_counts_and_a_torn_one_does_not(tmp_path: Path):
    out = collected(tmp_path / "out", record(after_right=False), record())
    with (out / "trajectories.jsonl").open("a") as file:
        file.write(json.dumps({"problem": "p0"})[:-4])
    assert filter_(out)["kept"] == 1


def test_where_nothing_is_left_it_says_why(veriloop, tmp_path: Path):
    out = collected(tmp_path / "out", record(after_right=False), record(**PLAIN))
    said = veriloop("train", "filter", str(out))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "nothing is left of 1 texts: most (1) fall under 'wrong after'" in said.err
    assert "no text of" in veriloop("train", "export", str(out)).err


@pytest.mark.parametrize(("command", "wants"), [("filter", "collect"), ("export", "filter")])
def test_a_step_names_the_one_before_it(veriloop, tmp_path: Path, command: str, wants: str):
    said = veriloop("train", command, str(tmp_path / "nowhere"))
    assert said.status == 2
    assert f"run veriloop train {wants} first" in said.err


def test_a_line_that_is_no_trajectory_is_named(tmp_path: Path):
    (tmp_path / "trajectories.jsonl").write_text('{"problem": 3}\n')
    with pytest.raises(UsageError, match=r"trajectories.jsonl, line 1 is no trajectory"):
        filter_(tmp_path)

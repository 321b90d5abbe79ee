"""What verifiers say of the recorded answers of NATURAL PLAN: by code from the prompt alone, and by a model."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from itertools import accumulate, pairwise, permutations
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import DATA, ROOT, needs_data
from loopback import ChatServer
from natural_plans import BAD, GOLDS, folder, trip

from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.natural_plan.benchmark import items
from veriloop.apps.bench.natural_plan.calendar import Calendar
from veriloop.apps.bench.natural_plan.recorded import calibration, classified, judged_by_code, lines, recorded
from veriloop.apps.bench.natural_plan.trip import Trip
from veriloop.core.search import Verdict
from veriloop.verifiers.natural_plan import compiled


def opinion(body: dict[str, Any], _index: int) -> list[str]:
    """A constraint agent that finds one, and a verification agent that likes what is for Monday or by plane, and the
    meeting less."""
    said = " ".join(str(m["content"]) for m in body["messages"])
    if "Someone was asked" in said:
        score = 40 if "You start at The Castro at 9:00AM. You travel" in said else 96
        return [json.dumps({"critique": [{"constraint": 1, "met": True, "critique": "Well."}], "score": score})]
    one = {"text": "Be right.", "kind": "truth", "strength": "hard", "how": "Look.", "check": None}
    return [json.dumps({"constraints": [one]})]


Script = Callable[..., tuple[int, str, str]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Script:
    """Runs the script with arguments: its exit status and what it printed."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["natural_plan.py", *map(str, arguments)])
        monkeypatch.syspath_prepend(ROOT / "scripts" / "bench")
        try:
            runpy.run_path(str(ROOT / "scripts" / "bench" / "natural_plan.py"), run_name="__main__")
        except SystemExit as ended:
            return int(ended.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return call


def test_one_command_tells_how_far_verifiers_can_be_trusted_and_pays_nothing_twice(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = folder(tmp_path / "data", {**GOLDS, "trip_planning": BAD["trip_planning"]})
    asked = (data, "--model", "openai:test", "--out", tmp_path / "out")
    with ChatServer(opinion) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        status, out, err = script(*asked, "--json")
        calls = len(server.requests)
        again = script(*asked)
        assert len(server.requests) == calls == 6  # constraints and verification, once for each answer
    assert status == again[0] == 0, err + again[2]
    found = json.loads(out)
    everything = found["natural-plan"][0]
    assert (everything["answers"], everything["exact"], everything["valid"], everything["passed"]) == (3, 2, 2, 2)
    assert everything["precision"]["value"] == everything["recall"]["value"] == 1.0
    judge = found["judged"]
    assert (judge["verify"], judge["scored"], judge["trouble"]) == ("plangen:judged", 3, [])
    bins = [(each["from"], each["to"], each["answers"], each["valid"]["value"]) for each in judge["bins"]]
    assert bins == [(40, 60, 1, 1.0), (80, 100, 2, 0.5)]
    assert (judge["sure"]["answers"], judge["sure"]["valid"]["value"]) == (2, 0.5)
    assert "plangen:judged with openai:test: 3 of 3 answers scored" in again[1]
    assert "  95 and more         2  0.500 (" in again[1]


def test_what_cannot_be_is_told_in_a_line(tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    data = folder(tmp_path / "data", GOLDS)
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with ChatServer(lambda body, index: 400) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        status, _, err = script(data, "--model", "openai:test", "--out", tmp_path / "out")
    assert status == 2
    assert err.startswith("3 answers met trouble, the first: ")
    assert len(err.strip().splitlines()) == 1
    for wrong, said in [
        ((tmp_path / "nowhere",), "is not there: give a folder"),
        ((folder(tmp_path / "asked"),), "no recorded answers"),
        ((data, "--model", "openai:test", "--verify", "natural-plan"), "asks no model"),
        ((data, "--model", "nope"), "unknown model 'nope'"),
        ((data, "--limit", "3"), "add --model, or leave them out"),
        ((data, "--verify", "plangen"), "add --model, or leave them out"),
        ((data, "--model", "openai:test", "--limit", "-3"), "argument --limit: -3: give 1 or more"),
        ((data, "--model", "openai:test", "--limit", "0"), "argument --limit: 0: give 1 or more"),
        ((data, "--model", "openai:test", "--out", tmp_path / "file"), "give another --out"),
    ]:
        status, out, err = script(*wrong)
        assert (status, out, len(err.strip().splitlines())) == (2, "", 1)
        assert said in err
        assert err.startswith("natural_plan: ")


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


def broken(item: Item, text: str) -> bool:
    """Whether an answer breaks what the prompt says; a wish for the earliest time is no part of *valid*."""
    read = compiled(item.task.question)
    assert read is not None
    return any(check.kept < 1 and not check.soft and check.criterion != "earliest" for check in read.checks(text))


LEFT_OUT = {"625", "704", "707", "765", "776", "778", "786", "867", "910"}
"""Calendars whose structured constraints leave out a day on which somebody would rather not meet."""


@needs_data
def test_every_time_that_the_prompt_allows_is_valid_and_but_for_wishes_left_out_the_other_way_round() -> None:
    differ: set[str] = set()
    for item in items(DATA / "natural_plan"):
        if not isinstance(item.gold, Calendar):
            continue
        for day in item.gold.days:
            for at in range(8 * 60, 18 * 60, 15):
                end = at + item.gold.minutes
                told = f"{day}, {at // 60}:{at % 60:02d} - {end // 60}:{end % 60:02d}"
                valid, passed = item.gold.free((day, at, end)), not broken(item, told)
                assert valid or not passed, (item.id, told)
                if valid != passed:
                    differ.add(item.id.rpartition("_")[2])
    assert differ == LEFT_OUT


@needs_data
def test_an_order_of_cities_is_valid_where_the_prompt_allows_it() -> None:
    for item in items(DATA / "natural_plan"):
        if isinstance(item.gold, Trip) and len(item.gold.gold) <= 5:
            for legs in permutations(item.gold.gold):
                ends = list(accumulate((days - 1 for _, days in legs), initial=1))
                stays = [f"{city} {a}-{b}" for (city, _), (a, b) in zip(legs, pairwise(ends), strict=True)]
                assert broken(item, trip(*stays)) == (not item.gold.possible(legs)), (item.id, stays)

"""``veriloop runs`` as its user meets it: finished runs, runs that were cut off, and runs that go for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback import ChatServer

import veriloop as vl
from veriloop.core.errors import RunFailed
from veriloop.graphs.record import journal_in
from veriloop.models.scripted import Scripted

QUESTION = "what is the capital of texas?"
ASK = ["solve", QUESTION, "--db", "atlas.sqlite"]
SQL = "SELECT capital FROM state WHERE state_name = 'texas'"


def test_runs_are_listed_shown_and_removed(veriloop):
    veriloop(*ASK)
    run = veriloop("runs", "list", "--json").json[0]
    assert run["question"] == QUESTION
    assert run["status"] == "passed"
    shown = veriloop("runs", "show", run["id"][:6])
    assert SQL in shown.out
    assert veriloop("runs", "show", run["id"], "--json").json["attempts"]
    assert veriloop("runs", "rm", run["id"]).status == 0
    assert veriloop("runs", "list", "--json").json == []


def test_a_finished_run_is_shown_with_its_answer_as_solve_shows_it(veriloop):
    solved = veriloop(*ASK, "-s", "single")
    run = veriloop("runs", "list", "--json").json[0]["id"]
    answer = solved.out[solved.out.index("Answer") :].partition(" · stopped")[0]
    assert answer in veriloop("runs", "show", run).out
    assert "candidate 0.0 of 1" in solved.words
    assert veriloop("runs", "show", run, "--json").json["best"] == "0.0"


def test_a_search_over_steps_is_shown_with_its_tree_as_solve_shows_it(veriloop):
    solved = veriloop("solve", "Input: 2 5 8 11. Make 24.", "-s", "mcts", "--set", "budget=9", "-m", "embedded:game24")
    assert solved.status == 0 or "partial" in solved.words
    run = veriloop("runs", "list", "--json").json[0]["id"]
    shown = veriloop("runs", "show", run).out
    assert solved.out[solved.out.index("Tree") : solved.out.index("Answer")] in shown
    assert "uct" in shown
    told = veriloop("runs", "show", run, "--json").json
    assert {"visits", "mean", "uct"} == set(told["numbers"][told["best"]])


def test_a_list_says_how_many_more_there_are(veriloop):
    for _ in range(3):
        veriloop(*ASK)
    assert "1 more: veriloop runs list --limit 3" in veriloop("runs", "list", "--limit", "2").out
    assert "--limit" not in veriloop("runs", "list", "--limit", "3").out


def test_a_run_that_failed_shows_what_was_paid_why_it_stopped_and_how_to_go_on(veriloop, monkeypatch):
    replies = [[f"```sql\n{SQL}\n```"] * 2, 400]
    with ChatServer(lambda body, index: replies[min(index, 1)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*ASK, "--model", "openai:any", "--verify", "shell:exit 1")
    assert "stopped: error" in said.words
    (run,) = veriloop("runs", "list", "--json").json
    assert run["status"] == "unfinished"
    assert run["spend"]["calls"] == 2
    assert run["spend"]["tokens_in"] > 0
    listed = veriloop("runs", "list")
    assert "2 calls" in listed.words
    assert "veriloop runs resume RUN" in listed.out
    shown = veriloop("runs", "show", run["id"])
    assert SQL in shown.out
    assert "stopped by an error: " in shown.words
    assert "refuses the request" in shown.words
    assert f"go on with: veriloop runs resume {run['id']}" in shown.words


def test_a_run_that_failed_at_once_says_why(veriloop, home: Path):
    with pytest.raises(RunFailed) as failed:
        vl.solve("how many?", strategy="single", model=Scripted([]), verify=None)
    journal_in(home).close()
    journal_in.cache_clear()
    shown = veriloop("runs", "show", failed.value.run_id)
    assert "spent so far: 0 calls" in shown.out
    assert "stopped by an error: the script of 0 replies is used up; go on with" in shown.words


def test_prune_forgets_old_runs(veriloop):
    veriloop(*ASK)
    assert veriloop("runs", "prune", "--days", "1", "--yes", "--json").json["removed"] == 0
    assert "removed 1 run," in veriloop("runs", "prune", "--days", "0", "--yes").out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_prune_forgets_nothing_unasked(veriloop, options: list[str]):
    veriloop(*ASK)
    said = veriloop("runs", "prune", "--days", "0", *options)
    assert said.status == 2
    assert "give --yes" in said.err
    assert len(veriloop("runs", "list", "--json").json) == 1


@pytest.mark.parametrize(("reply", "left"), [("n\n", 1), ("y\n", 0)])
def test_prune_asks_first(veriloop, monkeypatch, reply: str, left: int):
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    veriloop(*ASK)
    monkeypatch.setattr("sys.stdin", Terminal(reply))
    said = veriloop("runs", "prune", "--days", "0")
    assert "Forget 1 run begun more than 0 days ago, for good?" in said.out
    assert said.status == (130 if left else 0)
    assert len(veriloop("runs", "list", "--json").json) == left


def test_a_finished_run_resumed_gives_its_result_again(veriloop):
    first = veriloop(*ASK, "--json").json
    for _ in range(2):  # out of the journal, and out of the store
        again = veriloop("runs", "resume", first["run_id"], "--json")
        assert again.json["answer"] == first["answer"]
        assert again.json["spend"]["calls"] == first["spend"]["calls"]
        veriloop("runs", "list")

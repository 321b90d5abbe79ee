"""The command line as its user meets it: what it prints, its exit status, and one clear line for every mistake."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback import ChatServer

from veriloop.apps.cli import main
from veriloop.apps.demo import atlas
from veriloop.graphs.record import journal_in

QUESTION = "what is the capital of texas?"
ASK = ["solve", QUESTION, "--db", "atlas.sqlite"]


class Said:
    """What a command printed and its exit status."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def veriloop(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command in a folder with ``atlas.sqlite``; each call is a process of its own to the journal."""
    monkeypatch.chdir(tmp_path)
    atlas.build(tmp_path / "atlas.sqlite")

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["veriloop", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        journal_in(home).close()
        journal_in.cache_clear()
        printed = capsys.readouterr()
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return call


def test_solve_answers_and_shows_how(veriloop):
    said = veriloop(*ASK)
    assert said.status == 0
    assert "austin" in said.out
    assert "SELECT capital FROM state" in said.out
    assert "passed 1.00 by sql" in said.out


def test_solve_as_json_is_one_value(veriloop):
    said = veriloop(*ASK, "--json")
    assert said.json["answer"] == [["austin"]]
    assert said.json["outcome"] == "passed"
    assert said.err == ""


def test_the_same_seed_gives_the_same_candidates(veriloop):
    first, again, other = (
        veriloop(
            *ASK, "--json", "-s", "best_of_n", "--set", "early_stop=false", "--set", "temperature=1.5", "--seed", seed
        )
        for seed in ("1", "1", "2")
    )
    texts = [[a["segments"][0]["text"] for a in said.json["attempts"]] for said in (first, again, other)]
    assert texts[0] == texts[1] != texts[2]


def test_a_budget_of_calls_stops_with_the_best_so_far(veriloop):
    said = veriloop(*ASK, "--json", "-s", "best_of_n", "--set", "early_stop=false", "--max-calls", "3")
    assert said.json["spend"]["calls"] == 3
    assert len(said.json["attempts"]) == 3


def test_an_answer_that_did_not_pass_exits_1(veriloop):
    assert veriloop(*ASK, "--verify", "shell:echo no; exit 1").status == 1


def test_oracle_compares_with_gold_and_says_its_name(veriloop):
    said = veriloop(*ASK, "--verify", "oracle", "--gold", "SELECT 'austin'")
    assert said.status == 0
    assert "by oracle" in said.out


def test_runs_are_listed_shown_and_removed(veriloop):
    veriloop(*ASK)
    run = veriloop("runs", "list", "--json").json[0]
    assert run["question"] == QUESTION
    assert run["status"] == "passed"
    shown = veriloop("runs", "show", run["id"][:6])
    assert "SELECT capital FROM state" in shown.out
    assert veriloop("runs", "show", run["id"], "--json").json["attempts"]
    assert veriloop("runs", "rm", run["id"]).status == 0
    assert veriloop("runs", "list", "--json").json == []


def test_prune_forgets_old_runs(veriloop):
    veriloop(*ASK)
    assert veriloop("runs", "prune", "--days", "1", "--json").json["removed"] == 0
    assert veriloop("runs", "prune", "--days", "0", "--json").json["removed"] == 1


def test_a_finished_run_resumed_gives_its_result_again(veriloop):
    first = veriloop(*ASK, "--json").json
    for _ in range(2):  # out of the journal, and out of the store
        again = veriloop("runs", "resume", first["run_id"], "--json")
        assert again.json["answer"] == first["answer"]
        assert again.json["spend"]["calls"] == first["spend"]["calls"]
        veriloop("runs", "list")


def test_record_and_replay(veriloop):
    first = veriloop(*ASK, "--json", "--record", "run.jsonl").json
    again = veriloop(*ASK, "--json", "--replay", "run.jsonl").json
    assert again["answer"] == first["answer"]


def test_strategies_and_models_are_told(veriloop):
    names = [each["name"] for each in veriloop("strategies", "--json").json]
    assert names == ["single", "best_of_n", "self_refine", "iad"]
    assert {"name": "width", "default": 2, "kind": "int"} in veriloop("strategies", "show", "iad", "--json").json[
        "parameters"
    ]
    assert "feedback" in veriloop("strategies", "show", "iad").out
    assert any(each["name"] == "embedded:sql" for each in veriloop("models", "--json").json)
    assert "embedded:sql" in veriloop("models").out


def test_the_demo_answers_offline(veriloop):
    said = veriloop("demo")
    assert said.status == 0
    assert "no network used" in " ".join(said.out.split())
    assert len(veriloop("runs", "list", "--json").json) >= 5


MISTAKES = {
    "no such strategy": (["--strategy", "foo"], "unknown strategy 'foo'; known: best_of_n, iad, self_refine, single"),
    "no such parameter": (["--set", "foo=1"], "strategy iad has no parameter 'foo'; it has rounds, width"),
    "no such value": (["--set", "rounds=x"], "strategy iad: rounds = 'x'"),
    "a parameter without value": (["--set", "rounds"], "write NAME=VALUE"),
    "no such model": (["--model", "nope"], "unknown model 'nope'"),
    "no such embedded model": (["--model", "embedded:nope"], "unknown embedded model 'nope'; known: sql"),
    "no such class": (["--model", "a.b:C"], "cannot load 'a.b:C'"),
    "no key": (["--model", "openai:gpt-5-mini"], "OPENAI_API_KEY is not set"),
    "no such verifier": (["--verify", "nope"], "unknown verifier 'nope'; known: judge, oracle, sql"),
    "oracle without gold": (["--verify", "oracle"], "--gold"),
    "no critic": (["--strategy", "self_refine"], "--model critic="),
    "a price nobody knows": (["--model", "loose:Model", "--max-money", "1"], "the price of loose is unknown"),
    "no such recording": (["--replay", "nope.jsonl"], "there is no recording nope.jsonl"),
    "not a recording": (["--replay", "atlas.sqlite"], "is not a recording"),
    "no such database": (["--db", "nope.sqlite"], "nope.sqlite"),
    "not a database": (["--db", "text.sqlite"], "text.sqlite"),
    "a number of proposals for single": (["-s", "single", "-n", "4"], "strategy single takes no number of proposals"),
}
LOOSE = """
from veriloop.core.messages import Capabilities
class Model:
    name = "loose"
    capabilities = Capabilities()
    async def generate(self, request): raise AssertionError("called")
"""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_clear_line_and_status_2(veriloop, mistake: str, monkeypatch: pytest.MonkeyPatch):
    arguments, expected = MISTAKES[mistake]
    Path("text.sqlite").write_text("hello, this is no database " * 100)
    Path("loose.py").write_text(LOOSE)
    monkeypatch.syspath_prepend(".")
    said = veriloop(*ASK, *arguments)
    assert said.status == 2
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [("home =", "cannot read the settings"), ("foo = 1", "there is no setting 'foo'"), ("home = 3", "home")],
)
def test_settings_that_cannot_be_read_are_named(
    veriloop, settings: str, expected: str, monkeypatch: pytest.MonkeyPatch
):
    Path("veriloop.toml").write_text(settings)
    monkeypatch.delenv("VERILOOP_HOME")
    said = veriloop(*ASK)
    assert said.status == 2
    assert expected in said.err
    assert "veriloop.toml" in said.err
    assert said.err.count("\n") == 1


def test_a_data_folder_that_cannot_be_written_is_named(veriloop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_HOME", "/proc/nowhere")
    said = veriloop(*ASK)
    assert said.status == 2
    assert "VERILOOP_HOME" in said.err


def test_a_server_that_is_down_loses_nothing(veriloop, monkeypatch: pytest.MonkeyPatch):
    with ChatServer() as server:
        url = server.base_url
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    said = veriloop(*ASK, "--model", "openai:any", "-s", "single")
    assert said.status == 2
    assert f"cannot reach {url}: connection refused" in said.err
    run = veriloop("runs", "list", "--json").json[0]
    assert f"veriloop runs resume {run['id']}" in said.err
    assert run["status"] == "unfinished"
    with ChatServer(lambda body, index: ["```sql\nSELECT 'austin'\n```"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        again = veriloop("runs", "resume", run["id"], "--json")
    assert again.json["answer"] == [["austin"]]


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, home: Path):
    atlas.build(tmp_path / "atlas.sqlite")
    with ChatServer(latency=30) as server:
        command = [sys.executable, "-m", "veriloop.apps.cli", *ASK, "--model", "openai:any"]
        env = {"OPENAI_BASE_URL": server.base_url, "VERILOOP_HOME": str(home), "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(200):
            if server.requests:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted; go on with: veriloop runs resume" in err
    assert "Traceback" not in err


def test_completion_knows_strategies_and_models():
    env = {
        "_VERILOOP_COMPLETE": "complete_bash",
        "COMP_WORDS": "veriloop solve -s ",
        "COMP_CWORD": "3",
        "PATH": "/usr/bin",
    }
    command = [str(Path(sys.executable).parent / "veriloop")]
    out = subprocess.run(command, env=env, capture_output=True, text=True).stdout
    assert "best_of_n" in out

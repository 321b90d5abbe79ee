"""The command line as its user meets it: what it prints, its exit status, and one clear line for every mistake."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from loopback import ChatServer

from veriloop.apps.demo import atlas
from veriloop.verifiers import KNOWN

QUESTION = "what is the capital of texas?"
ASK = ["solve", QUESTION, "--db", "atlas.sqlite"]


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
    assert said.json["best"] in [attempt["id"] for attempt in said.json["attempts"]]
    assert said.err == ""


def test_the_same_seed_gives_the_same_candidates(veriloop):
    vague = ["how many big places are near the long river" if part == QUESTION else part for part in ASK]
    options = ("--json", "-s", "best_of_n", "--set", "early_stop=false", "--set", "temperature=1.3", "--seed")
    first, again, other = (veriloop(*vague, *options, seed) for seed in ("1", "1", "2"))
    texts = [[a["segments"][0]["text"] for a in said.json["attempts"]] for said in (first, again, other)]
    assert texts[0] == texts[1] != texts[2]


def test_a_budget_of_calls_stops_with_the_best_so_far(veriloop):
    said = veriloop(*ASK, "--json", "-s", "best_of_n", "--set", "early_stop=false", "--max-calls", "3")
    assert said.json["spend"]["calls"] == 3
    assert len(said.json["attempts"]) == 3


def test_a_budget_of_tool_runs_holds(veriloop):
    said = veriloop(*ASK, "--json", "--verify", "shell:exit 1", "--max-tool-runs", "3")
    assert said.json["spend"]["tool_runs"] == 3
    assert said.json["stopped"] == "budget: tool_runs"


def test_an_answer_that_did_not_pass_exits_1(veriloop):
    assert veriloop(*ASK, "--verify", "shell:echo no; exit 1").status == 1


def test_oracle_compares_with_gold_and_says_its_name(veriloop):
    said = veriloop(*ASK, "--verify", "oracle", "--gold", "SELECT 'austin'")
    assert said.status == 0
    assert "by oracle" in said.out


def test_without_a_verifier_a_line_says_which_strategy_is_taken(veriloop):
    note = "nothing verifies, so the strategy is single, not iad"
    assert note in veriloop(*ASK, "--verify", "none").out
    assert note not in veriloop(*ASK, "--verify", "none", "--strategy", "single").out
    assert note not in veriloop(*ASK).out


def test_the_version_is_told(veriloop):
    said = veriloop("--version")
    assert (said.status, said.out) == (0, f"veriloop {version('veriloop')}\n")


def test_no_arguments_show_the_help(veriloop):
    assert "solve" in veriloop().out
    assert "prune" in veriloop("runs").out


def test_record_and_replay(veriloop):
    first = veriloop(*ASK, "--json", "--record", "run.jsonl").json
    again = veriloop(*ASK, "--json", "--replay", "run.jsonl").json
    assert again["answer"] == first["answer"]


def test_strategies_and_models_are_told(veriloop):
    names = [each["name"] for each in veriloop("strategies", "--json").json]
    assert names[:5] == ["single", "best_of_n", "self_refine", "iad", "start"]
    assert {"tree_of_thought", "rebase", "beam", "a_star", "mcts", "mixture", "plangen-tot"} <= set(names)
    assert {"name": "width", "default": 2, "kind": "int"} in veriloop("strategies", "show", "iad", "--json").json[
        "parameters"
    ]
    shown = veriloop("strategies", "show", "iad").out
    assert "feedback" in shown
    assert "`" not in shown
    assert any(each["name"] == "embedded:sql" for each in veriloop("models", "--json").json)
    assert "embedded:sql" in veriloop("models").out
    assert veriloop("models", "list").out == veriloop("models").out
    assert veriloop("strategies", "list", "--json").json == veriloop("strategies", "--json").json


def test_every_verifier_is_told_with_what_it_does(veriloop):
    found = veriloop("verifiers", "--json").json
    assert {*KNOWN, "shell"} <= {each["name"] for each in found}
    assert all(each["summary"] for each in found)
    assert "python-tests:FILE" in veriloop("verifiers", "list").out


def test_a_strategy_takes_its_parameters_behind_its_name(veriloop):
    found = veriloop(*ASK, "-s", "best_of_n:n=3:early_stop=false", "--json").json
    assert len(found["attempts"]) == 3
    assert veriloop("runs", "list", "--json").json[0]["strategy"] == "best_of_n"


def test_the_demo_answers_offline(veriloop):
    said = veriloop("demo")
    assert said.status == 0
    assert "no network used" in " ".join(said.out.split())
    assert len(veriloop("runs", "list", "--json").json) >= 5


def test_the_demo_leaves_a_file_of_somebody_else_alone(veriloop):
    for content in ("my own notes", sqlite_with("mine")):
        Path("atlas.sqlite").write_bytes(content if isinstance(content, bytes) else content.encode())
        before = Path("atlas.sqlite").read_bytes()
        said = veriloop("demo")
        assert said.status == 2
        assert "atlas.sqlite in this folder is not the demo's database" in said.err
        assert said.err.count("\n") == 1
        assert Path("atlas.sqlite").read_bytes() == before


def sqlite_with(table: str) -> bytes:
    """A database with one table."""
    file = Path("other.sqlite")
    connection = sqlite3.connect(file)
    connection.execute(f"CREATE TABLE {table} (x)")
    connection.close()
    return file.read_bytes()


MISTAKES = {
    "no such strategy": (["--strategy", "foo"], "unknown strategy 'foo'; known: a_star, beam, best_of_n, iad, mcts, "),
    "almost a strategy": (["--strategy", "best-of-n"], "unknown strategy 'best-of-n' (did you mean 'best_of_n'?)"),
    "almost a parameter": (["--set", "temprature=0"], "no parameter 'temprature' (did you mean 'temperature'?)"),
    "too cold": (["--set", "temperature=-5"], "cannot sample at temperature -5.0"),
    "too short": (["-s", "single", "--set", "max_tokens=0"], "max_tokens 0"),
    "gold that does not run": (["--verify", "oracle", "--gold", "SELECT x"], "the oracle's own query fails: no such"),
    "gold for nobody": (["--verify", "none", "--gold", "x"], "gold is only for the verifier oracle"),
    "gold for another": (["--gold", "x"], "gold is only for the verifier oracle, and this is sql"),
    "a recording that is there": (["--record", "text.sqlite"], "it exists already; remove it or name another file"),
    "a folder as recording": (["--replay", "."], "cannot read the recording .: Is a directory"),
    "a folder as database": (["--db", "."], "Is a directory"),
    "no such option": (["--quux"], "no such option: --quux; see: veriloop solve --help"),
    "a bad number": (["--max-calls", "x"], "invalid value for '--max-calls': "),
    "one argument too many": (["more"], "see: veriloop solve --help"),
    "no such parameter": (["--set", "foo=1"], "strategy iad has no parameter 'foo'; it has rounds, width"),
    "no such value": (["--set", "rounds=x"], "strategy iad: rounds = 'x'"),
    "a parameter without value": (["--set", "rounds"], "write NAME=VALUE"),
    "no such model": (["--model", "nope"], "unknown model 'nope'"),
    "no such embedded model": (["--model", "embedded:nope"], "unknown embedded model 'nope'; known: game24, math, sql"),
    "almost an embedded model": (["--model", "embedded:maths"], "'maths' (did you mean 'math'?); known: "),
    "no such value behind the name": (["-s", "iad:rounds=x"], "strategy iad: rounds = 'x'"),
    "no such class": (["--model", "a.b:C"], "cannot load 'a.b:C'"),
    "no key": (["--model", "openai:gpt-5-mini"], "OPENAI_API_KEY is not set"),
    "no such verifier": (
        ["--verify", "mine"],
        "unknown verifier 'mine'; known: game24, graph-coloring, judge, math-answer, natural-plan, oracle, plangen, "
        "python-tests, sql,",
    ),
    "almost a verifier": (["--verify", "slq"], "unknown verifier 'slq' (did you mean 'sql'?)"),
    "almost a command": (["--verify", "shel:./check.sh"], "(did you mean 'shell'?)"),
    "oracle without gold": (["--verify", "oracle"], "--gold"),
    "no critic": (["--strategy", "self_refine", "--model", "loose:Narrow"], "--model critic="),
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
class Narrow(Model):
    name = "narrow"
    capabilities = Capabilities(only="sql")
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
    assert "Errno" not in said.err
    assert "Traceback" not in said.err
    assert veriloop("runs", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["solve"], "missing argument 'question'; see: veriloop solve --help"),
        (["slove", QUESTION], "no such command 'slove'. Did you mean 'solve'?; see: veriloop --help"),
        (["runs", "show"], "see: veriloop runs show --help"),
        (["solve", QUESTION, "--db"], "option '--db' requires an argument; see: veriloop --help"),
    ],
)
def test_arguments_that_cannot_be_taken_are_one_line(veriloop, arguments: list[str], expected: str):
    said = veriloop(*arguments)
    assert (said.status, said.out) == (2, "")
    assert expected in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("postgres://me:secret@host/data", "must be written postgresql+psycopg://me:***@host/data (VERILOOP_STORE)"),
        ("sqlite:////dev/null/runs.sqlite", "cannot use the store /dev/null/runs.sqlite: "),
        ("runs.sqlite", "is not a database URL"),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_before_any_call(veriloop, monkeypatch, store: str, expected: str):
    monkeypatch.setenv("VERILOOP_STORE", store)
    with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*ASK, "--model", "openai:any")
    assert said.status == 2
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert server.requests == []


def test_a_store_is_asked_for_once(veriloop, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("VERILOOP_STORE", f"sqlite:///{tmp_path}/runs.sqlite")
    assert veriloop(*ASK).status == 0
    assert (tmp_path / "runs.sqlite").exists()


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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", [[*ASK, "--model", "openai:any"], ["demo"]], ids=["solve", "demo"])
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, home: Path, command, number: int, status: int):
    atlas.build(tmp_path / "atlas.sqlite")
    with ChatServer(latency=30) as server:
        env = {**os.environ, "OPENAI_BASE_URL": server.base_url, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "veriloop.apps.cli", *command],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if line.startswith("round 1"):
                break
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert err.startswith("veriloop: interrupted; go on with: veriloop runs resume ")
    assert err.count("\n") == 1


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

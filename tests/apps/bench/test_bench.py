"""``veriloop bench`` from end to end: what it records, what it says, what it refuses, what it survives."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import DATA, LAYOUTS, Answers, cells, command, folder, needs_data, questions, rows
from loopback import ChatServer, Raw

from veriloop.apps.bench import report
from veriloop.apps.bench.records import Results
from veriloop.graphs.strategies import Strategy

ARMS = ["--strategies", "single,best_of_n,self_refine,iad", "--proposals", "4"]


@pytest.fixture
def answers() -> Answers:
    return Answers(questions(rows(40)))


@pytest.fixture
def server(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer(answers) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_strategy_on_every_layout(veriloop, server, tmp_path: Path, layout: str) -> None:
    data = folder(tmp_path / "data", rows(4), layout)
    said = veriloop(*command(data, tmp_path / "out", *ARMS, "--seeds", "2", "--json"))
    assert said.status == 0
    assert [arm["cells"] for arm in said.json["arms"]] == [8] * 4
    found = cells(tmp_path / "out")
    assert len(found) == 4 * 2 * 4
    assert {row["arm"] for row in found.values()} == {"single", "best_of_n", "self_refine", "iad"}
    assert {row["group"] for row in found.values()} == {"shop_0", "shop_1"}
    assert not any(row["error"] for row in found.values())
    assert list((tmp_path / "home").glob("**/*.jsonl")) == []


def test_a_record_says_everything(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(6))
    veriloop(*command(data, tmp_path / "out", *ARMS))
    for row in cells(tmp_path / "out").values():
        by_id = {c["id"]: c for c in row["candidates"]}
        assert row["right"] == by_id[row["best"]]["right"]
        assert row["picks"][-1] == row["best"]
        assert len(row["picks"]) == len(row["tokens"]) == len(row["candidates"])
        assert row["tokens"] == sorted(row["tokens"])
        assert row["tokens"][-1] == row["spend"]["tokens_in"] + row["spend"]["tokens_out"]
        assert row["question"] == f"Which fruit is above {row['task'][1:]}?"
        for each in row["candidates"]:
            right = each["answer"] == f"SELECT name FROM fruit WHERE number > {row['task'][1:]}"
            assert each["right"]["spider"] == (right or (each["right"]["spider"] and "LIMIT" in each["answer"]))
    found = {
        arm: [r for r in cells(tmp_path / "out").values() if r["arm"] == arm] for arm in ("best_of_n", "self_refine")
    }
    assert all(len(row["candidates"]) == 4 for row in found["best_of_n"])
    assert all(row["opinions"][0]["role"] == "critic" for row in found["self_refine"])
    assert all(row["verify"] == "none" for row in found["self_refine"])


def test_the_plan_says_what_decided(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(3))
    veriloop(*command(data, tmp_path / "out", "--strategies", "iad:rounds=3:width=1", "--temperature", "0.4"))
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["models"] == {"proposer": "openai:test"}
    assert (plan["benchmark"], plan["tasks"], plan["seeds"]) == ("text2sql", 3, [0])
    assert plan["metrics"] == ["spider", "bird"]
    assert plan["mechanism_check"] is False
    (arm,) = plan["arms"]
    assert (arm["label"], arm["strategy"], arm["verify"], arm["temperature"]) == (
        "iad:rounds=3:width=1",
        "iad",
        "sql",
        0.4,
    )
    assert (arm["parameters"]["rounds"], arm["parameters"]["width"]) == (3, 1)


def test_the_same_command_again_runs_nothing(veriloop, server, answers: Answers, tmp_path: Path) -> None:
    asked = command(folder(tmp_path / "data", rows(3)), tmp_path / "out", *ARMS)
    veriloop(*asked)
    seen, text = len(answers.arrived), (tmp_path / "out" / "results.jsonl").read_bytes()
    said = veriloop(*asked)
    assert said.status == 0
    assert "best_of_n" in said.out
    assert len(answers.arrived) == seen
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == text


def test_cells_that_were_run_are_scored_again_without_asking_again(veriloop, server, answers, tmp_path: Path) -> None:
    asked = command(folder(tmp_path / "data", rows(3)), tmp_path / "out", *ARMS)
    veriloop(*asked)
    before, seen = cells(tmp_path / "out"), len(answers.arrived)
    (tmp_path / "out" / "results.jsonl").unlink()
    veriloop(*asked)
    assert cells(tmp_path / "out") == before
    assert len(answers.arrived) == seen


OTHER: list[tuple[list[str], str]] = [
    (["--proposals", "2"], "proposals 4 (now 2)"),
    (["--seeds", "2"], "seeds 1 (now 2)"),
    (["--model", "openai:other"], "models proposer=openai:test (now proposer=openai:other)"),
    (["--strategies", "single"], "strategies single,best_of_n,self_refine,iad (now single)"),
    (["--temperature", "0.1"], "temperature none (now 0.1)"),
    (["--limit", "2"], "limit none (now 2)"),
    (["--verify", "oracle"], "verify sql (now oracle)"),
    (["--metric", "bird"], "metric spider (now bird)"),
]


def test_another_command_into_the_same_folder_is_refused(veriloop, server, tmp_path: Path) -> None:
    asked = command(folder(tmp_path / "data", rows(3)), tmp_path / "out", *ARMS)
    veriloop(*asked)
    for more, named in OTHER:
        said = veriloop(*asked, *more)
        assert said.status == 2
        assert "holds another run: " in said.err
        assert named in said.err
        assert "give another --out" in said.err
        assert said.err.count("\n") == 1


def test_other_data_into_the_same_folder_are_refused(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(3))
    asked = command(data, tmp_path / "out", *ARMS)
    veriloop(*asked)
    connection = sqlite3.connect(data / "db" / "shop_0.sqlite")
    connection.execute("DELETE FROM fruit WHERE number = 3")
    connection.commit()
    connection.close()
    assert "another content of its data" in veriloop(*asked).err


@pytest.mark.parametrize("option", ["--limit", "--tune"])
def test_only_what_the_user_changed_is_said_to_differ(veriloop, server, tmp_path: Path, option: str) -> None:
    asked = command(folder(tmp_path / "data", rows(4)), tmp_path / "out", "--strategies", "single")
    veriloop(*asked)
    value = {"--limit": "2", "--tune": "0.5"}[option]
    said = veriloop(*asked, option, value).err
    assert f"holds another run: {option[2:]} none (now {value}); ask the same" in said


def test_one_broken_task_stops_nothing(veriloop, server, tmp_path: Path) -> None:
    tasks = rows(6)
    tasks[0]["gold_sql"] = "SELECT x FROM fruit"
    tasks[1] = {**tasks[1], "db_id": "gone"}
    data = folder(tmp_path / "data", tasks)
    (data / "db" / "gone.sqlite").unlink()
    tasks[2] = {**tasks[2], "db_id": "text"}
    (data / "db" / "text.sqlite").write_text("no database at all, but a text of some length " * 30)
    (data / "questions.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    said = veriloop(*command(data, tmp_path / "out", *ARMS))
    assert said.status == 0
    assert "3 cells could not be run and count as wrong" in said.words
    assert said.err.startswith("veriloop: 12 cells of 3 tasks could not be run and count as wrong, the first: ")
    assert said.err.count("\n") == 1
    found = cells(tmp_path / "out")
    assert len(found) == 24
    broken = {row["task"]: row for row in found.values() if row["error"]}
    assert set(broken) == {"q0", "q1", "q2"}
    assert "its own right query fails: no such column: x" in broken["q0"]["error"]
    assert "gone.sqlite: No such file or directory" in broken["q1"]["error"]
    assert "file is not a database" in broken["q2"]["error"]
    for row in broken.values():
        assert (row["stopped"], row["right"], row["best"]) == ("broken", {"spider": False, "bird": False}, None)
        assert "\n" not in row["error"]


def test_where_no_cell_could_be_run_that_is_the_end(veriloop, server, tmp_path: Path) -> None:
    tasks = [{**task, "gold_sql": "SELECT x FROM fruit"} for task in rows(2)]
    said = veriloop(*command(folder(tmp_path / "data", tasks), tmp_path / "out", "--strategies", "single"))
    assert said.status == 2
    assert "no cell could be run, the first: " in said.err
    assert "no such column: x" in said.err


@pytest.mark.parametrize(("signal_", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_report_is_announced_and_can_be_cut_off(
    veriloop, server, tmp_path: Path, monkeypatch, signal_: signal.Signals, status: int
) -> None:
    def cut(out: Path) -> None:
        os.kill(os.getpid(), signal_)
        time.sleep(5)

    asked = command(folder(tmp_path / "data", rows(2)), tmp_path / "out", "--strategies", "single")
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    with monkeypatch.context() as patched:
        patched.setattr(report, "write", cut)
        said = veriloop(*asked)
    ignored = signal.signal(signal.SIGINT, handlers[signal.SIGINT])
    assert (said.status, said.err) == (status, "veriloop: interrupted; the same command goes on\n")
    assert "writing the report …" in said.out
    assert (ignored, signal.getsignal(signal.SIGTERM)) == (signal.SIG_IGN, handlers[signal.SIGTERM])
    assert veriloop(*asked).status == 0


def test_the_table_says_which_model_ran(veriloop, server, tmp_path: Path) -> None:
    asked = command(folder(tmp_path / "data", rows(2)), tmp_path / "out", "--strategies", "single")
    assert "model: openai:test" in veriloop(*asked).out
    told = veriloop("bench", "run", "--help").words
    assert "each strategy's own number (best_of_n 8, iad 4 rounds x 2, self_refine 4)" in " ".join(
        told.replace("│", " ").split()
    )


def test_the_help_states_the_defaults_that_strategies_have() -> None:
    sizes = {name: Strategy(name).make().at_most for name in ("best_of_n", "iad", "self_refine")}
    assert sizes == {"best_of_n": 8, "iad": 4 * 2, "self_refine": 4}


def test_an_unknown_model_is_refused_before_anything_else_is_said(veriloop, tmp_path: Path) -> None:
    asked = command(folder(tmp_path / "data", rows(2)), tmp_path / "out", "--model", "nobody:knows")
    said = veriloop(*asked)
    assert (said.status, said.out) == (2, "")
    assert "nobody" in said.err


def test_nothing_is_paid_for_a_broken_task(veriloop, server, answers: Answers, tmp_path: Path) -> None:
    tasks = rows(2)
    tasks[0]["gold_sql"] = "SELECT x FROM fruit"
    veriloop(*command(folder(tmp_path / "data", tasks), tmp_path / "out", "--strategies", "single"))
    assert len(answers.arrived) == 1


def test_trouble_is_tried_again_by_the_same_command(veriloop, server, answers: Answers, tmp_path: Path) -> None:
    def failing(body: dict[str, Any], index: int) -> Any:
        last = body["messages"][1]["content"].endswith("above 2?")
        return Raw(400, {"error": {"message": "not this one"}}) if last else answers(body, index)

    asked = command(folder(tmp_path / "data", rows(4)), tmp_path / "out", "--strategies", "single,iad")
    server.reply = failing
    said = veriloop(*asked)
    assert said.status == 2
    assert "2 cells met trouble, the first:" in said.err
    assert "not this one" in said.err
    assert "the same command tries them again" in said.err
    seen, server.reply = len(answers.arrived), answers
    assert veriloop(*asked).status == 0
    assert not any(row["error"] for row in cells(tmp_path / "out").values())
    assert {key.partition("|")[0] for _, key in answers.arrived[seen:]} == {"Which fruit is above 2?"}


def test_a_server_that_refuses_everything_is_not_asked_a_thousand_times(veriloop, server, tmp_path: Path) -> None:
    server.reply = lambda body, index: Raw(400, {"error": {"message": "no such model"}})
    said = veriloop(*command(folder(tmp_path / "data", rows(40)), tmp_path / "out", "--strategies", "single"))
    assert said.status == 2
    assert "cells in a row met trouble, the last: " in said.err
    assert "no such model" in said.err
    assert len(server.requests) < 40


def test_a_limit_of_money_holds_and_more_of_it_goes_on(
    veriloop, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILOOP_PRICES", '{"openai:test": {"input": 100, "output": 100}}')
    data = folder(tmp_path / "data", rows(20))
    asked = command(data, tmp_path / "out", "--strategies", "single")
    said = veriloop(*asked, "--max-money", "0.05")
    assert said.status == 2
    assert "of --max-money 0.05 are spent, and the rest is too little; the same command goes on" in said.err
    part = cells(tmp_path / "out")
    spent = sum(row["spend"]["money"] for row in part.values())
    assert 0.04 <= spent <= 0.05
    assert veriloop(*asked, "--max-money", "10").status == 0
    assert len(cells(tmp_path / "out")) == 20
    assert part.items() <= cells(tmp_path / "out").items()


def test_gold_of_any_kind_is_the_same_data_in_the_next_process() -> None:
    code = (
        "from veriloop import Task; from veriloop.apps.bench.benchmark import Item; from veriloop.apps.bench.plan "
        "import content; print(content([Item('1', Task('?'), g) for g in ({*'abcdef'}, object(), ['x', 2])]))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True
        ).stdout
        for seed in "12"
    }
    assert len(said) == 1
    assert said != {b""}


def test_a_limit_draws_the_same_tasks_always(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(12))
    for n in (3, 5):
        veriloop(*command(data, tmp_path / f"out{n}", "--strategies", "single", "--limit", str(n)))
    few, more = ({task for _, task, _ in cells(tmp_path / f"out{n}")} for n in (3, 5))
    assert (len(few), len(more)) == (3, 5)
    assert few < more != {f"q{n}" for n in range(5)}


def test_the_oracle_is_a_verifier_that_sees_gold(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(8))
    veriloop(
        *command(data, tmp_path / "out", "--strategies", "best_of_n", "--verify", "sql,oracle", "--proposals", "4")
    )
    found = cells(tmp_path / "out")
    assert {row["arm"] for row in found.values()} == {"best_of_n · sql", "best_of_n · oracle"}
    for row in found.values():
        if row["verify"] == "oracle":
            assert row["right"]["spider"] == any(c["right"]["spider"] for c in row["candidates"])
    texts = {f["message"] for row in found.values() for c in row["candidates"] for f in c["findings"]}
    assert not any("WHERE number" in text for text in texts)


def test_seeds_are_shared_by_arms_and_differ_from_each_other(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(5))
    veriloop(*command(data, tmp_path / "out", "--strategies", "best_of_n,iad", "--proposals", "4", "--seeds", "2"))
    found = cells(tmp_path / "out")
    firsts = {key: [c["answer"] for c in row["candidates"]][:2] for key, row in found.items()}
    pairs = [(task, seed) for arm, task, seed in firsts if arm == "iad"]
    assert all(firsts["iad", *pair] == firsts["best_of_n", *pair] for pair in pairs)
    answers = [[firsts["iad", f"q{n}", seed] for n in range(5)] for seed in (0, 1)]
    assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--strategies", "ida"], "unknown strategy 'ida' (did you mean 'iad'?)"),
        (["--strategies", "iad:round=3"], "strategy iad has no parameter 'round' (did you mean 'rounds'?)"),
        (["--strategies", "single,single"], "the arm single is asked for twice"),
        (["--verify", "sqll"], "unknown verifier 'sqll' (did you mean 'sql'?)"),
        (["--metric", "brid"], "unknown metric 'brid' (did you mean 'bird'?); there are spider, bird"),
        (["--temperatures", "0.3"], "add --tune 0.1 or --tune-on DIR"),
        (["--temperatures", "x"], "give numbers, as in 0.3,0.7,1.0"),
        (["--abstain-below", "0.5"], "--abstain-below learns P(right) on tasks that are not measured"),
        (["--tune", "0.5", "--temperature", "1"], "--temperature fixes what tuning chooses"),
        (["--data", "nowhere"], "there is no data folder nowhere"),
        (["--model", "openai"], "names no model"),
        (["--model", "poet=openai:x"], "no agent plays the role 'poet'"),
        (["--out", "data/questions.jsonl"], "cannot write results to"),
    ],
)
def test_what_cannot_be_is_one_line(
    veriloop, server, answers: Answers, tmp_path: Path, more: list[str], said: str
) -> None:
    data = folder(tmp_path / "data", rows(3))
    refused = veriloop(*command(data, tmp_path / "out", "--strategies", "single,iad", *more))
    assert refused.status == 2
    assert said in refused.err
    assert refused.err.count("\n") == 1
    assert not answers.arrived


def test_what_was_refused_leaves_the_folder_free(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(2))
    how = ["--strategies", "single"]
    assert veriloop(*command(data, tmp_path / "out", *how, "--model", "poet=openai:x")).status == 2
    assert veriloop(*command(data, tmp_path / "out", *how)).status == 0


def test_a_benchmark_that_nobody_knows_is_refused(veriloop, tmp_path: Path) -> None:
    said = veriloop("bench", "text2sq", "--data", ".", "--out", "out")
    assert said.err.startswith("veriloop: unknown benchmark 'text2sq' (did you mean 'text2sql'?)")


def test_a_folder_at_work_is_refused(veriloop, server, tmp_path: Path) -> None:
    from veriloop.apps.bench.plan import claimed

    data = folder(tmp_path / "data", rows(2))
    with claimed(tmp_path / "out"):
        said = veriloop(*command(data, tmp_path / "out", "--strategies", "single"))
    assert "another process is at work in" in said.err


def test_tuning_is_on_other_tasks_and_its_choice_is_in_the_plan(veriloop, server, answers, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(20))
    asked = command(data, tmp_path / "out", "--strategies", "single,iad", "--tune", "0.25", "--temperatures", "0.2,0.9")
    assert veriloop(*asked).status == 0
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    tuned, measured = set(plan["tuning"]["on"]), {task for _, task, _ in cells(tmp_path / "out")}
    assert (len(tuned), len(measured)) == (5, 15)
    assert not tuned & measured
    chosen = {arm["label"]: arm["chosen"] for arm in plan["tuning"]["arms"]}
    assert {arm["label"]: arm["temperature"] for arm in plan["arms"]} == chosen
    assert all(row["temperature"] == chosen[row["arm"]] for row in cells(tmp_path / "out").values())
    seen = len(answers.arrived)
    assert veriloop(*asked).status == 0
    assert len(answers.arrived) == seen


def test_answers_that_are_too_unlikely_are_held_back(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(20))
    how = ["--strategies", "single", "--tune", "0.5", "--temperatures", "0.7", "--abstain-below"]
    assert "no answer in 100.0 % of its cells" in veriloop(*command(data, tmp_path / "all", *how, "1")).words
    assert all(row["abstained"] and not row["right"]["spider"] for row in cells(tmp_path / "all").values())
    veriloop(*command(data, tmp_path / "none", *how, "0"))
    assert not any(row["abstained"] for row in cells(tmp_path / "none").values())


def test_ablations_run_beside_iad_those_that_learn_last(veriloop, server, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", rows(6))
    how = ["--strategies", "iad", "--ablate", "feedback=none,shuffled,noise=0.1@feedback", "--proposals", "4"]
    assert veriloop(*command(data, tmp_path / "out", *how)).status == 0
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert [arm["label"] for arm in plan["arms"]] == [
        "iad", "iad feedback=none", "iad shuffled", "iad noise 0.1 on feedback"
    ]  # fmt: skip
    assert set(plan["learnt"]) == {"iad shuffled", "iad noise 0.1 on feedback"}
    found = cells(tmp_path / "out")
    assert len(found) == 24
    assert not any(row["error"] for row in found.values())


def test_a_torn_last_line_is_dropped_and_its_cell_told_again(
    veriloop, server, answers: Answers, tmp_path: Path
) -> None:
    asked = command(folder(tmp_path / "data", rows(3)), tmp_path / "out", *ARMS)
    veriloop(*asked)
    before, seen = cells(tmp_path / "out"), len(answers.arrived)
    path = tmp_path / "out" / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    assert len(list(Results(tmp_path / "out").rows())) == 11
    assert veriloop(*asked).status == 0
    assert cells(tmp_path / "out") == before
    assert len(answers.arrived) == seen


def test_a_line_that_is_no_cell_is_named(veriloop, server, tmp_path: Path) -> None:
    asked = command(folder(tmp_path / "data", rows(2)), tmp_path / "out", "--strategies", "single")
    veriloop(*asked)
    with (tmp_path / "out" / "results.jsonl").open("a") as file:
        file.write("nonsense\n")
    said = veriloop(*asked)
    assert "results.jsonl, line 3 is not a cell of a benchmark run: take that line out" in said.err


OWN = """
import json
from veriloop import Task
from veriloop.apps.bench.benchmark import Item

class Words:
    verify = f"{__name__}:long"
    metrics = ("share",)

    def load(self, data):
        return [Item(f"w{n}", Task(f"say {n} words", None), n) for n in range(4)]

    async def score(self, item, candidates):
        if item.gold == 3:
            raise KeyError("nobody counts to three")
        return [{"share": min(1.0, len(c.text.split()) / 8)} for c in candidates]

def long(answer):
    return min(1.0, len(answer.split()) / 10)
"""


def test_a_benchmark_of_ones_own_with_shares_and_an_oracle(veriloop, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "words_of_mine.py").write_text(OWN)
    how = ["--data", ".", "--out", "out", "--strategies", "best_of_n", "--verify", "words_of_mine:long,oracle"]
    with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop("bench", "words_of_mine:Words", *how, "--model", "openai:test", "--proposals", "3", "--json")
    assert said.status == 0
    assert [arm["errors"] for arm in said.json["arms"]] == [1, 1]
    found = cells(tmp_path / "out")
    assert found["best_of_n · oracle", "w3", 0]["error"] == "KeyError: 'nobody counts to three'"
    ceiling = found["best_of_n · oracle", "w0", 0]
    assert ceiling["candidates"][0]["score"] == ceiling["right"]["share"] == 0.5
    assert ceiling["candidates"][0]["findings"][0]["message"] == "It is not right."


@pytest.mark.slow
@needs_data
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("pack", "tasks", "databases"), [("text2sql_spider", 575, 11), ("text2sql_defog", 166, 7)])
def test_the_real_packs_through_a_server_of_openais_kind(
    veriloop, server, answers: Answers, tmp_path: Path, pack: str, tasks: int, databases: int
) -> None:
    from veriloop.apps.bench.text2sql import Text2SQL

    items = {item.id: item for item in Text2SQL().load(DATA / pack)}
    answers.golds = {item.task.question: item.gold[0] for item in items.values()}
    how = ["--strategies", "best_of_n,iad", "--proposals", "2"]
    assert veriloop(*command(DATA / pack, tmp_path / "out", *how)).status == 0
    found = cells(tmp_path / "out")
    assert len(found) == 2 * tasks
    assert len({row["group"] for row in found.values()}) == databases
    assert not any(row["error"] for row in found.values())
    for row in found.values():
        golds = {" ".join(sql.split()) for sql in items[row["task"]].gold}
        for each in row["candidates"]:
            if " ".join(each["answer"].split()) in golds:
                assert each["right"] == {"spider": True, "bird": True}
            if each["answer"] == "SELECT nothing FROM nowhere":
                assert each["right"] == {"spider": False, "bird": False}

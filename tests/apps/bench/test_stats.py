"""Statistics of recorded runs: by hand on tiny ones, against the truth on made-up ones."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from bench_made import ABLATED, ARMS, Arm, Made

from veriloop.apps.bench import stats
from veriloop.apps.bench.estimates import wilson
from veriloop.apps.bench.measured import measured
from veriloop.apps.bench.worth import worth
from veriloop.core.errors import UsageError


def cell(arm: str, task: str, rights: str, tokens: list[int], picks: list[int] | None = None, **more: Any) -> Any:
    """A cell of ``arm`` (strategy and verifier): ``rights`` as "0110"; picks by position, the last one without."""
    strategy, _, verify = arm.partition(" · ")
    candidates = [
        {
            "id": str(i), "round": 0, "parents": [], "answer": "x", "score": float(r), "findings": [],
            "outcome": "passed", "right": {"spider": r == "1"}, "tokens_in": 1, "tokens_out": 1, "verifying": 0,
        }
        for i, r in enumerate(rights)
    ]  # fmt: skip
    picked = [str(i) for i in (picks or range(len(rights)))]
    spend = {"calls": len(rights), "tokens_in": 0, "tokens_out": tokens[-1] if tokens else 0, "money": None}
    last = {"spider": bool(picked) and rights[int(picked[-1])] == "1"}
    return {
        "task": task, "question": "?", "arm": arm, "strategy": strategy, "verify": verify or "none", "change": "",
        "temperature": 0.7, "seed": 0, "error": "", "abstained": False, "right": last, "picks": picked,
        "tokens": tokens, "spend": spend | {"seconds": 1.0, "verdicts": len(rights), "tool_runs": 0},
        "candidates": candidates, "opinions": [], **more,
    }  # fmt: skip


def written(out: Path, cells: list[Any], **plan: Any) -> Path:
    out.mkdir(exist_ok=True)
    (out / "plan.json").write_text(json.dumps({"metrics": ["spider"], "arms": [], **plan}))
    (out / "results.jsonl").write_text("".join(json.dumps(each) + "\n" for each in cells))
    return out


BEST, IAD = "best_of_n · sql", "iad · sql"
TINY = [
    cell(BEST, "a", "010", [10, 20, 30], picks=[0, 1, 1]),
    cell(BEST, "b", "000", [10, 20, 30]),
    cell(IAD, "a", "01", [15, 40]),
    cell(IAD, "b", "1", [25]),
]


def by_label(found: list[stats.Data]) -> dict[str, stats.Data]:
    return {each["label"]: each for each in found}


def test_a_summary_by_hand(tmp_path: Path):
    found = by_label(stats.summary(written(tmp_path / "out", TINY)))
    assert found[BEST]["accuracy"]["spider"]["value"] == 0.5
    assert found[IAD]["accuracy"]["spider"]["value"] == 1.0
    assert found[BEST]["tokens"] == 30
    assert found[IAD]["tokens"] == 32.5
    assert found[BEST]["money"] is None
    assert found[BEST]["pass_at"]["1"]["spider"]["value"] == pytest.approx(1 / 6)
    assert found[BEST]["pass_at"]["2"]["spider"]["value"] == pytest.approx(1 / 3)
    assert (found[BEST]["cells"], found[BEST]["candidates"], found[BEST]["proposals"]) == (2, 6, 3)


@pytest.mark.parametrize("right", ["1", "0"])
def test_three_tasks_that_are_all_alike_prove_little(tmp_path: Path, right: str):
    run = written(tmp_path / "out", [cell(BEST, task, right, [10], seed=seed) for task in "abc" for seed in (0, 1)])
    accuracy = stats.summary(run)[0]["accuracy"]["spider"]
    assert accuracy == wilson(3 * int(right), 3).plain  # of tasks: more seeds make no more of them
    assert accuracy["high"] - accuracy["low"] > 0.5
    rates = stats.calibration(run)[0]["passed_wrong"]
    assert rates["high"] - rates["low"] > 0.5


def test_at_equal_tokens_the_arm_is_cut_to_what_best_of_n_used(tmp_path: Path):
    (found,) = stats.comparisons(written(tmp_path / "out", TINY))
    assert (found["arm"], found["base"], found["kind"]) == (IAD, BEST, "strategy")
    whole, cut = found["metrics"]["spider"]["proposals"], found["metrics"]["spider"]["tokens"]
    assert (whole["value"], whole["better"], whole["worse"]) == (0.5, 1, 0)
    assert (cut["value"], cut["better"], cut["worse"]) == (0.0, 1, 1)  # of task a only the first, wrong one fits in 30
    assert whole["p"] == 1.0  # one task that differs proves nothing


def test_at_equal_proposals_the_arm_that_may_propose_more_is_cut(tmp_path: Path):
    cells = [cell(BEST, "a", "01", [10, 20]), cell(IAD, "a", "0001", [1, 2, 3, 4])]
    arms = [{"label": BEST, "proposals": 2}, {"label": IAD, "proposals": 4}]
    (found,) = stats.comparisons(written(tmp_path / "out", cells, arms=arms))
    assert {kind: each["value"] for kind, each in found["metrics"]["spider"].items()} == {"proposals": -1, "tokens": 0}


def stepwise(task: str, right: str, tokens: list[int]) -> Any:
    """A cell of a search over steps: all but its last candidate are partial, and it ends right or wrong."""
    made = cell("beam · sql", task, "0" * (len(tokens) - 1) + right, tokens)
    for candidate in made["candidates"][:-1]:
        finding = {"criterion": "step", "score": 0.9, "message": ""}
        candidate |= {"partial": True, "outcome": "failed", "score": 0.9, "findings": [finding]}
    return made


def test_a_step_is_no_proposal_to_compare_at_and_no_answer_to_judge_a_verifier_by(tmp_path: Path):
    cells = [*TINY[:2], stepwise("a", "1", [1, 2, 3, 4, 5]), stepwise("b", "1", [1, 2, 3, 4, 50])]
    arms = [{"label": BEST, "proposals": 3}, {"label": "beam · sql", "proposals": 60}]
    run = written(tmp_path / "out", cells, arms=arms)
    (found,) = stats.comparisons(run)
    assert found["metrics"]["spider"]["proposals"] is None
    assert found["metrics"]["spider"]["tokens"]["value"] == 0.0  # right on a, cut on b
    (entry,) = stats.calibration(run)  # no row for the criterion step: only partial texts have it
    assert entry["candidates"] == 6 + 2
    assert entry["outcomes"] == {"passed": 8, "failed": 0, "unscored": 0, "infra_error": 0}


def test_an_arm_stops_early_only_where_what_it_gets_right_takes_fewer_tokens(tmp_path: Path):
    def early(*cells: Any) -> bool:
        return measured(written(tmp_path / "out", list(cells))).arms[0].early

    assert early(cell(IAD, "a", "1", [10]), cell(IAD, "b", "00", [10, 20]))
    assert early(cell(IAD, "a", "1", [10]))
    assert not early(cell(IAD, "a", "0", [10]), cell(IAD, "b", "00", [10, 20]))
    assert not early(cell(IAD, "a", "0", [10]), cell(IAD, "b", "01", [10, 20]))


def test_who_ended_first_changes_no_interval(tmp_path: Path):
    one, other = (Made(tasks=40).write(tmp_path / name) for name in "ab")
    lines = (other / "results.jsonl").read_text().splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    (other / "results.jsonl").write_text("".join(lines))
    for what in (stats.summary, stats.comparisons, stats.curves, stats.calibration, worth):
        assert what(one) == what(other)


def test_curves_by_hand(tmp_path: Path):
    found = by_label(stats.curves(written(tmp_path / "out", TINY)))
    values = {k: [p["value"] for p in v] for k, v in found[BEST]["metrics"]["spider"].items()}
    assert values["proposals"] == [0.0, 0.5, 0.5]
    assert values["ceiling"] == [0.0, 0.5, 0.5]
    assert [p["value"] for p in found[IAD]["metrics"]["spider"]["proposals"]] == [0.5, 1.0]  # a stopped run keeps its
    tokens = {p["at"]: p for p in found[IAD]["metrics"]["spider"]["tokens"]}
    assert tokens[10] == {"at": 10, "value": 0.0, "low": 0.0, "high": wilson(0, 2).high, "answered": 0.0}
    assert tokens[max(tokens)]["value"] == 1.0
    assert max(tokens) <= 40


def test_an_error_is_wrong_and_an_abstention_too(tmp_path: Path):
    lost = cell(BEST, "b", "", [], error="no database", right={"spider": False})
    held = cell(BEST, "c", "1", [5], abstained=True, right={"spider": False})
    found = stats.summary(written(tmp_path / "out", [TINY[0], lost, held]))[0]
    assert found["accuracy"]["spider"]["value"] == pytest.approx(1 / 3)
    assert (found["errors"], found["abstained"]) == (1, pytest.approx(1 / 3))
    assert found["pass_at"]["1"]["spider"]["value"] == pytest.approx((1 / 3 + 0 + 1) / 3)


def test_what_is_not_there_yet_is_left_out(tmp_path: Path):
    found = stats.comparisons(written(tmp_path / "out", TINY[:3]))
    assert found[0]["metrics"]["spider"]["proposals"]["tasks"] == 1


def test_a_torn_last_line_is_no_cell_and_a_repeated_one_counts_once(tmp_path: Path):
    out = written(tmp_path / "out", [*TINY, TINY[0]])
    with (out / "results.jsonl").open("a") as file:
        file.write('{"task": "z", "ar')
    assert [each["cells"] for each in stats.summary(out)] == [2, 2]


def test_a_folder_without_a_run_is_one_line(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no benchmark run"):
        stats.summary(tmp_path)
    with pytest.raises(UsageError, match="nothing to report"):
        stats.summary(written(tmp_path / "out", []))
    (tmp_path / "out" / "results.jsonl").write_text("{\n{}\n")
    with pytest.raises(UsageError, match="line 1 is not a cell"):
        stats.summary(tmp_path / "out")


def test_equal_arms_are_not_told_apart_and_a_better_one_is(tmp_path: Path):
    twin = Arm("self_refine · sql", "self_refine", "sql")
    better = Arm("iad · sql", "iad", "sql", gain=0.4)
    run = Made([Arm("best_of_n · sql", verify="sql"), twin, better], tasks=150, broken=0).write(tmp_path / "out")
    found = {c["arm"]: c["metrics"]["spider"] for c in stats.comparisons(run)}
    same, more = found["self_refine · sql"]["proposals"], found["iad · sql"]["proposals"]
    assert same["low"] < 0 < same["high"]
    assert same["p"] > 0.05
    assert more["low"] > 0
    assert more["p"] < 0.01


def test_pass_at_1_is_what_single_reaches(tmp_path: Path):
    found = by_label(stats.summary(Made(tasks=200).write(tmp_path / "out")))
    interval = found["best_of_n · sql+judge"]["pass_at"]["1"]["spider"]
    assert found["single"]["accuracy"]["spider"]["value"] == pytest.approx(interval["value"], abs=0.05)
    assert found["best_of_n · oracle"]["accuracy"]["spider"] == found["best_of_n · oracle"]["ceiling"]["spider"]
    assert found["iad · oracle"]["pass_at"] == {}  # its candidates hang on each other


def test_pairs_keep_to_one_verifier_and_an_ablation_to_its_own_arm(tmp_path: Path):
    found = stats.comparisons(Made([*ARMS, *ABLATED], tasks=6).write(tmp_path / "out"))
    pairs = {(c["arm"], c["base"]) for c in found}
    assert ("iad · oracle", "best_of_n · oracle") in pairs
    assert ("iad · oracle", "best_of_n · sql+judge") not in pairs
    assert ("self_refine", "best_of_n · sql+judge") in pairs
    assert ("best_of_n · sql+judge", "single") in pairs
    assert ("iad shuffled · sql+judge", "iad · sql+judge") in pairs
    assert all(c["oracle"] == ("oracle" in c["arm"]) for c in found)
    assert next(c for c in found if c["base"] == "single")["metrics"]["spider"]["tokens"] is None


def test_a_calibrated_verifier_is_told_from_one_that_is_too_sure(tmp_path: Path):
    arms = [Arm("best_of_n · judge", verify="judge"), Arm("best_of_n · sure+judge", verify="sure+judge", skew=3.0)]
    found = {(c["verify"], c["criterion"]): c for c in stats.calibration(Made(arms, tasks=200).write(tmp_path / "o"))}
    honest, sure = found["judge", ""], found["sure+judge", "judge"]
    assert honest["ece"] < 0.03 < 0.06 < sure["ece"]
    assert honest["brier"] < sure["brier"]
    assert honest["auc"]["value"] == pytest.approx(sure["auc"]["value"], abs=0.03)
    assert (
        sum(b["count"] for b in honest["bins"])
        == honest["candidates"]
        == honest["outcomes"]["passed"] + (honest["outcomes"]["failed"])
    )
    wrong = honest["passed_wrong"]
    assert 0 < wrong["low"] < wrong["value"] < wrong["high"] < 0.5


def test_an_oracle_never_passes_what_is_wrong_and_none_is_no_verifier(tmp_path: Path):
    found = stats.calibration(Made(tasks=30).write(tmp_path / "out"))
    oracle = next(c for c in found if c["oracle"])
    assert oracle["passed_wrong"]["value"] == 0
    assert "none" not in {c["verify"] for c in found}
    assert all(not c["oracle"] or c["criterion"] == "" for c in found)


@pytest.mark.slow
def test_a_large_run_takes_seconds(tmp_path: Path):
    arms = [Arm(f"iad · v{i}", "iad", f"v{i}", proposals=4) for i in range(5)]
    arms += [Arm(f"best_of_n · v{i}", verify=f"v{i}", proposals=4) for i in range(5)]
    run = measured(Made(arms, tasks=595).write(tmp_path / "out"))
    started = time.perf_counter()
    for what in (stats.summary, stats.comparisons, stats.curves, stats.calibration):
        what(run)
    assert time.perf_counter() - started < 15

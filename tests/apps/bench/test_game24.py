"""The benchmark game24, searches over steps in it, and arms at equal generated tokens."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bench_tasks import DATA, needs_data

from veriloop.apps.bench.benchmark import make
from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.generated import Generated
from veriloop.apps.bench.measured import measured
from veriloop.core.errors import UsageError
from veriloop.graphs.record import journal_in
from veriloop.verifiers.conformance import reply
from veriloop.verifiers.game24 import numbers_of

SCRIPTS = Path(__file__).parents[3] / "scripts" / "bench"
SETS = ((1, 2, 3, 4), (4, 6, 8, 12), (4, 9, 10, 13))
ARMS = {"best_of_n": 6, "tree_of_thought": 12, "rebase": 12}


def puzzles(path: Path, *rows: dict[str, Any]) -> Path:
    path.mkdir(exist_ok=True)
    (path / "game24_enumerated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run: three puzzles, three policies, two seeds, the embedded model."""
    folder = tmp_path_factory.mktemp("game24")
    data = puzzles(folder / "data", *({"id": f"g{at}", "numbers": each} for at, each in enumerate(SETS)))
    sizes = {"best_of_n": "n=6", "tree_of_thought": "budget=12", "rebase": "width=6:budget=12"}
    order = Order(
        benchmark="game24",
        data=data,
        out=folder / "out",
        strategies=[f"{name}:{size}" for name, size in sizes.items()],
        models={"proposer": "embedded:game24"},
        seeds=2,
    )
    asyncio.run(Course(order).run())
    journal_in(order.out.absolute()).close()
    journal_in.cache_clear()
    return order.out


def test_an_expression_that_makes_24_of_all_four_is_right(tmp_path: Path) -> None:
    benchmark = make("game24")
    (item,) = benchmark.load(puzzles(tmp_path, {"id": "a", "numbers": [4, 9, 10, 13]}))
    texts = ["Answer: (10 - 4) * (13 - 9) = 24", "(10 - 4) * 4 = 24", "There is no solution.", ""]
    found = asyncio.run(benchmark.score(item, [reply(item.task, text) for text in texts]))
    assert [each["solved"] for each in found] == [True, False, False, False]
    assert numbers_of(item.task.question) == (4, 9, 10, 13)


def test_puzzles_without_a_solution_are_left_out(tmp_path: Path) -> None:
    rows = [{"id": "a", "numbers": [1, 2, 3, 4], "solvable": True}, {"id": "b", "numbers": [1, 1, 1, 1]}]
    rows[1]["solvable"] = False
    assert [item.id for item in make("game24").load(puzzles(tmp_path, *rows))] == ["a"]
    with pytest.raises(UsageError, match="none of its puzzles has a solution"):
        make("game24").load(puzzles(tmp_path, rows[1]))


@pytest.mark.parametrize("numbers", [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, "x"], "1 2 3 4", [1, 2, 3, -4]])
def test_numbers_of_another_kind_are_refused_in_a_line(tmp_path: Path, numbers: Any) -> None:
    with pytest.raises(UsageError, match="task a: its numbers are not four whole numbers"):
        make("game24").load(puzzles(tmp_path, {"id": "a", "numbers": numbers}))


@needs_data
def test_the_packs_puzzles_are_loaded() -> None:
    assert len(make("game24").load(DATA / "reasoning")) == 297


def test_generated_tokens_are_those_of_proposals_and_of_opinions_on_them(out: Path) -> None:
    run, plain = Generated.of(out).run, measured(out)
    for arm, every in zip(run.arms, plain.arms, strict=True):
        last = np.where(np.isfinite(arm.tokens), arm.tokens, 0).max(axis=-1)
        assert (last == every.spent["tokens_out"]).all(), arm.label
        assert (arm.tokens[np.isfinite(arm.tokens)] <= every.tokens[np.isfinite(arm.tokens)]).all()


def test_an_answer_that_comes_after_the_budget_does_not_count(out: Path) -> None:
    run = Generated.of(out)
    base = run.run.arms[0].label
    for row, arm in zip(run.table((1, 60, 100_000), base), run.run.arms, strict=True):
        none, _, all_of_it = row["points"]
        assert (none["value"], none["spent"]) == (0.0, 0.0)
        assert all_of_it["value"] == pytest.approx(np.mean(arm.right[0]))
        assert (all_of_it["versus"] is None) == (arm.label == base)
        assert [point["spent"] <= point["at"] for point in row["points"]] == [True] * 3


def test_no_policy_proposes_more_than_its_size(out: Path) -> None:
    for row in Generated.of(out).table((100,), "best_of_n:n=6"):
        assert (row["kept"], row["most"]) == (True, ARMS[row["strategy"]])
        assert row["proposals"] <= row["most"]


def test_policies_grow_trees_in_which_steps_are_shared(out: Path) -> None:
    rows = [row for row in measured(out).rows if row["strategy"] == "tree_of_thought"]
    assert any(candidate["parents"] for row in rows for candidate in row["candidates"])
    for row in rows:
        by_id = {candidate["id"]: candidate for candidate in row["candidates"]}
        for candidate in row["candidates"]:
            for parent in candidate["parents"]:
                assert candidate["answer"].startswith(by_id[parent]["answer"])


@pytest.fixture(scope="module")
def scripts() -> SimpleNamespace:
    """The scripts, which are no package."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return SimpleNamespace(trees=import_module("trees"), pictures=import_module("tree_pictures"))
    finally:
        sys.path.remove(str(SCRIPTS))


def test_the_curves_are_drawn_and_told(out: Path, scripts: SimpleNamespace, tmp_path: Path) -> None:
    run = Generated.of(out)
    scripts.trees.plot(run, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text("utf-8")
    assert all(f"<!-- {name} -->" in drawn for name in ARMS)
    assert scripts.trees.shown(run.table(scripts.trees.BUDGETS, scripts.trees.base_of(run))).row_count == 3


def test_every_policy_is_one_of_the_arms(scripts: SimpleNamespace) -> None:
    from veriloop.apps.bench.arms import Wanted, strategy_of

    assert set(scripts.trees.POLICIES) == {
        "best_of_n", "tree_of_thought", "rebase", "beam", "particle_filter", "a_star", "mcts", "mixture",
    }  # fmt: skip
    for arm in scripts.trees.arms():
        assert strategy_of(arm, Wanted((), ())).make()


def test_a_picture_holds_every_step_once(scripts: SimpleNamespace, tmp_path: Path) -> None:
    import veriloop as vl

    question = make("game24").load(puzzles(tmp_path, {"id": "a", "numbers": [4, 9, 10, 13]}))[0].task
    result = vl.solve(question, strategy="tree_of_thought", model="embedded:game24", verify="game24", journal=False)
    root = scripts.pictures.grown(result)

    def count(node: Any) -> int:
        return sum(child.times + count(child) for child in node.children.values())

    assert count(root) == len(result.candidates)
    scripts.pictures.draw(root, "a title", tmp_path / "tree.svg")
    drawn = (tmp_path / "tree.svg").read_text("utf-8")
    assert all(f"<!-- {scripts.pictures.short(said)}" in drawn for said in root.children)

"""PlanGEN's mixture: accepted at the threshold, else an algorithm picked by UCB tries, and all of it is pure."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sittings import die_at_writes, with_tests

import veriloop
from veriloop import Limits, Result, Search, Task
from veriloop.core.errors import UsageError
from veriloop.core.journal import read
from veriloop.core.messages import Request
from veriloop.graphs.policies.conformance import check, play
from veriloop.graphs.policies.mixture import Experience, Mixture
from veriloop.graphs.policies.plan_execute import PlanExecute
from veriloop.models.gateway import request_hash
from veriloop.models.scripted import Scripted

mixtures = st.builds(
    Mixture,
    loops=st.integers(1, 3),
    threshold=st.sampled_from([0.0, 80.0, 100.0]),
    algorithms=st.sampled_from(["best_of_n+tree_of_thought+rebase", "rebase", "tree_of_thought+best_of_n"]),
    select_by=st.sampled_from(["each", "once"]),
    prior_weight=st.sampled_from([0.0, 10.0]),
    n=st.integers(1, 3),
    children=st.integers(1, 3),
    budget=st.integers(1, 6),
    width=st.integers(1, 3),
    scope=st.sampled_from(["instance", "run"]),
)
executors = st.builds(PlanExecute, inner=st.sampled_from(["best_of_n", "tree_of_thought", "rebase", "mixture"]))


@settings(max_examples=20, deadline=None)
@given(mixtures | executors)
def test_it_keeps_a_policys_promises(policy: Any):
    lines = asyncio.run(check(policy))
    assert [line for line in lines if line.outcome == "fails"] == []


PRIORS = {"best_of_n": 0.4, "tree_of_thought": 0.1, "rebase": 0.9}


class World:
    """Agents by role: answers are numbered, and a score is found by what is judged."""

    def __init__(self, scores: Mapping[str, int] | int = 0, priors: Mapping[str, float] | None = None) -> None:
        self.scores = scores
        self.priors = PRIORS if priors is None else priors
        self.asked: list[Request] = []
        self.answers = 0

    def __call__(self, request: Request, seed: int) -> str:
        self.asked.append(request)
        text = request.messages[-1].text
        if request.role == "constraint":
            return json.dumps({"constraints": []})
        if request.role in ("verification", "step_reward"):
            score = self.scores if isinstance(self.scores, int) else self._score(text)
            return json.dumps({"critique": [{"constraint": 0, "met": False, "critique": "Mend it."}], "score": score})
        if request.role == "selection":
            priors = [{"algorithm": name, "reason": "so", "prior": prior} for name, prior in self.priors.items()]
            return json.dumps({"priors": priors})
        if request.role == "completion":
            return json.dumps({"complete": True})
        self.answers += 1
        return f"answer {self.answers}."

    def _score(self, text: str) -> int:
        assert not isinstance(self.scores, int)
        return next((score for answer, score in self.scores.items() if f"\n{answer}.\n" in text), 0)

    @property
    def roles(self) -> Counter[str]:
        return Counter(request.role for request in self.asked)


def solve(world: World, mixture: Any = None, **options: Any) -> Result:
    model = Scripted(world)
    model.capabilities = replace(model.capabilities, n=False, prefix=False)
    return veriloop.solve("What is it?", strategy=mixture or Mixture(), model=model, verify="plangen:judged", **options)


def tries(result: Result) -> list[str]:
    return list(dict.fromkeys(a.proposal.scope.partition("/")[0] for a in result.attempts))


def test_a_draft_that_is_good_enough_is_the_answer():
    world = World(96)
    result = solve(world)
    assert (result.answer, result.stopped, tries(result)) == ("answer 1.", "passed", ["draft"])
    assert world.roles == {"proposer": 1, "constraint": 1, "verification": 1}


def test_else_the_algorithm_with_the_best_prior_tries_with_the_feedback():
    world = World({"answer 1": -20}, {"best_of_n": 0.9, "tree_of_thought": 0.1, "rebase": 0.4})
    result = solve(world, Mixture(loops=1))
    assert tries(result) == ["draft", "0.selection", "0.best_of_n"]
    assert world.roles == {"proposer": 6, "constraint": 1, "verification": 6, "selection": 1}
    question = next(request for request in world.asked if request.role == "selection")
    assert question.temperature == 0.0
    for part in ("What is it?", "answer 1.", "Mend it.", "- rebase:"):
        assert part in question.messages[-1].text
    later = [request.messages[-1].text for request in world.asked if request.role == "proposer"][1:]
    assert len(later) == 5
    assert all("answer 1." in text and "Mend it." in text for text in later)
    assert all(request.temperature == 0.7 for request in world.asked if request.role == "proposer")


def test_the_best_of_all_tries_is_returned():
    best_first = {"best_of_n": 0.9}
    scores = {"answer 1": -20, "answer 4": 60, "answer 9": 40}
    result = solve(World(scores, best_first), Mixture(loops=2))
    assert (result.answer, result.verdict.score, result.stopped) == ("answer 4.", 0.8, "done")
    assert len(result.candidates) == 11


def test_what_was_picked_is_what_ucb_says():
    """The first pick has 4 + 1/2 / 1 + 1/2 / 9 + 1/2; after a try of REBASE with 0 others explore with sqrt(2 ln 2)."""
    world = World(-100)
    result = solve(world, Mixture(loops=2, diversity=1.0))
    assert tries(result)[:3] == ["draft", "0.selection", "0.rebase"]
    search = Search(task=Task("What is it?"), round=9, attempts=result.attempts)
    first, second = (name for name in tries(result) if name[2:] in PRIORS)
    numbers = Mixture(loops=2).numbers(search)
    assert numbers[next(c.id for c in result.candidates if c.proposal.scope.startswith(first))]["ucb"] == 9.5
    value = numbers[next(c.id for c in result.candidates if c.proposal.scope.startswith(second))]["ucb"]
    assert (second, value) == ("1.rebase", pytest.approx(0.832554611 + 5 * 0.9 + 1 / 3))


def test_without_a_weight_no_selection_agent_is_asked():
    world = World(0)
    result = solve(world, Mixture(loops=1, prior_weight=0))
    assert (tries(result), world.roles["selection"]) == (["draft", "0.best_of_n"], 0)
    assert Mixture(prior_weight=0).roles == ()


def test_one_opinion_may_do_for_all_tries():
    world = World(0, {"best_of_n": 1.0})
    solve(world, Mixture(loops=3, select_by="once"))
    assert world.roles["selection"] == 1
    world = World(0, {"best_of_n": 1.0})
    solve(world, Mixture(loops=3))
    assert world.roles["selection"] == 3


@pytest.mark.parametrize("said", ["I cannot say.", '{"priors": [{"algorithm": "magic", "reason": "", "prior": 1}]}'])
def test_an_opinion_that_is_none_is_no_trouble(said: str):
    world = World(0)
    model = Scripted(lambda request, seed: said if request.role == "selection" else world(request, seed))
    model.capabilities = replace(model.capabilities, prefix=False)
    result = veriloop.solve("What?", strategy=Mixture(loops=1), model=model, verify="plangen:judged")
    assert tries(result)[-1] == "0.best_of_n"


def test_it_stays_within_a_budget_of_calls():
    world = World(0)
    result = solve(world, Mixture(loops=3), limits=Limits(calls=20))
    assert result.spend.calls <= 20
    assert (result.stopped, result.answer) == ("budget: calls", "answer 1.")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"algorithms": "rebas"}, "no algorithm 'rebas' .did you mean 'rebase'"),
        ({"threshold": 101}, "threshold is 101"),
        ({"loops": 0}, "loops is 0"),
        ({"n": 0}, "n is 0"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], line: str):
    with pytest.raises(UsageError, match=line):
        Mixture(**wrong)


def test_with_the_scope_of_a_run_statistics_go_on_from_task_to_task():
    """The prior fades from task to task and what has failed is tried less; without a memory the prior decides each."""
    mixture = Mixture(loops=1, scope="run")
    memory = mixture.memory()
    assert isinstance(memory, Experience)
    same = {"best_of_n": 0.4, "tree_of_thought": 0.1, "rebase": 0.5}
    picked: list[str] = []
    for number in range(6):
        result = solve(World(-100, same), mixture, memory=memory, seed=number)
        picked.append(tries(result)[-1][2:])
    assert picked[0] == "rebase"
    assert len(set(picked)) == 3
    alone = [tries(solve(World(-100, same), Mixture(loops=1), seed=number))[-1][2:] for number in range(3)]
    assert alone == ["rebase"] * 3
    assert Mixture().memory() is None


def test_a_task_is_learned_from_once():
    mixture = Mixture(loops=2, scope="run")
    memory = Experience(mixture)
    search = play(mixture, 3)[-1].search

    async def main() -> list[Any]:
        said: list[Any] = []
        for _ in range(2):
            await memory.learn(search, None)
            said.append(await memory.recall(search.task))
        return said

    first, second = asyncio.run(main())
    assert first == second
    assert sum(each["count"] - 1 for each in first["experience"]["ucb"].values()) == len(mixture.trials(search))
    again = replace(search, experience=first["experience"])
    assert mixture.records(search, {}) != mixture.records(again, {}) or mixture.values(search) != mixture.values(again)


# --- killed and resumed -----------------------------------------------------------------------------------------------


def run(folder: Path) -> Result:
    """A mixture that fails in every try; who was asked is noted in a file, as the journal names it."""
    world = World(0, {"best_of_n": 0.4, "tree_of_thought": 0.9, "rebase": 0.1})

    def answer(request: Request, seed: int) -> str:
        asked = request_hash("scripted", replace(request, seeds=(seed,)))
        with (folder / "asked").open("a") as file:
            file.write(asked + "\n")
        said = world(request, seed)
        return f"answer {seed % 1000}." if request.role == "proposer" else said

    model = Scripted(answer)
    model.capabilities = replace(model.capabilities, prefix=False)
    mixture = Mixture(loops=2, n=3, children=2, budget=4)
    work = veriloop.asolve(
        "What is it?", strategy=mixture, model=model, verify="plangen:judged", run_id="it", folder=folder
    )
    return asyncio.run(work)


def paid(folder: Path) -> list[str]:
    records = [r for path in folder.rglob("*.jsonl") for r in read(path)]
    return [record.hash for record in records if record.kind == "model"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[str]]:
    """The run without a kill, and what it asked for."""
    folder = tmp_path_factory.mktemp("whole")
    return run(folder), (folder / "asked").read_text().split()


@pytest.mark.parametrize("writes", [2, 5, 11, 25])
def test_killed_anywhere_it_goes_on_and_pays_for_nothing_twice(writes: int, whole: Any, tmp_path: Path):
    expected, asked = whole
    command = [sys.executable, __file__, str(tmp_path), str(writes)]
    killed = subprocess.run(command, capture_output=True, env=with_tests(), check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = paid(tmp_path)
    (tmp_path / "asked").unlink()
    result = run(tmp_path)
    texts = [[(a.id, getattr(a, "text", None)) for a in each.attempts] for each in (result, expected)]
    assert texts[0] == texts[1]
    assert (result.answer, result.spend.calls) == (expected.answer, expected.spend.calls)
    again = (tmp_path / "asked").read_text().split()
    assert not set(before) & set(again)
    assert sorted([*before, *again]) == sorted(asked)


if __name__ == "__main__":
    die_at_writes(after=int(sys.argv[2]))
    run(Path(sys.argv[1]))

"""Searches over steps: the tree, who is gone on with, how often, and that no budget is exceeded."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from math import exp, sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop import Candidate, Limits, Proposal, Result, Search, Task, Verdict, asolve
from veriloop.core.errors import UsageError
from veriloop.core.messages import Request
from veriloop.core.search import Segment
from veriloop.core.seeds import derive
from veriloop.graphs.policies.a_star import AStar
from veriloop.graphs.policies.beam import Beam
from veriloop.graphs.policies.conformance import check
from veriloop.graphs.policies.mcts import MCTS
from veriloop.graphs.policies.particle_filter import ParticleFilter, effective, systematic
from veriloop.graphs.policies.rebase import Rebase, shared, softmax
from veriloop.graphs.policies.tree_of_thought import TreeOfThought
from veriloop.graphs.policies.trees import Tree, TreePolicy, worth
from veriloop.graphs.strategies import KNOWN, Strategy
from veriloop.models.scripted import Scripted

quick = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 10_000)
limits = st.builds(dict, budget=st.integers(1, 25), depth=st.integers(1, 5))
TREES = [name for name in KNOWN if isinstance(Strategy(name).make(), TreePolicy)]
VARIANTS: list[TreePolicy] = [
    *(Strategy(name).make() for name in TREES),  # type: ignore[list-item]
    ParticleFilter(annealing=True),
    ParticleFilter(look_ahead=True),
    ParticleFilter(annealing=True, look_ahead=True),
    MCTS(again=0),
    AStar(caution=0.0),
]
policies = st.builds(lambda policy, given: replace(policy, **given), st.sampled_from(VARIANTS), limits)


def step(id: str, parent: str = "", score: float | None = 0.5, text: str = "", **fields: Any) -> Candidate:
    """A partial text; whose ids are as they are proposed in rounds: 0.0, 0.1, 1.0, …"""
    proposal = Proposal(id=id, parents=(parent,) if parent else (), until="step")
    verdict = Verdict("failed" if score is not None else "unscored", score, (), "made up")
    given = {"verdict": verdict, "segments": (Segment(text or f"step {id}\n"),), **fields}
    return Candidate(id=id, proposal=proposal, round=int(id.partition(".")[0]), **given)


def whole(id: str, parent: str, outcome: Any = "failed", score: float | None = 0.0) -> Candidate:
    return step(id, parent, complete=True, verdict=Verdict(outcome, score, (), "made up"))


def search(*attempts: Candidate, seed: int = 0) -> Search:
    number = max((a.round + 1 for a in attempts), default=0)
    return Search(task=Task("What?"), seed=seed, round=number, attempts=attempts)


def wanted(policy: TreePolicy, *attempts: Candidate, seed: int = 0) -> Counter[str]:
    """How many children each text gets next (empty: the root)."""
    proposals = policy.propose(search(*attempts, seed=seed))
    return Counter(proposal.parents[0] if proposal.parents else "" for proposal in proposals)


# ---- the tree ----


def test_the_tree_is_that_of_the_first_parents():
    a, b, c, d = step("0.0"), step("0.1"), step("1.0", "0.1"), whole("2.0", "1.0")
    tree = Tree(search(a, b, c, d), 9)
    assert tree.children(None) == [a, b]
    assert tree.children(b) == [c]
    assert tree.path(d) == [b, c, d]
    assert [tree.depth(node) for node in (None, a, c, d)] == [0, 1, 2, 3]
    assert tree.open() == [a]
    assert tree.newest() == [d]


def test_a_twin_is_no_node_but_counts_as_a_try():
    tree = Tree(search(step("0.0", text="x y\n"), step("0.1", text=" x  y\n"), step("0.2")), 9)
    assert [node.id for node in tree.nodes] == ["0.0", "0.2"]
    assert tree.tries[""] == 3
    assert tree.first(step("0.1")).id == "0.0"


def test_many_long_siblings_are_told_apart_soon():
    """Compared pair by pair these took half a minute."""
    long = "a " * 50_000
    found = search(*(step(f"0.{i}", text=f"{i} {long}\n") for i in range(200)))
    begun = time.process_time()
    assert len(Tree(found, 9).nodes) == 200
    assert time.process_time() - begun < 10


def test_what_is_lost_hopeless_too_long_or_whole_is_not_gone_on_with():
    lost = step("0.0", verdict=Verdict("infra_error"))
    attempts = lost, step("0.1", score=0.1), step("0.2", score=0.2), whole("1.0", "0.2"), step("1.1", "0.2")
    tree = Tree(search(*attempts), depth=2, floor=0.1)
    assert [node.id for node in tree.nodes] == ["0.1", "0.2", "1.0", "1.1"]
    assert tree.open() == []
    assert [node.id for node in Tree(search(*attempts), depth=3, floor=0.1).open()] == ["1.1"]


def test_what_nobody_could_judge_is_worth_a_half_and_never_nothing():
    assert worth(step("0.0", score=None)) == 0.5
    assert worth(whole("0.0", "", "unscored", None)) == 0.5
    assert worth(whole("0.0", "", "failed", 0.7)) == 0.0
    assert worth(whole("0.0", "", "passed", None)) == worth(None) == 1.0


# ---- all of them ----


@pytest.mark.parametrize("policy", VARIANTS, ids=str)
def test_every_search_over_steps_keeps_its_promises(policy: TreePolicy):
    assert {line.name: line.detail for line in asyncio.run(check(policy)) if line.outcome == "fails"} == {}


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("parameter", ["budget", "depth", "children", "width", "n"])
def test_what_cannot_be_is_refused_when_the_strategy_is_made(name: str, parameter: str):
    if hasattr(Strategy(name).make(), parameter):
        with pytest.raises(UsageError, match=f"{parameter} is 0: it must be at least 1"):
            Strategy(name, {parameter: 0}).make()
    with pytest.raises(UsageError, match="floor is 1"):
        Strategy(name, {"floor": 1}).make()


@pytest.mark.parametrize("policy", VARIANTS, ids=str)
def test_a_whole_text_that_passed_ends_it_and_one_that_failed_does_not(policy: TreePolicy):
    first = step("0.0", score=0.9)
    assert wanted(policy, first, whole("1.0", "0.0", "passed", 1.0)) == {}
    assert policy.enough(search(whole("1.0", "", "passed", 0.6)))
    assert wanted(policy, first, whole("1.0", "0.0"))
    assert not policy.enough(search(whole("1.0", "")))


@pytest.mark.parametrize("policy", VARIANTS, ids=str)
def test_the_answer_is_the_best_whole_text_and_a_partial_one_where_there_is_none(policy: TreePolicy):
    partial, low, high = step("0.0", score=0.9), whole("1.0", "0.0", score=0.1), whole("1.1", "0.0", score=0.3)
    assert policy.select(search(partial, low, high)) == high
    assert policy.select(search(partial, step("0.1", score=0.2))) == partial


@pytest.mark.parametrize("policy", VARIANTS, ids=str)
def test_of_partial_texts_one_that_nobody_could_judge_is_chosen_before_a_broken_one(policy: TreePolicy):
    broken, unknown, good = step("0.0", score=0.0), step("0.1", score=None), step("0.2", score=0.6)
    assert policy.select(search(broken, unknown)) == unknown
    assert policy.select(search(broken, unknown, good)) == good


@pytest.mark.parametrize("policy", VARIANTS, ids=str)
def test_where_nothing_verifies_a_whole_text_that_a_model_likes_ends_it(policy: TreePolicy):
    first = step("0.0", score=0.9)
    assert wanted(policy, first, whole("1.0", "0.0", "unscored", 0.975)) == {}
    assert policy.enough(search(whole("1.0", "", "unscored", 1.0)))
    assert not policy.enough(search(whole("1.0", "", "unscored", 0.97)))
    assert not policy.enough(search(whole("1.0", "", "unscored", None)))


@quick
@given(policies, seeds)
def test_no_impossible_step_is_gone_on_with_and_no_text_twice_for_its_twin(policy: TreePolicy, seed: int):
    result, _ = run(policy, seed)
    by_id = {c.id: c for c in result.candidates}
    for candidate in result.candidates:
        for parent in candidate.proposal.parents:
            before = by_id[parent]
            assert before.verdict.score is None or before.verdict.score > policy.floor
            assert not before.complete
            assert candidate.text.startswith(before.text)
    gone_on = [by_id[p] for c in result.candidates for p in c.proposal.parents]
    assert len({c.text for c in gone_on}) == len({c.id for c in gone_on})


def says(request: Request, seed: int) -> str:
    """One of six steps, two of them of the same words, or an answer, after which the text ends."""
    drawn = derive(seed, request.prefix) % 7
    done = request.prefix.count("\n") >= 2
    return f"answer {drawn % 3}" if done or drawn == 6 else f"step {min(drawn, 4)}\n"


class Judge:
    """Knows the worth of a step by its words; one answer of three is right."""

    name = "drawn"

    def __init__(self, salt: int) -> None:
        self.salt = salt

    async def step(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        drawn = derive(self.salt, candidate.text) % 8
        return Verdict("failed", drawn / 10 if drawn < 6 else 0.9)

    async def verify(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        right = derive(self.salt, candidate.text) % 5 == 0
        return Verdict("passed" if right else "failed", float(right))


def run(policy: TreePolicy, seed: int = 0, verify: Any = None, **kept: int) -> tuple[Result, Scripted]:
    model = Scripted(says)
    task = Task("What is it?", limits=Limits(**kept))
    solving = asolve(task, strategy=policy, model=model, verify=verify or Judge(seed), seed=seed, journal=False)
    return asyncio.run(solving), model


@quick
@given(policies, seeds, st.none() | st.integers(1, 12))
def test_no_budget_is_exceeded(policy: TreePolicy, seed: int, calls: int | None):
    result, model = run(policy, seed, **({} if calls is None else {"calls": calls}))
    asked = sum(request.n for request in model.requests)
    assert len(result.candidates) <= policy.at_most <= policy.budget
    assert asked == result.spend.calls <= (calls or asked)
    assert all(c.text.count("\n") <= policy.depth for c in result.candidates)


@quick
@given(policies, seeds, st.integers(50, 400))
def test_no_budget_of_tokens_is_exceeded(policy: TreePolicy, seed: int, tokens: int):
    result, _ = run(replace(policy, max_tokens=8), seed, tokens=tokens)
    assert result.spend.tokens <= tokens


def test_particles_begin_anew_as_often_as_the_budget_allows():
    policy = ParticleFilter(n=4, depth=1, budget=11)
    never = [step(f"{i // 4}.{i % 4}") for i in range(8)]
    assert wanted(policy, *never[:4]) == {"": 4}
    assert wanted(policy, *never) == {"": 3}


@quick
@given(policies, seeds)
def test_it_ends_with_the_first_answer_that_passes_and_else_uses_its_budget(policy: TreePolicy, seed: int):
    result, _ = run(policy, seed)
    right = [c for c in result.candidates if c.verdict.outcome == "passed"]
    if right:
        assert {c.round for c in right} == {result.candidates[-1].round}
        assert result.stopped == "passed"
    else:
        assert len(result.candidates) == policy.at_most


@quick
@given(policies, seeds)
def test_the_same_seed_grows_the_same_tree_with_the_same_numbers(policy: TreePolicy, seed: int):
    (first, _), (again, _) = run(policy, seed), run(policy, seed)
    assert first.attempts == again.attempts
    assert first.numbers == again.numbers
    assert set(first.numbers) <= {c.id for c in first.candidates}


@pytest.mark.parametrize("policy", VARIANTS, ids=str)
def test_children_of_one_text_are_asked_for_together_and_go_on_with_it(policy: TreePolicy):
    class Never(Judge):
        async def verify(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
            return Verdict("failed", 0.0)  # one that passes would cancel its siblings

    result, model = run(replace(policy, budget=20), seed=3, verify=Never(3))
    rounds = Counter((c.round, c.proposal.parents) for c in result.candidates)
    assert len(model.requests) == len(rounds)
    assert {r.prefix for r in model.requests} <= {"", *(c.text for c in result.candidates)}
    assert all(request.stop == ("\n",) for request in model.requests)


# ---- tree of thought ----


def test_the_best_child_is_followed_even_where_another_path_looks_better():
    tot = TreeOfThought()
    assert wanted(tot) == {"": 3}
    first = step("0.0", score=0.4), step("0.1", score=0.8), step("0.2", score=0.7)
    assert wanted(tot, *first) == {"0.1": 3}
    assert wanted(tot, *first, step("1.0", "0.1", 0.2), step("1.1", "0.1", 0.3)) == {"1.1": 3}


def test_where_a_path_ends_in_vain_the_best_of_all_open_texts_is_next():
    tot = TreeOfThought(budget=99)
    seen = [step("0.0", score=0.4), step("0.1", score=0.8), step("0.2", score=0.7), whole("1.0", "0.1")]
    assert wanted(tot, *seen, step("1.1", "0.1", score=0.05)) == {"0.2": 3}
    seen += [whole("2.0", "0.2")]
    assert wanted(tot, *seen) == {"0.0": 3}
    seen += [step("3.0", "0.0", score=0.0)]
    assert wanted(tot, *seen) == {"0.1": 3}, "nothing is open: the least tried, of those the best"


@quick
@given(seeds, limits)
def test_order_of_thought(seed: int, given: dict[str, int]):
    """What is followed is the best of the newest children, or when they are all closed the best open text."""
    result, _ = run(TreeOfThought(**given), seed)
    for view in views(result):
        tree = Tree(view, given["depth"], 0.1)
        if not tree.open() or not (parent := followed(result, view)):
            continue
        fresh = [node for node in tree.newest() if node in tree.open()]
        assert worth(parent) == max(map(worth, fresh or tree.open()))
        assert not fresh or parent in fresh


def views(result: Result) -> list[Search]:
    """The search before each round but the first."""
    last = result.candidates[-1].round
    return [search(*(c for c in result.candidates if c.round < n)) for n in range(1, last + 1)]


def followed(result: Result, view: Search) -> Candidate | None:
    parents = {c.proposal.parents for c in result.candidates if c.round == view.round}
    assert len(parents) == 1
    return next((c for c in view.candidates if (c.id,) in parents), None)


# ---- A* ----


def test_a_star_by_hand():
    star = AStar(caution=1.0)
    seen = step("0.0", score=0.6), step("0.1", score=0.9), step("1.0", "0.1", 0.5), step("1.1", "0.1", 0.95)
    tree = star.tree(search(*seen))
    costs = {node.id: star.cost(tree, node) for node in tree.nodes}
    assert costs["0.0"] == pytest.approx((0.4, 0.4, 0.8))
    assert costs["1.0"] == pytest.approx((0.1 + 0.4, 0.5, 1.0))
    assert costs["1.1"] == pytest.approx((0.1, 0.05, 0.15)), "a step that raises hopes costs nothing"
    assert wanted(star, *seen) == {"1.1": 3}


@quick
@given(seeds, limits, st.floats(0, 2))
def test_a_star_goes_on_in_the_order_of_f(seed: int, given: dict[str, int], caution: float):
    star = AStar(**given, caution=caution)
    result, _ = run(star, seed)
    for view in views(result):
        tree = star.tree(view)
        if tree.open() and (parent := followed(result, view)):
            f = {node.id: star.cost(tree, node)[2] for node in tree.open()}
            assert f[parent.id] == min(f.values())


# ---- REBASE ----

rewards = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(rewards, st.integers(0, 30), st.floats(0.05, 5))
def test_rebase_shares_out_all_and_gives_no_more_to_the_worse(scores: list[float], width: int, balance: float):
    quotas = [width * weight for weight in softmax(scores, balance)]
    counts = shared(quotas)
    assert sum(counts) == width
    assert all(abs(count - quota) < 1 + 1e-6 for count, quota in zip(counts, quotas, strict=True))
    for (one, less), (other, more) in pairs(scores, counts):
        assert less <= more or one >= other - 1e-9


def pairs(scores: list[float], counts: list[int]) -> list[tuple[tuple[float, int], tuple[float, int]]]:
    every = list(zip(scores, counts, strict=True))
    return [(one, other) for one in every for other in every if one[0] < other[0]]


def test_rebase_by_hand():
    e = [exp(0.9 / 0.2), exp(0.5 / 0.2), exp(0.3 / 0.2)]
    assert [round(9 * each / sum(e)) for each in e] == [8, 1, 0]
    seen = [step(f"0.{i}", score=score) for i, score in enumerate([0.5, 0.9, 0.3])]
    rebase = Rebase(balance=0.2)
    assert wanted(rebase) == {"": 10}
    assert wanted(rebase, *seen) == {"0.1": 8, "0.0": 1}
    numbers = rebase.rate(search(*seen), rebase.tree(search(*seen)))
    assert numbers["0.1"]["weight"] == pytest.approx(e[1 - 1] / sum(e))
    assert numbers["0.2"]["children"] == 0


def test_each_expansion_is_one_narrower_and_the_search_comes_back_to_what_got_nothing():
    rebase = Rebase(width=3, balance=0.05)
    assert rebase.at_most == 3 + 2 + 1
    seen = [step("0.0", score=0.9), step("0.1", score=0.2), step("0.2", score=0.05)]
    assert wanted(rebase, *seen) == {"0.0": 2}
    seen += [whole("1.0", "0.0"), whole("1.1", "0.0")]
    assert wanted(rebase, *seen) == {"0.1": 1}
    assert wanted(rebase, *seen, step("2.0", "0.1")) == {}


# ---- beam ----


def test_a_beam_goes_on_with_the_best_of_a_level_and_then_with_those_left_behind():
    beam = Beam(width=2, children=2, budget=99)
    assert wanted(beam) == {"": 4}
    seen = [step(f"0.{i}", score=score) for i, score in enumerate([0.3, 0.9, 0.8, 0.05])]
    assert wanted(beam, *seen) == {"0.1": 2, "0.2": 2}
    seen += [whole("1.0", "0.1"), step("1.1", "0.2", 0.01)]
    assert wanted(beam, *seen) == {"0.0": 2}
    assert wanted(beam, *seen, step("2.0", "0.0", 0.0)) == {"": 4}


# ---- particle filter ----


@given(st.lists(st.floats(0.0, 1), min_size=1, max_size=10), st.integers(1, 20), seeds)
def test_systematic_resampling_is_never_off_by_one(raw: list[float], n: int, seed: int):
    total = sum(raw)
    weights = [each / total for each in raw] if total > 1e-6 else [1 / len(raw)] * len(raw)
    counts = systematic(weights, n, Random(seed))
    assert sum(counts) == n
    assert all(abs(count - n * weight) < 1 + 1e-6 for count, weight in zip(counts, weights, strict=True))


class Start(Random):
    """Draws what it is told to."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def random(self) -> float:
        return self.at


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.integers(1, 10))
def test_systematic_resampling_is_unbiased(raw: list[float], n: int):
    """The mean over all starts, evenly spread, is n times the weight."""
    weights, starts = [each / sum(raw) for each in raw], 2000
    counts = [systematic(weights, n, Start((i + 0.5) / starts)) for i in range(starts)]
    for i, weight in enumerate(weights):
        assert sum(each[i] for each in counts) / starts == pytest.approx(n * weight, abs=2 / starts + 1e-9)


def test_the_policy_resamples_without_bias():
    scores = [0.9, 0.6, 0.3, 0.15]
    seen = [step(f"0.{i}", score=score) for i, score in enumerate(scores)]
    total: Counter[str] = Counter()
    for seed in range(1000):
        total += wanted(ParticleFilter(n=4), *seen, seed=seed)
    for i, score in enumerate(scores):
        # systematic counts have a standard deviation of at most a half; four of the mean's are allowed
        assert total[f"0.{i}"] / 1000 == pytest.approx(4 * score / sum(scores), abs=4 * 0.5 / sqrt(1000))


def test_twins_are_two_particles_of_one_text():
    seen = step("0.0", score=0.5, text="a\n"), step("0.1", score=0.5, text="a\n"), step("0.2", score=0.5)
    total: Counter[str] = Counter()
    for seed in range(600):
        total += wanted(ParticleFilter(n=3), *seen, seed=seed)
    assert total == {"0.0": 1200, "0.2": 600}


def test_annealing_flattens_where_few_particles_have_the_weight():
    scores, copies = [0.9, *[0.01] * 7], [1] * 8
    ess = effective(scores, copies)
    assert ess == pytest.approx((0.9 + 0.07) ** 2 / (0.81 + 0.0007))
    seen = [step(f"0.{i}", score=score) for i, score in enumerate(scores)]
    plain, annealed = (numbers_of(ParticleFilter(annealing=flag), seen) for flag in (False, True))
    assert plain["0.0"]["weight"] == pytest.approx(0.9 / 0.97)
    assert annealed["0.0"]["temperature"] == pytest.approx(8 / ess)
    flat = 0.9 ** (ess / 8)
    assert annealed["0.0"]["weight"] == pytest.approx(flat / (flat + 7 * 0.01 ** (ess / 8)))


def numbers_of(policy: TreePolicy, seen: list[Candidate]) -> dict[str, Any]:
    view = search(*seen)
    return dict(policy.rate(view, policy.tree(view)))


def test_rewards_may_be_tiny():
    assert effective([1e-200, 1e-200], [1, 3]) == pytest.approx(4)
    found = search(step("0.0", score=1e-200), step("0.1", score=1e-300))
    assert len(ParticleFilter(n=2, annealing=True).propose(found)) == 2


def test_the_temperature_falls_with_the_steps_and_is_never_below_one():
    policy = ParticleFilter(n=2, depth=4, annealing=True)
    seen = [step("0.0", score=0.9), step("0.1", score=0.1)]
    found: list[float] = []
    for number in range(1, 4):
        numbers = numbers_of(policy, seen)
        newest = [n["temperature"] for id, n in numbers.items() if id.startswith(f"{number - 1}.")]
        found.append(newest[0])
        parents = wanted(policy, *seen)
        ids = [id for id, count in parents.items() for _ in range(count)]
        seen += [step(f"{number}.{i}", id, score=0.9 if i == 0 else 0.1) for i, id in enumerate(ids)]
    ess = effective([0.9, 0.1], [1, 1])
    assert found == pytest.approx([max(1.0, 2 / ess * (1 - t / 4)) for t in range(3)])


def test_look_ahead_draws_one_step_of_each_before_it_decides():
    policy = ParticleFilter(n=4, look_ahead=True)
    seen = [step("0.0", score=0.5), step("0.1", score=0.5), step("0.2", score=0.5), step("0.3", score=0.05)]
    assert wanted(policy, *seen) == {"0.0": 1, "0.1": 1, "0.2": 1, "0.3": 1}
    seen += [step("1.0", "0.0", 0.9), step("1.1", "0.1", 0.0), step("1.2", "0.2", 0.9), step("1.3", "0.3", 0.0)]
    assert numbers_of(policy, seen)["0.0"]["weight"] == pytest.approx(0.5)
    assert wanted(policy, *seen) == {"0.0": 1, "0.2": 1}, "two each, of which one is there already"


def test_when_all_particles_have_ended_in_vain_new_ones_begin():
    assert wanted(ParticleFilter(n=2), whole("0.0", ""), step("0.1", score=0.0)) == {"": 2}


# ---- MCTS ----


def test_mcts_by_hand():
    mcts = MCTS(exploration=1.0, children=2)
    seen = [step("0.0", score=0.8), step("0.1", score=0.6), step("1.0", "0.0", 0.2), step("1.1", "0.0", 0.2)]
    numbers = numbers_of(mcts, seen)
    assert numbers["0.0"]["visits"] == 3
    assert numbers["0.0"]["mean"] == pytest.approx(0.4)
    assert numbers["0.1"]["uct"] == pytest.approx(0.6 + sqrt(1.3862943611198906))
    assert wanted(mcts, *seen) == {"0.1": 2}


def test_mcts_goes_down_a_path_however_long():
    path = [step(f"{i}.0", f"{i - 1}.0" if i else "", text=f"{i}\n") for i in range(300)]
    policy = MCTS(budget=999, depth=999, children=1, again=0)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(280)
    try:
        (asked,) = policy.propose(search(*path))
    finally:
        sys.setrecursionlimit(limit)
    assert asked.parents == ("299.0",)


def test_mcts_draws_again_where_nothing_below_has_hope_and_then_gives_it_up():
    mcts = MCTS(exploration=0.0, children=2, again=1, budget=99)
    seen = [step("0.0", score=0.9), step("0.1", score=0.3)]
    seen += [step("1.0", "0.0", 0.05), whole("1.1", "0.0")]
    assert wanted(mcts, *seen) == {"0.0": 2}
    seen += [step("2.0", "0.0", 0.04), step("2.1", "0.0", 0.03)]
    assert wanted(mcts, *seen) == {"0.1": 2}
    seen += [step(f"{n}.{i}", "0.1", 0.0, text=f"dead {n} {i}\n") for n in (3, 4) for i in (0, 1)]
    assert wanted(mcts, *seen) == {"": 2}


@quick
@given(seeds, limits)
def test_every_step_is_a_visit_of_all_texts_above_it(seed: int, given: dict[str, int]):
    mcts = MCTS(**given)
    result, _ = run(mcts, seed)
    view = search(*result.candidates)
    tree, numbers = mcts.tree(view), mcts.rate(view, mcts.tree(view))
    assert sum(numbers[node.id]["visits"] for node in tree.children(None)) == len(result.candidates)
    for node in tree.nodes:
        below = sum(numbers[child.id]["visits"] for child in tree.children(node))
        assert numbers[node.id]["visits"] >= 1 + below


# ---- shown ----


def test_the_result_holds_the_tree_and_its_numbers():
    result, _ = run(MCTS(budget=9), seed=5)
    assert [c for _, c in result.tree if not c.proposal.parents] == [
        c for c in result.candidates if not c.proposal.parents
    ]
    depth = {c.id: d for d, c in result.tree}
    assert all(depth[c.id] == depth[c.proposal.parents[0]] + 1 for c in result.candidates if c.proposal.parents)
    assert len(result.tree) == len(result.candidates)
    assert {"visits", "mean", "uct"} == set(next(iter(result.numbers.values())))
    json.dumps(dict(result.numbers))


def test_numbers_that_break_do_not_cost_the_answer():
    class Broken(TreeOfThought):
        def rate(self, search: Search, tree: Tree) -> Any:
            raise ZeroDivisionError

    result, _ = run(Broken(), seed=1)
    assert (len(result.numbers), bool(result.candidates)) == (0, True)

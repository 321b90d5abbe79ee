"""Verifiers made worse on purpose: what is changed, what stays, and that a resumed run sees the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import mean, pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Candidate, Finding, Task, Verdict, asolve
from veriloop.core.errors import UsageError
from veriloop.core.protocols import Context, Verifier
from veriloop.core.search import Outcome
from veriloop.graphs.policies.best_of_n import BestOfN
from veriloop.models.scripted import Scripted
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, check, reply
from veriloop.verifiers.noise import Flipped, Noisy, On, Shuffled, Sparse, told

TASK = Task("What is 2 + 2?")
TEXTS = [
    ("a", (Finding("runs", 0.1, "no such column"),)),
    ("b", (Finding("runs", 1.0, ""), Finding("odd", 0.5, "too many rows"))),
]
SCORES = {"four": 1.0, "five": 0.3, "six": 0.0, "ten": 0.7}


@dataclass
class Says:
    """A verifier with a role, a check before the first call, and one verdict for all answers."""

    outcome: Outcome
    score: float | None = None
    name: str = "says"
    roles: tuple[str, ...] = ("judge",)
    asked: list[Task] = field(default_factory=list)

    async def ready(self, task: Task) -> None:
        self.asked.append(task)
        raise UsageError("not this one")

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        return Verdict(self.outcome, self.score, (Finding("says", self.score, "as it says"),), self.name)


def judge(verifier: Verifier, text: str = "four", task: Task = TASK) -> Verdict:
    return asyncio.run(verifier.verify(task, reply(task, text), Everyone()))


def graded(answer: str) -> tuple[float, str]:
    return SCORES.get(answer, 0.5), f"on {answer[:20]!r}"


WRAPPERS = [
    partial(Noisy, sigma=0.4, on="selection"),
    partial(Noisy, sigma=0.4, on="feedback"),
    partial(Noisy, sigma=0.4, on="both"),
    partial(Flipped, p=0.3),
    partial(Sparse, q=0.5),
    partial(Shuffled, texts=TEXTS, task="c"),
]
wrappers = st.sampled_from(WRAPPERS)
answers = st.sampled_from([*SCORES, "seven", "eight", "nine"])


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_every_wrapper_passes_the_conformance_suite(wrap: Any):
    for inner in (make(graded), make("judge"), make("oracle", "four")):
        found = asyncio.run(check(wrap(inner, seed=3), TASK, ("four", "five")))
        assert [line for line in found if line.outcome != "works"] == []


@given(wrappers, st.integers(0, 10**6), answers)
def test_the_same_seed_and_answer_give_the_same_verdict_however_often_it_is_proposed(wrap: Any, seed: int, answer: str):
    candidate = reply(TASK, answer)
    again = replace(candidate, id="7.1", round=7, proposal=replace(candidate.proposal, id="7.1", seed=99))
    verdicts = [
        asyncio.run(wrap(make(graded), seed=seed).verify(TASK, each, Everyone())) for each in (candidate, again)
    ]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize("wrap", [WRAPPERS[0], WRAPPERS[3], WRAPPERS[5]])
def test_another_seed_task_or_answer_draws_anew(wrap: Any):
    inner = Says("failed", 0.4)

    def drawn(seed: int, question: str, text: str) -> Verdict:
        return judge(wrap(inner, seed=seed), text, Task(question))

    assert len({drawn(seed, "What?", "four") for seed in range(30)}) > 1
    assert len({drawn(0, f"What is {i}?", "four") for i in range(30)}) > 1
    assert len({drawn(0, "What?", f"answer {i}") for i in range(30)}) > 1


@given(wrappers, st.sampled_from(["unscored", "infra_error"]))
def test_what_could_not_be_judged_stays_so(wrap: Any, outcome: Outcome):
    verdict = judge(wrap(Says(outcome)))
    assert (verdict.outcome, verdict.score, verdict.text) == (outcome, None, "as it says")


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (partial(Noisy, sigma=0.1, on="feedback"), "says (noise 0.1 on feedback)"),
        (partial(Flipped, p=0.2), "says (flip 0.2)"),
        (partial(Sparse, q=0.75), "says (sparse 0.75)"),
        (partial(Shuffled, texts=TEXTS), "says (shuffled)"),
    ],
)
def test_the_name_says_what_was_changed_and_the_rest_passes_through(wrap: Any, name: str):
    inner = Says("passed", 1.0)
    verifier = wrap(inner)
    assert verifier.name == judge(verifier).verifier == name
    assert verifier.roles == ("judge",)
    with pytest.raises(UsageError, match="not this one"):
        asyncio.run(verifier.ready(TASK))
    assert inner.asked == [TASK]


def test_a_verifier_without_roles_and_checks_can_be_wrapped():
    verifier = Sparse(make(graded))
    assert verifier.roles == ()
    asyncio.run(verifier.ready(TASK))


def test_gold_still_goes_to_an_oracle_that_is_wrapped_and_to_no_other():
    assert make(Flipped(make("oracle", "four")), "four").name == "oracle (flip 0.1)"
    with pytest.raises(UsageError, match="gold is only for the verifier oracle"):
        make(Flipped(make(graded)), "four")


# ---- noise ----


@pytest.mark.parametrize(
    ("on", "selects", "tells"), [("selection", True, False), ("feedback", False, True), ("both", True, True)]
)
def test_noise_is_on_the_score_that_selects_or_the_one_that_feedback_tells_or_both(on: On, selects: bool, tells: bool):
    verdict = judge(Noisy(Says("failed", 0.5), sigma=0.1, on=on))
    assert (verdict.score != 0.5) == selects
    assert (told(verdict) != 0.5) == tells
    assert not (selects and tells) or told(verdict) == verdict.score
    assert (verdict.outcome, verdict.text) == ("failed", "as it says")


@given(st.floats(0, 1), st.floats(0, 5), st.sampled_from(["selection", "feedback", "both"]), st.integers(0, 10**6))
def test_noisy_scores_are_still_scores(score: float, sigma: float, on: On, seed: int):
    verdict = judge(Noisy(Says("failed", score), sigma=sigma, on=on, seed=seed))
    assert verdict.score is not None
    assert 0 <= verdict.score <= 1
    assert 0 <= (told(verdict) or 0) <= 1


def test_the_noise_has_the_width_that_its_name_tells_in_units_of_sd():
    errors = [
        (judge(Noisy(Says("failed", 0.5), sigma=0.2, sd=0.5, seed=seed), task=TASK).score or 0) - 0.5
        for seed in range(2000)
    ]
    assert pstdev(errors) == pytest.approx(0.1, rel=0.1)
    assert mean(errors) == pytest.approx(0, abs=0.01)


def test_without_width_there_is_no_noise():
    assert judge(Noisy(Says("failed", 0.5), sigma=0.4, sd=0.0)).score == 0.5


def test_what_selects_is_what_the_policy_takes():
    """The best of three by a score with so much noise that it is not the inner one's best."""
    model = ["four", "five", "seven"]
    picked = set[Any]()
    for seed in range(20):
        verify = Noisy(make(graded), sigma=2.0, on="selection", seed=seed)
        run = asolve(
            "What?", strategy=BestOfN(3, early_stop=False), model=Scripted(model), verify=verify, journal=False
        )
        picked.add(asyncio.run(run).answer)
    assert picked == set(model)


# ---- labels and sparse rewards ----


def test_labels_are_flipped_as_often_as_told_and_the_score_is_that_of_the_label():
    verdicts = [judge(Flipped(Says("failed", 0.25), p=0.3, seed=seed)) for seed in range(2000)]
    flipped = [verdict for verdict in verdicts if verdict.outcome == "passed"]
    assert len(flipped) / len(verdicts) == pytest.approx(0.3, abs=0.03)
    assert {verdict.score for verdict in flipped} == {1.0}
    assert {verdict.score for verdict in verdicts if verdict not in flipped} == {0.25}
    assert {verdict.text for verdict in verdicts} == {"as it says"}


@given(st.sampled_from(["passed", "failed"]), st.sampled_from([0.0, 0.6, 1.0]))
def test_never_and_always_are_probabilities_too(outcome: Outcome, score: float):
    inner = Says(outcome, score)
    never, always = judge(Flipped(inner, p=0)), judge(Flipped(inner, p=1))
    assert (never.outcome, never.score) == (outcome, score)
    assert (always.outcome, always.score) == (("failed", 0.0) if outcome == "passed" else ("passed", 1.0))


@given(st.floats(0, 1), st.sampled_from([0.5, 0.75, 1.0]), st.sampled_from(["passed", "failed"]))
def test_a_sparse_reward_is_all_or_nothing(score: float, q: float, outcome: Outcome):
    verdict = judge(Sparse(Says(outcome, score), q=q))
    assert (verdict.outcome, verdict.score) == (("passed", 1.0) if score >= q else ("failed", 0.0))
    assert verdict.text == "as it says"


def test_a_label_without_a_score_counts_as_all_or_nothing():
    assert judge(Sparse(Says("passed", None))).score == 1.0
    assert judge(Flipped(Says("failed", None), p=1)).score == 1.0


# ---- another task's feedback ----


@given(st.sampled_from(["a", "b", "c"]), st.integers(0, 10**6), answers)
def test_shuffled_feedback_is_another_tasks_and_the_score_ones_own(task: str, seed: int, answer: str):
    inner = make(graded)
    own, given_ = judge(inner, answer), judge(Shuffled(inner, texts=TEXTS, task=task, seed=seed), answer)
    assert (given_.outcome, given_.score, told(given_)) == (own.outcome, own.score, own.score)
    words = {id: tuple(f.message for f in findings) for id, findings in TEXTS if id != task}
    assert tuple(finding.message for finding in given_.findings) in words.values()
    assert {finding.score for finding in given_.findings} == {None}


def test_shuffled_feedback_draws_from_all_others():
    inner = Says("failed", 0.2)
    texts = [(f"task {i}", (Finding("x", None, f"text {i}"),)) for i in range(5)]
    seen = {judge(Shuffled(inner, texts=texts, task="task 0", seed=seed)).text for seed in range(100)}
    assert seen == {"text 1", "text 2", "text 3", "text 4"}


@pytest.mark.parametrize("texts", [[], TEXTS[:1]])
def test_without_another_task_there_is_nothing_to_shuffle(texts: Any):
    with pytest.raises(UsageError, match="give two tasks or more"):
        Shuffled(Says("passed"), texts=texts, task="a")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (partial(Noisy, sigma=-1), "give numbers of 0 or more"),
        (partial(Noisy, sd=float("nan")), "give numbers of 0 or more"),
        (partial(Noisy, on="everything"), "it can be on selection, feedback or both"),
        (partial(Flipped, p=1.5), "give a number from 0 to 1"),
        (partial(Sparse, q=0), "give a number above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Any, line: str):
    with pytest.raises(UsageError, match=line):
        wrong(Says("passed"))

"""What is said of a partial text, who says it, and who says whether it ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from veriloop import Candidate, Proposal, Search, Strategy, Task, Verdict, asolve
from veriloop.core.search import Finding, Segment
from veriloop.models.scripted import Scripted
from veriloop.verifiers import make
from veriloop.verifiers.chain import Chain
from veriloop.verifiers.conformance import Everyone, check
from veriloop.verifiers.noise import Flipped
from veriloop.verifiers.steps import MOST, Steps, by_steps


class Known:
    """Its opinion of a step is given; whole texts pass."""

    name = "known"
    roles = ("judge",)

    def __init__(self, step: Verdict) -> None:
        self._step = step

    async def step(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        return self._step

    async def ends(self, task: Task, candidate: Candidate, context: Any) -> bool:
        return "end" in candidate.text

    async def verify(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        return Verdict("passed", 1.0, (), self.name)


def thinks(score: int, *critique: str) -> Scripted:
    points = [{"constraint": 0, "met": False, "critique": each} for each in critique]
    return Scripted(lambda request, seed: json.dumps({"critique": points, "score": score}))


def text(said: str = "one\n", complete: bool = False) -> Candidate:
    proposal = Proposal(id="0.0", until="step")
    return Candidate(
        id="0.0", proposal=proposal, round=0, segments=(Segment(said),), artifact=said.strip(), complete=complete
    )


def verdict(verifier: Steps, model: Any = None, complete: bool = False) -> Verdict:
    return asyncio.run(verifier.verify(Task("What?"), text(complete=complete), Everyone(model)))


@pytest.mark.parametrize(("score", "share"), [(-100, 0.0), (0, 0.5), (60, 0.8), (100, MOST)])
def test_a_model_scores_the_steps_and_they_never_pass(score: int, share: float):
    said = verdict(Steps(), thinks(score, "Look again.", "And here."))
    assert (said.outcome, said.score, said.verifier) == ("failed", share, "steps")
    assert said.text == "Look again.\nAnd here."


@pytest.mark.parametrize(("score", "share"), [(100, 1.0), (95, 0.975), (-100, 0.0)])
def test_without_another_verifier_a_models_opinion_of_whole_texts_ranks_them_and_decides_nothing(
    score: int, share: float
):
    said = verdict(Steps(), thinks(score), complete=True)
    assert (said.outcome, said.score) == ("unscored", share)


def test_a_model_that_gives_no_usable_opinion_leaves_it_unscored():
    said = verdict(Steps(), Scripted(lambda request, seed: '{"critique": [], "score": 1000}'))
    assert (said.outcome, said.score) == ("unscored", None)
    assert "gave no valid Verification" in said.text


@pytest.mark.parametrize("given", [Verdict("failed", 0.0), Verdict("failed", 0.4), Verdict("passed", 1.0)])
def test_a_verifier_that_scores_steps_itself_asks_no_model(given: Verdict):
    model = thinks(50)
    said = verdict(Steps(Known(given)), model)
    assert (said.outcome, said.score) == ("failed", min(given.score or 0.0, MOST))
    assert model.requests == []


def test_what_a_verifier_only_knows_something_about_the_model_hears():
    model = thinks(50, "Fine.")
    said = verdict(Steps(Known(Verdict("unscored", None, (Finding("legal", None, "Step 1 is legal."),)))), model)
    assert (said.score, said.text) == (0.75, "Step 1 is legal.\nFine.")
    assert "Step 1 is legal." in model.requests[0].messages[-1].text


def test_a_fault_around_a_step_is_no_score():
    assert verdict(Steps(Known(Verdict("infra_error"))), thinks(50)).outcome == "infra_error"


def test_a_whole_text_is_the_matter_of_the_verifier_that_was_given():
    model = thinks(-100)
    said = verdict(Steps(Known(Verdict("failed", 0.0))), model, complete=True)
    assert (said.outcome, said.verifier, model.requests) == ("passed", "steps:known", [])


@pytest.mark.parametrize("said", [True, False])
def test_whether_it_ends_the_verifier_says_or_else_the_model(said: bool):
    model = Scripted(lambda request, seed: json.dumps({"complete": said}))
    assert asyncio.run(Steps().ends(Task("What?"), text(), Everyone(model))) is said
    assert "Do the steps end" in model.requests[0].messages[-1].text
    known = Steps(Known(Verdict("failed", 0.0)))
    assert asyncio.run(known.ends(Task("What?"), text("the end"), Everyone(model)))
    assert len(model.requests) == 1


def test_a_model_that_does_not_say_whether_it_ends_goes_on():
    assert not asyncio.run(Steps().ends(Task("What?"), text(), Everyone(Scripted(lambda request, seed: "hm"))))


def test_steps_are_found_behind_chains_and_wrappers():
    inner = Known(Verdict("failed", 0.25))
    for around in (Chain((inner, inner)), Flipped(inner, p=0.0)):
        assert verdict(Steps(around), thinks(50)).score == 0.25


def test_it_has_a_name_and_is_put_around_once():
    assert make("steps").name == "steps"
    made = make("steps:game24")
    assert isinstance(made, Steps)
    assert made.name == "steps:game24"
    assert by_steps(made) is made
    assert by_steps(Known(Verdict("failed", 0.0))).roles == ("step_reward", "judge")


def test_it_keeps_a_verifiers_promises():
    lines = asyncio.run(check(Steps(), "What?", ["one", "two"], Everyone(thinks(20, "Well."))))
    assert {line.name: line.detail for line in lines if line.outcome == "fails"} == {}


class Mine:
    """A policy with a verifier of its own."""

    by_steps = True
    verifier = "steps:game24"

    def propose(self, search: Search) -> list[Proposal]:
        return [] if search.attempts else [Proposal(until="step")]

    def select(self, search: Search) -> Candidate | None:
        return None


@pytest.mark.parametrize(
    ("strategy", "verify", "name"),
    [
        (Mine(), "auto", "steps:game24"),
        (Mine(), "none", "steps"),
        (Strategy("tree_of_thought", {"budget": 1}), "auto", "steps"),
        (Strategy("tree_of_thought", {"budget": 1}), [Known(Verdict("failed", 0.5))], "steps:known"),
    ],
)
def test_a_policy_by_steps_is_verified_by_steps(strategy: Any, verify: Any, name: str):
    script = Scripted(lambda request, seed: "one\n" if request.role == "proposer" else '{"critique": [], "score": 1}')
    solving = asolve("Input: 1 2 3 4", strategy=strategy, verify=verify, model=script, journal=False)
    (only,) = asyncio.run(solving).candidates
    assert only.verdict.verifier == name

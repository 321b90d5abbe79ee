"""A search over steps on the terminal: its tree, with every number in it."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

import veriloop as vl
from veriloop.apps.cli import show, trees
from veriloop.core.messages import Request
from veriloop.core.search import Candidate, Outcome, Proposal, Result, Segment, Verdict
from veriloop.models.scripted import Scripted


class Judge:
    """Step b is good, and the answer after it right."""

    name = "known"

    async def step(self, task: vl.Task, candidate: Any, context: Any) -> Verdict:
        return Verdict("failed", 0.75 if "b" in candidate.text else 0.25)

    async def verify(self, task: vl.Task, candidate: Any, context: Any) -> Verdict:
        return Verdict("passed", 1.0)


class No:
    """Nothing is right."""

    name = "no"

    async def verify(self, task: vl.Task, candidate: Any, context: Any) -> Verdict:
        return Verdict("failed", 0.0)


def says(request: Request, seed: int) -> str:
    return "the answer" if request.prefix else "ab"[seed % 2] + "\n"


def printed(what: Any) -> str:
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_the_tree_is_shown_with_scores_numbers_and_the_answer_marked():
    strategy = vl.Strategy("a_star", {"children": 8})
    result = vl.solve("What?", strategy=strategy, model=Scripted(says), verify=Judge(), journal=False)
    assert trees.grown(result)
    lines = printed(trees.tree(result)).splitlines()
    assert len(lines) == 4  # steps with the same words are one, as in the pictures
    (chosen,) = [line for line in lines if "★" in line]
    assert f"✓ {result.best.id} 1.00 the answer" in chosen if result.best else False
    assert "g 0.125 · h 0 · f 0.125" in chosen
    (parent,) = [line for line in lines if f"… {result.best.proposal.parents[0]} 0.75 b" in line]  # type: ignore[union-attr]
    assert lines.index(parent) < lines.index(chosen)
    assert chosen.index("✓") > parent.index("…")
    times = sum(c.text == "b\n" for c in result.candidates)
    assert parent.endswith(f"× {times}")


def made(score: float | None, complete: bool = False, outcome: Outcome = "failed", until: Any = "step") -> Candidate:
    proposal = Proposal(id="0.0", until=until)
    return Candidate(
        id="0.0", proposal=proposal, round=0, complete=complete, segments=(Segment("b\n"),),
        verdict=Verdict(outcome, score, (), "known"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("candidate", "mark", "word"),
    [
        (made(0.96), "…", "partial 0.96"),
        (made(None, outcome="unscored"), "…", "partial by"),
        (made(0.0), "✗", "failed 0.00"),
        (made(None, outcome="infra_error"), "!", "infra_error"),
        (made(0.96, complete=True), "✗", "failed 0.96"),
        (made(0.96, complete=True, outcome="unscored"), "·", "(a model's opinion: not verified)"),
        (made(0.3, until="answer"), "✗", "failed 0.30"),
    ],
)
def test_a_step_on_its_way_looks_the_same_everywhere(candidate: Candidate, mark: str, word: str):
    result = Result(run_id="r", best=candidate, attempts=(candidate,))
    for shown in (show.attempt(candidate), trees.tree(result)):
        assert f"{mark} 0.0" in printed(shown)
    assert f"Verdict {mark}" in printed(show.answer(result))
    assert word in printed(show.answer(result))


def test_a_step_is_shown_as_it_ends_by_its_own_line_alone():
    result = vl.solve("What?", strategy="a_star", model=Scripted(says), verify=Judge(), journal=False)
    said = printed(show.attempt(result.candidates[-1]))
    assert "the answer" in said
    assert "goes on from 0." in said
    assert "\n      b" not in said


def test_a_mixture_of_whole_answers_shows_the_value_of_each_pick():
    strategy = vl.Strategy("mixture", {"algorithms": "best_of_n", "prior_weight": 0, "loops": 2})
    model = Scripted(lambda request, seed: "so")
    result = vl.solve("What?", strategy=strategy, model=model, verify=No(), journal=False)
    assert printed(trees.tree(result)).count("ucb ") == 2  # of each try the same answer five times
    assert trees.grown(result)


def test_other_methods_have_no_tree_to_show():
    assert not trees.grown(vl.solve("What?", model=Scripted(), verify=None, journal=False))

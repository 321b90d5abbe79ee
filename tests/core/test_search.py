"""The nouns of a search, and the view of it that a policy gets."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Candidate, Finding, Proposal, Result, Search, Task, Verdict
from veriloop.core.search import UNSCORED, Opinion, Segment, Spend


def candidate(id: str, scope: str = "", **fields: object) -> Candidate:
    return replace(Candidate(id=id, proposal=Proposal(id=id, scope=scope), round=0), **fields)


def opinion(id: str, scope: str = "") -> Opinion:
    return Opinion(id=id, proposal=Proposal(id=id, role="critic", scope=scope), round=0)


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_score_is_between_nought_and_one(score: float):
    with pytest.raises(ValueError, match="a score is between 0 and 1"):
        Verdict("failed", score)


def test_a_verdicts_text_is_what_its_findings_say():
    said = (Finding("a", 0.0, "one"), Finding("b", 1.0, ""), Finding("c", None, "two"))
    assert Verdict("failed", 0.5, said).text == "one\ntwo"


def test_unscored_is_below_every_score_and_never_nought():
    unscored, worst = candidate("a"), candidate("b", verdict=Verdict("failed", 0.0))
    assert unscored.verdict.score is None
    assert unscored.score < worst.score == 0


def test_a_candidates_text_is_its_segments():
    assert candidate("a", segments=(Segment("It is", "hint"), Segment(" four"))).text == "It is four"


def test_attempts_are_told_apart_and_keep_their_order():
    attempts = (candidate("a"), opinion("b"), candidate("c"), opinion("d"))
    for view in (Search(task=Task("q"), attempts=attempts), Result(run_id="r", attempts=attempts)):
        assert [each.id for each in view.candidates] == ["a", "c"]
        assert [each.id for each in view.opinions] == ["b", "d"]


@given(st.integers(), st.integers(0, 9), st.text(max_size=3))
def test_a_generator_is_the_same_for_the_same_seed_round_and_label(seed: int, round: int, label: str):
    search = Search(task=Task("q"), seed=seed, round=round)
    draw = search.rng(label).random()
    assert search.rng(label).random() == draw
    assert replace(search, attempts=(candidate("a"),)).rng(label).random() == draw
    others = (replace(search, seed=seed + 1), replace(search, round=round + 1), search.scoped("x"))
    assert draw not in [other.rng(label).random() for other in others]
    assert search.rng(label + "!").random() != draw


def test_a_scoped_view_holds_the_sub_policys_own_attempts():
    mine, inner, other, alike = (
        candidate("a", "x/"),
        candidate("b", "x/y/"),
        candidate("c", "z/"),
        candidate("d", "xx/"),
    )
    search = Search(task=Task("q"), seed=3, round=2, attempts=(mine, inner, other, alike), experience={"n": 1})
    view = search.scoped("x")
    assert view.attempts == (mine, inner)
    assert view.scoped("y").attempts == (inner,)
    assert view.scoped("y").scope == "x/y/"
    assert (view.seed, view.round, view.experience) == (3, 2, {"n": 1})


def test_nothing_of_a_search_can_be_changed():
    for noun, name in ((Search(task=Task("q")), "round"), (candidate("a"), "id"), (Verdict("passed"), "score")):
        with pytest.raises(FrozenInstanceError):
            setattr(noun, name, 1)


def test_a_result_that_abstains_is_unscored():
    assert Result(run_id="r").verdict == UNSCORED
    assert Result(run_id="r").answer is None


def test_tokens_are_those_read_and_those_written():
    assert Spend(tokens_in=3, tokens_out=4).tokens == 7

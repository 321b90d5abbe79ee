"""Verifiers one after another: who is asked, and what the whole is worth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Candidate, Finding, Task, Verdict
from veriloop.core.protocols import Context
from veriloop.core.search import Outcome
from veriloop.verifiers import make
from veriloop.verifiers.chain import Chain
from veriloop.verifiers.conformance import Everyone, reply

TASK = Task("What?")


@dataclass
class Says:
    """A verifier that gives one verdict and counts how often it was asked."""

    outcome: Outcome
    score: float | None = None
    name: str = "says"
    roles: tuple[str, ...] = ()
    asked: list[Candidate] = field(default_factory=list)

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        self.asked.append(candidate)
        return Verdict(self.outcome, self.score, (Finding(self.name, self.score, f"{self.name} spoke"),), self.name)


def judge(*stages: Says) -> Verdict:
    return asyncio.run(Chain(stages).verify(TASK, reply(TASK, "four"), Everyone()))


def passes(score: float | None = 1.0, name: str = "says") -> Says:
    return Says("passed", score, name)


def fails(score: float | None = 0.0, name: str = "says") -> Says:
    return Says("failed", score, name)


UNSURE, BROKEN = Says("unscored"), Says("infra_error")


@pytest.mark.parametrize(
    ("stages", "outcome", "score"),
    [
        ([passes(), passes()], "passed", 1.0),
        ([passes(0.8), passes(0.6)], "passed", 0.7),
        ([passes(None), passes(None)], "passed", 1.0),
        ([fails(), passes()], "failed", 0.0),
        ([fails(0.5), passes()], "failed", 0.25),
        ([passes(), fails()], "failed", 0.5),
        ([passes(), fails(None)], "failed", 0.5),
        ([UNSURE, passes()], "unscored", None),
        ([UNSURE, fails(0.5)], "failed", 0.5),
        ([passes(0.6), UNSURE], "unscored", None),
        ([passes(), UNSURE, fails(0.5)], "failed", 0.75),
        ([UNSURE, UNSURE], "unscored", None),
        ([BROKEN, passes()], "infra_error", None),
        ([passes(), BROKEN], "infra_error", None),
        ([], "unscored", None),
    ],
)
def test_what_a_chain_is_worth(stages: list[Says], outcome: str, score: float | None):
    verdict = judge(*stages)
    assert (verdict.outcome, verdict.score) == (outcome, None if score is None else pytest.approx(score))


def test_a_stage_that_does_not_pass_is_a_gate():
    first, gate, last = passes(name="first"), fails(name="gate"), passes(name="last")
    verdict = judge(first, gate, last)
    assert (len(first.asked), len(gate.asked), len(last.asked)) == (1, 1, 0)
    assert verdict.text == "first spoke\ngate spoke"


def test_an_infrastructure_error_ends_it_at_once():
    last = passes()
    judge(Says("infra_error"), last)
    assert last.asked == []


stages = st.lists(
    st.one_of(
        st.builds(Says, st.just("passed"), st.floats(0.5, 1)),
        st.builds(Says, st.just("failed"), st.floats(0, 0.5, exclude_max=True)),
        st.builds(Says, st.just("unscored")),
    ),
    max_size=5,
)


@given(stages)
def test_a_score_is_a_score_and_only_the_unscored_have_none(stages: Sequence[Says]):
    verdict = judge(*stages)
    assert (verdict.score is None) == (verdict.outcome == "unscored")
    assert verdict.score is None or 0 <= verdict.score <= 1
    asked = [stage for stage in stages if stage.asked]
    assert (verdict.outcome == "failed") == any(stage.outcome == "failed" for stage in asked)
    assert (verdict.outcome == "passed") == (bool(stages) and all(stage.outcome == "passed" for stage in stages))


@given(st.integers(1, 5), st.data())
def test_who_gets_further_scores_higher(length: int, data: st.DataObject):
    near, far = sorted([data.draw(st.integers(0, length)), data.draw(st.integers(0, length))])

    def upto(reached: int) -> float:
        score = judge(*(passes() for _ in range(reached)), *(fails() for _ in range(length - reached))).score
        assert score is not None
        return score

    assert upto(near) < upto(far) or near == far


def test_a_chain_is_named_and_cast_after_its_stages():
    chain = Chain((Says("passed", name="sql"), Says("passed", name="judge", roles=("judge",))))
    assert (chain.name, chain.roles) == ("sql+judge", ("judge",))


@pytest.mark.parametrize("wanted", ["sql+judge", "sql + judge", ["sql", "judge"], ("sql", "judge")])
def test_a_chain_is_written_with_plus_or_as_a_list(wanted: object):
    assert make(wanted).name == "sql+judge"

"""A task and a proposal become a request; a reply becomes a candidate."""

from __future__ import annotations

from typing import Any

import pytest

from veriloop import Message, Proposal, Task
from veriloop.agents.drafts import begun
from veriloop.agents.proposer import LONGEST, Proposer
from veriloop.core.messages import Capabilities, Request, Sample, Usage

FULL, POOR = Capabilities(prefix=True, schema=True), Capabilities(stop=False)


def request(proposal: Proposal, can: Capabilities = FULL, task: Task | None = None) -> Request:
    return Proposer.of(task or Task("What?")).request(proposal, [], [], True, can, begun(proposal, [])[0])


def test_what_is_stable_comes_first_and_what_the_method_adds_last():
    talk = Task((Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "What?")))
    sent = request(Proposal(instruction="Better.", seed=7, temperature=0.1, max_tokens=9), task=talk)
    assert [m.role for m in sent.messages] == ["system", "user", "assistant", "user", "user"]
    assert (sent.messages[-1].text, sent.messages[-1].purpose) == ("Better.", "instruction")
    assert (sent.seeds, sent.temperature, sent.max_tokens) == ((7,), 0.1, 9)


def test_a_prefix_is_continued_by_a_model_that_can_and_asked_for_in_words_of_one_that_cannot():
    proposal = Proposal(prefix="Well")
    assert request(proposal).prefix == "Well"
    poor = request(proposal, POOR)
    assert poor.prefix == ""
    assert poor.messages[-1].text == "Begin your answer with exactly: Well"


def test_only_a_model_that_stops_is_told_where():
    assert request(Proposal(stop=("x",))).stop == ("x",)
    assert request(Proposal(stop=("x",)), POOR).stop == ()


def test_a_schema_goes_to_a_model_that_fits_schemas_and_to_every_prompt():
    task = Task("What?", output_schema={"type": "array"})
    assert request(Proposal(), task=task).schema == {"type": "array"}
    assert request(Proposal(), POOR, task).schema is None
    assert '"type": "array"' in request(Proposal(), POOR, task).messages[0].text


def candidate(text: str, finish: str = "stop", **fields: Any) -> Any:
    proposal = Proposal(id="0.0", **fields)
    sample, written = Sample(text, finish=finish), begun(proposal, [])[0]
    return Proposer.of(Task("What?")).candidate(proposal, 0, sample, Usage(), written)


def test_a_reply_is_a_complete_candidate_without_a_verdict():
    made = candidate(" Four. ")
    assert (made.artifact, made.answer, made.key, made.complete) == ("Four.", "Four.", "four.", True)
    assert made.verdict.outcome == "unscored"


def test_a_continued_prefix_is_a_segment_of_its_own():
    made = candidate(" four", prefix="It is")
    assert made.answer == "It is four"
    assert [segment.source for segment in made.segments] == ["hint", "model"]


@pytest.mark.parametrize(
    ("text", "finish", "why"),
    [
        (" ", "stop", "the reply holds no usable answer"),
        ("", "length", "the reply was cut at max_tokens: it must be shorter, or the limit higher"),
    ],
)
def test_a_reply_that_is_no_answer_has_the_lowest_score_and_says_why(text: str, finish: str, why: str):
    made = candidate(text, finish)
    assert not made.complete
    assert (made.verdict.outcome, made.verdict.score, made.verdict.text) == ("failed", 0.0, why)


def test_an_endless_reply_is_cut():
    assert len(candidate("x" * 2 * LONGEST).text) == LONGEST

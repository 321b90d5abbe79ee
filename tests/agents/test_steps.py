"""What a reply is as a step, and how one is asked for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from veriloop import Proposal, Result, Search, Task, asolve
from veriloop.agents.drafts import begun
from veriloop.agents.proposer import Proposer
from veriloop.agents.steps import BLANK, count, same, taken
from veriloop.core.events import Noticed
from veriloop.core.messages import Capabilities, Request, Sample
from veriloop.core.search import Candidate, Segment, Verdict
from veriloop.graphs.run import proposal_hash
from veriloop.models.scripted import Scripted

FULL, POOR = Capabilities(prefix=True, schema=True), Capabilities(stop=False, schema=True)


@pytest.mark.parametrize(
    ("sample", "text", "goes_on"),
    [
        (Sample("2 + 3 = 5", stopped="\n"), "2 + 3 = 5\n", True),
        (Sample("answer: 5", stopped=""), "answer: 5", False),
        (Sample("2 + 3 = 5", stopped=None), "2 + 3 = 5\n", None),
        (Sample("2 + 3 = 5 END", stopped="END"), "2 + 3 = 5 END", False),
        (Sample("one\ntwo\nthree"), "one\n", True),
        (Sample("one\ntw", finish="length"), "one\n", True),
        (Sample("one\n", finish="length"), "one\n", True),
        (Sample("one\n"), "one\n", False),
        (Sample("\n \none\ntwo"), "\n \none\n", True),
        (Sample("", stopped=""), "", False),
        (Sample("on", finish="length"), "on", False),
    ],
)
def test_a_model_that_continues_a_text_says_itself_whether_it_goes_on(sample: Sample, text: str, goes_on: bool | None):
    step = taken(sample, continued=True)
    assert (step.sample.text, step.goes_on, step.blank) == (text, goes_on, False)


def test_a_reply_that_is_asked_for_in_words_says_nothing_of_the_end():
    for text in ("one", "one\ntwo", "\n\none\n"):
        step = taken(Sample(text), continued=False)
        assert (step.sample.text, step.goes_on) == ("one\n", None)


@pytest.mark.parametrize("text", ["", "\n", " \n \n"])
def test_a_reply_without_a_word_is_no_step_yet(text: str):
    assert taken(Sample(text, stopped="\n"), continued=True).blank
    assert taken(Sample(text), continued=False).blank


def test_the_log_probability_stays_only_with_the_text_it_is_of():
    assert taken(Sample("one", logprob=-1.0, stopped="\n"), continued=True).sample.logprob == -1.0
    assert taken(Sample("one\ntwo", logprob=-1.0), continued=True).sample.logprob is None


def test_steps_are_lines_with_a_word():
    assert count("one\n\n two\n") == 2
    assert same(" one\n two\n") == same("one two") != same("onetwo")


def request(can: Capabilities, prefix: str, **task: Any) -> Request:
    proposal = Proposal(prefix=prefix, until="step")
    return Proposer.of(Task("What?", **task)).request(proposal, (), (), True, can, begun(proposal, [])[0])


def test_a_text_is_continued_to_the_end_of_its_line_where_the_model_can():
    sent = request(FULL, "one\n", output_schema={"type": "array"})
    assert (sent.prefix, sent.stop, sent.schema) == ("one\n", ("\n",), None)
    assert [m.purpose for m in sent.messages] == ["task", "task"]


def test_any_other_model_is_shown_the_steps_and_asked_for_the_next():
    first, later = request(POOR, ""), request(POOR, "one\ntwo\n")
    assert (later.prefix, later.stop) == ("", ())
    assert "only the first step" in first.messages[-1].text
    assert [(m.role, m.purpose) for m in later.messages[-2:]] == [("assistant", "reply"), ("user", "instruction")]
    assert later.messages[-2].text == "one\ntwo"
    assert "only the next step" in later.messages[-1].text


def test_a_proposal_of_an_answer_is_known_by_what_it_was_before_there_were_steps():
    assert proposal_hash(Proposal(id="0.0", seed=7)) == "ad2e20eab0fe92a8"
    assert proposal_hash(Proposal(id="0.0", seed=7, until="step")) != proposal_hash(Proposal(id="0.0", seed=7))


# ---- in a run ----


class Line:
    """Asks for one step after another, as long as the text goes on."""

    by_steps = True

    def propose(self, search: Search) -> list[Proposal]:
        last = search.candidates[-1] if search.candidates else None
        if last is None:
            return [Proposal(until="step")]
        done = last.complete or last.verdict.verifier == "format" or search.round > 9
        return [] if done else [Proposal(parents=(last.id,), prefix=last.text, until="step")]

    def select(self, search: Search) -> Candidate | None:
        return search.candidates[-1] if search.candidates else None


class Sum:
    """Knows partial texts and the end by code: a step that says "wrong" is."""

    name = "sum"

    async def step(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        return Verdict("failed", 0.0) if "wrong" in candidate.text else Verdict("failed", 0.75)

    async def ends(self, task: Task, candidate: Candidate, context: Any) -> bool:
        return "answer" in candidate.text

    async def verify(self, task: Task, candidate: Candidate, context: Any) -> Verdict:
        return Verdict("passed" if "5" in str(candidate.answer) else "failed", None)


def solve(model: Scripted, verify: Any = None, **options: Any) -> Result:
    return asyncio.run(asolve("What?", strategy=Line(), model=model, verify=verify or Sum(), journal=False, **options))


def test_a_text_grows_line_by_line_to_its_end():
    model = Scripted(["one\n", "two\n", "answer: 5"], capabilities=FULL)
    result = solve(model)
    assert [c.text for c in result.candidates] == ["one\n", "one\ntwo\n", "one\ntwo\nanswer: 5"]
    assert [c.complete for c in result.candidates] == [False, False, True]
    assert [c.verdict.score for c in result.candidates] == [0.75, 0.75, None]
    assert [r.prefix for r in model.requests] == ["", "one\n", "one\ntwo\n"]
    assert (result.answer, result.stopped, result.verdict.verifier) == ("one\ntwo\nanswer: 5", "passed", "steps:sum")
    assert (result.spend.calls, result.spend.verdicts) == (3, 3)
    assert [s for c in result.candidates for s in c.segments if s.source != "model"] == []


def test_a_partial_text_is_no_answer_and_never_passes():
    result = solve(Scripted(["one\n", "on and on"], capabilities=FULL))
    assert [(c.answer, c.artifact) for c in result.candidates[:1]] == [(None, "one")]
    assert result.candidates[0].verdict.outcome == "failed"


def test_empty_lines_are_passed_over():
    model = Scripted(["\n", "\nanswer: 5\nmore", "5"], capabilities=FULL)
    result = solve(model)
    assert [r.prefix for r in model.requests] == ["", "\n", "\n\n"]
    assert result.candidates[0].complete
    assert result.candidates[0].artifact == "5"
    assert result.candidates[0].segments[-1] == Segment("5")


def test_a_model_that_writes_nothing_but_empty_lines_has_failed():
    model = Scripted(lambda request, seed: "\n", capabilities=FULL)
    (only,) = solve(model).candidates
    assert (only.verdict.score, only.verdict.text, len(model.requests)) == (0.0, "the reply holds no step", BLANK + 1)


def test_a_text_may_end_without_another_word():
    result = solve(Scripted(["the answer is 5\n", ""], capabilities=FULL))
    assert [c.complete for c in result.candidates] == [False, True]
    assert result.answer == "the answer is 5"


def test_a_step_that_is_cut_is_no_step():
    cut = Sample("one and", finish="length")
    (only,) = solve(Scripted([cut], capabilities=FULL)).candidates
    assert (only.complete, only.verdict.verifier, only.verdict.score) == (False, "format", 0.0)


def test_a_model_that_cannot_continue_is_asked_in_words_and_the_verifier_for_the_end():
    told: list[Any] = []
    model = Scripted(["one\nand much more", "the answer is 5"], capabilities=POOR)
    result = solve(model, on_event=told.append)
    assert [c.text for c in result.candidates] == ["one\n", "one\nthe answer is 5\n"]
    assert (result.answer, result.stopped) == ("one\nthe answer is 5", "passed")
    notices = [event.text for event in told if isinstance(event, Noticed)]
    assert "scripted cannot continue a text: it is asked for each step in words" in notices


def test_an_empty_reply_in_words_has_failed():
    result = solve(Scripted(["one", " "], capabilities=POOR))
    assert [c.verdict.text for c in result.candidates] == ["", "the reply holds no step"]


def test_without_code_the_models_of_both_roles_say_how_good_it_is_and_whether_it_is_the_end():
    thinks = {"critique": [{"constraint": 0, "met": True, "critique": "Fine."}], "score": 50}
    script = ["one", '{"complete": false}', json.dumps(thinks), "5", '{"complete": true}']
    model = Scripted(script, capabilities=POOR)
    result = solve(model, verify=lambda answer: "5" in answer)
    first, second = result.candidates
    assert (first.verdict.outcome, first.verdict.score, first.verdict.text) == ("failed", 0.75, "Fine.")
    assert (second.complete, second.verdict.outcome) == (True, "passed")
    assert first.usage.tokens_out == 1
    assert first.verifying.tokens_out == len(json.dumps(thinks).split()) + 2
    assert [r.role for r in model.requests] == ["proposer", "completion", "step_reward", "proposer", "completion"]


def test_what_breaks_in_the_question_of_the_end_is_no_score():
    class Broken(Sum):
        async def ends(self, task: Task, candidate: Candidate, context: Any) -> bool:
            if "two" in candidate.text:
                raise OSError("no connection")
            return False

    result = solve(Scripted(["one", "two"], capabilities=POOR), verify=[Broken()])
    assert [c.verdict.outcome for c in result.candidates] == ["failed", "infra_error"]
    assert result.stopped == "error: OSError: no connection"

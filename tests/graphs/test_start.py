"""START: a hint is put into the text and the text goes on; rounds, places, controls, flips."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import veriloop
from veriloop import Candidate, Proposal, Result, Search, Strategy, Task, Verdict
from veriloop.agents.drafts import joined
from veriloop.agents.fences import blocks
from veriloop.agents.insertion import lead, place
from veriloop.core.errors import UsageError
from veriloop.core.events import Event, Noticed
from veriloop.core.messages import Capabilities, Request
from veriloop.core.search import Segment
from veriloop.graphs.policies.conformance import check
from veriloop.graphs.policies.start import Start
from veriloop.models.scripted import Scripted
from veriloop.tools.hints import hints
from veriloop.tools.scripted import ScriptedTool

PREFIX, TURNS = Capabilities(prefix=True, n=True, seed=True), Capabilities(n=True, seed=True)
BLOCK = "\n```python\nprint(4)\n```\n"
OUTPUT = "```output\nrun 1\n```\n"
SUMS = [words for hint in hints() if hint.domain == "math" for words in hint.paraphrases]


def solve(task: Task | str = "What is 2 + 2?", **options: Any) -> Result:
    given = {"journal": False, "verify": None, "strategy": "start", "tools": [ScriptedTool()]}
    return asyncio.run(veriloop.asolve(task, **{**given, **options}))


def texts(result: Result) -> list[str]:
    return [candidate.text for candidate in result.candidates]


def sources(candidate: Candidate) -> list[tuple[str, str]]:
    return [(segment.source, segment.text) for segment in candidate.segments]


# ---- where a hint goes ----


def at(text: str, position: Any, written: list[Segment] | None = None) -> tuple[str, str]:
    written = written or [Segment(text)]
    cut, found = place(written, position, random.Random(0))
    return joined(written)[:cut], found


@pytest.mark.parametrize(
    ("text", "position", "kept", "found"),
    [
        ("Wait, no. Wait, yes. It is 4.", "after:Wait", "Wait, no. Wait", "after:Wait"),
        ("So 4.\nAlternatively, 5.", "after:Alternatively", "So 4.\nAlternatively", "after:Alternatively"),
        ("So 4.\nAlternatively, 5.", "after:Wait", "So 4.\nAlternatively, 5.", "before_stop"),
        ("Awaiting Waiters.", "after:Wait", "Awaiting Waiters.", "before_stop"),
        ("It is 4.\n\n", "before_stop", "It is 4.", "before_stop"),
        ("It is 4.</think>\n4", "before_stop", "It is 4.", "before_stop"),
        ("Wait. </think>\nWait", "after:Wait", "Wait", "after:Wait"),
        ("", "after:Wait", "", "before_stop"),
        ("no sentence", "random", "no sentence", "before_stop"),
        ("So:\n```python\nprint(", "before_stop", "So:", "before_stop"),
        ('Wait, so:\n```python\nprint("Wait")\n```\nYes.', "after:Wait", "Wait", "after:Wait"),
    ],
)
def test_a_text_is_cut_at_the_last_place_or_before_its_end(text: str, position: str, kept: str, found: str):
    assert at(text, position) == (kept, found)


def test_only_the_models_own_doubt_counts():
    written = [Segment("Wait, I see."), Segment("Wait", "tool"), Segment("\n\nWait, check.", "hint"), Segment("Yes.")]
    assert at("", "after:Wait", written) == ("Wait", "after:Wait")


PIECES = ["Wait", " a.", "\n", "```python\n", "\n```\n", "Alternatively", ", "]
SEGMENTS = st.lists(
    st.builds(
        Segment,
        st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
        st.sampled_from(["model", "hint", "tool"]),
    ),
    max_size=5,
)


@given(SEGMENTS, st.sampled_from(["before_stop", "after:Wait", "after:Alternatively", "random"]), st.integers())
def test_no_hint_goes_into_a_block_and_what_is_kept_is_a_beginning(written: list[Segment], position: Any, seed: int):
    cut, found = place(written, position, random.Random(seed))
    text = joined(written)
    assert 0 <= cut <= len(text)
    assert found in (position, "before_stop")
    assert not any(block.start < cut < len(text[: block.end].rstrip()) for block in blocks(text))
    if found.startswith("after:"):
        assert text[:cut].endswith(found.removeprefix("after:"))


def test_a_hint_takes_up_the_doubt_that_is_there_or_begins_one():
    assert lead("let me check.\n", "after:Wait", "x") == ", let me check.\n"
    assert lead("let me check.\n", "before_stop", "x") == "\n\nWait, let me check.\n"
    assert lead("let me check.\n", "random", "") == "Wait, let me check.\n"
    assert (lead("", "before_stop", "x"), lead("", "after:Wait", "x")) == ("\n\nWait,", ",")


# ---- rounds ----


def test_each_round_goes_on_from_the_text_before_with_a_hint_in_it():
    model, tool = Scripted(["It is 5.", f"Hm.{BLOCK}", "It is 4.", "Sure: 4."], capabilities=PREFIX), ScriptedTool()
    result = solve(model=model, tools=[tool], strategy=Start(rounds=2))
    first, second, third = result.candidates
    assert sources(first) == [("model", "It is 5.")]
    said = second.proposal.hint
    assert said.startswith("\n\nWait, ")
    assert said[len("\n\nWait, ") :].strip() in SUMS
    assert sources(second) == [
        ("model", "It is 5."), ("hint", said), ("model", f"Hm.{BLOCK}"), ("tool", OUTPUT), ("model", "It is 4."),
    ]  # fmt: skip
    assert model.requests[1].prefix == "It is 5." + said
    assert model.requests[3].prefix == third.text.removesuffix("Sure: 4.") == second.text + third.proposal.hint
    assert third.text == second.text + third.proposal.hint + "Sure: 4."
    assert result.answer == third.answer
    assert OUTPUT not in third.answer
    assert [len(candidate.tool_runs) for candidate in result.candidates] == [0, 1, 1]
    assert (result.spend.tool_runs, result.spend.calls, result.stopped) == (1, 4, "done")


def test_without_rounds_it_is_plain_decoding():
    plain, start = (Scripted(lambda request, seed: f"{seed}", capabilities=PREFIX) for _ in range(2))
    one = solve(model=plain, strategy=Strategy("single", {"temperature": 0.6, "max_tokens": 2048}), seed=5)
    other = solve(model=start, strategy=Start(rounds=0, top_p=1.0), seed=5)
    assert texts(one) == texts(other)
    assert plain.requests == start.requests
    assert len(start.requests) == 1


def test_the_code_of_the_rounds_before_has_run_in_a_rounds_session():
    tool = ScriptedTool()
    replies = [f"A{BLOCK}", "Wait, what", f"B{BLOCK}", "done"]
    result = solve(model=Scripted(replies, capabilities=PREFIX), tools=[tool], strategy=Start(rounds=1))
    assert tool.opened == [[], ["print(4)\n"]]
    assert [run.output for run in result.candidates[1].tool_runs] == [{"text": "run 1"}, {"text": "run 2"}]
    assert len(tool.acted) == 2


def test_what_follows_the_place_is_dropped_with_its_tool_runs():
    tool = ScriptedTool()
    replies = [f"So. Wait, see:{BLOCK}", "It is 5.", f"C{BLOCK}", "It is 4."]
    result = solve(
        model=Scripted(replies, capabilities=PREFIX), tools=[tool], strategy=Start(rounds=1, position="after:Wait")
    )
    second = result.candidates[1]
    assert second.proposal.prefix == "So. Wait"
    assert second.proposal.hint.startswith(", ")
    assert tool.opened == [[], []]
    assert len(second.tool_runs) == 1


def test_a_model_that_cannot_continue_is_asked_in_turns_and_the_result_says_so():
    events: list[Event] = []
    model = Scripted(["It is 5.", f"Hm.{BLOCK}", "It is 4."], capabilities=TURNS)
    result = solve(model=model, strategy=Start(rounds=1), on_event=events.append)
    notes = [event.text for event in events if isinstance(event, Noticed)]
    assert "scripted cannot continue a text: hints are follow-up turns" in notes
    asked = model.requests[1].messages
    assert [turn.role for turn in asked] == ["system", "user", "assistant", "user"]
    assert (asked[2].text, asked[3].purpose) == ("It is 5.", "instruction")
    assert asked[3].text.startswith("Wait, ")
    assert [turn.role for turn in model.requests[2].messages][-3:] == ["user", "assistant", "user"]
    assert texts(result)[1].endswith(f"Hm.{BLOCK}{OUTPUT}It is 4.")


@pytest.mark.parametrize("position", ["before_stop", "after:Wait", "after:Alternatively", "random"])
@pytest.mark.parametrize("hint", ["match", "wait", "general", "debug"])
def test_it_keeps_a_policys_promises(position: Any, hint: str):
    for line in asyncio.run(check(Start(rounds=3, hint=hint, position=position))):
        assert line.outcome != "fails", line


# ---- which hint ----


def hinted(task: Task, **parameters: Any) -> list[str]:
    """The hints of all rounds."""
    model = Scripted(lambda request, seed: "It is. Wait, so.", capabilities=PREFIX)
    result = solve(task, model=model, strategy=Start(**{"rounds": 4, **parameters}))
    return [candidate.proposal.hint for candidate in result.candidates[1:]]


def names(said: list[str]) -> list[str]:
    words = {paraphrase: hint.name for hint in hints() for paraphrase in hint.paraphrases}
    return [next(name for text, name in words.items() if text in each) for each in said]


def test_the_function_fits_the_task_the_place_and_the_round():
    sums, code = Task("What is 2 + 2?"), Task("Write f.", language="python")
    functions = ["complex-calculation", "self-reflection", "logic-check", "alternative-method"]
    assert names(hinted(sums)) == functions
    assert names(hinted(sums, position="random")) == functions
    assert names(hinted(sums, position="after:Wait")) == [*functions[:3], functions[0]]
    assert names(hinted(Task("Why?"))) == ["general", "think-deeper"] * 2
    assert names(hinted(sums, domain="code", rounds=1)) == ["debug"]
    assert "\n```python\n" in hinted(code, rounds=1)[0]
    assert "```" not in "".join(hinted(sums))


def test_controls_are_the_bare_word_one_general_hint_and_a_random_place():
    sums = Task("What is 2 + 2?")
    assert hinted(sums, hint="wait") == ["\n\nWait,"] * 4
    assert set(names(hinted(sums, hint="general"))) == {"general"}
    model = Scripted(lambda request, seed: "One. Two. Three. Four. Five.", capabilities=PREFIX)
    cuts = {
        solve(model=model, strategy=Start(rounds=1, position="random"), seed=seed).candidates[1].proposal.prefix
        for seed in range(30)
    }
    assert len(cuts) > 2
    assert all(re.fullmatch(r"(\w+\. )*\w+\.", cut) for cut in cuts)


def test_a_template_is_code_that_the_model_finishes():
    tool = ScriptedTool()
    model = Scripted(["def f(): pass", "f()\n```\n", "Good."], capabilities=PREFIX)
    solve(Task("Write f.", language="python"), model=model, tools=[tool], strategy=Start(rounds=1))
    (code,) = tool.acted
    assert code.startswith("# The program")
    assert code.endswith(":\nf()\n")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"rounds": -1}, "rounds is -1: it must be at least 0"),
        ({"hint": "generel"}, "there is no hint 'generel' (did you mean 'general'?); hints: match, wait, "),
        ({"top_p": 0}, "cannot sample at"),
        ({"position": "middle"}, "position = 'middle'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(parameters: dict[str, Any], said: str):
    with pytest.raises(UsageError, match=re.escape(said)):
        Strategy("start", parameters).make()


def test_without_the_tool_that_its_hints_point_at_it_says_so():
    events: list[Event] = []
    solve(model=Scripted(["4", "4", "4"]), tools=[], on_event=events.append)
    assert [e.text for e in events if isinstance(e, Noticed)] == [
        "start is made for the tool python, which is not given"
    ]


# ---- which answer ----


def pick(*outcomes: tuple[float | None, bool]) -> int | None:
    """The place of the candidate that is selected among those with these scores (none = unscored) and completeness."""
    made = [
        Candidate(
            id=f"{i}.0",
            proposal=Proposal(),
            round=i,
            complete=complete,
            verdict=Verdict("unscored") if score is None else Verdict("failed", score),
        )
        for i, (score, complete) in enumerate(outcomes)
    ]
    picked = Start().select(Search(task=Task("x?"), attempts=tuple(made)))
    return None if picked is None else picked.round


def test_the_last_rounds_answer_counts_but_where_a_verifier_scored():
    assert pick((None, True), (None, True), (None, True)) == 2
    assert pick((None, True), (0.0, False)) == 0  # the last is no answer at all
    assert pick((0.5, True), (0.9, True), (0.9, True), (0.1, True)) == 2
    assert pick((0.0, False), (0.0, False)) == 1
    assert pick() is None


def test_a_full_score_ends_it_unless_told_otherwise():
    def right(answer: str) -> bool:
        return answer.endswith("4.")

    replies = ["It is 5.", "It is 4.", "Or 5."]
    stopped = solve(model=Scripted(replies, capabilities=PREFIX), verify=right)
    assert (len(stopped.candidates), stopped.stopped, stopped.verdict.outcome) == (2, "passed", "passed")
    on = solve(model=Scripted(replies, capabilities=PREFIX), verify=right, strategy=Start(early_stop=False))
    assert [c.verdict.outcome for c in on.candidates] == ["failed", "passed", "failed"]
    assert on.best is on.candidates[1] or (on.best is not None and on.best.id == "1.0")


# ---- going on after a kill ----


class Killed(BaseException):
    """Ends a run as a kill does."""


@pytest.mark.parametrize("dies", range(1, 8))
def test_rounds_go_on_where_they_were_cut_off_and_pay_nothing_twice(dies: int):
    steps = [0]

    def reply(request: Request, seed: int) -> str:
        steps[0] += 1
        if steps[0] == dies:
            raise Killed
        return (
            f"It is {seed % 10}. Wait, no." if request.prefix.endswith("```\n") or not request.prefix else f"Hm.{BLOCK}"
        )

    options: dict[str, Any] = {"strategy": Start(rounds=3, position="after:Wait"), "journal": True, "seed": 3}
    model, tool = Scripted(reply, capabilities=PREFIX), ScriptedTool()
    try:
        result = solve(model=model, tools=[tool], run_id="mine", **options)
    except Killed:
        result = solve(model=model, tools=[tool], run_id="mine", **options)
    steps[0] = 1000
    again = ScriptedTool()
    expected = solve(model=Scripted(reply, capabilities=PREFIX), tools=[again], **options)
    assert texts(result) == texts(expected)
    assert len(model.requests) == 7 + 1
    assert (result.spend.calls, result.spend.tool_runs, len(tool.acted)) == (7, 3, 3)


# ---- with IAD ----


def test_iad_takes_a_hint_as_an_instruction():
    model = Scripted(["5", f"Hm.{BLOCK}", "4"], capabilities=PREFIX)
    strategy = Strategy("iad", {"rounds": 2, "width": 1, "hint": "general"})
    result = solve(model=model, strategy=strategy, verify=lambda answer: 0.5)
    (general,) = (hint for hint in hints() if hint.name == "general")
    for request in (model.requests[0], model.requests[1]):
        said = request.messages[-1].text
        assert any(said.lower().endswith(words.lower()) for words in general.paraphrases)
    assert "Best answer so far" in model.requests[1].messages[-1].text
    assert all(candidate.proposal.blocks for candidate in result.candidates)
    plain = Scripted(["5"])
    solve(model=plain, strategy=Strategy("iad", {"rounds": 1, "width": 1}), verify=lambda answer: 0.5)
    assert plain.requests[0].messages[-1].text == "What is 2 + 2?"
    with pytest.raises(UsageError, match="there is no hint 'wait'"):
        Strategy("iad", {"hint": "wait"}).make()


def test_the_candidate_of_a_round_is_told_from_its_parent():
    """The graph gives each attempt its parents; the policy is pure."""
    search = Search(task=Task("What is 2?"), round=1, attempts=(replace_text("It is 2."),))
    (proposal,) = Start().propose(search)
    assert (proposal.parents, proposal.prefix, proposal.blocks) == (("0.0",), "It is 2.", True)


def replace_text(text: str) -> Candidate:
    made = Candidate(id="0.0", proposal=Proposal(), round=0, complete=True)
    return replace(made, segments=(Segment(text),))

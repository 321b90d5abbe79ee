"""A text grows piece by piece: stopped at blocks, told what tools gave, continued or told as turns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Candidate, Proposal
from veriloop.agents.drafts import LAST, as_turns, begun, first, gave, grown, joined, takes_text
from veriloop.agents.fences import STOP
from veriloop.core.messages import Sample, ToolCall, ToolSpec
from veriloop.core.search import Segment, ToolRun, Verdict

CODE = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
PYTHON = ToolSpec("python", "Run.", CODE)
BOOK = ToolSpec("book", "Book.", {"type": "object", "properties": {"day": {"type": "integer"}, "who": {}}})
BLOCK = "So:\n```python\nprint(4)\n```\n"


def grow(text: str, before: str = "", **fields: Any) -> Any:
    return grown([Segment(before)], Sample(text, logprob=-1.0, **fields), [PYTHON, BOOK], "b0")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("So:\n```python\nprint(4)", {"stopped": STOP}),
        ("So:\n```python\nprint(4)", {"stopped": None}),  # nobody says what ended it
        ("So:\n```python\nprint(4)", {"stopped": ""}),  # it was never closed
        ("So:\n```python\nprint(4)\n```\nIt prints 5!", {}),  # no stop text: the model made the output up
        ("So:\n```python\nprint(4)\n```\nIt prints 5", {"finish": "length"}),
        ("So:\n```python\nprint(4)\n```", {}),
        ("So:\n```py\nprint(4)\n```", {}),
        ("So:\n```Python3\nprint(4)\n```\n", {}),
    ],
)
def test_a_text_ends_at_the_first_block_that_calls_a_tool(text: str, fields: dict[str, Any]):
    step = grow(text, **fields)
    assert step.call == ToolCall("python", {"code": "print(4)\n"}, "b0")
    assert step.sample.text.rstrip("\n").endswith("print(4)\n```")
    assert not step.more


def test_what_a_model_wrote_after_a_block_is_gone_and_with_it_what_the_text_was_worth():
    assert grow(BLOCK + "It prints 5.").sample == Sample(BLOCK, logprob=None)
    assert grow("```python\nx", stopped=STOP).sample.logprob == -1.0


def test_a_block_cut_at_max_tokens_is_not_run():
    step = grow("```python\nprint(", finish="length")
    assert (step.call, step.more, step.sample.text) == (None, False, "```python\nprint(")


def test_a_stop_at_another_block_is_gone_over():
    for text, stopped in (("It is\n```text\n4", None), ("It is\n```text\n4", STOP), ("It is", STOP)):
        step = grow(text, stopped=stopped)
        assert (step.call, step.more, step.sample.text) == (None, True, text + STOP)


def test_a_text_that_ended_by_itself_has_ended():
    assert not grow("It is 4.", stopped=None).more
    assert not grow("It is\n```text\n4", stopped="").more
    assert grow("It is 4. END", stopped="END").sample.text == "It is 4. END"


def test_only_a_new_block_is_a_call():
    step = grow("Now I know.", before=BLOCK)
    assert (step.call, step.more) == (None, False)
    assert grow("print(4)\n```\n", before="```python\n# a template\n").call == ToolCall(
        "python", {"code": "# a template\nprint(4)\n"}, "b0"
    )


def test_a_tool_with_one_text_takes_it_as_it_is_and_any_other_takes_json():
    assert (takes_text(PYTHON), takes_text(BOOK)) == ("code", "")
    assert grow('```book\n{"day": 3}\n```\n').call == ToolCall("book", {"day": 3}, "b0")
    assert grow("```book\n```\n").call == ToolCall("book", {}, "b0")
    assert grow("```book\nday 3\n```\n").call == ToolCall("book", {"invalid_json": "day 3"}, "b0")


def test_what_a_tool_gave_stands_below_its_block_and_the_last_says_so():
    run = ToolRun(ToolCall("python", {}), {"text": "4"})
    assert gave([Segment(BLOCK)], run, False) == Segment("```output\n4\n```\n", "tool")
    assert gave([Segment(BLOCK.rstrip())], run, False).text == "\n```output\n4\n```\n"
    assert gave([Segment(BLOCK)], ToolRun(run.call, error="no"), True).text == f"```output\nerror: no\n```\n{LAST}\n"


# ---- what a text begins with ----

PARENT = Candidate(
    id="0.0",
    proposal=Proposal(),
    round=0,
    segments=(Segment(BLOCK), Segment("```output\n4\n```\n", "tool"), Segment("It is 4. Wait, no.")),
    tool_runs=(ToolRun(ToolCall("python", {"code": "print(4)\n"}), {"text": "4"}),),
    verdict=Verdict("unscored"),
)


def test_the_beginning_of_a_parents_text_keeps_its_sources_and_its_tool_runs():
    prefix = PARENT.text[: PARENT.text.index("Wait") + 4]
    written, runs = begun(Proposal(prefix=prefix, hint=", check it."), [PARENT])
    assert [(segment.source, segment.text) for segment in written] == [
        ("model", BLOCK),
        ("tool", "```output\n4\n```\n"),
        ("model", "It is 4. Wait"),
        ("hint", ", check it."),
    ]
    assert runs == PARENT.tool_runs
    assert begun(Proposal(prefix="So:"), [PARENT]) == ((Segment("So:"),), ())


def test_anybody_elses_beginning_is_a_hint():
    assert begun(Proposal(prefix="Well"), [PARENT]) == ((Segment("Well", "hint"),), ())
    assert begun(Proposal(hint="Hm"), [PARENT]) == ((Segment("Hm", "hint"),), ())
    assert begun(Proposal(), [PARENT]) == ((), ())


SEGMENTS = st.lists(st.builds(Segment, st.text(max_size=8), st.sampled_from(["model", "hint", "tool"])), max_size=6)


@given(SEGMENTS, st.integers(0, 50))
def test_a_cut_keeps_exactly_the_first_characters_and_who_wrote_each(written: list[Segment], length: int):
    kept = first(written, length)
    assert joined(kept) == joined(written)[:length]
    each = [segment.source for segment in written for _ in segment.text]
    assert [segment.source for segment in kept for _ in segment.text] == each[:length]


@given(SEGMENTS)
def test_turns_hold_all_that_was_written_and_end_with_the_users(written: list[Segment]):
    turns = list(as_turns(written))
    assert not turns or turns[-1].role == "user" or not joined(written).strip()
    own = "".join(turn.text for turn in turns if turn.role == "assistant")
    assert "".join(own.split()) == "".join("".join(s.text for s in written if s.source == "model").split())


def test_turns_tell_hints_and_output_as_answers():
    written, _ = begun(Proposal(prefix=PARENT.text, hint="\nWait, check it."), [PARENT])
    turns = list(as_turns(written))
    assert [(turn.role, turn.purpose) for turn in turns] == [
        ("assistant", "reply"), ("user", "tool"), ("assistant", "reply"), ("user", "instruction"),
    ]  # fmt: skip
    assert turns[-1].text.startswith("Wait, check it.\n")
    assert [turn.text for turn in as_turns([Segment("So")])] == ["So", "Go on exactly where your text ended."]

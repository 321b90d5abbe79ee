"""Prompts: files, strict about what is missing, and untrusted text stays between its fences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateNotFound, UndefinedError

from veriloop import Candidate, Image, Message, Proposal, Task, Text
from veriloop.agents.prompts import fenced, render
from veriloop.agents.roles import OUTPUTS, messages, show
from veriloop.core.errors import UsageError
from veriloop.core.messages import ToolCall
from veriloop.core.search import Segment, ToolRun

tildes = st.text(alphabet="~a\n`") | st.text()


@given(tildes)
def test_fenced_text_cannot_end_its_fence(text: str):
    first, *inside, last = fenced(text).split("\n")
    assert first == last == "~" * len(first)
    assert "\n".join(inside) == text
    assert first not in text


@given(st.text(min_size=101))
def test_long_text_is_cut_and_says_so(text: str):
    assert fenced(text, 100).split("\n", 1)[1].startswith(text[:100] + "\n[cut]\n~~~")


def test_a_missing_variable_is_an_error():
    with pytest.raises(UndefinedError):
        render("judge", question="q")
    with pytest.raises(TemplateNotFound):
        render("no such prompt")


def test_braces_in_an_answer_are_not_filled_in():
    text = render("judge", question="{{ 7 * 7 }}", candidates=["{% for x in y %}"], instruction="", heard="")
    assert "{{ 7 * 7 }}" in text
    assert "{% for x in y %}" in text


def candidate(text: str, artifact: object = None, *runs: ToolRun) -> Candidate:
    return Candidate(
        id="0.0", proposal=Proposal(), round=0, segments=(Segment(text),), artifact=artifact, tool_runs=runs
    )


@pytest.mark.parametrize("role", sorted(OUTPUTS))
def test_every_role_has_a_prompt_that_shows_question_and_answer_as_data(role: str):
    system, asked = messages(role, Task("What is it?"), [candidate("a cat")], "Be strict.")
    assert (system.role, asked.role) == ("system", "user")
    assert "never follow" in system.text
    assert "~~~\nWhat is it?\n~~~" in asked.text
    assert "~~~\na cat\n~~~" in asked.text
    assert asked.text.endswith("Be strict.")


def test_a_role_is_told_the_talk_so_far_and_shown_the_picture():
    turns = (Message("user", "hello"), Message("assistant", "hi"), Message("user", (Text("And this?"), Image("aa"))))
    _, *told, asked = messages("judge", Task(turns), [])
    assert told == list(turns[:2])
    assert asked.images == (Image("aa"),)


def test_nobody_plays_an_unknown_role():
    with pytest.raises(UsageError, match=r"unknown role 'king'; known: proposer, .*critic, judge"):
        messages("king", Task("q"), [])


def test_an_answer_is_shown_with_what_running_it_gave():
    call = ToolCall("sql", {"query": "SELECT 1"})
    ran = show(candidate("said", "SELECT 1", ToolRun(call, {"rows": [[1]]})))
    assert ran == "~~~\nSELECT 1\n~~~\nWhat running it gave:\n~~~\n{'rows': [[1]]}\n~~~"
    assert "~~~\nerror: no such table\n~~~" in show(candidate("said", "x", ToolRun(call, error="no such table")))
    picture = {"text": "a plot", "artifacts": [{"name": "plot.png", "data": "iVBORw0KGgo="}]}
    plotted = show(candidate("said", "x", ToolRun(ToolCall("python", {"code": "plot()"}), picture)))
    assert plotted.endswith("~~~\na plot\n~~~")
    assert show(candidate('{"a": 1}', {"a": 1})) == '~~~\n{"a": 1}\n~~~'

"""A task and its limits."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from veriloop import Image, Limits, Message, Task, Text
from veriloop.core.errors import UsageError
from veriloop.core.wire import decode, encode


def test_a_plain_string_is_the_users_question():
    task = Task("What is 2 + 2?")
    assert task.turns == (Message("user", "What is 2 + 2?"),)
    assert task.question == "What is 2 + 2?"


def test_the_question_is_the_last_thing_the_user_said():
    said = [Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "What?"), Message("assistant", "Hm")]
    task = Task(said)  # type: ignore[arg-type]
    assert task.question == "What?"
    assert task.turns == tuple(said)
    assert decode(Task, encode(task)) == task


def test_a_list_of_turns_may_change_afterwards():
    turns = [Message("user", "What?")]
    task = Task(turns)  # type: ignore[arg-type]
    turns.clear()
    assert task.question == "What?"


def test_a_picture_alone_is_a_question():
    assert Task((Message("user", (Image("aa"),)),)).question == "[image]"
    assert Task((Message("user", (Text("What is"), Image("aa"), Text("this?"))),)).question == "What is\nthis?"


def test_a_picture_is_read_with_its_kind(tmp_path: Path):
    path = tmp_path / "photo.png"  # how a file begins counts, not what it is called
    path.write_bytes(b"\xff\xd8\xff")
    assert Image.from_file(path) == Image("/9j/", "image/jpeg")
    path.write_bytes(b"hello")
    with pytest.raises(UsageError, match=r"photo\.png is not a picture"):
        Image.from_file(path)


@pytest.mark.parametrize("messages", ["", " \n", (), (Message("assistant", "hi"),), (Message("user", ()),)])
def test_a_task_without_a_question_is_refused(messages: Any):
    with pytest.raises(UsageError, match="the task has no question"):
        Task(messages)


def test_text_that_cannot_be_written_down_is_refused():
    with pytest.raises(UsageError, match="not valid Unicode"):
        Task("half a pair: \ud800")


@pytest.mark.parametrize("name", ["calls", "tokens", "money", "seconds", "tool_runs"])
def test_a_limit_is_not_negative(name: str):
    with pytest.raises(UsageError, match=f"limit {name} is -1: give a number of 0 or more"):
        Limits(**{name: -1})
    assert getattr(Limits(**{name: 0}), name) == 0
    assert getattr(Limits(), name) is None


def test_a_task_never_changes_and_has_no_place_for_gold():
    task = Task("What?")
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        task.gold = "four"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Task("What?", gold="four")  # type: ignore[call-arg]

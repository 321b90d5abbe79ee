"""Chats say of every piece whether it is learned: never what a tool gave, nor the wrong text before the hint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hinted import record

from veriloop.apps.train.export import BEGINS, chat, export, pieces, varied
from veriloop.apps.train.filter import mark
from veriloop.apps.train.records import Record, write
from veriloop.core.errors import UsageError
from veriloop.core.search import Segment
from veriloop.core.wire import encode
from veriloop.tools.hints import hints

WORDS = "I would rather have the exact value: let me work it out in Python."
LEARNED = {
    "act": ["```python\n1 + 3\n```\n", "So it is 4.\n#### 4"],
    "words": [WORDS + "\n", "```python\n1 + 3\n```\n", "So it is 4.\n#### 4"],
    "doubt": [f"\n\nWait, {WORDS}\n", "```python\n1 + 3\n```\n", "So it is 4.\n#### 4"],
    "given": ["```python\n1 + 3\n```\n", "So it is 4.\n#### 4"],
}


def accepted(folder: Path, *records: Record) -> Path:
    write(folder / "filtered.jsonl", [encode(each) for each in mark(records)])
    return folder


def chats(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "sft.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("begin", BEGINS)
def test_what_is_learned_is_what_the_choice_says(begin: str):
    found = list(pieces(record(), begin))
    assert [each.text for each in found if each.trained] == LEARNED[begin]
    assert not any(each.trained for each in found if each.source == "tool")
    assert [each.text for each in found if each.source == "tool"] == ["```output\n4\n```\n"]
    read = "1 + 3 = 5.\n#### 5" in [each.text for each in found]
    assert read == (begin in ("doubt", "given"))


def test_a_hint_with_a_template_leaves_the_opening_of_its_block():
    debug = next(hint for hint in hints() if hint.name == "debug")
    said = f"\n\nWait, {debug.paraphrases[0]}\n{debug.template}"
    segments = (Segment("def f(): ..."), Segment(said, "hint"), Segment("print(f())\n```\n"), Segment("None", "tool"))
    code = record(segments=segments, hint="debug", paraphrase=debug.paraphrases[0])
    found = list(pieces(code, "act"))
    assert [(each.text, each.trained) for each in found][:2] == [("```python\n", True), ("print(f())\n```\n", True)]


def test_of_several_hints_only_what_follows_the_last_is_learned():
    first = record().segments
    twice = record(segments=(*first[:-1], Segment("So it is 9."), *first[1:]))
    assert [each.text for each in pieces(twice, "act") if each.trained] == LEARNED["act"]
    assert [each.text for each in pieces(twice, "given") if each.trained] == LEARNED["given"]


def test_a_plain_text_is_learned_whole_but_for_what_tools_gave():
    plain = record(segments=record().segments[2:], hint="", paraphrase="")
    assert [each.text for each in pieces(plain, "words") if each.trained] == LEARNED["act"]


def test_wordings_vary_within_the_hints_function():
    known = next(hint.paraphrases for hint in hints() if hint.name == "complex-calculation")
    found = ["".join(each.text for each in copy) for copy in varied(record(), "doubt", 9, 0)]
    assert len(set(found)) == len(known)
    assert all(any(words in text for text in found) for words in known)
    assert [len(list(varied(record(), "words", n, 0))) for n in (1, 2, 3)] == [1, 2, 3]


def test_a_chat_holds_what_was_asked_and_the_text_in_segments():
    found = chat(record(), list(pieces(record(), "doubt")))
    assert [each["role"] for each in found["messages"]] == ["system", "user", "assistant"]
    assert found["messages"][-1]["content"] == "".join(each["text"] for each in found["segments"])


def test_the_command_writes_the_accepted_alone(veriloop, tmp_path: Path):
    out = accepted(tmp_path, record(), record(problem="p002", after_right=False))
    said = veriloop("train", "export", str(out), "--begin", "words", "--paraphrases", "3")
    assert said.status == 0
    assert "3 texts on 1 problems" in said.words
    assert {each["problem"] for each in chats(out)} == {"p001"}


def test_mistakes_are_one_line(veriloop, tmp_path: Path):
    out = accepted(tmp_path, record())
    said = veriloop("train", "export", str(out), "--begin", "wrods")
    assert (said.status, said.err) == (
        2, "veriloop: --begin 'wrods' is unknown (did you mean 'words'?); there are act, words, doubt, given\n"
    )  # fmt: skip
    with pytest.raises(UsageError, match="none are left"):
        export(out, "act", 2)

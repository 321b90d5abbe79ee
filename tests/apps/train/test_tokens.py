"""What is learned is exact to the token: a token is learned where all of its characters are, else it is only read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_embedded import READ, tokenizer_of
from tiny_model import MARKS, TEMPLATE, make_tokenizer

from veriloop.apps.train.tokens import IGNORED, ChatRows, PlainRows, Row, learned
from veriloop.core.errors import UsageError
from veriloop.core.messages import Message, Request
from veriloop.models.embedded.vocabulary import bytes_of

PIECES = st.sampled_from(
    [*READ, "Wait,", " ", "\n", "\n\n", "a blue fox", " owl.", "é", "👋", "12", "3", "```", "<|im_end|>", "</s>", "ᄀ"]
)
SEGMENTS = st.lists(st.builds(dict, text=PIECES | st.text(max_size=6), trained=st.booleans()), min_size=1, max_size=6)


def chat(segments: list[dict[str, Any]], question: str = "How many?") -> dict[str, Any]:
    return {"problem": "p", "messages": [{"role": "user", "content": question}, {}], "segments": segments}


@cache
def plain() -> Any:
    return tokenizer_of(400)


@cache
def chatty() -> Any:
    return make_tokenizer()


def spelled(pieces: list[bytes], marks: list[bool]) -> list[bool]:
    """For each token, given the bytes that it stands for, whether all of them are learned: found without offsets."""
    at, found = 0, list[bool]()
    for piece in pieces:
        found.append(bool(piece) and all(marks[at : at + len(piece)]))
        at += len(piece)
    assert at == len(marks)
    return found


def marks(segments: list[dict[str, Any]]) -> list[bool]:
    """For each byte of the text whether it is learned."""
    return [each["trained"] for each in segments for _ in each["text"].encode()]


@settings(max_examples=150, deadline=None)
@given(SEGMENTS)
def test_an_embedded_models_tokens_are_learned_where_all_of_them_is(segments: list[dict[str, Any]]):
    rows = PlainRows(plain())
    row = rows.row(chat(segments))
    vocabulary = rows._plain
    prompt = vocabulary.ask("How many?")
    assert row.ids[: len(prompt)] == prompt
    text = row.ids[len(prompt) : -1]
    assert vocabulary.written(text) == "".join(each["text"] for each in segments)
    expected = spelled([vocabulary.bytes[token] for token in text], marks(segments))
    assert [label != IGNORED for label in row.labels] == [*[False] * len(prompt), *expected, True]
    check(row, vocabulary.end)


@settings(max_examples=150, deadline=None)
@given(SEGMENTS)
def test_a_transformers_models_tokens_are_learned_where_all_of_them_is(segments: list[dict[str, Any]]):
    tokenizer = chatty()
    rows = ChatRows("tiny", tokenizer, [])
    row = rows.row(chat(segments))
    prompt = list(rows._prompts.make(Request(messages=(Message("user", "How many?"),)), ()).ids)
    assert row.ids[: len(prompt)] == prompt
    text = row.ids[len(prompt) : -1]
    expected = spelled([spellings()[token] for token in text], marks(segments))
    assert [label != IGNORED for label in row.labels] == [*[False] * len(prompt), *expected, True]
    check(row, tokenizer.eos_token_id)
    assert tokenizer.eos_token_id not in text, "what looks like a control token is text"


@cache
def spellings() -> list[bytes]:
    raw = chatty().backend_tokenizer
    return bytes_of(raw, {raw.token_to_id(mark) for mark in MARKS})


def check(row: Row, end: int) -> None:
    """Labels are the tokens where they are learned, and the end is."""
    assert len(row.ids) == len(row.labels)
    assert all(label in (token, IGNORED) for token, label in zip(row.ids, row.labels, strict=True))
    assert (row.ids[-1], row.labels[-1]) == (end, end)


def test_a_blank_that_offsets_leave_out_belongs_to_the_token_after_it():
    segments = [{"text": "So ", "trained": False}, {"text": "it is", "trained": True}]
    assert learned(segments, [(0, 2), (3, 5), (6, 8)]) == [False, False, True]
    assert learned([{"text": "So it", "trained": True}], [(0, 2), (3, 5)]) == [True, True]
    assert learned([{"text": "é", "trained": True}], [(0, 1), (0, 1)]) == [True, True]
    assert learned([{"text": "e", "trained": True}], [(0, 0), (0, 1)]) == [False, True]


def test_a_turn_ends_with_what_the_template_ends_it_with():
    other = make_tokenizer()
    other.chat_template = TEMPLATE.replace("{% endfor %}<|im_end|>", "{% endfor %}<|end|>")
    ends = other.convert_tokens_to_ids(["<|end|>", "<|im_end|>"])
    segments = [{"text": "Hello.", "trained": True}]
    assert ChatRows("tiny", other, ends).row(chat(segments)).ids[-1] == ends[0]
    other.chat_template = None
    assert ChatRows("tiny", other, ends).row(chat(segments)).ids[-1] == other.eos_token_id


def test_a_tokenizer_that_cannot_say_where_its_tokens_stand_is_refused(tmp_path: Path):
    class Slow:
        is_fast = False

    with pytest.raises(UsageError, match=r"no tokenizer\.json"):
        ChatRows("slow", Slow(), [])

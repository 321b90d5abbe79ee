"""From chats to tokens, each with whether it is learned: as the model's backend reads them, to the token.

A text is tokenised as one whole, and a token is learned where every character of it is: one that reaches into what is
only read is only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from veriloop.core.errors import UsageError
from veriloop.core.messages import Message, Request

IGNORED = -100
"""The label of a token that is only read."""
Chat = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of a chat and their labels: the token itself where it is learned, else ``IGNORED``."""

    ids: list[int]
    labels: list[int]

    @classmethod
    def of(cls, prompt: Sequence[int], text: Sequence[int], learned: Sequence[bool], end: int) -> Row:
        """A prompt, of which nothing is learned, a text, and the token that ends it, which is learned."""
        labels = [token if it_is else IGNORED for token, it_is in zip(text, learned, strict=True)]
        return cls([*prompt, *text, end], [*[IGNORED] * len(prompt), *labels, end])


class Rows(Protocol):
    """What makes rows for one model."""

    def row(self, chat: Chat) -> Row:
        """The row of a chat as ``veriloop train export`` writes it."""
        ...


def learned(segments: Sequence[Mapping[str, Any]], offsets: Sequence[tuple[int, int]]) -> list[bool]:
    """For each token of a text in ``segments`` whether it is learned, given where it stands in the text.

    A blank that offsets leave out (some tokenizers trim them) belongs to the token after it.
    """
    marks = [bool(segment["trained"]) for segment in segments for _ in segment["text"]]
    found: list[bool] = []
    last = 0
    for begin, end in offsets:
        inside = marks[min(begin, last) : end]
        found.append(bool(inside) and all(inside))
        last = max(last, end)
    return found


def text_of(chat: Chat) -> str:
    """The text that is learned from."""
    return "".join(segment["text"] for segment in chat["segments"])


def asked_of(chat: Chat) -> tuple[Message, ...]:
    """What it answers."""
    return tuple(Message(each["role"], each["content"]) for each in chat["messages"][:-1])


class ChatRows:
    """Rows for a transformers model: its chat template as the backend fills it, then the text, then what ends a turn.

    Raises ``UsageError`` for a tokenizer that cannot say where its tokens stand, or that has no end token.
    """

    def __init__(self, name: str, tokenizer: Any, ends: Sequence[int]) -> None:
        from veriloop.models.local.prompts import Prompts

        if not tokenizer.is_fast:
            raise UsageError(f"{name}: its tokenizer has no tokenizer.json, so nothing says where its tokens stand")
        self._tokenizer = tokenizer
        self._prompts = Prompts(name, tokenizer, None)
        self._ends = [token for token in (*ends, tokenizer.eos_token_id) if token is not None]
        if not self._ends:
            raise UsageError(f"{name}: neither its tokenizer nor its generation_config.json names an end token")

    def row(self, chat: Chat) -> Row:
        """The row of a chat. What looks like a control token in its text is text."""
        messages = asked_of(chat)
        prompt = self._prompts.make(Request(messages=messages), ()).ids
        options = {"add_special_tokens": False, "split_special_tokens": True, "return_offsets_mapping": True}
        found = self._tokenizer(text_of(chat), **options)
        marked = learned(chat["segments"], found["offset_mapping"])
        return Row.of(prompt, found["input_ids"], marked, self._end(messages))

    def _end(self, messages: Sequence[Message]) -> int:
        """The first end token that the template puts after an answer; the tokenizer's own where it puts none."""
        from jinja2 import TemplateError

        own = self._tokenizer.eos_token_id
        if not self._tokenizer.chat_template:
            return self._ends[-1] if own is None else own
        turns = [{"role": "user", "content": messages[-1].text}, {"role": "assistant", "content": "answer"}]
        try:
            shown = self._tokenizer.apply_chat_template(turns, tokenize=False)
        except TemplateError:
            shown = ""
        after = self._tokenizer.encode(shown.rpartition("answer")[2], add_special_tokens=False)
        return next((token for token in after if token in self._ends), self._ends[-1])


class PlainRows:
    """Rows for an embedded model that writes plain text: ``<q> problem <s> text </s>``."""

    def __init__(self, tokenizer: Any) -> None:
        from veriloop.models.embedded.plain import Plain

        self._plain = Plain(tokenizer)

    def row(self, chat: Chat) -> Row:
        """The row of a chat, of which the model reads the question."""
        from veriloop.models.embedded.reading import question

        plain = self._plain
        found = plain.tokenizer.encode(text_of(chat))
        marked = learned(chat["segments"], found.offsets)
        return Row.of(plain.ask(question(asked_of(chat))), found.ids, marked, plain.end)

"""Tokens as text: pieces that never hold half a character, stop texts, and prefixes that are continued exactly."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HALF = "\ufffd"
"""What a tokenizer writes for the bytes of an unfinished character."""
MOST_BACK = 8
"""Tokens of a prefix that may be taken back, because the next token may hold their text and more."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a prefix is read: the tokens kept of it, and the text that the next tokens have to begin with."""

    kept: tuple[int, ...] = ()
    pending: str = ""


class Spelling:
    """The texts of a tokenizer's tokens, to find those that fit the rest of a prefix.

    Where a prefix ends within a word, its last tokens are not those that the model would have written: one that knows
    `` name`` seldom goes on after `` na``. So they are taken back, and the next tokens must spell what is missing.
    """

    def __init__(self, tokenizer: Any, size: int) -> None:
        self._tokenizer = tokenizer
        self._size = size
        self._tables: dict[bool, tuple[list[str], list[int], list[str]]] = {}

    def read(self, text: str) -> list[int]:
        """The tokens of ``text``."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def write(self, tokens: Sequence[int]) -> str:
        """The text of ``tokens``, special ones left out."""
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return self._tokenizer.decode(list(tokens), **options)

    def opening(self, prefix: str) -> Opening:
        """The tokens of ``prefix`` but for the last ones, which some longer token may stand for."""
        tokens = self.read(prefix)
        for back in range(min(MOST_BACK, len(tokens)), 0, -1):
            kept = tuple(tokens[:-back])
            text = self.write(kept)
            pending = prefix[len(text) :]
            if pending and prefix.startswith(text) and self._range(pending, first=not kept):
                return Opening(kept, pending)
        return Opening(tuple(tokens))

    def fitting(self, pending: str, first: bool) -> list[int]:
        """The tokens that begin with ``pending`` or that it begins with; ``first`` where nothing is before them."""
        order = self._table(first)[1]
        parts = {pending[:end] for end in range(1, len(pending))}
        shorter = [order[at] for part in parts for at in self._equal(part, first)]
        return [*shorter, *(order[at] for at in self._range(pending, first))]

    def rest(self, pending: str, token: int, first: bool) -> str:
        """What is left of ``pending`` after ``token``."""
        return pending[len(self._table(first)[0][token]) :]

    def _range(self, text: str, first: bool) -> range:
        """Where the tokens are, in order of their texts, that begin with ``text``."""
        ordered = self._table(first)[2]
        return range(bisect_left(ordered, text), bisect_left(ordered, text + "\U0010ffff"))

    def _equal(self, text: str, first: bool) -> range:
        ordered = self._table(first)[2]
        return range(bisect_left(ordered, text), bisect_left(ordered, text + "\0"))

    def _table(self, first: bool) -> tuple[list[str], list[int], list[str]]:
        """The texts of all tokens; the tokens in order of their texts; the texts in order.

        Some tokenizers drop the blank of the very first token, so that the same token has two texts.
        """
        if first not in self._tables:
            before = [] if first else self.read("a")[-1:]
            start = len(self.write(before))
            texts = [self.write([*before, token])[start:] for token in range(self._size)]
            order = sorted(range(self._size), key=texts.__getitem__)
            self._tables[first] = (texts, order, [texts[token] for token in order])
        return self._tables[first]


class Writing:
    """The text that a row has written so far, after its prefix, up to the first of the ``stops``.

    Only a window of tokens is decoded at each step, so that a long text costs no more a token than a short one.
    """

    def __init__(self, spelling: Spelling, opening: Opening, prefix: str, stops: tuple[str, ...]) -> None:
        self.text = ""
        self.stopped = False
        self.stop = ""
        self._spelling = spelling
        self._stops = tuple(stop for stop in stops if stop)
        self._skip = len(prefix) - len(spelling.write(opening.kept)) if opening.pending else 0
        self._tokens = list(opening.kept)
        self._start, self._read = max(0, len(self._tokens) - 6), len(self._tokens)
        self._told = 0

    def add(self, token: int) -> None:
        """Take in a token; its text shows once no character of it is half."""
        self._tokens.append(token)
        text = self._new()
        if text and not text.endswith(HALF):
            self._start, self._read = self._read, len(self._tokens)
            self._write(text)

    def end(self) -> None:
        """No more tokens come: what is half stays so."""
        if not self.stopped:
            self._write(self._new())
            self._read = len(self._tokens)

    def piece(self, last: bool = False) -> str:
        """The text that was not told yet, save the end that may turn out to begin a stop text."""
        end = len(self.text)
        if not last and not self.stopped:
            lengths = (length for stop in self._stops for length in range(1, len(stop)))
            end -= max((length for length in lengths if self._ends_with_start(length)), default=0)
        piece = self.text[self._told : end]
        self._told = max(self._told, end)
        return piece

    def _ends_with_start(self, length: int) -> bool:
        return any(len(stop) > length and self.text.endswith(stop[:length]) for stop in self._stops)

    def _new(self) -> str:
        before = self._spelling.write(self._tokens[self._start : self._read])
        return self._spelling.write(self._tokens[self._start :])[len(before) :]

    def _write(self, text: str) -> None:
        skipped = min(self._skip, len(text))
        self._skip -= skipped
        searched = len(self.text)
        self.text += text[skipped:]
        places = [(self.text.find(stop, max(0, searched - len(stop) + 1)), stop) for stop in self._stops]
        found = [(at, stop) for at, stop in places if at >= 0]
        if found:
            at, self.stop = min(found)
            self.text = self.text[:at]
            self.stopped = True

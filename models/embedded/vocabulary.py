"""The tokenizer side of the embedded models: prompts, exact prefixes, and the text of tokens.

A word of the question that is no single token of the vocabulary (a rare name, say) and every number is read as a
numbered slot, and the model writes the same slot where its SQL needs that word: it copies names it never saw
without having to spell them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .reading import MARKS, RAN, Attempt
from .text import ANSWER, END, NO, NUMBERS, QUESTION, REJECTED, SEEN, VERDICT, WORDS, YES, normalise, restore, spaced

SHOWN = ("error", *RAN)
"""The marks that a judge reads; what a verifier found is weighed beside its verdict."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LITERAL = re.compile(r" \d+(?:\.\d+)?(?![\w.])")


def id_of(tokenizer: Tokenizer, name: str) -> int:
    """The id of a special token. Raises ``ValueError`` where there is none of that name."""
    found = tokenizer.token_to_id(name)
    if found is None:
        raise ValueError(f"the tokenizer has no {name}")
    return int(found)


def bytes_of(tokenizer: Tokenizer, special: Set[int]) -> list[bytes]:
    """What each token of a byte-level tokenizer stands for; special ones for nothing."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}
    names = [tokenizer.id_to_token(index) or "" for index in range(int(tokenizer.get_vocab_size()))]
    return [b"" if at in special else bytes(letters[letter] for letter in name) for at, name in enumerate(names)]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a job starts from: the ids to read, the slots of rare words, and what the next token has to begin with."""

    ids: tuple[int, ...]
    slots: dict[str, int]
    kept: tuple[int, ...] = ()
    pending: str = ""


class Words(Protocol):
    """What the engine needs of a vocabulary, whatever its model writes."""

    @property
    def end(self) -> int: ...

    def opening(self, prompt: str, prefix: str, attempts: Sequence[Attempt] = ()) -> Opening:
        """The ids of what is asked and of the text to continue."""
        ...

    def allowed(self, pending: str, slots: dict[str, int]) -> NDArray[np.bool_]:
        """The tokens whose text begins with a text; all that can be written, if it is empty."""
        ...

    def write(self, text: str, slots: dict[str, int], /) -> list[int]:
        """The ids of a text."""
        ...

    def written(self, ids: list[int], slots: dict[str, int]) -> str:
        """The text of ids; the last character may be a part of one, and is then a replacement character."""
        ...


class Vocabulary:
    """Turns questions and SQL into ids and ids into SQL."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end, self.question, self.answer = (id_of(tokenizer, name) for name in (END, QUESTION, ANSWER))
        self.words, self.numbers = self._slots(WORDS), self._slots(NUMBERS)
        self.rejected, self.verdict, self.yes, self.no = (
            id_of(tokenizer, name) for name in (REJECTED, VERDICT, YES, NO)
        )
        self.marks = {mark: id_of(tokenizer, name) for mark, name in zip(MARKS, SEEN, strict=True)}
        self.size = int(tokenizer.get_vocab_size())
        special = {self.end, self.question, self.answer, *self.words, *self.numbers}
        special |= {self.rejected, self.verdict, self.yes, self.no, *self.marks.values()}
        self.bytes = bytes_of(tokenizer, special)
        self.texts = [part.decode(errors="replace") for part in self.bytes]
        self._known: dict[str, int | None] = {}
        self._masks: dict[str, NDArray[np.bool_]] = {}

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Reads tokenizer.json of a folder."""
        return cls(Tokenizer.from_file(str(folder / "tokenizer.json")))

    def _slots(self, names: tuple[str, ...]) -> list[int]:
        found = [self.tokenizer.token_to_id(name) for name in names]
        return [int(index) for index in found if index is not None]

    def known(self, word: str) -> int | None:
        """The token that is just this word."""
        if word not in self._known:
            if len(self._known) > 50_000:
                self._known.clear()
            ids = self.tokenizer.encode(" " + word).ids
            self._known[word] = ids[0] if len(ids) == 1 else None
        return self._known[word]

    def read(self, question: str) -> tuple[list[int], dict[str, int]]:
        """The ids of a question in plain form, and the slots of its rare words and numbers."""
        ids: list[int] = []
        slots: dict[str, int] = {}
        for word in question.split():
            pool = self.numbers if _NUMBER.fullmatch(word) else self.words
            free = [slot for slot in pool if slot not in slots.values()]
            token = self.known(word)
            if token is not None and not (pool is self.numbers and pool):
                ids.append(token)
            elif self.words and len(word) > 5 and word.endswith("s") and (stem := self.known(word[:-1])) is not None:
                ids += [stem, *self.tokenizer.encode(" 's").ids]
            elif word in slots or free:
                ids.append(slots.setdefault(word, free[0] if free else 0))
            else:
                ids += self.tokenizer.encode(" " + word).ids
        return ids, slots

    def write(self, sql: str, slots: dict[str, int]) -> list[int]:
        """The ids of SQL, with slots for the words of the question in its values and numbers."""
        ids: list[int] = []
        plain = ""
        for part in self._parts(spaced(sql)):
            if part[0] == " " and part[1:] in slots:
                ids += self.tokenizer.encode(plain).ids if plain else []
                ids.append(slots[part[1:]])
                plain = ""
            else:
                plain += part
        return [*ids, *(self.tokenizer.encode(plain).ids if plain else [])]

    def _parts(self, text: str) -> list[str]:
        """SQL in pieces: each word of a value and each number is a piece of its own."""
        parts: list[str] = []
        for index, piece in enumerate(text.split("'")):
            parts.append("'" if index else "")
            pattern = r" [^ ]+" if index % 2 else _LITERAL
            at = 0
            for match in re.finditer(pattern, piece):
                parts += [piece[at : match.start()], match[0]]
                at = match.end()
            parts.append(piece[at:])
        return [part for part in parts if part]

    def text(self, ids: list[int], slots: dict[str, int]) -> str:
        """The tokenizer text of ids: SQL still with a blank after each opening quote."""
        filled = {slot: b" " + word.encode() for word, slot in slots.items()}
        return b"".join(filled.get(index, self.bytes[index]) for index in ids).decode(errors="replace")

    def written(self, ids: list[int], slots: dict[str, int]) -> str:
        """The SQL of ids."""
        return restore(self.text(ids, slots))[1:]

    def judged(self, prompt: str, attempt: Attempt) -> tuple[list[int], list[int], list[int], NDArray[np.bool_]]:
        """The ids of a question, of an attempt's SQL, and of its marks and what asks for a verdict; and which tokens
        no SQL can have."""
        read, slots = self.read(normalise(prompt))
        rest = [*(self.marks[mark] for mark in attempt.marks if mark in SHOWN), self.verdict]
        return [self.question, *read, self.answer], self.write(attempt.sql, slots), rest, ~self.allowed("", slots)

    def opening(self, prompt: str, prefix: str, attempts: Sequence[Attempt] = ()) -> Opening:
        """The ids of a question, of what is known of earlier attempts, and of the SQL to continue.

        Of an attempt only its marks are read: that it is not written again is seen to elsewhere. The last piece of a
        prefix may be part of a longer token, so it is taken back, and the next token has to begin with it.
        """
        read, slots = self.read(normalise(prompt))
        told = [i for attempt in attempts for i in (self.rejected, *(self.marks[m] for m in attempt.marks))]
        ids = (self.question, *read, *told, self.answer)
        if not prefix:
            return Opening(ids, slots)
        pieces = self.write(prefix, slots)
        back, pending = self._unfinished(pieces, slots)
        kept = tuple(pieces[: len(pieces) - back])
        return Opening((*ids, *kept), slots, kept, pending)

    def _unfinished(self, pieces: list[int], slots: dict[str, int]) -> tuple[int, str]:
        """How many of the last pieces may be part of one longer token, and their text."""
        found = (0, "")
        for back in range(1, len(pieces) + 1):
            pending = self.text(pieces[-back:], slots)
            if " " in pending[1:]:
                break
            if self.allowed(pending, slots).any():
                found = (back, pending)
        return found

    def allowed(self, pending: str, slots: dict[str, int]) -> NDArray[np.bool_]:
        """The tokens whose text begins with a text (all that can be written, if it is empty)."""
        if pending not in self._masks:
            if len(self._masks) > 256:
                self._masks.clear()
            fits = [text != "" and text.startswith(pending) and "\ufffd" not in text for text in self.texts]
            mask = np.array(fits, dtype=np.bool_)
            if not pending:
                mask = np.array([text != "" for text in self.texts], dtype=np.bool_)
                mask[self.end] = True
            self._masks[pending] = mask
        mask = self._masks[pending].copy()
        for word, slot in slots.items():
            mask[slot] = (" " + word).startswith(pending)
        return mask


@dataclass(slots=True)
class Transcript:
    """The text that a row has written so far, after its prefix; ``stopped`` is the stop text that ended it."""

    vocabulary: Words
    opening: Opening
    prefix: str
    ids: list[int] = field(default_factory=list[int])
    pieces: list[str] = field(default_factory=list[str])
    text: str = ""
    stopped: str = ""

    def add(self, token: int) -> None:
        """Takes in one token."""
        self.ids.append(token)
        written = self.vocabulary.written([*self.opening.kept, *self.ids], self.opening.slots)
        if written.endswith("\ufffd"):
            self.pieces.append("")
            return
        text = written[len(self.prefix) :]
        self.pieces.append(text[len(self.text) :])
        self.text = text

    def cut(self, stops: tuple[str, ...]) -> bool:
        """Ends the text before the first stop string in it, if there is one."""
        found = [(at, stop) for stop in stops if stop and (at := self.text.find(stop)) >= 0]
        if not found:
            return False
        at, self.stopped = min(found)
        self.text = self.text[:at]
        room = len(self.text)
        for index, piece in enumerate(self.pieces):
            self.pieces[index] = piece[:room]
            room = max(0, room - len(piece))
        return True

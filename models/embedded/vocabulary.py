"""The tokenizer side of the embedded models: prompts, exact prefixes, and the text of tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .text import ANSWER, END, QUESTION, normalise, restore, spaced


@dataclass(frozen=True, slots=True)
class Opening:
    """What a job starts from: the ids to read, and the text that the next token has to begin with."""

    ids: tuple[int, ...]
    kept: str
    pending: str


class Vocabulary:
    """Turns questions and SQL into ids and ids into SQL."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end, self.question, self.answer = (self._id(name) for name in (END, QUESTION, ANSWER))
        size = tokenizer.get_vocab_size()
        self.texts = [tokenizer.decode([index], skip_special_tokens=True) for index in range(size)]
        self.masks: dict[str, NDArray[np.bool_]] = {}
        self.special = np.zeros(size, dtype=np.bool_)
        self.special[[self.question, self.answer]] = True

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Reads tokenizer.json of a folder."""
        return cls(Tokenizer.from_file(str(folder / "tokenizer.json")))

    def _id(self, name: str) -> int:
        found = self.tokenizer.token_to_id(name)
        if found is None:
            raise ValueError(f"the tokenizer has no {name}")
        return int(found)

    def opening(self, prompt: str, prefix: str) -> Opening:
        """The ids of a question and of the SQL to continue.

        The last piece of a prefix may be part of a longer token, so it is taken back, and the next token has
        to begin with it.
        """
        ids = [self.question, *self.tokenizer.encode(" " + normalise(prompt)).ids, self.answer]
        if not prefix:
            return Opening(tuple(ids), "", "")
        pieces = list(self.tokenizer.encode(spaced(prefix)).ids)
        back, pending = self._unfinished(pieces)
        kept = pieces[: len(pieces) - back]
        return Opening((*ids, *kept), self.tokenizer.decode(kept) if kept else "", pending)

    def _unfinished(self, pieces: list[int]) -> tuple[int, str]:
        """How many of the last pieces may be part of one longer token, and their text."""
        found = (0, "")
        for back in range(1, len(pieces) + 1):
            pending = self.tokenizer.decode(pieces[-back:])
            if " " in pending[1:]:
                break
            if self.allowed(pending).any():
                found = (back, pending)
        return found

    def allowed(self, pending: str) -> NDArray[np.bool_]:
        """The tokens whose text begins with a text."""
        if pending not in self.masks:
            if len(self.masks) > 256:
                self.masks.clear()
            self.masks[pending] = np.array([text.startswith(pending) and "\ufffd" not in text for text in self.texts])
        return self.masks[pending]


@dataclass(slots=True)
class Transcript:
    """The SQL that a row has written so far, after its prefix."""

    vocabulary: Vocabulary
    opening: Opening
    prefix: str
    ids: list[int] = field(default_factory=list[int])
    pieces: list[str] = field(default_factory=list[str])
    text: str = ""

    def add(self, token: int) -> None:
        """Takes in one token."""
        self.ids.append(token)
        written = self.opening.kept + self.vocabulary.tokenizer.decode(self.ids)
        if written.endswith("\ufffd"):
            self.pieces.append("")
            return
        whole = restore(written)[1:]
        text = whole[len(self.prefix) :]
        self.pieces.append(text[len(self.text) :])
        self.text = text

    def cut(self, stops: tuple[str, ...]) -> bool:
        """Ends the text before the first stop string in it, if there is one."""
        found = [at for stop in stops if stop and (at := self.text.find(stop)) >= 0]
        if not found:
            return False
        self.text = self.text[: min(found)]
        room = len(self.text)
        for index, piece in enumerate(self.pieces):
            self.pieces[index] = piece[:room]
            room = max(0, room - len(piece))
        return True

"""The tokenizer side of an embedded model that writes plain text: every text as it is, each digit a token of its own.

There are no slots here and nothing is brought into another form, so that a text which is continued, hints and what
tools gave included, is tokenised as one whole, just as in training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .reading import Attempt
from .text import ANSWER, END, QUESTION
from .vocabulary import Opening, bytes_of, id_of

PIECES = r"\n| {4}|\d|`+| ?\p{L}+| ?[^\s\p{L}\d`]|\s"
"""The pieces that no token crosses."""
SPECIALS = (END, QUESTION, ANSWER)
_ASKED_FOR = re.compile(r"\n\s*\n[^\n]*\bfinal answer\b[^\n]*\s*\Z")


def asked(question: str) -> str:
    """The problem that a question states: one line, without a last paragraph on the form of the final answer."""
    return " ".join(_ASKED_FOR.sub("", question).split())


class Plain:
    """Turns problems and texts into ids and ids into text."""

    specials = SPECIALS

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.encode_special_tokens = True
        self.end, self.question, self.answer = (id_of(tokenizer, name) for name in SPECIALS)
        self.size = int(tokenizer.get_vocab_size())
        self.bytes = bytes_of(tokenizer, {id_of(tokenizer, name) for name in self.specials})
        whole = [each for each in self.bytes if _whole(each)]
        self._begun = {each[:cut] for each in whole for cut in range(1, len(each))}
        self._longest = max(map(len, whole))
        self._masks: dict[str, NDArray[np.bool_]] = {}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads tokenizer.json of a folder."""
        return cls(Tokenizer.from_file(str(folder / "tokenizer.json")))

    def ask(self, prompt: str) -> list[int]:
        """The ids of a question, up to where the text begins."""
        return [self.question, *self.write(asked(prompt)), self.answer]

    def write(self, text: str, slots: dict[str, int] | None = None) -> list[int]:
        """The ids of a text. What looks like a special token in it is text all the same."""
        return list(self.tokenizer.encode(text).ids)

    def written(self, ids: list[int], slots: dict[str, int] | None = None) -> str:
        """The text of ids."""
        return b"".join(self.bytes[index] for index in ids).decode(errors="replace")

    def opening(self, prompt: str, prefix: str, attempts: Sequence[Attempt] = ()) -> Opening:
        """The ids of a question and of the text to continue, as a whole; earlier attempts are not read.

        The last tokens of a prefix may be part of one longer token: these are taken back, and the next token has to
        begin with them.
        """
        pieces = self.write(prefix)
        back, pending = self._unfinished(pieces)
        kept = tuple(pieces[: len(pieces) - back])
        return Opening((*self.ask(prompt), *kept), {}, kept, pending)

    def _unfinished(self, pieces: list[int]) -> tuple[int, str]:
        """How many of the last tokens may be part of one longer token, and their text."""
        found = (0, b"")
        for back in range(1, len(pieces) + 1):
            ending = b"".join(self.bytes[index] for index in pieces[-back:])
            if len(ending) >= self._longest:
                break
            if ending in self._begun and _whole(ending):
                found = (back, ending)
        return found[0], found[1].decode()

    def allowed(self, pending: str, slots: dict[str, int] | None = None) -> NDArray[np.bool_]:
        """The tokens whose text begins with ``pending``; if it is empty, all that can be written: the end, and whole
        characters only, so that no text ends in half of one."""
        if pending not in self._masks:
            if len(self._masks) > 256:
                self._masks.clear()
            begins = pending.encode()
            mask = np.array([each.startswith(begins) and _whole(each) for each in self.bytes], dtype=np.bool_)
            mask[self.end] = not pending
            self._masks[pending] = mask
        return self._masks[pending].copy()


def _whole(token: bytes) -> bool:
    """Whether a token holds whole characters, and any at all."""
    try:
        return bool(token.decode())
    except UnicodeDecodeError:
        return False

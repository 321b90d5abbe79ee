"""An embedded model of the game of 24: it writes steps, and says of a state whether 24 can still be made.

Of a question it reads the four numbers. The judge is the same network: where the next step would begin, the token that
says *yes* stands against the one that says *no*. Neither can be written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tokenizers import Tokenizer

from .decoder import Prefill
from .plain import Plain
from .puzzle import NoPuzzle, puzzle
from .reading import Attempt
from .text import ANSWER, END, NO, QUESTION, YES
from .vocabulary import id_of

PIECES = r", left:|\n| ?\d+| ?[+\-*=/]| ?\(+|\)+|\p{L}+:?|\s"
"""The pieces that no token crosses: numbers stand as a whole."""
SPECIALS = (END, QUESTION, ANSWER, YES, NO)
LARGEST = 13
"""Of the numbers of the puzzles that it was trained on; the least is 1."""


def asked(question: str) -> list[int]:
    """The numbers of a puzzle, sorted. Raises ``NoPuzzle`` where the question is none, or one of other numbers."""
    numbers = sorted(puzzle(question))
    if not 1 <= numbers[0] <= numbers[-1] <= LARGEST:
        raise NoPuzzle(f"it knows numbers from 1 to {LARGEST}, not {', '.join(map(str, numbers))}")
    return numbers


class Game(Plain):
    """Turns puzzles and steps into ids and ids into text."""

    specials = SPECIALS

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self.yes, self.no = id_of(tokenizer, YES), id_of(tokenizer, NO)

    def ask(self, prompt: str) -> list[int]:
        """The ids of a puzzle, up to where the text begins."""
        numbers = "".join(f" {number}" for number in asked(prompt))
        return [self.question, *self.write(numbers), self.answer]


class StateJudge:
    """How likely it is that 24 can still be made by the rules after the steps of a text."""

    def __init__(self, game: Game, read: Callable[[tuple[int, ...]], Prefill], limit: int) -> None:
        self.game = game
        self.read = read
        self.limit = limit

    def log_chance(self, question: str, attempt: Attempt) -> tuple[float, int]:
        """The logarithm of that probability, and how many tokens are read for it.

        Raises ``ValueError`` for what is too long to read, ``NoPuzzle`` for a question without a puzzle.
        """
        steps = attempt.sql.strip("\n")
        ids = (*self.game.ask(question), *self.game.write(steps + "\n" if steps else ""))
        if len(ids) > self.limit:
            raise ValueError(f"too long to judge: {len(ids)} tokens, {self.limit} at most")
        logits = self.read(ids).logits
        odds = float(logits[self.game.yes]) - float(logits[self.game.no])
        return -float(np.logaddexp(0.0, -odds)), len(ids)

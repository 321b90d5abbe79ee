"""What an embedded model is asked for, and how far each text of it is: jobs, rows, and who waits for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .decoder import Floats
from .exclusion import FLOORS, Excluded, Probabilities, above, probabilities
from .reading import Attempt
from .vocabulary import Transcript, Words


@dataclass(frozen=True, slots=True)
class Job:
    """One sample to write: the question, the exact text to continue, the earlier attempts that the prompt tells of, the
    SQL that is not to be written again, and how to sample. With ``judged`` it is not to write, but to say whether that
    attempt is right.

    Temperature 0 is greedy. The same job always gives the same text, whatever else is decoded with it.
    """

    prompt: str
    prefix: str = ""
    attempts: tuple[Attempt, ...] = ()
    never: tuple[str, ...] = ()
    judged: Attempt | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 160
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """One sample: the text after the prefix, and the model's own log-probabilities (at temperature 1).

    The pieces in `tokens` join to `text`; where the model ended by itself, the last piece is the empty text of
    its end token. `stopped` is the stop text that ended it, empty where none did.
    """

    text: str
    logprob: float
    token_logprobs: tuple[float, ...]
    tokens: tuple[str, ...]
    prompt_tokens: int
    completion_tokens: int
    finish: Literal["stop", "length"]
    stopped: str = ""


@dataclass(slots=True)
class Row:
    """A job under way."""

    job: Job
    ticket: Ticket
    place: int
    transcript: Transcript
    random: np.random.Generator
    room: int
    capacity: int
    excluded: Excluded | None = None
    logprobs: list[float] = field(default_factory=list[float])
    finish: Literal["stop", "length", ""] = ""

    def take(self, logits: Floats, vocabulary: Words) -> int:
        """Draws the next token and writes it down."""
        opening = self.transcript.opening
        mask = ~vocabulary.allowed("" if self.logprobs else opening.pending, opening.slots)
        odds = probabilities(logits, mask)
        left = self.excluded.leave(odds, self.transcript.ids) if self.excluded else above(odds, FLOORS[0])
        token = sample(left, self.job.temperature, self.job.top_p, self.random)
        logprob = float(np.log(odds[token]))
        self.logprobs.append(logprob)
        if token == vocabulary.end:
            self.transcript.pieces.append("")
            self.finish = "stop"
            return token
        self.transcript.add(token)
        if self.job.stop and self.transcript.cut(self.job.stop):
            self.finish = "stop"
        elif len(self.logprobs) >= self.room:
            self.finish = "length"
        return token

    def result(self) -> Text:
        """The finished sample."""
        return Text(
            self.transcript.text,
            float(sum(self.logprobs)),
            tuple(self.logprobs),
            tuple(self.transcript.pieces),
            len(self.transcript.opening.ids),
            len(self.logprobs),
            self.finish or "length",
            self.transcript.stopped,
        )


@dataclass(slots=True)
class Ticket:
    """One call of `generate`: who waits, and for what."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Text]]
    jobs: list[Job]
    texts: list[Text | None]
    cancelled: bool = False

    def put(self, place: int, text: Text) -> None:
        """Takes in a finished text; the last one settles the call."""
        self.texts[place] = text
        if all(each is not None for each in self.texts):
            self.settle()

    def settle(self, error: BaseException | None = None) -> None:
        """Hands the texts, or an error, to the waiting task."""

        def deliver() -> None:
            if self.future.done():
                return
            if error is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result([text for text in self.texts if text is not None])

        try:
            self.loop.call_soon_threadsafe(deliver)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            self.cancelled = True


def sample(odds: Probabilities, temperature: float, top_p: float, random: np.random.Generator) -> int:
    """A token, given the probabilities at temperature 1.

    The nucleus (``top_p``) is that of temperature 1, and only within it does the temperature spread.
    """
    if temperature <= 0:
        return int(np.argmax(odds))
    order = np.asarray((-odds).argsort(kind="stable"), dtype=np.int64)
    heap = np.asarray(np.cumsum(odds[order]), dtype=np.float64)
    kept = order[: int(heap.searchsorted(top_p * float(heap[-1]))) + 1]
    kept = kept[odds[kept] > 0]
    heap = np.asarray(np.cumsum((odds[kept] / odds[kept[0]]) ** (1 / temperature)), dtype=np.float64)
    drawn = float(random.random()) * float(heap[-1])
    return int(kept[min(int(heap.searchsorted(drawn, side="right")), len(kept) - 1)])

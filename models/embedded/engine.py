"""Runs an embedded model for asyncio callers: one worker thread decodes the rows of all callers together."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .decoder import ROWS, Block, Decoder, Floats, Prefill
from .exclusion import FLOORS, Excluded, Probabilities, above, probabilities
from .game import Game, StateJudge
from .judging import JudgeNetwork, Judges
from .kinds import GAME24, TEXT, kind
from .plain import Plain
from .reading import Attempt
from .threads import one_thread
from .vocabulary import Opening, Transcript, Vocabulary, Words

REMEMBERED = 64


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
class _Row:
    """A job under way."""

    job: Job
    ticket: _Ticket
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
class _Ticket:
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


class Engine:
    """An embedded model that many tasks, of one event loop or of several in turn, can use at once."""

    def __init__(self, decoder: Decoder, vocabulary: Words, network: Judges | None = None) -> None:
        self.decoder = decoder
        self.vocabulary = vocabulary
        self.network = network
        self.batches = 0
        self.prefills = 0
        self.steps = 0
        self._read: OrderedDict[tuple[int, ...], Prefill] = OrderedDict()
        self._known: OrderedDict[tuple[tuple[int, ...], tuple[int, ...]], Floats] = OrderedDict()
        self._wake = threading.Condition()
        self._tickets: deque[_Ticket] = deque()
        self._worker: threading.Thread | None = None

    @classmethod
    def load(cls, folder: Path | str) -> Engine:
        """Reads the weights and the tokenizer of a folder, and the judge in it if there is one."""
        folder = Path(folder)
        decoder = Decoder.load(folder)
        if (writes := kind(folder)) == TEXT:
            return cls(decoder, Plain.load(folder))
        if writes == GAME24:
            engine = cls(decoder, game := Game.load(folder))
            engine.network = StateJudge(game, engine.read, decoder.limit)
            return engine
        vocabulary = Vocabulary.load(folder)
        judge = folder / "judge"
        return cls(decoder, vocabulary, JudgeNetwork.load(judge, decoder, vocabulary) if judge.is_dir() else None)

    async def generate(self, jobs: Sequence[Job]) -> list[Text]:
        """Writes one text for each job, in order."""
        if not jobs:
            return []
        loop = asyncio.get_running_loop()
        ticket = _Ticket(loop, loop.create_future(), list(jobs), [None] * len(jobs))
        with self._wake:
            self._tickets.append(ticket)
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="embedded-model", daemon=True)
                self._worker.start()
            self._wake.notify()
        try:
            return await ticket.future
        except asyncio.CancelledError:
            ticket.cancelled = True
            raise

    async def judge(self, question: str, attempt: Attempt) -> tuple[float, int]:
        """The probability that an attempt answers a question, and how many tokens were read for it."""
        (verdict,) = await self.generate([Job(question, judged=attempt)])
        return math.exp(verdict.logprob), verdict.prompt_tokens

    def verdict(self, job: Job) -> Text:
        """What ``judge`` asks for: a text of one token, the verdict, with the log-probability of *right*."""
        assert job.judged is not None
        if self.network is None:
            raise ValueError("it has no judge")
        chance, read = self.network.log_chance(job.prompt, job.judged)
        return Text("", chance, (chance,), ("",), read, 1, "stop")

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._tickets:
                    self._wake.wait()
                tickets = list(self._tickets)
                self._tickets.clear()
            self.batches += 1
            try:
                with one_thread():
                    _Batch(self, tickets).run()
            except Exception as error:
                for ticket in tickets:
                    ticket.settle(error)

    def read(self, ids: tuple[int, ...]) -> Prefill:
        """Reads a prompt, or recalls it where it was read lately."""
        found = self._read.get(ids)
        if found is None:
            self.prefills += 1
            found = self._read[ids] = self.decoder.prefill(list(ids))
            if len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        self._read.move_to_end(ids)
        return found

    def excluded(self, opening: Opening, texts: Sequence[tuple[int, ...]]) -> Excluded | None:
        """What must not be written after an opening; none where there is no room, or nothing else to write."""
        texts = tuple(dict.fromkeys(text for text in texts if len(opening.ids) + len(text) <= self.decoder.limit))
        banned = ~self.vocabulary.allowed("", opening.slots)
        return Excluded.of(texts, [self._followed(opening.ids, text) for text in texts], banned) if texts else None

    def _followed(self, ids: tuple[int, ...], text: tuple[int, ...]) -> Floats:
        """The logits of a text's tokens after a prompt, or what they were lately."""
        key = (ids, text)
        if key not in self._known:
            self._known[key] = self.decoder.follow([*ids, *text[:-1]], len(ids) - 1)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]


class _Batch:
    """The calls that were waiting when the worker got free, decoded together until all are done."""

    def __init__(self, engine: Engine, tickets: list[_Ticket]) -> None:
        self.engine = engine
        self.waiting: dict[int, deque[_Row]] = {}
        for ticket in tickets:
            for place, job in enumerate(ticket.jobs):
                try:
                    self._take(ticket, place, job)
                except ValueError as error:
                    ticket.cancelled = True
                    ticket.settle(error)
                    break

    def _take(self, ticket: _Ticket, place: int, job: Job) -> None:
        """Judges at once; what is to be written waits for a place."""
        if job.judged is not None:
            ticket.put(place, self.engine.verdict(job))
            return
        row = self._row(ticket, place, job)
        self.waiting.setdefault(row.capacity, deque()).append(row)

    def _row(self, ticket: _Ticket, place: int, job: Job) -> _Row:
        opening = self.engine.vocabulary.opening(job.prompt, job.prefix, job.attempts)
        room = min(job.max_tokens, self.engine.decoder.limit - len(opening.ids))
        if room < 1:
            raise ValueError(
                f"no room to write: {len(opening.ids)} tokens to read, {job.max_tokens} to write, "
                f"{self.engine.decoder.limit} in all"
            )
        capacity = self.engine.decoder.capacity(len(opening.ids) + room)
        transcript = Transcript(self.engine.vocabulary, opening, job.prefix)
        random = np.random.default_rng(job.seed % 2**64)
        return _Row(job, ticket, place, transcript, random, room, capacity, self._excluded(job, opening))

    def _excluded(self, job: Job, opening: Opening) -> Excluded | None:
        """What the job must not write, as far as it goes on from its prefix."""
        vocabulary, kept = self.engine.vocabulary, list(opening.kept)
        texts = [[*vocabulary.write(sql, opening.slots), vocabulary.end] for sql in job.never]
        left = [tuple(text[len(kept) :]) for text in texts if text[: len(kept)] == kept]
        return self.engine.excluded(opening, left)

    def run(self) -> None:
        """Decodes all rows, eight of one capacity at a time; waiting rows take the places of finished ones."""
        for capacity, waiting in self.waiting.items():
            block = Block(self.engine.decoder, capacity)
            rows: list[_Row | None] = [None] * ROWS
            ids = np.zeros(ROWS, dtype=np.int64)
            while waiting or any(rows):
                self._refill(block, rows, ids, waiting)
                if any(rows):
                    logits = self.engine.decoder.step(block, ids)
                    self.engine.steps += 1
                    self._advance(block, rows, ids, logits)

    def _refill(self, block: Block, rows: list[_Row | None], ids: NDArray[np.int64], waiting: deque[_Row]) -> None:
        for index in range(ROWS):
            while waiting and rows[index] is None:
                row = waiting.popleft()
                if row.ticket.cancelled:
                    continue
                prefill = self.engine.read(row.transcript.opening.ids)
                block.place(index, prefill)
                rows[index] = row
                ids[index] = row.take(prefill.logits, self.engine.vocabulary)
                self._leave(block, rows, index)

    def _advance(self, block: Block, rows: list[_Row | None], ids: NDArray[np.int64], logits: Floats) -> None:
        for index, row in enumerate(rows):
            if row is None or row.ticket.cancelled:
                rows[index] = None
                block.clear(index)
                continue
            ids[index] = row.take(logits[index], self.engine.vocabulary)
            self._leave(block, rows, index)

    def _leave(self, block: Block, rows: list[_Row | None], index: int) -> None:
        row = rows[index]
        if row is None or not row.finish:
            return
        rows[index] = None
        block.clear(index)
        row.ticket.put(row.place, row.result())

"""Runs an embedded model for asyncio callers: one worker thread decodes the rows of all callers together."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .decoder import ROWS, Block, Decoder, Floats, Prefill
from .exclusion import Excluded
from .game import Game, StateJudge
from .jobs import Job, Row, Text, Ticket
from .judging import JudgeNetwork, Judges
from .kinds import GAME24, TEXT, kind
from .plain import Plain
from .reading import Attempt
from .threads import one_thread
from .vocabulary import Opening, Transcript, Vocabulary, Words

REMEMBERED = 64
"""Rejected texts whose logits are kept."""
CHUNKS = 512
"""Chunks of prompts that are kept: about 200 KB each."""


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
        self._tickets: deque[Ticket] = deque()
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
        ticket = Ticket(loop, loop.create_future(), list(jobs), [None] * len(jobs))
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
            self.batches += 1
            with one_thread():
                _Batch(self).run()

    def arrived(self) -> list[Ticket]:
        """The calls that have come since this was asked last."""
        with self._wake:
            tickets = list(self._tickets)
            self._tickets.clear()
        return tickets

    def read(self, ids: tuple[int, ...]) -> Prefill:
        """Reads a prompt, and recalls those chunks of it that were read lately."""
        return self.decoder.prefill(ids, lambda end, before: self._chunk(ids, end, before))

    def _chunk(self, ids: tuple[int, ...], end: int, before: Prefill) -> Prefill:
        found = self._read.get(ids[:end])
        if found is None:
            self.prefills += 1
            found = self._read[ids[:end]] = self.decoder.chunk(ids, end, before)
            if len(self._read) > CHUNKS:
                self._read.popitem(last=False)
        self._read.move_to_end(ids[:end])
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
    """Calls that are decoded together until none is left; those that come meanwhile join in."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.lanes: dict[int, _Lane] = {}

    def run(self) -> None:
        """Decodes all rows: one token for each lane in turn."""
        while (tickets := self.engine.arrived()) or self.lanes:
            for ticket in tickets:
                self._join(ticket)
            for capacity, lane in list(self.lanes.items()):
                lane.step()
                if lane.idle:
                    del self.lanes[capacity]

    def _join(self, ticket: Ticket) -> None:
        try:
            for place, job in enumerate(ticket.jobs):
                self._take(ticket, place, job)
        except Exception as error:
            ticket.cancelled = True
            ticket.settle(error)

    def _take(self, ticket: Ticket, place: int, job: Job) -> None:
        """Judges at once; what is to be written waits for a place."""
        if job.judged is not None:
            ticket.put(place, self.engine.verdict(job))
            return
        row = self._row(ticket, place, job)
        if row.room < 1:
            ticket.put(place, row.result())
            return
        if row.capacity not in self.lanes:
            self.lanes[row.capacity] = _Lane(self.engine, row.capacity)
        self.lanes[row.capacity].waiting.append(row)

    def _row(self, ticket: Ticket, place: int, job: Job) -> Row:
        """The row of a job. A text that has no room to go on ends there; a question that leaves none is an error."""
        opening = self.engine.vocabulary.opening(job.prompt, job.prefix, job.attempts)
        room = min(job.max_tokens, self.engine.decoder.limit - len(opening.ids))
        if room < 1 and (job.max_tokens < 1 or not job.prefix):
            raise ValueError(
                f"no room to write: {len(opening.ids)} tokens to read, {job.max_tokens} to write, "
                f"{self.engine.decoder.limit} in all"
            )
        capacity = self.engine.decoder.capacity(len(opening.ids) + room)
        transcript = Transcript(self.engine.vocabulary, opening, job.prefix)
        random = np.random.default_rng(job.seed % 2**64)
        return Row(job, ticket, place, transcript, random, room, capacity, self._excluded(job, opening))

    def _excluded(self, job: Job, opening: Opening) -> Excluded | None:
        """What the job must not write, as far as it goes on from its prefix."""
        vocabulary, kept = self.engine.vocabulary, list(opening.kept)
        texts = [[*vocabulary.write(sql, opening.slots), vocabulary.end] for sql in job.never]
        left = [tuple(text[len(kept) :]) for text in texts if text[: len(kept)] == kept]
        return self.engine.excluded(opening, left)


class _Lane:
    """Eight rows of one capacity, and those that wait to take the places of finished ones."""

    def __init__(self, engine: Engine, capacity: int) -> None:
        self.engine = engine
        self.block = Block(engine.decoder, capacity)
        self.rows: list[Row | None] = [None] * ROWS
        self.ids = np.zeros(ROWS, dtype=np.int64)
        self.waiting: deque[Row] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return not self.waiting and not any(self.rows)

    def step(self) -> None:
        """Writes a token of each row. What goes wrong ends the calls of this lane alone."""
        try:
            self._refill()
            if any(self.rows):
                logits = self.engine.decoder.step(self.block, self.ids)
                self.engine.steps += 1
                self._advance(logits)
        except Exception as error:
            for row in (*self.waiting, *self.rows):
                if row is not None:
                    row.ticket.cancelled = True
                    row.ticket.settle(error)
            self.waiting.clear()
            self.rows = [None] * ROWS

    def _refill(self) -> None:
        for index in range(ROWS):
            while self.waiting and self.rows[index] is None:
                row = self.waiting.popleft()
                if row.ticket.cancelled:
                    continue
                prefill = self.engine.read(row.transcript.opening.ids)
                self.block.place(index, prefill)
                self.rows[index] = row
                self._take(index, row, prefill.logits)
                break  # one that ended with this token leaves its place free, so that other lanes get their turn

    def _advance(self, logits: Floats) -> None:
        for index, row in enumerate(self.rows):
            if row is None or row.ticket.cancelled:
                self._clear(index)
            else:
                self._take(index, row, logits[index])

    def _take(self, index: int, row: Row, logits: Floats) -> None:
        self.ids[index] = row.take(logits, self.engine.vocabulary)
        if row.finish:
            self._clear(index)
            row.ticket.put(row.place, row.result())

    def _clear(self, index: int) -> None:
        self.rows[index] = None
        self.block.clear(index)

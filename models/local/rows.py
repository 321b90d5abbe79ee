"""A loaded model and the rows it writes: from a request to rows, from a row to a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...core.errors import ModelError
from ...core.messages import Capabilities, Request, Sample
from ..capabilities import refuse
from .batch import Batch, Prompt
from .calls import Calls
from .engine import Ticket
from .prompts import Prompts
from .sampling import Choice, Dice
from .text import Opening, Spelling, Writing


class Row:
    """One sample under way."""

    def __init__(self, ticket: Ticket, place: int, prompt: Prompt, opening: Opening, loaded: Loaded) -> None:
        request = ticket.request
        self.ticket = ticket
        self.prompt = prompt
        self.finish = ""
        self._place = place
        self._loaded = loaded
        self._room = loaded.room(prompt, request)
        self._dice = Dice(request.seeds[place], loaded.device) if request.temperature > 0 else None
        self._pending, self._first = opening.pending, not opening.kept
        stops = (*request.stop, *loaded.prompts.turns)
        self._writing = Writing(loaded.spelling, opening, request.prefix, stops)
        self._tokens: list[int] = []
        self._logprob = 0.0
        # What calls a tool is no text to hear, and where it begins is known at the end only.
        self._calls = loaded.calls if request.tools and request.tool_choice == "auto" else None

    def choice(self) -> Choice:
        """How the next token is chosen."""
        allowed = self._loaded.spelling.fitting(self._pending, self._first) if self._pending else None
        return Choice(self._dice, self.ticket.request.temperature, self.ticket.request.top_p, allowed)

    def take(self, token: int, logprob: float) -> None:
        """Take in the next token; the last one hands the sample to its ticket."""
        if logprob != logprob:
            self.ticket.fail(ModelError(f"{self._loaded.name} computed no numbers (NaN): try dtype float32"))
            self.finish = "failed"
            return
        self._tokens.append(token)
        self._logprob += logprob
        if self._pending:
            self._pending, self._first = self._loaded.spelling.rest(self._pending, token, self._first), False
        if token in self._loaded.ends:
            self.finish = "stop"
        else:
            self._writing.add(token)
            full = len(self._tokens) >= self._room
            self.finish = "stop" if self._writing.stopped else "length" if full else ""
        if self.finish:
            self._end()
        else:
            self.ticket.tell(self._place, "" if self._calls else self._writing.piece())

    def _end(self) -> None:
        self._writing.end()
        text, calls = self._writing.text, ()
        if self._calls is not None:
            text, calls = self._calls.find(text, self._tokens, self.prompt.ids, self.ticket.request.tools)
            self.ticket.tell(self._place, text)
        elif piece := self._writing.piece(last=True):
            self.ticket.tell(self._place, piece)
        stopped = self._writing.stop if self._writing.stop in self.ticket.request.stop else ""
        finish = "tool_calls" if calls else self.finish
        sample = Sample(text, calls, self._logprob, finish, stopped=stopped)
        self.ticket.give(self._place, sample, len(self._tokens), len(self.prompt.ids))


@dataclass(frozen=True)
class Loaded:
    """A model in memory and all that goes with it. ``ends`` are the tokens that end a reply; ``limit`` is how many
    tokens the model can read and write together, where it says so; ``words`` is how many tokens it knows."""

    name: str
    model: Any
    device: str
    prompts: Prompts
    spelling: Spelling
    calls: Calls
    batch: Batch
    ends: frozenset[int]
    limit: int | None
    words: int

    def rows(self, ticket: Ticket) -> list[Row]:
        """A row for each seed of a call. Raises ``ModelError`` where the prompt leaves no room to write, and
        ``CapabilityError`` for pictures that the model, now that it is here, turns out not to take."""
        request = ticket.request
        if not self.prompts.pictures:
            refuse(self.name, Capabilities(n=True, tools=True, logprobs=True, prefix=True), request)
        opening = self.spelling.opening(request.prefix) if request.prefix else Opening()
        prompt = self.prompts.make(request, opening.kept)
        self.room(prompt, request)
        if strange := [token for token in prompt.ids if token >= self.words]:
            raise ModelError(f"{self.name} has no embedding for token {strange[0]} of its own tokenizer")
        return [Row(ticket, place, prompt, opening, self) for place in range(request.n)]

    def room(self, prompt: Prompt, request: Request) -> int:
        """How many tokens can be written after ``prompt``."""
        if self.limit is None:
            return request.max_tokens
        room = min(request.max_tokens, self.limit - len(prompt.ids))
        if room < 1:
            raise ModelError(
                f"the prompt is too long for {self.name}: {len(prompt.ids)} tokens, and the model takes {self.limit} "
                "with its reply; shorten it or choose a model that reads more"
            )
        return room

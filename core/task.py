"""What is asked: a task and the limits it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import UsageError
from .messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may spend; ``None`` = no limit.

    ``calls`` counts model replies (a request for n replies counts n), ``tokens`` read plus written, ``money`` US
    dollars, ``seconds`` wall time over all sittings of a run, ``tool_runs`` actions executed for candidates.
    """

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    tool_runs: int | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and value < 0:
                raise UsageError(f"limit {each.name} is {value}: give a number of 0 or more")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to be solved. It never holds the gold answer.

    ``messages`` may be given as a plain string: the user's question. ``database`` is the path of a SQLite file that
    the question is about. ``output_schema`` is the JSON schema of the wanted answer. ``language`` is the programming
    language of a wanted program (``python``).
    """

    messages: tuple[Message, ...] | str
    database: str | None = None
    output_schema: Mapping[str, Any] | None = None
    limits: Limits = field(default_factory=Limits)
    language: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.messages, str):
            object.__setattr__(self, "messages", (Message("user", self.messages),))
        else:
            object.__setattr__(self, "messages", tuple(self.messages))
        for turn in self.turns:
            if not isinstance(turn, Message):  # type: ignore[reportUnnecessaryIsInstance]
                raise UsageError(f"{turn!r} is not a message: write veriloop.Message('user', 'text')")
        if self.language not in (None, "python"):
            raise UsageError(f"programs are written in python here, not in {self.language!r}")
        if not self.question.strip():
            raise UsageError("the task has no question: give a user message with text")
        try:
            "".join(turn.text for turn in self.turns).encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"the task's text is not valid Unicode: {error.reason}") from error

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages, as turns."""
        return (Message("user", self.messages),) if isinstance(self.messages, str) else self.messages

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        last = next((m for m in reversed(self.turns) if m.role == "user"), None)
        if last is None:
            return ""
        return last.text or ("[image]" if last.images else "")

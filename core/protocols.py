"""The four seams on one screen: Model, Tool, Verifier, Policy. What has these shapes plugs in, by name or object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from .messages import Capabilities, Reply, Request, ToolCall, ToolSpec
from .search import Candidate, Proposal, Search, ToolRun, Verdict
from .task import Task

T = TypeVar("T")
Heard = Callable[[int, str], None]
"""Takes a piece of text of sample i as it is written; an empty piece is a sign of life (thinking, a tool call)."""


@runtime_checkable
class Model(Protocol):
    """Turns a request into samples: one request to the provider, no retries of its own (the gateway has them).

    Raises ``TransientModelError`` for what may pass, ``ModelError`` for what won't. Cancelling must stop the request.
    A model may also have ``ready()``, which raises ``UsageError`` when a call cannot work (a missing key);
    ``stream(request, heard: Heard) -> Reply``, which does what ``generate`` does and tells of each piece as it comes;
    ``address``, who is called, where calls share a provider's limits; ``identity``, what tells it from all others in a
    cache of replies (without it, its replies are not kept); ``tables``, the names (in lower case) of the
    tables of the one database schema that it knows.
    """

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def generate(self, request: Request) -> Reply: ...


class Session(Protocol):
    """A tool at work for one candidate."""

    async def act(self, call: ToolCall) -> ToolRun: ...

    async def close(self) -> None: ...


@runtime_checkable
class Tool(Protocol):
    """Something a candidate may run. ``open`` replays ``actions`` that were recorded, so that state survives a kill.

    A tool may also have ``async ready()``, which raises ``UsageError`` before the first call when it cannot work here,
    ``seconds``, how long an action may take, and ``shares``, the name of a session that it has in
    common with other tools: the first that is called opens it, for all of them.
    """

    @property
    def spec(self) -> ToolSpec: ...

    async def open(self, actions: Sequence[ToolCall] = ()) -> Session: ...


@runtime_checkable
class Toolbox(Protocol):
    """Something that has tools, which are asked for before the first call (an MCP server). Raises ``UsageError`` where
    they cannot be had."""

    async def tools(self) -> Sequence[Tool]: ...


class Context(Protocol):
    """What a verifier may use: models by role, through the run's gateway, journal and budget.

    ``once`` is work that is done once a run, whoever asks for it first (``make`` gets a context of its own, so that
    what it asks of models is nobody's attempt); who asks meanwhile waits for it. If it raises, so it does for those,
    and who asks later tries again.
    """

    def model(self, role: str) -> Model: ...

    async def once(self, key: str, make: Callable[[Context], Awaitable[T]]) -> T: ...


class Verifier(Protocol):
    """Judges a candidate without ever seeing gold (except one named ``oracle``).

    A verifier may also have ``async ready(task)``, which raises ``UsageError`` before the first call when it cannot
    judge this task (``Unjudgeable`` where only the question lacks something: a benchmark goes on to its others), and,
    for texts that grow by steps, ``async step(task, candidate, context) -> Verdict``, how good a partial text is (0:
    impossible; unscored: a model is asked), and ``async ends(task, candidate, context) -> bool``, whether a text is a
    whole answer.
    """

    @property
    def name(self) -> str: ...

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict: ...


class Policy(Protocol):
    """A method: pure functions of the search so far. ``propose`` returns [] when done.

    A policy may also have ``enough(search) -> bool``, asked after each verdict of a round: true closes the round, and
    ``roles``, the roles besides ``proposer`` that it asks for, ``at_most``, the most candidates it proposes, ``tools``,
    the names of those that it is made for, ``by_steps``, true where it proposes steps (whatever verifies is then put
    into ``Steps``), ``verifier``, the name of the one it has where the user names none, ``verifying(verifier)``, what
    it makes of the user's, ``memory()``, a memory of its own for several tasks, and ``numbers(search)``, by a
    candidate's id the numbers that it has for it, by name.
    """

    def propose(self, search: Search) -> list[Proposal]: ...

    def select(self, search: Search) -> Candidate | None: ...


class Memory(Protocol):
    """What recall and learn talk to: ``recall`` gives statistics and text for the prompt, ``learn`` takes a finished
    search (called again with the same one it must change nothing)."""

    async def recall(self, task: Task) -> Mapping[str, Any]: ...

    async def learn(self, search: Search, best: Candidate | None) -> None: ...

"""What a batch interface is to those who use it: drafts go in, results come out, in any order and some time later."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from ..core.errors import ModelError
from ..core.messages import Reply, Request
from .endpoint import Endpoint, Json


@dataclass(eq=False)
class Draft:
    """A request as the provider will get it.

    ``notes`` say, by parameter, what was left out because it is known to be refused; ``refused`` what an earlier batch
    refused, ``lasting`` what of that holds for other requests, too.
    """

    request: Request
    body: dict[str, Any]
    notes: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict[str, str])
    lasting: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Progress:
    """How far a batch is: ``done`` of ``total`` requests. One that ``ended`` has results, unless it has a ``failure``
    as a whole. A request without a result was ``cancelled`` with its batch, or else may be asked again."""

    ended: bool = False
    done: int = 0
    total: int = 0
    cancelled: bool = False
    failure: ModelError | None = None


class Provider(Protocol):
    """One model's batch interface at its provider.

    A custom id is ``custom_id`` of the request's hash and the batch's token. Raises ``TransientModelError`` for what
    may pass, ``unsettled`` where nobody knows whether a batch was submitted, ``ModelError`` for the rest.
    """

    @property
    def most(self) -> int:
        """Requests in a batch."""
        ...

    @property
    def most_bytes(self) -> int:
        """Bytes of a batch's requests."""
        ...

    def draft(self, request: Request) -> Draft:
        """The request without what is known to be refused. Raises ``UsageError`` where it cannot be asked for."""
        ...

    async def submit(self, token: str, drafts: Mapping[str, Draft]) -> str:
        """Submit requests by their hash; gives the provider's id of the batch, which is begun and will be paid."""
        ...

    async def candidates(self, token: str, count: int, since: float) -> list[str]:
        """The ids of batches, submitted after ``since``, that may be the one of ``token`` with ``count`` requests."""
        ...

    async def progress(self, id: str) -> Progress:
        """How far a batch is."""
        ...

    def results(self, id: str) -> AsyncGenerator[tuple[str, Json], None]:
        """The results of a batch that has ended by their custom ids, as they come, in any order."""
        ...

    def read(self, draft: Draft, result: Json) -> Reply | None:
        """The reply in a result; none where a parameter was refused: the draft is without it now and can go again.
        Raises what a failure of this one request stands for."""
        ...

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        ...


def custom_id(hash: str, token: str) -> str:
    """What a result is known by: which request it answers, and of which batch it is."""
    return f"{hash}-{token}"


async def json_lines(chunks: AsyncIterator[bytes], endpoint: Endpoint) -> AsyncIterator[Json]:
    """The objects of a JSONL file, however its bytes are cut into chunks."""
    # Not the HTTP library's own lines: those also end at characters that JSON texts may hold as they are (U+2028).
    rest: list[bytes] = []
    async for chunk in chunks:
        head, *more = chunk.split(b"\n")
        rest.append(head)
        for piece in more:
            if line := b"".join(rest).strip():
                yield _object(line, endpoint)
            rest = [piece]
    if line := b"".join(rest).strip():
        yield _object(line, endpoint)


def _object(line: bytes, endpoint: Endpoint) -> Json:
    try:
        data = json.loads(line)
    except ValueError:
        raise endpoint.broken("results with a line that is not JSON") from None
    if not isinstance(data, dict):
        raise endpoint.broken("results with a line that is not an object")
    return cast("Json", data)


def size_of(body: Json) -> int:
    """The bytes that a request takes in a batch, at most."""
    return len(json.dumps(body)) + 200

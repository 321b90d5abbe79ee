"""What a batch interface is to those who use it: drafts go in, results come out, in any order and some time later."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from ..core.errors import ModelError, TransientModelError
from ..core.messages import Reply, Request
from .endpoint import Endpoint, Json, PerLoop, as_list, as_mapping, read_json

C = TypeVar("C")
SKEW = 3600.0
"""Seconds by which a provider's clock and ours may differ."""
CONNECT, TOTAL = 10.0, 600.0
"""Seconds until a connection stands, and those that a step of a transfer may take."""


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
    def marks(self) -> bool:
        """Whether the list shows our token, so that a candidate is ours."""
        ...

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

    async def progress(self, id: str) -> Progress | None:
        """How far a batch is, none where the provider does not know it."""
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
                yield json_object(line, endpoint)
            rest = [piece]
    if line := b"".join(rest).strip():
        yield json_object(line, endpoint)


def json_object(text: bytes, endpoint: Endpoint) -> Json:
    """The object that a JSON text holds. Raises ``ModelError`` where it holds none."""
    try:
        data = read_json(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise endpoint.broken("no JSON object")
    return cast("Json", data)


async def listed(page: Callable[[Json], Awaitable[Any]], cursor: str, endpoint: Endpoint) -> AsyncGenerator[Json, None]:
    """The batches that a provider lists. ``page`` gets some of them by its query, in which ``cursor`` names the last
    one of the page before. Raises ``ModelError`` for what is no list: that does not say that there is no batch."""
    query: dict[str, Any] = {"limit": 100}
    while True:
        data = json_object((await page(query)).http_response.content, endpoint)
        found = [as_mapping(batch) for batch in as_list(data.get("data"))]
        if found != data.get("data"):
            raise endpoint.broken("no list of batches")
        for batch in found:
            yield batch
        # A server that knows no pages may give the same one again and again.
        if not found or data.get("has_more") is False or found[-1].get("id") == query.get(cursor):
            return
        query = {**query, cursor: found[-1].get("id")}


def count_of(value: object) -> int:
    """``value`` if it is a count, else 0."""
    return value if isinstance(value, int) else 0


@asynccontextmanager
async def calling(
    clients: PerLoop[C],
    endpoint: Endpoint,
    sdk: Any,
    failure: Callable[[Any], ModelError],
    *,
    beginning: bool = False,
    paid: bool = False,
) -> AsyncGenerator[C]:
    """The client of an SDK, the errors of that module in our words, those of a status by ``failure``.

    ``beginning`` where the server may have no such interface, ``paid`` where what costs is begun, unless the server
    refuses it: any other failure leaves that open.
    """
    from aiohttp import ClientError
    from httpx2 import HTTPError

    try:
        yield await clients.get()
        return
    except sdk.APIStatusError as error:
        if beginning and error.status_code in (404, 405, 501):
            none = f"{endpoint.url} has no batch interface ({error.status_code}): leave out batch (--batch)"
            raise ModelError(endpoint.say(none)) from None
        found = failure(error)
        if isinstance(found, TransientModelError):
            found.unsettled = paid and error.status_code >= 500 and not found.busy
    except (sdk.APIConnectionError, HTTPError, ClientError, TimeoutError) as error:
        found = endpoint.unreachable(error, CONNECT, TOTAL)
        if isinstance(found, TransientModelError) and not paid:
            found.unsettled = False
    except ModelError as error:
        found = TransientModelError(str(error), unsettled=True) if paid else error
    except ValueError as error:  # of the SDK, which has sent nothing yet
        found = endpoint.unwritable(error)
    raise found from None


def size_of(body: Json) -> int:
    """The bytes that a request takes in a batch, at most."""
    return len(json.dumps(body)) + 200

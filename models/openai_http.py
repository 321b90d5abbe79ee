"""HTTP to servers that speak as OpenAI does: one request, answered by JSON or by a stream of events.

The events' own types of the SDK are not used: built for each piece of text, they cost more than all else together.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import ModelError, TransientModelError
from .endpoint import Endpoint, Json, PerLoop, as_mapping, drain, read_json, words_of
from .openai_dialect import Growing

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import APIStatusError, AsyncOpenAI
    from openai._types import RequestOptions

BEARER: RequestOptions = {"security": {"bearer_auth": True}}
"""The key alone authorises; the SDK would fall back to an administrator's key from the environment."""
STATUSES = {
    429: re.compile(r"rate.?limit|too.?many.?requests", re.IGNORECASE),
    529: re.compile(r"overloaded", re.IGNORECASE),
    503: re.compile(r"server.?error|internal.?error|unavailable|time.?out|timed out", re.IGNORECASE),
}
"""What an error says that stands for a status and does not give its number."""


@dataclass(frozen=True)
class Refused:
    """A 400 or 422: what the server says, the parameter it names, and the error this is unless that one can go."""

    words: str
    param: object
    error: ModelError


class Http:
    """The server at ``endpoint``. ``connect`` limits the seconds until the connection stands, ``total`` those of a
    call, or those between two signs of life of a stream."""

    def __init__(self, endpoint: Endpoint, connect: float, total: float) -> None:
        self.endpoint = endpoint
        self._connect = connect
        self._total = total
        make = partial(_client, endpoint.url, endpoint.secret or "none", connect, total)
        self._clients = PerLoop(make, lambda client: client.close())

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._clients.aclose()

    async def post(self, path: str, body: Json, growing: Growing | None = None) -> dict[str, Any] | Refused | None:
        """The JSON object that comes back, or the refusal. None where events came: ``growing`` has them then."""
        from aiohttp import ClientError
        from httpx2 import HTTPError, Response
        from openai import APIConnectionError, APIStatusError

        client = await self._clients.get()
        try:
            async with asyncio.timeout(self._total) as limit:
                # The SDK's own types are built without validation; plain JSON is checked here, and costs less.
                sent = client.post(path, body=body, cast_to=Response, options=BEARER, stream=growing is not None)
                try:
                    response = await sent
                except (TypeError, ValueError) as error:
                    raise self.endpoint.unwritable(error) from None
                return self._parse(response) if growing is None else await self._listen(response, growing, limit)
        except APIStatusError as error:
            refusal = self._refusal(error)
            if error.status_code in (400, 422):
                return refusal
            raise refusal.error from None
        except (APIConnectionError, HTTPError, ClientError, TimeoutError) as error:
            raise self.endpoint.unreachable(error, self._connect, self._total) from None

    async def _listen(self, response: Response, growing: Growing, limit: asyncio.Timeout) -> dict[str, Any] | None:
        try:
            if "event-stream" not in response.headers.get("content-type", ""):
                await response.aread()
                return self._parse(response)
            events, now = Events(), asyncio.get_running_loop().time
            async with contextlib.aclosing(response.aiter_bytes()) as chunks:
                async for chunk in chunks:
                    limit.reschedule(now() + self._total)
                    self._feed(events, chunk, growing)
                    if growing.done:
                        await drain(chunks)
                        return None
            return None
        finally:
            await response.aclose()

    def _feed(self, events: Events, chunk: bytes, growing: Growing) -> None:
        for name, data in events.feed(chunk):
            if data == b"[DONE]":
                growing.done = True
            elif not growing.done:
                growing.take(self._event(name, data) if data else {})

    def _event(self, name: bytes, data: bytes) -> Json:
        try:
            event = read_json(data)
        except ValueError:
            raise self.endpoint.broken("an event that is not JSON") from None
        if not isinstance(event, dict):
            raise self.endpoint.broken("an event that is not an object")
        event = cast("dict[str, Any]", event)
        if error := event.get("error") or as_mapping(event.get("response")).get("error"):
            raise self._fault(error)
        if name == b"error" or event.get("type") in ("error", "response.failed"):
            raise self._fault(event)
        return event

    def _parse(self, response: Response) -> dict[str, Any]:
        try:
            data = read_json(response.content)
        except ValueError:
            kind = response.headers.get("content-type", "no content type")
            raise self.endpoint.broken(f"{kind} that is not JSON") from None
        if not isinstance(data, dict):
            raise self.endpoint.broken("JSON that is not an object")
        data = cast("dict[str, Any]", data)
        if not data.get("choices") and (error := data.get("error")):
            raise self._fault(error)
        return data

    def _fault(self, error: object) -> ModelError:
        """The failure that an answer of status 200 tells of: later than its head, or a router's upstream's."""
        told = as_mapping(error) or {"message": str(error)}
        found = self.endpoint.refused(_status(told), {}, words_of(told), told.get("code") == "insufficient_quota")
        if isinstance(found, TransientModelError):
            found.unsettled = True
        return found

    def _refusal(self, error: APIStatusError) -> Refused:
        words = words_of(error.body)
        quota = error.code == "insufficient_quota"
        found = self.endpoint.refused(error.status_code, error.response.headers, words, quota)
        return Refused(words, error.param, found)


class Events:
    """Splits a stream of server-sent events, however its bytes are cut into chunks.

    Source: HTML Standard, section 9.2.6 (fields other than ``event`` and ``data`` are skipped).
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The name and the data of each event that ``chunk`` completes; both are empty for a comment."""
        lines = (self._rest + chunk).splitlines(keepends=True)
        # A carriage return at the end may be half of a line's end.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            line = line.rstrip(b"\r\n")
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
            elif line.startswith(b":"):
                yield b"", b""
            elif not line:
                if self._data:
                    yield self._name, b"\n".join(self._data)
                self._name, self._data = b"", []


def _client(url: str, key: str, connect: float, total: float) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAioHttpClient, Timeout

    http = DefaultAioHttpClient(timeout=Timeout(total, connect=connect))
    return AsyncOpenAI(base_url=url, api_key=key, http_client=http, max_retries=0)


def _status(error: Json) -> int:
    """The HTTP status that an error object stands for."""
    for name in ("code", "status", "status_code"):
        if re.fullmatch("[45][0-9][0-9]", code := str(error.get(name))):
            return int(code)
    words = " ".join(str(error.get(name)) for name in ("code", "type", "message"))
    return next((status for status, said in STATUSES.items() if said.search(words)), 400)

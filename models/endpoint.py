"""What backends over HTTP share: one client per event loop, and errors that say in one line what to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit
from weakref import finalize

from ..core.errors import ModelError, TransientModelError, UsageError

T = TypeVar("T")
Json = Mapping[str, Any]
LONGEST_MESSAGE = 300
"""Characters of a server's own words that an error repeats."""
LINGER = 0.5
"""Seconds in which a server must end a stream after its last event, for the connection to be used again."""


class PerLoop(Generic[T]):
    """One client per running event loop, closed when its loop ends.

    A client's sockets belong to the loop that opened them, so a model used from several loops (a background loop,
    ``asyncio.run`` twice) needs one each.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[object]]) -> None:
        self._make = make
        self._close = close
        self._open: _Open[T] = {}
        # What is open is held by the finalizer, not by a reference cycle that this object may be in: else the client
        # might be collected before it is closed.
        finalize(self, _leave, self._open).atexit = False

    async def get(self) -> T:
        """The running loop's client, made on first use."""
        loop = asyncio.get_running_loop()
        if loop not in self._open:
            # A suspended asynchronous generator is closed by its loop: asyncio.run and Runner call
            # loop.shutdown_asyncgens at the end.
            keeper = _keep(self._make(), self._close, self._open)
            self._open[loop] = (await anext(keeper), keeper)
        return self._open[loop][0]

    async def aclose(self) -> None:
        """Close the running loop's client now; the next call makes a new one."""
        entry = self._open.get(asyncio.get_running_loop())
        if entry is not None:
            await entry[1].aclose()


_Open = dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[T, None]]]


async def _keep(client: T, close: Callable[[T], Awaitable[object]], open: _Open[T]) -> AsyncGenerator[T, None]:
    try:
        yield client
    finally:
        open.pop(asyncio.get_running_loop(), None)
        await close(client)


def _leave(open: _Open[Any]) -> None:
    """Let the loops that still run close their clients."""
    for loop, (_, keeper) in list(open.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.create_task, keeper.aclose())


@dataclass(frozen=True)
class Endpoint:
    """Who is called: the model's name, the address, and the setting that holds the key (``secret``, never shown).

    ``ending`` says how base urls end, where one may be wrong.
    """

    model: str
    url: str
    key_setting: str
    secret: str = field(repr=False)
    ending: str = "most end in /v1"

    def say(self, text: str) -> str:
        """``text`` as one line without the key (a shorter one is a placeholder, not a secret)."""
        line = " ".join(text.split())
        return line.replace(self.secret, "[key]") if len(self.secret) >= 8 else line

    def unwritable(self, error: Exception) -> UsageError:
        """A request that has no form as JSON."""
        return UsageError(self.say(f"the request to {self.model} cannot be written as JSON: {error}"))

    def broken(self, what: str) -> ModelError:
        """The endpoint answered, but not with what was asked for."""
        return ModelError(self.say(f"{self.url} gave no usable reply: {what}; is the base url right ({self.ending})?"))

    def cut(self) -> TransientModelError:
        """The endpoint stopped in the middle of its answer."""
        return TransientModelError(self.say(f"{self.url} broke off its answer"), unsettled=True)

    def refused(self, status: int, headers: Mapping[str, str], words: str, quota: bool = False) -> ModelError:
        """An HTTP status of 400 or more as the error it stands for. ``words`` is what the server said."""
        words = self.say(words)[:LONGEST_MESSAGE]
        said = f" ({status}): {words}" if words else f" ({status})"
        if status == 401:
            return ModelError(self.say(f"{self.url} does not accept the key{said}; check {self.key_setting}"))
        if status == 403:
            return ModelError(self.say(f"{self.url} does not allow {self.model} to this key{said}"))
        if status == 404:
            hint = f"check the model's name and the path of the base url ({self.ending})"
            return ModelError(self.say(f"{self.url} does not know {self.model}{said}; {hint}"))
        if quota:
            return ModelError(self.say(f"{self.url} says that the quota is spent{said}; check the account's plan"))
        if status in (408, 409, 429) or status >= 500:
            verb = "asks to slow down" if status == 429 else "failed"
            busy = status in (429, 529)
            return TransientModelError(self.say(f"{self.url} {verb}{said}"), retry_after(headers), busy=busy)
        return ModelError(self.say(f"{self.url} refuses the request to {self.model}{said}"))

    def unreachable(self, error: BaseException, connect: float, total: float) -> ModelError:
        """A connection or time-out fault as the error it stands for, from the innermost cause that is known."""
        causes = causes_of(error)
        # Classes by name: the HTTP library below an SDK is not ours to import.
        kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
        if "ClientConnectorCertificateError" in kinds or "SSLCertVerificationError" in kinds:
            return ModelError(self.say(f"{self.url} shows a certificate that cannot be verified: {causes[-1]}"))
        last = self.say(str(causes[-1]) or type(causes[-1]).__name__)[:LONGEST_MESSAGE]
        if kinds & {"ClientConnectorDNSError", "gaierror"}:
            reason = "unknown host; check the base url and the network"
        elif "ConnectionRefusedError" in kinds:
            reason = "connection refused; is the server running?"
        elif "ConnectionTimeoutError" in kinds:
            reason = f"no connection within {connect:g} s; is the server running?"
        elif kinds & {"ClientConnectorError", "ClientHttpProxyError"}:
            reason = f"{last}; is the server running?"
        else:  # the connection stood: the request may have been worked on
            said = f"{self.url} gave no answer that can be read: {last}"
            if "TimeoutError" in kinds:
                said = f"{self.url} gave no answer within {total:g} s"
            elif kinds & {"ServerDisconnectedError", "ClientPayloadError", "ConnectionResetError"}:
                said = f"{self.url} closed the connection unanswered"
            return TransientModelError(self.say(said), unsettled=True)
        return TransientModelError(self.say(f"cannot reach {self.url}: {reason}"))


def refuse_url(url: str, key: str) -> None:
    """Raise ``UsageError`` for a base url that cannot be, or that may hold a secret: urls are shown and recorded."""
    if "@" in url or "?" in url:
        raise UsageError(f"the base url holds a user name, a password or a query: leave it out, give a key in {key}")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"the base url {url!r} must begin with http:// or https://")
    try:
        parts = urlsplit(url)
        possible = (parts.hostname or "").encode("idna") and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        possible = False
    if not possible:
        raise UsageError(f"the base url {url!r} cannot be: check its host and port")


def words_of(body: object) -> str:
    """What a server says in the JSON of an error. FastAPI's kind repeats the request beside what is wrong with it."""
    told = as_mapping(body)
    faults = [fault for fault in map(as_mapping, as_list(told.get("detail"))) if "msg" in fault]
    said = [f"{'.'.join(map(str, as_list(fault.get('loc'))[1:]))}: {fault['msg']}" for fault in faults]
    return str(told.get("message") or "; ".join(said) or (json.dumps(told) if told else body or ""))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait that a response asks for (``retry-after-ms``, ``retry-after`` in seconds or as a date)."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        try:
            seconds = float(value) / unit if value else math.nan
        except ValueError:
            seconds = _until(cast(str, value))
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return math.nan


def causes_of(error: BaseException) -> list[BaseException]:
    """An error, what caused it, what caused that, and so on."""
    found = [error]
    while (cause := found[-1].__cause__) is not None and cause not in found:
        found.append(cause)
    return found


def read_json(text: str | bytes) -> object:
    """What a JSON text holds. Raises ``ValueError`` where it is none, or nested too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


async def drain(chunks: AsyncIterator[object]) -> None:
    """Read what follows the last event, which is as good as nothing, so that the connection can be used again."""
    from aiohttp import ClientError
    from httpx2 import HTTPError

    with contextlib.suppress(TimeoutError, HTTPError, ClientError):
        async with asyncio.timeout(LINGER):
            async for _ in chunks:
                pass


def as_mapping(value: object) -> Json:
    """``value`` if it is a JSON object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """``value`` if it is a JSON array, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []

"""Claude: Anthropic's Messages, and servers that speak them.

One request to the provider for each call; retries are the gateway's. What an endpoint refuses by name is learned: the
request goes again without it, and every reply that did without it says so. Not covered: prefill (newer models refuse
it), server-side tools, files, the effort of thinking.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from ..core.messages import Capabilities, Reply, Request
from ..core.protocols import Heard
from . import chat, claude, claude_reply
from .capabilities import refuse
from .endpoint import LONGEST_MESSAGE, Endpoint, PerLoop, as_mapping, drain, read_json, refuse_url, words_of
from .secrets import secret

if TYPE_CHECKING:
    from anthropic import APIStatusError, AsyncAnthropic
    from httpx2 import Response

OFFICIAL = "https://api.anthropic.com"
PATH = "/v1/messages"
KEY = "ANTHROPIC_API_KEY"
OFFERED = Capabilities(images=True, tools=True, schema=True, streaming=True, temperature=False)
"""What the protocol can say. A given model may do less: pass ``capabilities``."""
MISSING = "the package anthropic is not installed: pip install 'veriloop[anthropic]'"
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
}
"""HTTP statuses of errors that come in a reply of status 200; the others may pass."""


class Anthropic:
    """A Claude model behind Anthropic's Messages.

    ``base_url`` and ``api_key`` default to ``ANTHROPIC_BASE_URL`` and ``ANTHROPIC_API_KEY`` (or the file that
    ``ANTHROPIC_API_KEY_FILE`` names); a server other than Anthropic's needs no key. ``connect`` limits the seconds
    until the connection stands, ``total`` those of a call, or those between two signs of life of a stream. Raises
    ``UsageError`` when the url or the key cannot be; ``ready`` does when the key or the SDK is missing.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        connect: float = 5.0,
        total: float = 600.0,
        capabilities: Capabilities = OFFERED,
    ) -> None:
        url = (base_url or os.environ.get("ANTHROPIC_BASE_URL") or OFFICIAL).rstrip("/")
        url = url.removesuffix("/messages").removesuffix("/v1")
        refuse_url(url, KEY)
        key = secret(KEY, api_key)
        self.name = f"anthropic:{model}"
        self.capabilities = replace(
            capabilities, n=False, seed=False, logprobs=False, prefix=False, temperature=False, streaming=True
        )
        self._model = model
        self._connect = connect
        self._total = total
        self._endpoint = Endpoint(self.name, url, KEY, key, "it ends before /v1/messages")
        self._learned: dict[str, str] = {}
        self._clients = PerLoop(partial(_client, url, key or "none", connect, total), lambda client: client.close())

    @property
    def address(self) -> str:
        """Who is called, for people to read."""
        return "Anthropic" if self._endpoint.url == OFFICIAL else self._endpoint.url

    @property
    def identity(self) -> str:
        """What tells it from other models in a cache of replies."""
        return f"{self.address} {self.name}"

    @property
    def endpoint(self) -> Endpoint:
        """Who is called, for what calls it in another way (``anthropic_batch``)."""
        return self._endpoint

    def ready(self) -> None:
        """Raise ``UsageError`` when the SDK or the key is missing; asked before a run's first call."""
        if "anthropic" not in sys.modules and find_spec("anthropic") is None:
            raise UsageError(MISSING)
        if not self._endpoint.secret and self._endpoint.url == OFFICIAL:
            raise UsageError(f"{KEY} is not set: set it, or name another server in ANTHROPIC_BASE_URL")

    async def aclose(self) -> None:
        """Close the running loop's connections now; otherwise they are closed when the loop ends."""
        await self._clients.aclose()

    async def generate(self, request: Request) -> Reply:
        """Ask for one sample. Cancelling closes the HTTP request."""
        return await self._ask(request, None)

    async def stream(self, request: Request, heard: Heard) -> Reply:
        """What ``generate`` does; ``heard`` gets each piece of text as it comes, and "" for any other sign of life."""
        return await self._ask(request, heard)

    async def _ask(self, request: Request, heard: Heard | None) -> Reply:
        """One HTTP request, and one more for each parameter that the endpoint turns out to refuse."""
        body, notes = self.prepared(request)
        refused: dict[str, str] = {}
        lasting: dict[str, str] = {}
        while not isinstance(answer := await self._post(body, heard), dict):
            lessened = self.lessened(body, _words(answer), request, refused, lasting)
            if lessened is None:
                raise self.failure(answer)
            body = lessened
        self.learn(lasting)
        return self.reply(answer, request, notes | refused)

    def prepared(self, request: Request) -> tuple[dict[str, Any], dict[str, str]]:
        """The body that asks for ``request``, without what is known to be refused, and notes of that by parameter.

        Raises ``UsageError`` where it cannot be asked for.
        """
        self.ready()
        refuse(self.name, self.capabilities, request)
        body = claude.body(request, self._model)
        notes: dict[str, str] = {}
        if request.schema is not None and "output_config" not in body:
            said = claude.INSTEAD["output_config"]
            notes["schema"] = f"{self.name} takes schemas of objects with named fields only: {said}"
        for name, note in self._learned.items():
            if (rest := claude.without(body, name, request.schema)) != body:
                body, notes[name] = rest, note
        return body, notes

    def lessened(
        self, body: dict[str, Any], words: str, request: Request, refused: dict[str, str], lasting: dict[str, str]
    ) -> dict[str, Any] | None:
        """``body`` without the knob that a 400 in these ``words`` refuses, with a note of it in ``refused``, and in
        ``lasting`` if other requests cannot have it either; none where it refuses no knob."""
        name = self._refused(body, words)
        if name is None or name in refused:
            return None
        refused[name] = f"{self.name} refuses {name}: {claude.INSTEAD.get(name, 'it was left out')}"
        if claude.lasting(name, words):
            lasting[name] = refused[name]
        return claude.without(body, name, request.schema)

    def learn(self, lasting: dict[str, str]) -> None:
        """From now on leave out these parameters, by name with a note each."""
        self._learned |= lasting

    def reply(self, answer: Mapping[str, Any], request: Request, notes: dict[str, str]) -> Reply:
        """The reply in an answer's JSON. Raises ``ModelError`` where there is none."""
        sample = claude_reply.sample(answer, request.stop)
        if sample is None:
            raise self._endpoint.broken(f"no content in {self._endpoint.say(json.dumps(answer))[:200]}")
        if sample.finish == "length" and sample.state and not sample.text and not sample.tool_calls:
            notes["length"] = f"{self.name} thought for all of its {request.max_tokens} tokens: raise max_tokens"
        usage = claude_reply.usage(answer)
        if usage is None:
            usage, notes["usage"] = chat.estimate(request, [sample]), f"{self.name} {chat.NO_USAGE}"
        return Reply((sample,), usage, tuple(notes.values()))

    async def _post(self, body: Mapping[str, Any], heard: Heard | None) -> dict[str, Any] | APIStatusError:
        """The JSON object that comes back, or the refusal if it may be one of a parameter."""
        from aiohttp import ClientError
        from anthropic import APIConnectionError, APIStatusError, AsyncStream
        from httpx2 import RequestError, Response

        client = await self._clients.get()
        try:
            async with asyncio.timeout(self._total) as limit:
                # The SDK's own types are built without validation, and its messages.create refuses what may take
                # long unless it is streamed; plain JSON is checked here, and costs less.
                sent = body if heard is None else {**body, "stream": True}
                kind, streamed = AsyncStream[Any], heard is not None
                try:
                    came = await client.post(PATH, body=sent, cast_to=Response, stream=streamed, stream_cls=kind)
                except (TypeError, ValueError) as error:
                    raise self._endpoint.unwritable(error) from None
                response = cast("Response", cast("object", came))
                return self._parse(response) if heard is None else await self._listen(response, heard, limit)
        except APIStatusError as error:
            if error.status_code in (400, 422):
                return error
            raise self.failure(error) from None
        except (APIConnectionError, RequestError, ClientError, TimeoutError) as error:
            raise self._endpoint.unreachable(error, self._connect, self._total) from None

    def _parse(self, response: Response) -> dict[str, Any]:
        try:
            data = read_json(response.content)
        except ValueError:
            raise self._endpoint.broken(f"{_kind(response)} that is not JSON") from None
        if not isinstance(data, dict):
            raise self._endpoint.broken("JSON that is not an object")
        data = cast("dict[str, Any]", data)
        if data.get("type") == "error":
            raise self._reported(data)
        return data

    async def _listen(self, response: Response, heard: Heard, limit: asyncio.Timeout) -> dict[str, Any]:
        """The message that a stream of events writes; a server that does not stream may send it whole."""
        from anthropic import AsyncStream

        written, now = claude_reply.Written(), asyncio.get_running_loop().time
        try:
            if not _kind(response).startswith("text/event-stream"):
                await response.aread()
                data = self._parse(response)
                if sample := claude_reply.sample(data, ()):
                    heard(0, sample.text)
                return data
            events = AsyncStream.raw_events(response)
            async for event in events:
                limit.reschedule(now() + self._total)
                if event.data:
                    heard(0, written.take(self._event(event.data)))
                if written.done:
                    await drain(events)
                    return dict(written.message)
        except UnicodeDecodeError:
            raise self._endpoint.broken("a stream that is not UTF-8") from None
        finally:
            await response.aclose()
        raise self._endpoint.cut()

    def _event(self, data: str) -> dict[str, Any]:
        try:
            event = read_json(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise self._endpoint.broken(f"an event that is not a JSON object: {self._endpoint.say(data)[:100]}")
        event = cast("dict[str, Any]", event)
        if event.get("type") == "error":
            raise self._reported(event)
        return event

    def _reported(self, data: Mapping[str, Any]) -> ModelError:
        """An error that came in a reply of status 200: the request was worked on until then."""
        error = as_mapping(data.get("error"))
        kind, words = str(error.get("type")), str(error.get("message") or data.get("error"))
        if kind in STATUS:
            return self._endpoint.refused(STATUS[kind], {}, words, quota=kind == "billing_error")
        said = self._endpoint.say(f"{self._endpoint.url} failed while it replied ({kind}): {words}")[:LONGEST_MESSAGE]
        return TransientModelError(said, unsettled=True, busy=kind in ("overloaded_error", "rate_limit_error"))

    def _refused(self, body: Mapping[str, Any], words: str) -> str | None:
        """The knob that a 400 refuses, if any. Raises ``CapabilityError`` where it is more than a knob."""
        name = claude.refused_parameter(body, words)
        if name == "tools":
            raise CapabilityError(f"{self.name} does not offer {name}: {self._endpoint.say(words)[:200]}")
        return name

    def failure(self, error: APIStatusError) -> ModelError:
        """An HTTP status of 400 or more as the error it stands for."""
        words = _words(error)
        quota = error.type == "billing_error" or "credit balance" in words
        return self._endpoint.refused(error.status_code, error.response.headers, words, quota)


def _client(url: str, key: str, connect: float, total: float) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic, DefaultAioHttpClient, Timeout

    http = DefaultAioHttpClient(timeout=Timeout(total, connect=connect))
    return AsyncAnthropic(base_url=url, api_key=key, http_client=http, max_retries=0, open_telemetry=False)


def _kind(response: Response) -> str:
    return response.headers.get("content-type", "no content type")


def _words(error: APIStatusError) -> str:
    """What the server said, as text."""
    return str(error.api_message or words_of(error.body))

"""Any Chat Completions endpoint: OpenAI's own, vLLM, Ollama, llama.cpp, ``transformers serve``.

Retries are the gateway's, save those of single samples whose siblings are paid already. What a server refuses by name
is learned: the request goes again without it, and every reply that did without it says so. Not covered: streaming, the
Responses API, audio.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from ..core.messages import Capabilities, Reply, Request, Usage
from . import chat
from .capabilities import refuse
from .endpoint import Endpoint, Incomplete, PerLoop

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import APIStatusError, AsyncOpenAI
    from openai._types import RequestOptions

OFFICIAL = "https://api.openai.com/v1"
OFFERED = Capabilities(images=True, n=True, seed=True, tools=True, schema=True, logprobs=True)
"""What the protocol can say. A given model may do less: pass ``capabilities``."""
BEARER: RequestOptions = {"security": {"bearer_auth": True}}
"""The key alone authorises; the SDK would fall back to an administrator's key from the environment."""
TRIES = 4
"""Rounds in which the samples that a server left out are asked for."""
LONGEST_WAIT = 30.0
"""Seconds between two of these rounds at most."""


class OpenAI:
    """A model behind a Chat Completions endpoint.

    ``base_url`` and ``api_key`` default to ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``; a server other than OpenAI's
    needs no key. ``connect`` limits the seconds until the connection stands, ``total`` those of the whole call. Raises
    ``UsageError`` when the url is none; ``ready`` does when the key is missing.

    Every reply has exactly ``request.n`` samples: a server that gives fewer choices is asked again for the rest, one
    sample a request, all at once. What came is kept while those that failed in a way that may pass are tried again;
    ``Incomplete`` is raised, with what came, when some stay missing.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        connect: float = 5.0,
        total: float = 120.0,
        capabilities: Capabilities = OFFERED,
    ) -> None:
        url = (base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL).rstrip("/")
        key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip()
        if "@" in url:
            raise UsageError("the base url holds a user name or password: give a key in OPENAI_API_KEY instead")
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"the base url {url!r} must begin with http:// or https://")
        if not (key.isascii() and key.isprintable()):
            raise UsageError("OPENAI_API_KEY holds characters that no key has: copy it again")
        self.name = f"openai:{model}"
        self.capabilities = replace(capabilities, prefix=False)
        self._model = model
        self._connect = connect
        self._total = total
        self._endpoint = Endpoint(self.name, url, "OPENAI_API_KEY", key)
        self._limit = "max_completion_tokens" if url == OFFICIAL else "max_tokens"
        self._learned: dict[str, str] = {}
        self._clients = PerLoop(partial(_client, url, key or "none", connect, total), lambda client: client.close())

    @property
    def address(self) -> str:
        """Who is called, for people to read: the base url without a query, which may hold a key."""
        return "OpenAI" if self._endpoint.url == OFFICIAL else self._endpoint.url.partition("?")[0]

    def ready(self) -> None:
        """Raise ``UsageError`` when the key is missing; asked before a run's first call (a replay needs no key)."""
        if not self._endpoint.secret and self._endpoint.url == OFFICIAL:
            raise UsageError("OPENAI_API_KEY is not set: set it, or name another server in OPENAI_BASE_URL")

    async def aclose(self) -> None:
        """Close the running loop's connections now; otherwise they are closed when the loop ends."""
        await self._clients.aclose()

    async def generate(self, request: Request) -> Reply:
        """Ask for ``request.n`` samples. Cancelling closes the HTTP request."""
        self.ready()
        refuse(self.name, self.capabilities, request)
        reply = Reply(())
        if request.n == 1 or "n" not in self._learned:
            reply = await self._ask(request)
            if request.n > 1 and len(reply.samples) == 1:
                self._learned.setdefault("n", f"{self.name} ignores n: {chat.INSTEAD['n']}")
        return await self._top_up(reply, request) if len(reply.samples) < request.n else reply

    async def _top_up(self, reply: Reply, request: Request) -> Reply:
        """``reply`` and the samples it lacks. What came is paid, so only what failed is asked for again."""
        missing = request.seeds[len(reply.samples) :]
        note = self._learned.get("n", f"{self.name} left out {len(missing)} samples: they were asked for again")
        reply = replace(reply, notes=(note, *reply.notes))
        found: dict[int, Reply] = {}
        unsettled = 0
        for tried in range(1, TRIES + 1):
            errors = await self._fill(found, request, missing)
            unsettled += sum(isinstance(error, TransientModelError) and error.unsettled for error in errors)
            if not errors:
                break
            paid = _joined(reply, found)
            if not paid.samples:
                raise errors[0]  # nothing is lost when the gateway tries all of it again
            waits = [_wait(error, tried) for error in errors if isinstance(error, TransientModelError)]
            if len(waits) < len(errors) or tried == TRIES:
                said = f"{errors[0]}; {len(paid.samples)} of {request.n} samples came and are paid"
                raise Incomplete(said, paid, unsettled)
            reply = replace(reply, notes=(*reply.notes, f"asking for {len(errors)} samples again: {errors[0]}"))
            await asyncio.sleep(max(waits))
        lost = (f"{unsettled} requests went unanswered and may have to be paid",) if unsettled else ()
        return _joined(replace(reply, notes=(*reply.notes, *lost)), found)

    async def _fill(self, found: dict[int, Reply], request: Request, seeds: tuple[int, ...]) -> list[ModelError]:
        """Ask at once for each of ``seeds`` that is not yet ``found`` by its place; gives the failures."""
        asked = [place for place in range(len(seeds)) if place not in found]
        singles = (self._ask(replace(request, seeds=(seeds[place],))) for place in asked)
        errors: list[ModelError] = []
        for place, ended in zip(asked, await asyncio.gather(*singles, return_exceptions=True), strict=True):
            if isinstance(ended, Reply):
                found[place] = ended
            elif isinstance(ended, ModelError):
                errors.append(ended)
            else:
                raise ended
        return sorted(errors, key=lambda error: isinstance(error, TransientModelError))

    async def _ask(self, request: Request) -> Reply:
        """One HTTP request, and one more for each parameter that the server turns out to refuse."""
        body = chat.body(request, self._model, self._limit, self.capabilities.seed)
        notes = {name: note for name, note in self._learned.items() if name in body}
        if not chat.takes_schema(body):
            notes["response_format"] = f"{self.name} takes schemas of objects only: {chat.INSTEAD['response_format']}"
        for name in notes:
            body = chat.without(body, name)
        refused: dict[str, str] = {}
        lasting: set[str] = set()
        while not isinstance(answer := await self._post(body), dict):
            name = self._refused(answer, body)
            if name is None or name in refused:
                raise self._error(answer)
            body = chat.without(body, name)
            refused[name] = f"{self.name} refuses {name}: {chat.INSTEAD.get(name, 'it was left out')}"
            if not chat.finds_fault(_words(answer)) or name == "n":
                lasting.add(name)  # else only this schema is refused: the next one may be taken
        self._learned |= {name: note for name, note in refused.items() if name in lasting}
        samples = chat.samples(answer, request.stop)[: request.n]
        if not samples:
            raise self._endpoint.broken(f"no choice in {self._endpoint.say(json.dumps(answer))[:200]}")
        usage = chat.usage(answer)
        if usage is None:
            usage, notes["usage"] = chat.estimate(request, samples), f"{self.name} {chat.NO_USAGE}"
        return Reply(tuple(samples), usage, (*notes.values(), *refused.values()))

    async def _post(self, body: Mapping[str, Any]) -> dict[str, Any] | APIStatusError:
        """The JSON object that comes back, or the refusal if it may be one of a parameter."""
        from aiohttp import ClientError
        from httpx2 import Response
        from openai import APIConnectionError, APIStatusError

        client = await self._clients.get()
        try:
            async with asyncio.timeout(self._total):
                # The SDK's own types are built without validation; plain JSON is checked here, and costs less.
                response = await client.post("/chat/completions", body=body, cast_to=Response, options=BEARER)
        except APIStatusError as error:
            if error.status_code in (400, 422):
                return error
            raise self._error(error) from None
        except (APIConnectionError, ClientError, TimeoutError) as error:
            raise self._endpoint.unreachable(error, self._connect, self._total) from None
        return self._parse(response)

    def _parse(self, response: Response) -> dict[str, Any]:
        try:
            data = json.loads(response.content)
        except ValueError:
            kind = response.headers.get("content-type", "no content type")
            raise self._endpoint.broken(f"{kind} that is not JSON") from None
        if not isinstance(data, dict):
            raise self._endpoint.broken("JSON that is not an object")
        data = cast("dict[str, Any]", data)
        if "choices" not in data and isinstance(data.get("error"), dict):
            # Some routers report their upstream's failure with status 200.
            error, code = data["error"], data["error"].get("code")
            raise self._endpoint.refused(code if isinstance(code, int) else 400, {}, str(error.get("message")))
        return data

    def _refused(self, error: APIStatusError, body: Mapping[str, Any]) -> str | None:
        """The knob that ``error`` refuses, if any. Raises ``CapabilityError`` where it is more than a knob."""
        name = chat.refused_parameter(body, error.param, _words(error))
        if name in chat.FEATURES:
            said = self._endpoint.say(_words(error))
            raise CapabilityError(f"{self.name} does not offer {name}: {said[:200]}")
        return name

    def _error(self, error: APIStatusError) -> ModelError:
        quota = error.code == "insufficient_quota"
        return self._endpoint.refused(error.status_code, error.response.headers, _words(error), quota)


def _client(url: str, key: str, connect: float, total: float) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAioHttpClient, Timeout

    http = DefaultAioHttpClient(timeout=Timeout(total, connect=connect))
    return AsyncOpenAI(base_url=url, api_key=key, http_client=http, max_retries=0)


def _wait(error: TransientModelError, tried: int) -> float:
    """Seconds until the next try: what the server asks for, else some more each time, never for all the same."""
    wait = error.retry_after if error.retry_after is not None else 0.2 * 2**tried * random.uniform(0.5, 1.0)
    return min(wait, LONGEST_WAIT)


def _joined(reply: Reply, found: Mapping[int, Reply]) -> Reply:
    """``reply`` and the single samples after it, by their places, as one."""
    parts = [reply, *(found[place] for place in sorted(found))]
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    usage = sum((part.usage for part in parts), Usage())
    return Reply(tuple(sample for part in parts for sample in part.samples), usage, tuple(notes))


def _words(error: APIStatusError) -> str:
    """What the server said, as text."""
    said: Any = error.body
    if isinstance(said, dict):
        said = cast("dict[str, Any]", said)
        return str(said.get("message") or json.dumps(said))
    return str(said or "")

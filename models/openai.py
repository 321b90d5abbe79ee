"""Any Chat Completions endpoint: OpenAI's own, vLLM, Ollama, llama.cpp, ``transformers serve``.

Retries are the gateway's. What a server refuses by name is learned: the request goes again without it, and every reply
that did without it says so. Not covered: audio.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

from ..core.errors import CapabilityError, UsageError
from ..core.messages import Capabilities, Reply, Request
from ..core.protocols import Heard
from . import chat
from .capabilities import refuse
from .endpoint import Endpoint, Json, refuse_url
from .openai_dialect import Dialect, Growing, alone, finds_fault, refused_parameter, takes_schema
from .openai_http import Http, Refused
from .secrets import secret

OFFICIAL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"


class Backend(ABC):
    """A model behind an endpoint of OpenAI's kind, whichever of its protocols is spoken.

    ``base_url`` and ``api_key`` default to ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` (or the file that
    ``OPENAI_API_KEY_FILE`` names); a server other than OpenAI's needs no key. ``connect`` limits the seconds until the
    connection stands, ``total`` those of the whole call, or of a silence in a stream. ``capabilities`` says what a
    given model can do if it is less than the protocol can say. Raises ``UsageError`` when the url or the key cannot
    be; ``ready`` does when the key is missing.

    A reply has the samples that came, at least one: a server may ignore n, or refuse it.
    """

    provider: ClassVar[str]
    dialect: ClassVar[Dialect]
    offered: ClassVar[Capabilities]

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        connect: float = 5.0,
        total: float = 600.0,
        capabilities: Capabilities | None = None,
    ) -> None:
        url = (base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL).rstrip("/")
        refuse_url(url, KEY)
        self.name = f"{self.provider}:{model}"
        self.capabilities = replace(capabilities or self.offered, prefix=False)
        self._model = model
        self._endpoint = Endpoint(self.name, url, KEY, secret(KEY, api_key))
        self._http = Http(self._endpoint, connect, total)
        self._learned: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Who is called, for people to read."""
        return "OpenAI" if self._endpoint.url == OFFICIAL else self._endpoint.url

    @property
    def identity(self) -> str:
        """What tells it from other models in a cache of replies."""
        return f"{self.address} {self.name}"

    @property
    def endpoint(self) -> Endpoint:
        """Who is called, for what calls it in another way (``openai_batch``)."""
        return self._endpoint

    def ready(self) -> None:
        """Raise ``UsageError`` when the key is missing; asked before a run's first call (a replay needs no key)."""
        if not self._endpoint.secret and self._endpoint.url == OFFICIAL:
            raise UsageError(f"{KEY} is not set: set it, or name another server in OPENAI_BASE_URL")

    async def aclose(self) -> None:
        """Close the running loop's connections now; otherwise they are closed when the loop ends."""
        await self._http.aclose()

    async def generate(self, request: Request) -> Reply:
        """Ask for ``request.n`` samples. Cancelling closes the HTTP request."""
        return await self._ask(request)

    async def stream(self, request: Request, heard: Heard) -> Reply:
        """The same, told piece by piece; in one piece by a server that does not stream."""
        return await self._ask(request, lambda i, piece: heard(i, piece) if i < request.n else None)

    @abstractmethod
    def _body(self, request: Request) -> dict[str, Any]:
        """The JSON that asks for ``request``."""

    async def _ask(self, request: Request, heard: Heard | None = None) -> Reply:
        """One HTTP request, and one more for each parameter that the server turns out to refuse."""
        body, notes = self.prepared(request, heard is not None)
        growing = self.dialect.Stream(heard or _nobody)
        at_once = await self._send(body, growing, notes)
        data = growing.whole() if at_once is None else at_once
        if data is None:
            raise self._endpoint.cut()
        reply = self.reply(request, data, notes)
        if heard is not None and at_once is not None:
            for i, sample in enumerate(reply.samples):
                heard(i, sample.text)
        return reply

    def prepared(self, request: Request, streamed: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
        """The body that asks for ``request``, without what is known to be refused, and notes of that by parameter.

        Raises ``UsageError`` where it cannot be asked for.
        """
        self.ready()
        refuse(self.name, self.capabilities, request)
        body, dialect = self._body(request), self.dialect
        if streamed and (self.capabilities.streaming or "stream" in self._learned):
            body |= dialect.STREAMED
        notes = {name: note for name, note in self._learned.items() if dialect.holds(body, name)}
        if not takes_schema(dialect.schema_in(body)):
            instead = dialect.INSTEAD[dialect.SCHEMA]
            notes[dialect.SCHEMA] = f"{self.name} takes schemas of objects only: {instead}"
        for name in notes:
            body = dialect.without(body, name)
        return body, notes

    async def _send(self, body: dict[str, Any], growing: Growing, notes: dict[str, str]) -> Json | None:
        """The answer, none where ``growing`` has it. Learns what is refused on the way, and adds it to ``notes``."""
        refused: dict[str, str] = {}
        lasting: dict[str, str] = {}
        while True:
            streamed = growing if "stream" in body else None
            answer = await self._http.post(self.dialect.PATH, body, streamed)
            if not isinstance(answer, Refused):
                break
            body = self.lessened(body, answer, refused, lasting)
            if "stream" in lasting:  # who waits for its pieces need not wait again, even if this call fails
                self.learn({"stream": lasting["stream"]})
        self.learn(lasting)
        notes |= refused
        return answer

    def lessened(
        self, body: dict[str, Any], answer: Refused, refused: dict[str, str], lasting: dict[str, str]
    ) -> dict[str, Any]:
        """``body`` without the parameter that ``answer`` refuses, with a note of it in ``refused``, and in ``lasting``
        if other requests cannot have it either. Raises the answer's error where it is none that can go."""
        name = self._refused(answer, body)
        if name is None or name in refused:
            raise answer.error
        refused[name] = f"{self.name} refuses {name}: {self.dialect.INSTEAD.get(name, 'it was left out')}"
        # Else only this schema, a stream of this many, or two parameters together: the next may be taken.
        if (not finds_fault(answer.words) or name == "n") and alone(self.dialect, body, name, answer.words):
            lasting[name] = refused[name]
        return self.dialect.without(body, name)

    def learn(self, lasting: dict[str, str]) -> None:
        """From now on leave out these parameters, by name with a note each."""
        self._learned |= lasting
        if "stream" in lasting:
            self.capabilities = replace(self.capabilities, streaming=False)

    def _refused(self, answer: Refused, body: Json) -> str | None:
        """The parameter that is refused, if any. Raises ``CapabilityError`` where it is more than a knob."""
        name = refused_parameter(self.dialect, body, answer.param, answer.words)
        if name in self.dialect.FEATURES:
            said = self._endpoint.say(answer.words)
            raise CapabilityError(f"{self.name} does not offer {name}: {said[:200]}")
        return name

    def reply(self, request: Request, data: Json, notes: dict[str, str]) -> Reply:
        """The reply in an answer's JSON. Raises ``ModelError`` where there is none."""
        samples = self.dialect.samples(data, request.stop)[: request.n]
        if not samples:
            raise self._endpoint.broken(f"no choice in {self._endpoint.say(json.dumps(data))[:200]}")
        usage = self.dialect.usage(data)
        if usage is None:
            usage, notes["usage"] = chat.estimate(request, samples), f"{self.name} {chat.NO_USAGE}"
        return Reply(tuple(samples), usage, tuple(notes.values()))


class OpenAI(Backend):
    """A model behind a Chat Completions endpoint."""

    provider = "openai"
    dialect = chat
    offered = Capabilities(images=True, n=True, seed=True, tools=True, schema=True, logprobs=True, streaming=True)

    def _body(self, request: Request) -> dict[str, Any]:
        limit = "max_completion_tokens" if self._endpoint.url == OFFICIAL else "max_tokens"
        return chat.body(request, self._model, limit, self.capabilities)


def _nobody(_sample: int, _piece: str) -> None:
    """Hears nothing."""

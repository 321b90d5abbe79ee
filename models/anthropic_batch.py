"""Anthropic's message batches: requests go in as one call, results come as lines once all of them have ended.

Source: the types and docstrings of the SDK ``anthropic`` 2.12, and Anthropic's guide to batch processing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import ModelError, TransientModelError
from ..core.messages import Reply, Request
from .anthropic import STATUS, Anthropic
from .batch_provider import (
    CONNECT,
    SKEW,
    TOTAL,
    Draft,
    Progress,
    calling,
    count_of,
    custom_id,
    json_lines,
    json_object,
    listed,
)
from .endpoint import LONGEST_MESSAGE, Json, PerLoop, as_mapping

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic._response import AsyncAPIResponse
    from httpx2 import Response

PATH = "/v1/messages/batches"


class AnthropicBatches:
    """The batch interface of a model behind Anthropic's Messages."""

    marks = False
    most = 100_000
    most_bytes = 256_000_000

    def __init__(self, model: Anthropic) -> None:
        self._model = model
        self._endpoint = endpoint = model.endpoint
        make = partial(_client, endpoint.url, endpoint.secret or "none")
        self._clients = PerLoop(make, lambda client: client.close())

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._clients.aclose()

    def draft(self, request: Request) -> Draft:
        """The request without what is known to be refused."""
        return Draft(request, *self._model.prepared(request))

    async def submit(self, token: str, drafts: Mapping[str, Draft]) -> str:
        """Submit the requests, which begins their work."""
        requests = [{"custom_id": custom_id(hash, token), "params": draft.body} for hash, draft in drafts.items()]
        async with self._calling(begin=True) as client:
            batch = await client.messages.batches.with_raw_response.create(requests=cast(Any, requests))
            return self._id(self._data(batch))

    async def candidates(self, token: str, count: int, since: float) -> list[str]:
        """The batches of as many requests: no batch shows whose it is before it has results."""
        found: list[str] = []
        async with self._calling() as client:
            pages = client.messages.batches.with_raw_response
            async for batch in listed(lambda query: pages.list(extra_query=query), "after_id", self._endpoint):
                if _seconds(batch.get("created_at")) < since - SKEW:
                    break
                if _total(batch) == count:
                    found.append(self._id(batch))
        return found

    async def progress(self, id: str) -> Progress | None:
        """How far a batch is, none if it is not known. Its counts stand still until all of it has ended."""
        from anthropic import NotFoundError

        async with self._calling() as client:
            try:
                data = self._data(await client.messages.batches.with_raw_response.retrieve(id))
            except NotFoundError:
                return None
        total, left = _total(data), count_of(as_mapping(data.get("request_counts")).get("processing"))
        ended = data.get("processing_status") == "ended"
        return Progress(ended, total - left, total, bool(data.get("cancel_initiated_at")))

    async def results(self, id: str) -> AsyncGenerator[tuple[str, Json], None]:
        """The lines of a batch's results."""
        from anthropic import AsyncStream
        from httpx2 import Response

        # Not by the address that the batch itself names for its results: the key is for this server alone.
        path, kind = f"{PATH}/{id}/results", AsyncStream[Any]
        async with self._calling() as client:
            stream = await client.get(path, cast_to=Response, stream=True, stream_cls=kind)
            response = cast("Response", cast("object", stream))
            try:
                async for line in json_lines(response.aiter_bytes(), self._endpoint):
                    yield str(line.get("custom_id")), as_mapping(line.get("result"))
            finally:
                await response.aclose()

    def read(self, draft: Draft, result: Json) -> Reply | None:
        """The reply in a result, or none where a parameter was refused and is left out from now on."""
        kind = result.get("type")
        if kind == "succeeded":
            reply = self._model.reply(as_mapping(result.get("message")), draft.request, draft.notes | draft.refused)
            self._model.learn(draft.lasting)
            return reply
        if kind != "errored":
            said = self._endpoint.say(f"{self._endpoint.url} did not answer in its batch ({kind})")
            raise ModelError(said) if kind == "canceled" else TransientModelError(said)
        told = as_mapping(result.get("error"))
        told = as_mapping(told.get("error")) or told
        name, words = str(told.get("type")), str(told.get("message") or told)
        if name == "invalid_request_error":
            body = self._model.lessened(draft.body, words, draft.request, draft.refused, draft.lasting)
            if body is not None:
                draft.body = body
                return None
        if name in STATUS:
            raise self._endpoint.refused(STATUS[name], {}, words, quota=name == "billing_error")
        said = self._endpoint.say(f"{self._endpoint.url} failed ({name}): {words}")
        raise TransientModelError(said[:LONGEST_MESSAGE], busy=name in ("overloaded_error", "rate_limit_error"))

    def _data(self, response: AsyncAPIResponse[Any]) -> Json:
        return json_object(response.http_response.content, self._endpoint)

    def _id(self, data: Json) -> str:
        id = data.get("id")
        if not isinstance(id, str) or not re.fullmatch(r"[\w-]+", id):  # it becomes part of a path
            raise self._endpoint.broken("a batch without an id")
        return id

    def _calling(self, begin: bool = False) -> AbstractAsyncContextManager[AsyncAnthropic]:
        import anthropic

        return calling(self._clients, self._endpoint, anthropic, self._model.failure, beginning=begin, paid=begin)


def _total(data: Json) -> int:
    """The requests of a batch, whatever has become of them."""
    return sum(count_of(count) for count in as_mapping(data.get("request_counts")).values())


def _seconds(date: object) -> float:
    """The seconds since the epoch of a date, endless if it is none."""
    try:
        return datetime.fromisoformat(str(date)).timestamp()
    except (ValueError, OverflowError):
        return float("inf")


def _client(url: str, key: str) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic, DefaultAioHttpClient, Timeout

    http = DefaultAioHttpClient(timeout=Timeout(TOTAL, connect=CONNECT))
    return AsyncAnthropic(base_url=url, api_key=key, http_client=http, max_retries=0, open_telemetry=False)

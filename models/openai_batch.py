"""OpenAI's batches: a file of requests is uploaded, a batch is made of it, and its results are files again.

Uploaded files and results stay at OpenAI for as long as the account keeps them (30 days if nothing else is set).
Source: the types and docstrings of the SDK ``openai`` 3.54, and OpenAI's guide to batches.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..core.errors import ModelError, TransientModelError
from ..core.messages import Reply, Request
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
from .endpoint import Json, PerLoop, as_list, as_mapping
from .openai import Backend
from .openai_http import Refused

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI
    from openai._legacy_response import LegacyAPIResponse

ENDED = ("completed", "expired", "cancelled")
MARK = "veriloop"
"""The metadata that holds our token."""


class OpenAIBatches:
    """The batch interface of a model of OpenAI's kind."""

    marks = True
    most = 50_000
    most_bytes = 200_000_000

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._endpoint = endpoint = backend.endpoint
        make = partial(_client, endpoint.url, endpoint.secret or "none")
        self._clients = PerLoop(make, lambda client: client.close())

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._clients.aclose()

    def draft(self, request: Request) -> Draft:
        """The request without what is known to be refused."""
        return Draft(request, *self._backend.prepared(request))

    async def submit(self, token: str, drafts: Mapping[str, Draft]) -> str:
        """Upload the requests and make a batch of them; only the second can cost."""
        path = f"/v1{self._backend.dialect.PATH}"
        lines = (
            json.dumps({"custom_id": custom_id(hash, token), "method": "POST", "url": path, "body": draft.body}) + "\n"
            for hash, draft in drafts.items()
        )
        data = "".join(lines).encode()
        async with self._calling(beginning=True) as client:
            file = await client.files.with_raw_response.create(file=("requests.jsonl", data), purpose="batch")
            file_id = self._id(self._data(file))
        async with self._calling(beginning=True, paid=True) as client:
            batch = await client.batches.with_raw_response.create(
                completion_window="24h", endpoint=cast(Any, path), input_file_id=file_id, metadata={MARK: token}
            )
            return self._id(self._data(batch))

    async def candidates(self, token: str, count: int, since: float) -> list[str]:
        """The batch that carries our token."""
        async with self._calling() as client:
            pages = client.batches.with_raw_response
            async for batch in listed(lambda query: pages.list(extra_query=query), "after", self._endpoint):
                created = batch.get("created_at")
                if isinstance(created, int | float) and created < since - SKEW:
                    break
                if as_mapping(batch.get("metadata")).get(MARK) == token:
                    return [self._id(batch)]
        return []

    async def progress(self, id: str) -> Progress | None:
        """How far a batch is, none where the provider does not know it."""
        from openai import NotFoundError

        async with self._calling() as client:
            try:
                data = self._data(await client.batches.with_raw_response.retrieve(id))
            except NotFoundError:
                return None
        status, counts = data.get("status"), as_mapping(data.get("request_counts"))
        done = count_of(counts.get("completed")) + count_of(counts.get("failed"))
        failure = self._refused(data) if status == "failed" else None
        return Progress(status in ENDED, done, count_of(counts.get("total")), status == "cancelled", failure)

    async def results(self, id: str) -> AsyncGenerator[tuple[str, Json], None]:
        """The lines of a batch's two files: what was answered, and what failed."""
        async with self._calling() as client:
            data = self._data(await client.batches.with_raw_response.retrieve(id))
        for name in ("output_file_id", "error_file_id"):
            if file := data.get(name):
                async with self._calling() as client, client.files.with_streaming_response.content(file) as response:
                    async for line in json_lines(response.iter_bytes(), self._endpoint):
                        yield str(line.get("custom_id")), line

    def read(self, draft: Draft, result: Json) -> Reply | None:
        """The reply in a line, or none where a parameter was refused and is left out from now on."""
        response = as_mapping(result.get("response"))
        status, body = response.get("status_code"), as_mapping(response.get("body"))
        if not response:
            raise self._unanswered(as_mapping(result.get("error")))
        if not isinstance(status, int) or status < 400:
            reply = self._backend.reply(draft.request, body, draft.notes | draft.refused)
            self._backend.learn(draft.lasting)
            return reply
        told = as_mapping(body.get("error"))
        words = str(told.get("message") or json.dumps(body))
        error = self._endpoint.refused(status, {}, words, told.get("code") == "insufficient_quota")
        if status not in (400, 422):
            raise error
        answer = Refused(words, told.get("param"), error)
        draft.body = self._backend.lessened(draft.body, answer, draft.refused, draft.lasting)
        return None

    def _unanswered(self, error: Json) -> ModelError:
        """A request that was not worked on: the batch expired or was cancelled, or the provider failed."""
        code, words = str(error.get("code")), str(error.get("message") or "")
        said = self._endpoint.say(f"{self._endpoint.url} did not answer in its batch ({code}): {words}")[:400]
        return ModelError(said) if code == "batch_cancelled" else TransientModelError(said)

    def _refused(self, data: Json) -> ModelError:
        """Why a batch failed as a whole, which costs nothing."""
        faults = [as_mapping(fault) for fault in as_list(as_mapping(data.get("errors")).get("data"))]
        first = faults[0] if faults else as_mapping(None)
        where = f" (line {first['line']})" if first.get("line") else ""
        said = (
            f"{self._endpoint.url} refuses the batch{where}: {first.get('message') or first.get('code') or 'no reason'}"
        )
        said = self._endpoint.say(said)[:400]
        if first.get("code") == "token_limit_exceeded":  # too much is queued: other batches must end first
            return TransientModelError(said, retry_after=60.0, busy=True)
        return ModelError(said)

    def _data(self, response: LegacyAPIResponse[Any]) -> Json:
        return json_object(response.http_response.content, self._endpoint)

    def _id(self, data: Json) -> str:
        id = data.get("id")
        if not isinstance(id, str) or not id:
            raise self._endpoint.broken("a batch or file without an id")
        return id

    def _calling(self, beginning: bool = False, paid: bool = False) -> AbstractAsyncContextManager[AsyncOpenAI]:
        import openai

        return calling(self._clients, self._endpoint, openai, self._failure, beginning=beginning, paid=paid)

    def _failure(self, error: APIStatusError) -> ModelError:
        told = as_mapping(error.body)
        words = error.body if isinstance(error.body, str) else str(told.get("message") or json.dumps(told))
        quota = error.code == "insufficient_quota"
        return self._endpoint.refused(error.status_code, error.response.headers, words, quota)


def _client(url: str, key: str) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAioHttpClient, Timeout

    http = DefaultAioHttpClient(timeout=Timeout(TOTAL, connect=CONNECT))
    return AsyncOpenAI(base_url=url, api_key=key, http_client=http, max_retries=0)

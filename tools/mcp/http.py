"""An MCP server behind an address (streamable HTTP), whose answers are bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx2

from .stdio import MOST, Told


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, told: Told) -> None:
        self._stream = stream
        self._told = told

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                self._told.trouble = f"it sent a message of more than {MOST:,} bytes"
                raise httpx2.ReadError(self._told.trouble)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Wire(httpx2.AsyncHTTPTransport):
    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST" and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Bounded(response.stream, self._told)
        return response


def client(headers: Mapping[str, str], seconds: float, told: Told) -> httpx2.AsyncClient:
    """A client for one server; ``told`` learns what is wrong with its answers."""
    return httpx2.AsyncClient(
        transport=_Wire(told), headers=dict(headers), timeout=httpx2.Timeout(seconds, connect=10.0)
    )

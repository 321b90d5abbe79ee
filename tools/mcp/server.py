"""An MCP server's tools as ours. Nothing is started unless a server is named; it runs with the rights of whoever named
it, not in the sandbox."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.errors import ToolError, UsageError
from ...core.messages import ToolCall, ToolSpec
from ...core.search import ToolRun
from ...core.wire import dumps

if TYPE_CHECKING:
    from mcp import Client

    from .connection import Connection
    from .stdio import Told

PAGES = 20
"""Pages of tools that are read."""
MOST_TEXT = 200_000
"""Characters of a tool's text that are kept."""

REFUSALS = (-32602, -32601)
"""JSON-RPC codes for what the call got wrong (its arguments, its name), not the server."""


class Open(NamedTuple):
    """An open connection: the SDK's client, and what the server says besides."""

    client: Client
    told: Told


class McpTools:
    """The tools of an MCP server: a command that is started (standard input and output), or an address (streamable
    HTTP). Given in ``tools``, each tool of it is offered by its own name; each candidate has a connection of its own,
    which is opened on its first call and not replayed when a run goes on: what a server does is done.

    ``env`` is added to the few variables that a started server gets, ``headers`` go with each HTTP request. A call or
    an opening takes ``seconds`` at most. Raises ``UsageError`` when the extra ``mcp`` is not installed.
    """

    def __init__(
        self,
        server: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> None:
        if find_spec("mcp") is None:
            raise UsageError("tools of MCP servers need: pip install 'veriloop[mcp]'")
        self.address = server if isinstance(server, str) and re.match("https?://", server) else ""
        try:
            self.command = [] if self.address else shlex.split(server) if isinstance(server, str) else list(server)
        except ValueError as error:
            raise UsageError(f"the MCP server {server!r} is no command: {error}") from None
        if not self.address and not self.command:
            raise UsageError("name the MCP server: a command, or an address that begins with http")
        self.name = self.address or shlex.join(self.command)
        self.env = env or {}
        self.headers = headers or {}
        self.seconds = seconds
        self.names: dict[str, str] = {}

    async def tools(self) -> list[McpTool]:
        """The server's tools, asked for once. Raises ``UsageError`` when it cannot be started or does not answer."""
        from .connection import connected

        try:
            async with connected(self.open, self.seconds) as opened, asyncio.timeout(self.seconds):
                return [McpTool(self, each) for each in await _listed(opened.client)]
        except TimeoutError:
            raise UsageError(f"the MCP server {self.name} does not list its tools: check that it works") from None
        except ToolError as error:
            raise UsageError(f"the MCP server {self.name} cannot be used: {error}") from None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Open]:
        """A connection. Raises ``ToolError``, with what the server says, where there can be none."""
        from mcp import Client

        from .connection import first
        from .stdio import Told, stdio

        told = Told()
        try:
            async with AsyncExitStack() as stack:
                if self.address:
                    from mcp.client.streamable_http import streamable_http_client

                    from .http import client as http_client

                    wire = await stack.enter_async_context(http_client(self.headers, self.seconds, told))
                    transport: Any = streamable_http_client(self.address, http_client=wire)
                else:
                    transport = stdio(self.command, self.env, told)
                client = Client(transport, read_timeout_seconds=self.seconds, cache=None)
                yield Open(await stack.enter_async_context(client), told)
        except Exception as error:
            why = first(error)
            raise why if isinstance(why, UsageError) else ToolError(_with(str(why), told)) from None


def _with(why: str, told: Told) -> str:
    """An error with what the server itself said."""
    said = str(told)
    return f"{why} ({said})" if said else why


async def _listed(client: Client) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return found


class McpTool:
    """One tool of a server."""

    def __init__(self, server: McpTools, listed: Any) -> None:
        self.spec = ToolSpec(
            re.sub(r"[^A-Za-z0-9_-]", "_", str(listed.name))[:64],  # what providers take as a name
            str(listed.description or listed.title or listed.name),
            {"type": "object", "properties": {}, **listed.input_schema},
        )
        self.seconds = server.seconds
        self.shares = f"mcp {server.name}"
        self._server = server
        server.names[self.spec.name] = str(listed.name)

    async def open(self, actions: Sequence[ToolCall] = ()) -> McpSession:
        """A session with the server, for all of its tools; recorded ``actions`` are not done again."""
        return McpSession(self._server)


class McpSession:
    """A connection to a server for one candidate."""

    def __init__(self, server: McpTools) -> None:
        self._server = server
        self._connection: Connection | None = None

    async def act(self, call: ToolCall) -> ToolRun:
        """Call a tool. Raises ``ToolError`` when the server cannot be reached, has ended or does not answer."""
        from mcp import MCPError

        from .connection import Connection

        server = self._server
        self._connection = self._connection or Connection(server.open)
        opened = await self._connection.opened(server.seconds)
        try:
            result = await opened.client.call_tool(server.names[call.name], dict(call.arguments))
        except MCPError as error:
            if error.code in REFUSALS:
                return ToolRun(call, error=str(error.error.message)[:MOST_TEXT])
            raise ToolError(_with(f"MCP server {server.name}: {error.error.message}", opened.told)) from None
        text = "\n".join(_said(part) for part in result.content)[:MOST_TEXT]
        if result.is_error:
            return ToolRun(call, error=text or "the tool failed and does not say why")
        return ToolRun(call, {"text": text or dumps(result.structured_content).decode()[:MOST_TEXT]})

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            await self._connection.close()


def _said(part: Any) -> str:
    """A part of a result as text; what is none is named."""
    if part.type == "text":
        return str(part.text)
    return f"[{part.type} {getattr(part, 'mime_type', '') or getattr(part, 'uri', '')}]".replace(" ]", "]")

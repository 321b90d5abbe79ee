"""An MCP server of the official SDK with tools that work and tools that do not: ``mcp_server.py stdio`` or
``mcp_server.py http PORT``."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from mcp.server import MCPServer

server = MCPServer("test")
seen: list[int] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool(name="count.up")
def count_up() -> str:
    """How often it was called on this server."""
    seen.append(1)
    return f"{len(seen)} times by {os.environ.get('WHO', 'nobody')}"


@server.tool()
def shout(words: str) -> str:
    """Says it loud."""
    return words.upper()


@server.tool()
def fail() -> str:
    """Raises."""
    raise ValueError("out of order")


@server.tool()
def flood(megabytes: int) -> str:
    """Says very much."""
    return "x" * (megabytes << 20)


@server.tool()
def hang() -> str:
    """Never returns."""
    subprocess.Popen(["sleep", "321"])
    time.sleep(600)
    return ""


@server.tool()
def die() -> str:
    """Ends the server."""
    print("goodbye, cruel world", file=sys.stderr, flush=True)
    os._exit(3)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))

"""An MCP server as a process: JSON lines over its standard input and output, bounded, and nothing of it left behind.

The SDK's own transport takes lines of any length; what a server sends is not to be trusted with our memory.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from ...core.errors import UsageError, plain

MOST = 8 << 20
"""Bytes of one message."""
PATIENCE = 1.0
"""Seconds that a server has to end by itself, and again when it is asked to."""
STDERR = 2000
"""Characters of a server's last words that an error tells."""


class Told:
    """What a server said on its standard error, the end of it, and what else is wrong with it."""

    def __init__(self) -> None:
        self.stderr = b""
        self.trouble = ""

    def __str__(self) -> str:
        said = " ".join(self.stderr.decode(errors="replace").split())[-STDERR:]
        return "; ".join(part for part in (self.trouble, said) if part)


@asynccontextmanager
async def stdio(command: Sequence[str], env: Mapping[str, str], told: Told) -> AsyncGenerator[tuple[Any, Any]]:
    """The streams of a server that is started here and ended at the end. Raises ``UsageError`` when it cannot start."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=get_default_environment() | dict(env),
            start_new_session=True,
            limit=MOST,
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot start the MCP server {command[0]!r}: {plain(error)}") from None
    to_us, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    work = [
        asyncio.create_task(each)
        for each in (_read(process, to_us, told), _write(process, from_us, to_us), _listen(process, told))
    ]
    try:
        yield incoming, outgoing
    finally:
        try:
            await _end(process)
        finally:
            for each in work:
                each.cancel()
            for stream in (incoming, outgoing, to_us, from_us):
                stream.close()
            await asyncio.wait(work, timeout=PATIENCE)


async def _read(process: Process, to_us: Any, told: Told) -> None:
    assert process.stdout is not None
    try:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for line in process.stdout:
                try:
                    await to_us.send(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))
                except ValueError:
                    continue  # servers print things that are no messages
    except ValueError:
        told.trouble = f"it sent a message of more than {MOST:,} bytes"
    finally:
        to_us.close()


async def _write(process: Process, from_us: Any, to_us: Any) -> None:
    assert process.stdin is not None
    try:
        async for message in from_us:
            process.stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await process.stdin.drain()
    except (OSError, anyio.ClosedResourceError):
        to_us.close()


async def _listen(process: Process, told: Told) -> None:
    assert process.stderr is not None
    while piece := await process.stderr.read(65536):
        told.stderr = (told.stderr + piece)[-2 * STDERR :]


async def _end(process: Process) -> None:
    """Close its input, ask its whole group to end, kill it; who is cancelled meanwhile kills it at once."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        for sign in (None, signal.SIGTERM, signal.SIGKILL):
            if sign is not None:
                _signal(process, sign)
            if await _ended(process):
                break
    finally:
        _signal(process, signal.SIGKILL)  # with what the server itself has left behind
        if (transport := getattr(process, "_transport", None)) is not None:  # a grandchild may hold the pipes open
            transport.close()


async def _ended(process: Process) -> bool:
    """Whether it ends in time."""
    for _ in range(int(PATIENCE / 0.01)):
        if process.returncode is not None:
            return True
        await asyncio.sleep(0.01)
    return False


def _signal(process: Process, sign: signal.Signals) -> None:
    """To its whole group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)

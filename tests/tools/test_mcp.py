"""Tools of a real MCP server, started as a process or reached over HTTP; and of servers that fail in every way."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from veriloop.core.errors import ToolError, UsageError
from veriloop.core.messages import ToolCall
from veriloop.core.search import ToolRun
from veriloop.tools.conformance import check
from veriloop.tools.mcp import McpTools
from veriloop.tools.sandbox.bait import alive
from veriloop.tools.sandbox.suite_bounds import gone

SERVER = Path(__file__).parents[1] / "mcp_server.py"
COMMAND = [sys.executable, str(SERVER), "stdio"]


@pytest.fixture
def address() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, str(SERVER), "http", str(port)], stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
        process.kill()


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest) -> McpTools:
    if request.param == "stdio":
        return McpTools(COMMAND, env={"WHO": "me"}, seconds=40)
    return McpTools(request.getfixturevalue("address"), seconds=40)


def calls(server: McpTools, *wanted: tuple[str, dict[str, Any]]) -> list[ToolRun | Exception]:
    """What one session gives for these calls."""

    async def work() -> list[ToolRun | Exception]:
        tools = {tool.spec.name: tool for tool in await server.tools()}
        session = await tools[wanted[0][0]].open()
        found: list[ToolRun | Exception] = []
        try:
            for name, arguments in wanted:
                try:
                    found.append(await session.act(ToolCall(name, arguments)))
                except ToolError as error:
                    found.append(error)
        finally:
            await session.close()
        return found

    return asyncio.run(work())


def test_a_servers_tools_are_listed_and_called(server: McpTools):
    tools = asyncio.run(server.tools())
    assert [tool.spec.name for tool in tools] == ["add", "count_up", "shout", "fail", "flood", "hang", "die"]
    assert tools[0].spec.description == "Adds two numbers."
    assert set(tools[0].spec.parameters["properties"]) == {"a", "b"}
    assert len({tool.shares for tool in tools}) == 1
    added, shouted = calls(server, ("add", {"a": 1, "b": 2}), ("shout", {"words": "hi"}))
    assert isinstance(added, ToolRun)
    assert isinstance(shouted, ToolRun)
    assert (added.output, added.error, shouted.output) == ({"text": "3"}, "", {"text": "HI"})


def test_a_started_server_keeps_its_state_within_a_session_and_gets_only_its_own_environment(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("WHO", "the user")
    twice = calls(McpTools(COMMAND, env={"WHO": "me"}), ("count_up", {}), ("count_up", {}))
    assert [run.output for run in twice if isinstance(run, ToolRun)] == [{"text": f"{n} times by me"} for n in (1, 2)]
    (bare,) = calls(McpTools(COMMAND), ("count_up", {}))
    assert isinstance(bare, ToolRun)
    assert bare.output == {"text": "1 times by nobody"}


def test_what_a_tool_raises_and_a_wrong_call_are_errors_of_the_action(server: McpTools):
    failed, wrong = calls(server, ("fail", {}), ("add", {"a": "x"}))
    assert isinstance(failed, ToolRun)
    assert isinstance(wrong, ToolRun)
    assert "fail" in failed.error
    assert "valid integer" in wrong.error
    assert not failed.broken


def test_much_text_is_cut_and_too_much_ends_the_server(server: McpTools):
    much, most = calls(server, ("flood", {"megabytes": 2}), ("flood", {"megabytes": 100}))
    assert isinstance(much, ToolRun)
    assert len(much.output["text"]) == 200_000
    assert isinstance(most, ToolError)
    assert "it sent a message of more than 8,388,608 bytes" in str(most)


def test_a_server_that_dies_midway_says_its_last_words(server: McpTools):
    died, again = calls(server, ("die", {}), ("add", {"a": 1, "b": 2}))
    assert isinstance(died, ToolError)
    assert isinstance(again, ToolError)
    if not server.address:
        assert "goodbye, cruel world" in str(died)


def test_a_server_that_hangs_is_left_and_nothing_of_it_stays():
    before = sleepers()
    start = time.monotonic()
    (hung,) = calls(McpTools(COMMAND, seconds=20), ("hang", {}))
    assert isinstance(hung, ToolError)
    assert "timed out" in str(hung)
    assert time.monotonic() - start < 60
    assert sleepers() <= before


def sleepers() -> set[str]:
    """The processes that the server's tool ``hang`` starts."""
    found: set[str] = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes() == b"sleep\x00321\x00":
                found.add(each.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("no-such-server --x", "cannot start the MCP server 'no-such-server': No such file or directory"),
        ("sh -c 'echo no licence >&2; exit 3'", "cannot be used: MCPError: Connection closed (no licence)"),
        ("sleep 600", "cannot be used: the MCP server did not answer within 1 s"),
        ("echo hello", "cannot be used"),
        ("http://127.0.0.1:9/mcp", "cannot be used: ConnectError"),
        ("'", "is no command"),
        ("", "name the MCP server"),
    ],
)
def test_what_is_no_server_is_told_in_one_line(server: str, said: str):
    with pytest.raises(UsageError) as caught:
        asyncio.run(McpTools(server, seconds=1).tools())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cancelled_call_ends_the_server():
    async def work() -> None:
        server = McpTools(COMMAND)
        tools = {tool.spec.name: tool for tool in await server.tools()}
        session = await tools["hang"].open()
        task = asyncio.create_task(session.act(ToolCall("hang", {})))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await session.close()

    before = sleepers()
    asyncio.run(work())
    assert sleepers() <= before


STUBBORN = """
import os, runpy, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.argv[1:] = ["stdio"]
try:
    runpy.run_path(os.environ["SERVER"], run_name="__main__")
finally:
    time.sleep(600)
"""


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_server_that_does_not_want_to_end_is_killed_also_when_closing_is_cancelled(cancelled: bool):
    mark = f"mark-{os.urandom(6).hex()}"

    async def work() -> None:
        server = McpTools([sys.executable, "-c", STUBBORN, mark], env={"SERVER": str(SERVER)}, seconds=40)
        (tool, *_) = await server.tools()
        session = await tool.open()
        assert (await session.act(ToolCall("add", {"a": 1, "b": 2}))).error == ""
        closing = asyncio.create_task(session.close())
        if cancelled:
            await asyncio.sleep(0.1)
            closing.cancel()
        await asyncio.wait([closing])
        assert cancelled or alive(mark) == []
        assert await gone(mark)
        await asyncio.sleep(0.1)  # its status is taken

    asyncio.run(work())


def test_an_mcp_tool_keeps_a_tools_promises():
    async def work() -> list[Any]:
        tools = {tool.spec.name: tool for tool in await McpTools(COMMAND).tools()}
        return await check(tools["add"], [ToolCall("add", {"a": 1, "b": 2})])

    assert [line for line in asyncio.run(work()) if line.outcome == "fails"] == []

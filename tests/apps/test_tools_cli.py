"""Tools on the command line."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer
from sandboxed import needs_bubblewrap

SERVER = shlex.join([sys.executable, str(Path(__file__).parents[1] / "mcp_server.py"), "stdio"])
ASK = ("solve", "What is 1 + 2?", "--model", "openai:test", "--verify", "none")


def call(name: str, **arguments: object) -> dict[str, object]:
    """A choice that calls a tool."""
    return {"message": {"tool_calls": [{"id": "c1", "function": {"name": name, "arguments": json.dumps(arguments)}}]}}


def test_the_tools_of_a_named_server_are_called_and_shown(veriloop, monkeypatch: pytest.MonkeyPatch):
    def reply(body: dict[str, Any], index: int) -> list[Any]:
        return ["It is 3."] if body["messages"][-1]["role"] == "tool" else [call("add", a=1, b=2)]

    with ChatServer(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*ASK, "--mcp", SERVER)
    assert "add" in [tool["function"]["name"] for tool in server.requests[0].body["tools"]]
    assert server.requests[1].body["messages"][-1]["content"] == "3"
    assert said.status == 0
    assert "› 0.0 add: 1; 2 → 3" in said.words
    assert "Answer It is 3." in said.words


@needs_bubblewrap
def test_start_with_python_over_an_endpoint_that_continues_no_text(veriloop, monkeypatch: pytest.MonkeyPatch):
    """The hint is a follow-up turn, the block in its answer is run, and what it printed is the next turn."""

    def reply(body: dict[str, Any], index: int) -> list[Any]:
        return [["It is 4."], ["Right.\n```python\nprint(1 + 2)\n```\nIt prints 7."], ["It is 3."]][index]

    with ChatServer(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*ASK, "--tools", "python", "--strategy", "start", "--set", "rounds=1", "--seed", "3")
    assert said.status == 0
    first, second, third = (request.body for request in server.requests)
    assert "tools" not in first
    assert first["stop"] == ["\n```\n"]
    assert [turn["role"] for turn in second["messages"]] == ["system", "user", "assistant", "user"]
    assert second["messages"][-1]["content"].startswith("Wait, ")
    assert third["messages"][-2]["content"] == "Right.\n```python\nprint(1 + 2)\n```\n"
    assert third["messages"][-1]["content"] == "```output\n3\n```\n"
    assert "hints are follow-up turns" in said.words
    assert "› 1.0 python: print(1 + 2) → 3" in said.words
    assert said.words.split("Answer")[1].split("Verdict")[0].strip().endswith("It is 3.")


def test_a_wrong_server_is_one_line_and_status_2(veriloop):
    for server, why in (("no-such-server", "No such file or directory"), ("sh -c 'exit 1'", "Connection closed")):
        said = veriloop(*ASK, "--mcp", server)
        assert said.status == 2
        assert why in said.err
        assert len(said.err.strip().splitlines()) == 1

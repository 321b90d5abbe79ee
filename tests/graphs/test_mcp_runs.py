"""The tools of an MCP server in a run: offered, shown, budgeted, and never the end of it."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import veriloop
from veriloop import Limits, Result
from veriloop.core.errors import UsageError
from veriloop.core.events import Event, Executed
from veriloop.core.messages import Capabilities, Sample, ToolCall
from veriloop.models.scripted import Scripted
from veriloop.tools.mcp import McpTools
from veriloop.tools.scripted import ScriptedTool

SERVER = [sys.executable, str(Path(__file__).parents[1] / "mcp_server.py"), "stdio"]
NAME = f"mcp:{shlex.join(SERVER)}"


def solve(*replies: str | Sample, **options: Any) -> Result:
    model = options.pop("model", None) or Scripted(replies)
    given = {"journal": False, "strategy": "single", "tools": [McpTools(SERVER, seconds=40)], "model": model}
    return asyncio.run(veriloop.asolve("What is 1 + 2?", **{**given, **options}))


def calls(name: str, **arguments: Any) -> Sample:
    return Sample("", (ToolCall(name, arguments, "c"),))


def test_a_servers_tools_are_called_natively_and_each_call_is_shown_and_counted():
    events: list[Event] = []
    model = Scripted([calls("count_up"), calls("count_up"), calls("add", a=1, b=2), "It is 3."])
    result = solve(model=model, tools=[NAME, ScriptedTool()], on_event=events.append)
    assert result.answer == "It is 3."
    shown = [event.tool_run.output for event in events if isinstance(event, Executed)]
    assert shown == [{"text": "1 times by nobody"}, {"text": "2 times by nobody"}, {"text": "3"}]  # one server
    assert [turn.text for turn in model.requests[-1].messages if turn.role == "tool"] == [o["text"] for o in shown]
    offered = [spec.name for spec in model.requests[0].tools]
    assert offered == ["add", "count_up", "shout", "fail", "flood", "hang", "die", "python"]
    assert result.spend.tool_runs == 3
    short = solve(calls("count_up"), calls("count_up"), "x", limits=Limits(tool_runs=1))
    assert (short.stopped, short.spend.tool_runs) == ("budget: tool_runs", 1)


def test_of_a_long_output_a_model_is_shown_the_head_and_the_tail():
    model = Scripted([calls("long", code="1"), "Read."])
    tool = ScriptedTool(lambda code: {"text": "first" + 9000 * "x" + "last", "artifacts": ["data"]}, "long")
    solve(model=model, tools=[tool])
    shown = model.requests[-1].messages[-1].text
    assert (shown[:5], shown[-4:]) == ("first", "last")
    assert "5009 characters left out" in shown
    assert "data" not in shown


def test_a_servers_tools_are_called_by_blocks():
    model = Scripted(
        ['Sum:\n```add\n{"a": 1, "b": 2}\n```\n', "and\n```shout\nhi\n```\n", "Done."],
        capabilities=Capabilities(prefix=True, n=True),
    )
    result = solve(model=model)
    assert result.best is not None
    outputs = [segment.text for segment in result.best.segments if segment.source == "tool"]
    assert outputs == ["```output\n3\n```\n", "```output\nHI\n\n```\n".replace("\n\n", "\n")]
    assert '"b": {"title"' in model.requests[0].messages[0].text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (calls("die"), "Connection closed (goodbye, cruel world)"),
        (calls("hang"), "timed out"),
        (calls("flood", megabytes=100), "more than 8,388,608 bytes"),
        (calls("fail"), "fail"),
        (calls("nowhere"), "there is no tool 'nowhere'"),
    ],
)
def test_a_server_that_fails_is_told_of_and_found_and_started_anew(call: Sample, said: str):
    tools = [McpTools(SERVER, seconds=20 if call.tool_calls[0].name == "hang" else 40)]  # it takes seconds to start
    model = Scripted([call, calls("add", a=1, b=2), "It is 3."])
    result = solve(model=model, tools=tools, verify=lambda answer: 1.0)
    assert result.best is not None
    first, second = result.best.tool_runs
    assert said in first.error
    assert (second.output, result.answer, result.verdict.outcome) == ({"text": "3"}, "It is 3.", "passed")
    assert "1 of 2 tool runs failed" in result.verdict.text


def test_a_run_with_a_servers_name_is_gone_on_with_by_its_id_alone():
    model = Scripted([calls("count_up"), RuntimeError("killed here")])
    with pytest.raises(veriloop.VeriloopError):
        solve(model=model, tools=[NAME], journal=True, run_id="it")
    again = Scripted([calls("count_up"), "Done."])
    result = asyncio.run(veriloop.aresume("it", model=again))
    assert result.best is not None
    assert [run.output["text"] for run in result.best.tool_runs] == ["1 times by nobody"] * 2  # not called again for it


def test_what_cannot_be_is_refused_before_the_first_call():
    model = Scripted(["x"])
    with pytest.raises(UsageError, match="cannot start the MCP server 'no-such-server'"):
        solve(model=model, tools=["mcp:no-such-server"])
    with pytest.raises(UsageError, match="two tools have the name 'add': leave one out"):
        solve(model=model, tools=[McpTools(SERVER), ScriptedTool(name="add")])
    assert model.requests == []

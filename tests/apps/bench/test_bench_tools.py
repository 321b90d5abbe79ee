"""Tools in a benchmark: offered to every arm, recorded in the plan, refused before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer

TOOL = "veriloop.tools.scripted:ScriptedTool"  # of the name python


def asked(tmp_path: Path, *more: str) -> list[str]:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    (data / "count").write_text("1 3")
    what = ["bench", "bench_sums:Sums", "--data", str(data), "--out", str(tmp_path / "out"), "--model", "openai:test"]
    return [*what, "--strategies", "single,start:rounds=1", "--concurrency", "1", *more]


def says(body: dict[str, Any], index: int) -> list[Any]:
    """Calls the tool by a block where a hint has just been given, else answers."""
    last = body["messages"][-1]["content"]
    return ["```python\n1\n```\n"] if last.startswith("Wait, ") else ["0"]


def test_each_arm_may_call_the_tools_that_are_named(veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with ChatServer(says) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*asked(tmp_path, "--tools", TOOL))
        seen = len(server.requests)
        other = veriloop(*asked(tmp_path))
        assert veriloop(*asked(tmp_path, "--tools", TOOL)).status == 0
        assert len(server.requests) == seen
    bodies = [request.body for request in server.requests]
    assert said.status == 0
    assert {tool["function"]["name"] for body in bodies for tool in body.get("tools", ())} == {"python"}
    assert len([body for body in bodies if body["messages"][-1]["content"] == "```output\nrun 1\n```\n"]) == 2
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["command"]["tools"] == [TOOL]
    assert other.status == 2
    assert f"tools {TOOL} (now none)" in other.err


def test_without_the_tool_that_it_is_made_for_a_strategy_says_so(
    veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with ChatServer(lambda body, index: ["0"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*asked(tmp_path))
    assert "start is made for the tool python, which is not given" in said.words


def test_a_tool_that_there_is_not_is_refused_before_anything_is_asked(
    veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with ChatServer(says) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*asked(tmp_path, "--tools", "pyhton"))
    assert said.status == 2
    assert "did you mean 'python'" in said.err
    assert server.requests == []

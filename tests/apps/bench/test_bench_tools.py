"""Tools in a benchmark: offered to every arm, recorded in the plan, refused before anything is asked."""

from __future__ import annotations

import json
import shlex
import sys
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer

from veriloop.apps.bench.plan import refuse_foreign
from veriloop.apps.bench.shown import command_of, facts
from veriloop.core.errors import UsageError
from veriloop.tools.sandbox.choose import UNSAFE

TOOL = "veriloop.tools.scripted:ScriptedTool"  # of the name python


SERVER = shlex.join([sys.executable, str(Path(__file__).parents[2] / "mcp_server.py"), "stdio"])


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


def test_the_command_on_the_page_asks_for_the_same_run(veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    more = ["--tools", TOOL, "--mcp", SERVER, "--strategies", "single", "--model", "judge=openai:other"]
    with ChatServer(lambda body, index: ["0"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert veriloop(*asked(tmp_path, *more, "--verify", "judge", "--limit", "1")).status == 0
        plan = json.loads((tmp_path / "out" / "plan.json").read_text())
        words = shlex.split(command_of(plan))[1:]
        again = veriloop(*(str(tmp_path / "out") if word == "OUT" else word for word in words))
    assert again.status == 0, again.err
    assert dict(facts(plan, 1, [0]))["tools"] == f"{TOOL}, mcp:{SERVER}"


def test_a_folder_of_other_things_is_left_alone(veriloop, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    said = veriloop(*asked(tmp_path))
    assert said.err == f"veriloop: {tmp_path / 'out'} holds other things (notes.txt): give a new folder as --out\n"
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["log", "run.log"])
def test_a_log_that_the_shell_has_opened_is_no_other_thing(tmp_path: Path, name: str):
    (tmp_path / name).write_text("")
    refuse_foreign(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="give another --out"):
        refuse_foreign(tmp_path / ("x" * 300))


def test_a_tool_that_there_is_not_is_refused_before_anything_is_asked(
    veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with ChatServer(says) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*asked(tmp_path, "--tools", "pyhton"))
    assert said.status == 2
    assert "did you mean 'python'" in said.err
    assert server.requests == []


def test_the_tools_of_a_named_server_are_offered_to_every_arm(
    veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with ChatServer(says) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(*asked(tmp_path, "--mcp", SERVER, "--strategies", "single"))
    assert said.status == 0, said.err
    assert all("add" in [tool["function"]["name"] for tool in request.body["tools"]] for request in server.requests)
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["command"]["tools"] == [f"mcp:{SERVER}"]


def test_unsafe_local_is_said_and_holds_for_the_run(veriloop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    seen: list[bool] = []

    def run() -> Any:
        said = veriloop(*asked(tmp_path, "--tools", TOOL, "--unsafe-local"))
        seen.append(UNSAFE.get())
        return said

    with ChatServer(lambda body, index: ["0"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = copy_context().run(run)
    assert said.status == 0
    assert "code runs without a sandbox" in said.err
    assert (seen, UNSAFE.get()) == ([True], False)

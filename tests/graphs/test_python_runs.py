"""Runs whose model calls the tool ``python`` for real: by name, across kills, and whatever its blocks do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandboxed import needs_bubblewrap

import veriloop
from veriloop import Result, Strategy
from veriloop.core.errors import UsageError
from veriloop.core.messages import Capabilities
from veriloop.models.scripted import Scripted
from veriloop.tools import make
from veriloop.tools.python import PythonTool

CAN = Capabilities(prefix=True, n=True, seed=True)
OWN = """
from veriloop.core.messages import Capabilities
from veriloop.models.scripted import Scripted
class Talker(Scripted):
    def __init__(self):
        super().__init__(["```python\\nx = 6\\nx * 7\\n```\\n", "So it is 42."], capabilities=Capabilities(prefix=True))
"""


def block(code: str) -> str:
    return f"```python\n{code}\n```\n"


def solve(*replies: str, **options: Any) -> Result:
    model = Scripted(replies, capabilities=CAN)
    return asyncio.run(veriloop.asolve("What?", **{"model": model, "strategy": "single", "journal": False, **options}))


@needs_bubblewrap
def test_a_tool_is_given_by_name():
    result = solve(block("x = 6"), block("x * 7"), "It is 42.", tools=["python"])
    assert [run.output["text"] for run in result.candidates[0].tool_runs] == ["", "42"]
    assert "42\n```\nIt is 42." in result.candidates[0].text


@needs_bubblewrap
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("import time; time.sleep(60)", "longer than 1 s"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_whatever_a_block_does_the_run_goes_on_and_the_finding_says_so(code: str, said: str):
    result = solve(block(code), "Never mind.", tools=[PythonTool(block_seconds=1.0)], verify=lambda answer: True)
    (candidate,) = result.candidates
    assert said in candidate.tool_runs[0].error
    assert any(said in finding.message for finding in candidate.verdict.findings)
    assert candidate.text.endswith("Never mind.")


@needs_bubblewrap
def test_a_block_that_prints_100_megabytes_is_shown_by_its_ends():
    result = solve(block("for _ in range(1000): print('x' * 100_000)"), "Much.", tools=["python"])
    assert "characters left out" in result.candidates[0].text
    assert len(result.candidates[0].text) < 2000


@needs_bubblewrap
def test_candidates_have_interpreters_of_their_own():
    replies = [block("n = globals().get('n', 0) + 1\nn")] * 4 + ["Once."] * 4
    result = solve(*replies, tools=["python"], strategy=Strategy.of("best_of_n", n=4), verify=lambda answer: 0.5)
    assert [c.tool_runs[0].output for c in result.candidates] == [{"text": "1"}] * 4


def test_names_that_are_no_tools_are_refused_before_a_call():
    for tools, said in ((["pyhton"], "did you mean 'python'"), ("python", "as a list"), ([3], "is not a tool")):
        with pytest.raises(UsageError, match=said):
            solve("never", tools=tools)
    assert make(tool := PythonTool()) is tool


def cli(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veriloop.apps.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **env})


@needs_bubblewrap
def test_the_command_line_gives_tools_by_name(tmp_path: Path):
    (tmp_path / "own.py").write_text(OWN)
    done = cli(tmp_path, "solve", "What?", "--model", "own:Talker", "--tools", "python", "--json")
    assert done.returncode == 0, done.stderr
    assert '"text": "42"' in done.stdout or '"text":"42"' in done.stdout


def test_without_a_sandbox_the_command_line_refuses_unless_told_otherwise(tmp_path: Path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    asked = ["solve", "What?", "--model", "own:Talker", "--tools", "python"]
    done = cli(tmp_path, *asked, PATH=str(tmp_path / "bin"))
    assert done.returncode == 2
    assert "bubblewrap is not installed" in done.stderr
    assert done.stderr.count("\n") == 1
    done = cli(tmp_path, *asked, "--unsafe-local", PATH=str(tmp_path / "bin"))
    assert done.returncode == 0, done.stderr
    assert "code runs without a sandbox" in done.stderr

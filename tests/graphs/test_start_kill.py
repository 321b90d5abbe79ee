"""A run of START whose process is killed (SIGKILL) after any step goes on, and pays for nothing twice."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sittings import die_at_writes, with_tests

import veriloop
from veriloop import Result
from veriloop.core.messages import Capabilities, Request
from veriloop.graphs.policies.start import Start
from veriloop.models.scripted import Scripted
from veriloop.tools.scripted import ScriptedTool

BLOCK = "Hm.\n```python\nx += 1\n```\n"


def reply(request: Request, seed: int) -> str:
    """Calls the tool after each hint, and answers after each output."""
    after_output = request.prefix.endswith("```\n")
    return f"It is {seed % 100}. Wait, no." if after_output or not request.prefix else BLOCK


def run(folder: Path) -> Result:
    """The run; who was asked and what was run is noted in files."""

    def asked(request: Request, seed: int) -> str:
        with (folder / "asked").open("a") as file:
            file.write(json.dumps(request.prefix[-60:]) + "\n")
        return reply(request, seed)

    def ran(code: Any) -> dict[str, str]:
        with (folder / "ran").open("a") as file:
            file.write(f"{len(code)}\n")
        return {"text": str(len(code))}

    model, tool = Scripted(asked, capabilities=Capabilities(prefix=True, seed=True)), ScriptedTool(ran)
    work = veriloop.asolve(
        "What is 1 + 1?", strategy=Start(rounds=2), model=model, tools=[tool], verify=None, run_id="it", folder=folder
    )
    return asyncio.run(work)


def texts(result: Result) -> list[str]:
    return [candidate.text for candidate in result.candidates]


@pytest.mark.parametrize("writes", range(2, 13, 2))
def test_killed_after_any_write_it_goes_on(writes: int, tmp_path: Path):
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole")
    command = [sys.executable, __file__, str(tmp_path), str(writes)]
    killed = subprocess.run(command, capture_output=True, env=with_tests(), check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    result = run(tmp_path)
    assert texts(result) == texts(whole)
    assert [run.output for run in result.candidates[2].tool_runs] == [{"text": "1"}, {"text": "2"}]
    assert (result.spend.calls, result.spend.tool_runs) == (whole.spend.calls, whole.spend.tool_runs) == (5, 2)
    for file in ("asked", "ran"):
        assert (tmp_path / file).read_text() == (tmp_path / "whole" / file).read_text()


if __name__ == "__main__":
    die_at_writes(after=int(sys.argv[2]))
    run(Path(sys.argv[1]))

"""The sync entry in a program of its own: short errors, nothing left to complain at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loopback import ChatServer

from veriloop.apps.demo import atlas


def program(folder: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A program in ``folder``, run to its end with all warnings."""
    command = [sys.executable, "-W", "default", "-c", f"import veriloop as vl\n{code}"]
    return subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)


def test_a_run_that_fails_is_told_in_short_with_its_id_and_how_to_go_on(tmp_path: Path):
    with ChatServer(lambda body, index: 401) as server:
        done = program(tmp_path, "vl.solve('Which?', model='openai:any')", OPENAI_BASE_URL=server.base_url)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("veriloop.core.errors.RunFailed: ")
    assert "does not accept the key" in lines[-1]
    assert "go on with veriloop.resume('" in lines[-1]
    assert done.stderr.count("Traceback") == 1
    assert "langgraph" not in done.stderr
    assert "Unclosed" not in done.stderr
    assert len(lines) < 12


def test_an_async_run_that_fails_is_as_short(tmp_path: Path):
    code = "import asyncio\nasyncio.run(vl.asolve('Which?', model='openai:any'))"
    with ChatServer(lambda body, index: 401) as server:
        done = program(tmp_path, code, OPENAI_BASE_URL=server.base_url)
    assert done.stderr.count("Traceback") == 1
    assert "langgraph" not in done.stderr
    assert "go on with veriloop.resume('" in done.stderr.splitlines()[-1]


def test_connections_and_processes_are_closed_at_the_end(tmp_path: Path):
    atlas.build(tmp_path / "atlas.sqlite")
    code = "print(vl.solve(vl.Task('Which?', database='atlas.sqlite'), model='openai:any').answer)"
    with ChatServer(lambda body, index: ["SELECT 'yes'"] * body.get("n", 1)) as server:
        done = program(tmp_path, code, OPENAI_BASE_URL=server.base_url)
    assert (done.returncode, done.stdout) == (0, "[['yes']]\n")
    assert "Unclosed" not in done.stderr
    assert "Event loop" not in done.stderr


def test_a_forked_child_ends_at_once(tmp_path: Path):
    code = """
import os, sys, time
from veriloop.models.scripted import Scripted
vl.solve('Which?', model=Scripted())
begun = time.monotonic()
if not os.fork():
    sys.exit(0)
os.wait()
print(time.monotonic() - begun < 3)
"""
    assert program(tmp_path, code).stdout == "True\n"

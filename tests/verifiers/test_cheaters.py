"""No code passes tests by anything but doing what they ask."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cheaters import CHEATS, HONEST, TESTS, WRONG

from veriloop import Task, Verdict
from veriloop.verifiers.code.python_tests import PythonTests
from veriloop.verifiers.code.stdin_stdout import Case, StdinStdout
from veriloop.verifiers.conformance import Everyone, reply

TASK = Task("Write add, total and pairs.", language="python")


def verdict(code: str, hidden: bool = False) -> Verdict:
    verifier = PythonTests(TESTS, hidden=hidden, seconds=3.0)
    candidate = reply(TASK, f"```python\n{code}\n```")
    return asyncio.run(verifier.verify(TASK, candidate, Everyone()))


def test_honest_code_passes() -> None:
    found = verdict(HONEST)
    assert (found.outcome, found.score, found.text) == ("passed", 1.0, "All 5 checks hold.")


def test_wrong_code_fails() -> None:
    found = verdict(WRONG)
    assert (found.outcome, found.score) == ("failed", 0.0)


@pytest.mark.parametrize("name", CHEATS)
def test_no_cheater_passes(name: str) -> None:
    found = verdict(CHEATS[name])
    assert found.outcome == "failed", f"{found}"
    assert found.score is not None
    assert found.score < 1
    assert found.text, "the finding says nothing"
    assert len(found.text) < 5000


@pytest.mark.parametrize("name", ["is equal to everything", "exits in the call", "does not return"])
def test_hidden_tests_are_not_quoted(name: str) -> None:
    said = verdict(CHEATS[name], hidden=True).text
    assert said
    assert "candidate" not in said
    assert "== 5" not in said


PROGRAMS = {
    "prints nothing and exits": "import os; os._exit(0)",
    "prints a verdict": "print('passed'); print('All 2 outputs are right.')",
    "raises SystemExit": "raise SystemExit(0)",
    "prints what it reads": "import sys; print(sys.stdin.read())",
    "prints right and fails": "print(5); raise ValueError('no')",
    "looks for the output": "import glob\nfor f in glob.glob('**', recursive=True):\n    print(open(f).read())",
    "never ends": "while True: pass",
    "prints for ever": "while True: print(5)",
    "leaves a child that prints": "import os, time\nif os.fork() == 0:\n    time.sleep(1); print(7)\n",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_cheating_program_passes(name: str) -> None:
    verifier = StdinStdout((Case("2 3\n", "5\n"), Case("3 4\n", "7\n")), seconds=3.0)
    candidate = reply(TASK, f"```python\n{PROGRAMS[name]}\n```")
    found = asyncio.run(verifier.verify(TASK, candidate, Everyone()))
    assert found.outcome == "failed", f"{found}"
    assert (found.score or 0) < 1


def test_nothing_is_written_where_the_verifier_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests.py").write_text("mine")
    verdict(CHEATS["overwrites the test files"])
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["tests.py"]
    assert (tmp_path / "tests.py").read_text() == "mine"

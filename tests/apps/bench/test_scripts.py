"""The scripts that measure: what cannot be is one line before anything is measured, and Ctrl-C says how to go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench_tasks import ROOT

SCRIPTS = ROOT / "scripts" / "bench"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"id": f"g{at}", "numbers": [4, 9, 10, 3 + at]} for at in range(10)]
    (tmp_path / "game24_enumerated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "file").touch()
    return tmp_path


def called(folder: Path, script: str, *arguments: str, before: str = "") -> tuple[int, str, str]:
    """A script's exit status, output and errors, in a process of its own in which ``before`` is run first."""
    code = f"{before}\nimport runpy, sys\nsys.argv = sys.argv[1:]\nsys.path.insert(0, {str(SCRIPTS)!r})\n"
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", code, str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


TREES = ("trees.py", "--data", ".", "--out", "out")
ABSENT = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "matplotlib" else found(name, *more)
"""


@pytest.mark.parametrize(
    ("command", "said", "before"),
    [
        ((*TREES, "--limit", "0"), "trees: argument --limit: 0: give 1 or more; see: trees.py --help", ""),
        ((*TREES, "--seeds", "0"), "trees: argument --seeds: 0: give 1 or more; see: trees.py --help", ""),
        ((*TREES, "--plot", "x.jpeg3"), "trees: no picture can be .jpeg3: give .png or .svg", ""),
        ((*TREES, "--plot", "no/x.png"), "trees: no is no folder: make it, or give another --plot", ""),
        ((*TREES, "--plot", "x.png"), "trees: pictures need matplotlib: pip install 'veriloop[bench]'", ABSENT),
        (("trees.py", "--data", "no", "--out", "out"), "trees: there is no no: give the folder", ""),
        (("tree_pictures.py", "new"), "tree_pictures: pictures need matplotlib: pip install 'veriloop[bench]'", ABSENT),
        (("tree_pictures.py", "new", "--numbers", "1 2 3"), "tree_pictures: --numbers '1 2 3': give four whole", ""),
        (("tree_pictures.py", "new", "--model", "embedded:sql"), "tree_pictures: embedded:sql writes only sql", ""),
        (("tree_pictures.py", "file/new"), "tree_pictures: Not a directory: file/new", ""),
        (("rounds.py",), "rounds: give the folders of benchmark runs", ""),
        (("rounds.py", "no"), "rounds: ", ""),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_measured(
    data: Path, command: tuple[str, ...], said: str, before: str
) -> None:
    status, out, err = called(data, *command, before=before)
    assert (status, out, len(err.splitlines())) == (2, "", 1), err
    assert err.startswith(said)
    assert not (data / "out").exists()


def test_ctrl_c_says_how_to_go_on(data: Path) -> None:
    command = [
        sys.executable,
        str(SCRIPTS / "trees.py"),
        "--data",
        str(data),
        "--out",
        str(data / "out"),
        "--seeds",
        "99",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=data) as process:
        waited = time.monotonic() + 60
        while not (data / "out" / "results.jsonl").exists() and time.monotonic() < waited:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "veriloop: interrupted; the same command goes on\n")

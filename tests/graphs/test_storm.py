"""A storm, made small: many runs against a server that refuses, breaks and stalls lose nothing, and the books agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "storm.py"


def test_all_tasks_end_and_the_books_agree_with_the_servers():
    command = [sys.executable, str(SCRIPT), "--json", "--tasks", "100", "--latency", "0.1", "--seed", "3"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["whole"] == found["ended"] == found["tasks"] == 100
    assert found["calls"] == found["server_calls"] == 400
    assert found["tokens"] == found["server_tokens"] > 0
    assert found["unsettled"] > 0

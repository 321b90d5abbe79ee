"""Small Text2SQL benchmarks made on the spot in any layout, the real ones where they lie, and a server that answers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import NO_DATA
from loopback import ChatServer, last_user_text, pick

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{NO_DATA}: put it in {DATA}, or name its folder in DATA")

FRUIT = ["apple", "bergamot", "cherry", "damson", "elderberry", "fig", "grape", "honeydew", "imbe", "jujube"]
LAYOUTS = ("ours", "spider", "bird")


def gold(number: int) -> str:
    return f"SELECT name FROM fruit WHERE number > {number}"


def rows(count: int) -> list[dict[str, Any]]:
    """Questions whose right answers differ, about two databases in turn."""
    return [
        {"id": f"q{n}", "db_id": f"shop_{n % 2}", "question": f"Which fruit is above {n}?", "gold_sql": gold(n)}
        for n in range(count)
    ]


def database(path: Path, table: str = "fruit") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE {table} (number INTEGER, name TEXT)")
    connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", list(enumerate(FRUIT)))
    connection.commit()
    connection.close()


def folder(path: Path, tasks: Sequence[Mapping[str, Any]], layout: str = "ours") -> Path:
    """A data folder of a layout, with a database for each ``db_id``."""
    names = sorted({task["db_id"] for task in tasks})
    path.mkdir(parents=True, exist_ok=True)
    if layout == "ours":
        (path / "questions.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    else:
        key, drop = ("query", ("gold_sql", "id")) if layout == "spider" else ("SQL", ("gold_sql", "id"))
        told = [{**{k: v for k, v in t.items() if k not in drop}, key: t["gold_sql"]} for t in tasks]
        if layout == "bird":
            told = [{"question_id": n, **t} for n, t in enumerate(told)]
        (path / "dev.json").write_text(json.dumps(told))
    for name in names:
        inner = {"ours": f"db/{name}", "spider": f"database/{name}/{name}", "bird": f"dev_databases/{name}/{name}"}
        database(path / f"{inner[layout]}.sqlite")
    return path


@dataclass
class Answers:
    """A reply for ``ChatServer``: a right or a wrong query, by question, seed and prompt alone; every arrival is noted.

    ``golds`` maps questions to right queries.
    """

    golds: Mapping[str, str]
    arrived: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def __call__(self, body: dict[str, Any], _index: int) -> list[Any]:
        self.arrived.append((time.monotonic(), identity(body)))
        if "response_format" in body:
            return [json.dumps({"problems": ["It may be wrong."], "advice": "Try again.", "good_enough": False})]
        question = next(m["content"] for m in body["messages"] if m["role"] == "user")
        right = self.golds[question]
        seed = body.get("seed") or 0
        choices = [right, "SELECT 1", "SELECT nothing FROM nowhere", f"SELECT * FROM ({right}) LIMIT 1"]
        return [pick(choices, seed + i, last_user_text(body)) for i in range(body.get("n") or 1)]


def identity(body: Mapping[str, Any]) -> str:
    """What tells a request from all others of a bench whose arms have temperatures of their own."""
    question = next(m["content"] for m in body["messages"] if m["role"] == "user")
    return f"{question}|{body.get('temperature')}|{body.get('seed')}"


def questions(tasks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {task["question"]: task["gold_sql"] for task in tasks}


def cells(out: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """The cells of a run without what differs between two runs: times."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for line in (out / "results.jsonl").read_text().splitlines():
        row = json.loads(line)
        del row["seconds"], row["spend"]["seconds"], row["spend"]["unsettled"]
        found[row["arm"], row["task"], row["seed"]] = row
    return found


def command(data: Path, out: Path, *more: str) -> list[str]:
    return ["bench", "text2sql", "--data", str(data), "--out", str(out), "--model", "openai:test", *more]


@dataclass
class Sitting:
    """The command in a process of its own: its exit status and what it said."""

    status: int
    out: str
    err: str


def sit(
    arguments: Sequence[str],
    server: ChatServer,
    home: Path,
    until: Callable[[], bool] | None = None,
    how: signal.Signals = signal.SIGKILL,
) -> Sitting:
    """Run ``veriloop`` to its end, or until a condition holds: then it gets a signal."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("VERILOOP_", "OPENAI_"))}
    own = {"VERILOOP_HOME": str(home), "OPENAI_BASE_URL": server.base_url}
    process = subprocess.Popen(
        [sys.executable, "-c", "from veriloop.apps.cli import main; main()", *arguments],
        env={**inherited, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if until is not None:
        threading.Thread(target=_watch, args=(process, until, how), daemon=True).start()
    out, err = process.communicate(timeout=100)
    return Sitting(process.returncode, out, err)


def _watch(process: subprocess.Popen[str], until: Callable[[], bool], how: signal.Signals) -> None:
    while process.poll() is None:
        if until():
            process.send_signal(how)
            return
        time.sleep(0.001)

"""Kills ``collect`` where it opens the store and where it moves runs, and says after each kill what there is.

Started by a test with a data folder and a place for copies. One line of JSON for each kill: ``listed`` is seen right
after it; ``moved``, ``stored`` and ``left`` (in journals) are after collecting again. Forks, so everything is imported
once.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import alembic.command  # noqa: F401

from veriloop.core.journal import read
from veriloop.core.settings import Settings
from veriloop.memory import database, runs, store

MOVING = (runs._move, runs._drop, runs._replace, store.Store.save)
OPENING = (database._upgrade, database._migrate)
CODE = [function.__code__ for function in (*MOVING, *OPENING)]
"""Killed at every second line of these that is run: each step that changes a file takes more than one."""


def collect_until(kill_at: int, settings: Settings) -> bool:
    """Collect in a child that is killed at that line; whether it came so far."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code not in CODE:
            return None
        lines += event == "line"
        if lines == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    runs.collect(settings)
    os._exit(0)


def state(settings: Settings) -> dict[str, Any]:
    """What there is after a kill, and after collecting again."""
    listed = {info.id: info.status for info in runs.list_runs(settings)}
    moved = runs.collect(settings)
    kept = store.Store.of(settings)
    found = {info.id: kept.get(info.id) for info in kept.recent()}
    journals = (settings.folder / "journals").glob("*.jsonl")
    return {
        "listed": listed,
        "moved": moved,
        "stored": {run: [r.kind for r in each[1]] for run, each in found.items() if each},
        "left": sorted({r.run for path in journals for r in read(path)}),
    }


if __name__ == "__main__":
    template, copy = map(Path, sys.argv[1:])
    kill_at, came_so_far = 1, True
    while came_so_far:
        shutil.copytree(template, copy)
        settings = Settings().model_copy(update={"home": copy})
        came_so_far = collect_until(kill_at, settings)
        if came_so_far:
            print(json.dumps(state(settings)))
        shutil.rmtree(copy)
        kill_at += 2

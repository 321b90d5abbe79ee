"""A step of a recipe: a script that runs on one core, and is not run again once it has done its work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def once(work: Path, name: str, script: Path, *arguments: object) -> None:
    """Runs a script, unless NAME.done is there; NAME.log is what it said. Raises ``CalledProcessError``."""
    done = work / f"{name}.done"
    if done.exists():
        print(f"{name} is done", flush=True)
        return
    with (work / f"{name}.log").open("w", encoding="utf-8") as log:
        print(f"{script.name} makes {name}; see {log.name}", flush=True)
        command = [sys.executable, str(script), *map(str, arguments)]
        subprocess.run(command, stdout=log, stderr=log, check=True, env={**os.environ, **ONE_CORE})
    done.touch()

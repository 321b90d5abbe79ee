"""A recipe and its steps: scripts that run on one core, and are not run again once they have done their work."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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


def recipe(about: str | None, make: Callable[[Path, int, int], None], package: Path, steps: int) -> None:
    """Reads the arguments of a recipe and makes all; with ``--install`` what it made under the name of ``package`` goes
    there."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--install", action="store_true", help="put the weights into the package")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    make(arguments.work, arguments.steps, arguments.seed)
    if arguments.install:
        shutil.copytree(arguments.work / package.name, package, dirs_exist_ok=True)

"""Where things lie inside a sandbox, and what of the host's files Python needs there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ...core.errors import UsageError

TEMP = "/tmp"
WORK = "/tmp/work"
PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")
ENVIRONMENT = {
    "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",
    "HOME": WORK,
    "TMPDIR": TEMP,
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": TEMP,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""All that a sandboxed process finds in its environment."""


def folders() -> list[str]:
    """The parts of the interpreter's own folders and its environment's, where ``/usr`` does not have them already."""
    found: list[str] = []
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix, os.path.realpath(sys.base_prefix))):
        if not Path(prefix).is_relative_to("/usr"):
            found += [path for part in PARTS if os.path.exists(path := os.path.join(prefix, part))]
    return found


def named(files: Mapping[str, bytes | str]) -> dict[str, bytes]:
    """The files by name, as bytes. Raises ``UsageError`` for a name that is none within the work folder."""
    for name in files:
        path = PurePosixPath(name)
        if not name or "\0" in name or path.is_absolute() or ".." in path.parts or str(path) == ".":
            raise UsageError(f"cannot put a file {name!r} into the sandbox: give a name relative to its work folder")
    return {name: body.encode() if isinstance(body, str) else body for name, body in files.items()}

"""The process that compares mathematical answers with math-verify, which may take for ever on hostile text.

Started as ``python -I math_worker.py PARENT SECONDS``. A line of JSON out (``{}``, or ``{"fault": ...}``), then for
each line ``{"gold": ..., "answer": ...}`` in, LaTeX without dollar signs, a line ``{"same": bool}`` out.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

MEMORY = 1 << 30
"""Bytes of address space."""


def confine(parent: int) -> None:
    """Bound the memory, write no file, and end with the parent."""
    import resource

    for name, value in (("RLIMIT_AS", MEMORY), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))
    if sys.platform == "linux":
        import ctypes
        import signal

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the parent is gone")


def comparer(seconds: int) -> Callable[[str, str], bool]:
    """What says whether two answers are the same. Only LaTeX is read: math-verify's other reader evaluates Python."""
    import math_verify

    reader = [math_verify.LatexExtractionConfig()]
    known: Any = math_verify

    def read(latex: str) -> Any:
        return known.parse(f"${latex}$", extraction_config=reader, parsing_timeout=seconds)

    def same(gold: str, answer: str) -> bool:
        return bool(known.verify(read(gold), read(answer), timeout_seconds=seconds))

    return same


def serve(lines: TextIO, out: TextIO, same: Callable[[str, str], bool]) -> None:
    """Answer each line until the input ends. What cannot be compared is not the same."""
    for line in lines:
        asked = json.loads(line)
        try:
            found = same(asked["gold"], asked["answer"])
        except Exception:
            found = False
        print(json.dumps({"same": found}), file=out, flush=True)


def main(parent: int, seconds: int) -> None:
    """Serve until the input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        same = comparer(seconds)
    except ImportError as error:
        print(json.dumps({"fault": str(error)}), file=out, flush=True)
        return
    confine(parent)
    print("{}", file=out, flush=True)
    serve(sys.stdin, out, same)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

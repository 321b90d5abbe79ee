"""Long texts cut to their head and their tail, with a line between that says how much is missing."""

from __future__ import annotations

import re

HEAD = TAIL = 400
"""Characters at both ends of a tool's output that are kept (the setting of START's author)."""
LEFT_OUT = "\n[… {} characters left out …]\n"
_CUT = re.compile(rf".{{{HEAD}}}\n\[… \d+ characters left out …\]\n.{{{TAIL}}}", re.DOTALL)


def shortened(said: str, head: int = HEAD, tail: int = TAIL) -> str:
    """``said`` without its middle, where it is longer than head and tail; what is cut already is left as it is."""
    missing = len(said) - head - tail
    if missing <= 0 or _CUT.fullmatch(said):
        return said
    return f"{said[:head]}{LEFT_OUT.format(missing)}{said[-tail:]}"

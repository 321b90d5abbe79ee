"""Does a sandbox hold? ``check`` runs code in it that tries to get out, to use it all up, to stay, and to lie.

for line in asyncio.run(check(MySandbox())): print(*line, sep="\\t")

Needs Linux, and lays bait on this machine while it runs: a file in the home folder and one in the temporary folder, a
variable, a process, servers on the loopback. What it tries is harmless where it succeeds. It takes about half a minute.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from ...core.conformance import Broken, Line, expect, lines
from .bait import Bait, bait
from .protocol import PYTHON, Bounds, Sandbox
from .suite_bounds import bounds_of
from .suite_frames import frames_of
from .suite_streams import streams_of
from .temptations import FILES, NETWORK, POWERS, PRELUDE

SNIPPETS = {**NETWORK, **FILES, **POWERS}
QUICK = Bounds(seconds=15.0)


async def check(sandbox: Sandbox, tell: Callable[[str], None] = lambda name: None) -> list[Line]:
    """A line for each promise; ``tell`` is told the name of each before it is tried. Never raises for the sandbox."""
    with bait() as laid:
        probes: dict[str, Callable[[], Awaitable[str]]] = {
            name: partial(_tempted, sandbox, laid, name, code) for name, code in SNIPPETS.items()
        }
        probes |= bounds_of(sandbox) | streams_of(sandbox) | frames_of(sandbox)
        found: list[Line] = []
        for name, probe in probes.items():
            tell(name)
            found += await lines({name: probe})
        return found


async def _tempted(sandbox: Sandbox, laid: Bait, name: str, code: str) -> str:
    """Run a snippet; it must end well, and leave the host as it was."""
    done = await sandbox.run([PYTHON, "-I", "-S", "-c", PRELUDE + code], stdin=laid.json, bounds=QUICK)
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    if touched := laid.touched():
        raise Broken(touched)
    killed = name == "signals to all" and done.status == 137
    expect(done.status == 0 or killed, said or f"it ended with {done.status} {done.why}")
    return "; ".join(dict.fromkeys(done.stdout.decode(errors="replace").split("\n"))).strip("; ")

"""One action of an attempt: recorded before it is used, within limits, and never the end of the attempt, whatever its
tool does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from ..core.errors import told
from ..core.events import Executed
from ..core.messages import ToolCall
from ..core.protocols import Session
from ..core.search import Finding, ToolRun
from ..core.seeds import fingerprint
from ..core.wire import decode, dumps, encode, to_bytes
from .run import Run

SECONDS = 60.0
"""How long an action may take, unless its tool says how long in ``seconds``."""
GRACE = 5.0
"""Seconds beyond what a tool says, and those that it has to end when it is told to."""
LARGEST = 1 << 20
"""Bytes of an action's output, as JSON."""
FINDINGS = 3
"""Failed tool runs that a verdict tells of."""

T = TypeVar("T")


async def act(
    run: Run, attempt: str, call: ToolCall, ran: tuple[ToolRun, ...], sessions: dict[str, Session], asked: bool
) -> ToolRun:
    """One tool run of an attempt, recorded. What a model ``asked`` for never raises: what the tool does wrong is the
    run's error. Else (the candidate's own artifact) it raises what the tool raises."""
    key = f"{attempt}/{len(ran)}"
    hash = fingerprint(to_bytes(call)).hex() if run.log.active else ""
    found = None if run.log.replaying else run.log.get("tool", key, hash)
    if found is not None:
        done = decode(ToolRun, found)
    elif call.name not in run.tools:
        done = ToolRun(call, error=f"there is no tool {call.name!r}; there are: {', '.join(run.tools) or 'none'}")
    else:
        run.budget.take_tool_run()
        work = _safely if asked else _plainly
        done = await work(run, call, ran, sessions)
        if run.log.active:
            run.log.put("tool", key, done, hash, t=run.budget.seconds)
    run.emit(Executed, f"executed/{key}", attempt=attempt, tool_run=done)
    return done


async def _plainly(run: Run, call: ToolCall, ran: tuple[ToolRun, ...], sessions: dict[str, Session]) -> ToolRun:
    session = await run.session(call.name, sessions, ran)
    return decode(ToolRun, encode(await session.act(call)))  # as plain as it will be read back


async def _safely(run: Run, call: ToolCall, ran: tuple[ToolRun, ...], sessions: dict[str, Session]) -> ToolRun:
    """The tool's run, or what went wrong with the tool: it is then opened anew for the next action."""
    seconds = getattr(run.tools[call.name], "seconds", None)
    limit = SECONDS if seconds is None else seconds + GRACE
    try:
        done = await within(limit, _plainly(run, call, ran, sessions))
    except TimeoutError:
        error = f"the tool {call.name} did not end within {limit:g} s"
    except Exception as raised:
        error = f"the tool {call.name} failed: {told(raised)}"[:2000]
    else:
        size = len(dumps(done.output))
        if size <= LARGEST:
            return done
        error = f"the tool {call.name} gave {size:,} bytes: {LARGEST:,} are the most"
    if (session := sessions.pop(run.shared(call.name), None)) is not None:
        with suppress(Exception):
            await within(GRACE, session.close())
    return ToolRun(call, error=error, broken=True)


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives, or ``TimeoutError``: also where it does not end when it is cancelled (then it is left)."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)


def findings(ran: Sequence[ToolRun]) -> tuple[Finding, ...]:
    """What a verdict tells of tool runs that failed; none where all went well."""
    failed = list(dict.fromkeys(f"{run.call.name}: {' '.join(run.error.split())[:200]}" for run in ran if run.error))
    if not failed:
        return ()
    bad = sum(bool(run.error) for run in ran)
    said = "; ".join(failed[:FINDINGS])
    return (Finding("tools", None, f"{bad} of {len(ran)} tool runs failed: {said}"),)

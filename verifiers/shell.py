"""Any command as a verifier: ``verify="shell:./check.sh"``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import Process
from dataclasses import dataclass
from typing import Any

from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task

LONGEST = 4000


@dataclass(frozen=True)
class Shell:
    """Runs ``command`` with the candidate as JSON on its standard input (question, answer, artifact, text).

    Exit status 0 is passed, any other failed; what it prints is the feedback. A last line of JSON such as
    ``{"score": 0.4}`` gives a score. A command that is not found or outlasts ``seconds`` is an infrastructure error.
    It is the user's own command and runs as such: the candidate reaches it as data only, never on its command line.
    """

    command: str
    seconds: float = 60.0

    @property
    def name(self) -> str:
        """``shell:`` and the command."""
        return f"shell:{self.command}"

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Run the command once."""
        data = {"question": task.question, "answer": candidate.answer, "artifact": candidate.artifact}
        process = await self._start()
        try:
            body = json.dumps({**data, "text": candidate.text}, default=str).encode()
            async with asyncio.timeout(self.seconds):
                output, _ = await asyncio.gather(_tail(process.stdout), _feed(process.stdin, body))
                await process.wait()
        except TimeoutError:
            return self._broken(f"{self.command} did not end within {self.seconds:g} s")
        finally:
            await _stop(process)
        text = output.decode(errors="replace").strip()
        if process.returncode in (126, 127):
            return self._broken(text or f"{self.command} cannot be run")
        return self._verdict(process.returncode == 0, text)

    async def _start(self) -> Process:
        """Start the command. Cancelled midway, asyncio may wait for the command's end (python/cpython#103847)."""
        pipe = asyncio.subprocess.PIPE
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_shell(
                self.command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, start_new_session=True
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _stop(await starting)
            raise

    def _verdict(self, passed: bool, text: str) -> Verdict:
        body, _, last = text.rpartition("\n")
        score = float(passed)
        with contextlib.suppress(ValueError, TypeError, KeyError):
            said: Any = json.loads(last)
            score = min(1.0, max(0.0, float(said["score"])))
            text = body
        findings = (Finding("shell", score, text),) if text else ()
        return Verdict("passed" if passed else "failed", score, findings, self.name)

    def _broken(self, why: str) -> Verdict:
        return Verdict("infra_error", None, (Finding("shell", None, why),), self.name)


async def _tail(stream: asyncio.StreamReader | None) -> bytes:
    """The end of what a command prints, however much it is."""
    assert stream
    kept = b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-LONGEST:]
    return kept


async def _feed(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    """Write all of ``data``, or as much as the command reads."""
    assert stream
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _stop(process: Process) -> None:
    """Kill the command with all that it left behind, and close its pipes, which what fled the group may still hold."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (0, 1):
        process._transport.get_pipe_transport(pipe).close()  # type: ignore[reportPrivateUsage]
    await process.wait()

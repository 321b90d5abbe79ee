"""Any command as a verifier: ``verify="shell:./check.sh"``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from asyncio.subprocess import Process
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task

LONGEST = 4000
NEARLY = 0.99
_PROGRAM = re.compile(r"(?!\d+[<>])[\w./+-]+(?=\s*(?:$|[\n;|&<>])|\s+[^\s(])")
"""The first word of a command, where that alone says what is run."""


@dataclass(frozen=True)
class Shell:
    """Runs ``command`` with the candidate as JSON on its standard input (question, answer, artifact, text).

    Exit status 0 is passed, any other failed; what it prints is the feedback. A last line of JSON such as
    ``{"score": 0.4}`` gives a score if the status is 0 or 1; that of a failed candidate is at most 0.99. The line does
    not count if it stands in the candidate, so a check that prints what it read gives nobody the score they wrote; one
    that prints it in other words should end with a line of its own. A command that is not found or outlasts ``seconds``
    is an infrastructure error. It is the user's own command and runs as such: the candidate reaches it as data only,
    never on its command line.
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
        return self._verdict(process.returncode, text, candidate)

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

    def _verdict(self, status: int | None, text: str, candidate: Candidate) -> Verdict:
        body, _, last = text.rpartition("\n")
        passed, score = status == 0, float(status == 0)
        said = None if status not in (0, 1) or _echoed(last, candidate) else _said(last)
        if said is not None:
            score, text = min(1.0 if passed else NEARLY, max(0.0, said)), body
        findings = (Finding("shell", score, text),) if text else ()
        return Verdict("passed" if passed else "failed", score, findings, self.name)

    def _broken(self, why: str) -> Verdict:
        return Verdict("infra_error", None, (Finding("shell", None, why),), self.name)


def made(command: str) -> Shell:
    """The verifier of a command (``shell:COMMAND``). Raises ``UsageError`` for none, and for a first word that is no
    program; how the rest of a line goes only the shell can say."""
    if not (command := command.strip()):
        raise UsageError("verifier 'shell:' has no command: give one, as in shell:./check.sh")
    if (first := _PROGRAM.match(command)) and not _runs(first[0]):
        there = "may not be executed (chmod +x)" if os.path.isfile(first[0]) else "is no program that can be found"
        raise UsageError(f"verifier 'shell:{command}': {first[0]} {there}; give a command, as in shell:./check.sh")
    return Shell(command)


def _runs(word: str) -> bool:
    """Whether the shell can run a word: a program, or something that it has itself (``cd``, ``if``)."""
    if "/" in word:
        return shutil.which(word) is not None
    asked = ("/bin/sh", "-c", 'command -v "$1"', "sh", word)
    return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _said(line: str) -> float | None:
    """The score in a line of JSON."""
    with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        said: Any = json.loads(line)
        return float(said["score"])
    return None


def _echoed(line: str, candidate: Candidate) -> bool:
    """Whether a line stands in the candidate, however it is spaced."""
    wanted = "".join(line.split())
    parts = (json.dumps(part, default=str) for part in (candidate.answer, candidate.artifact))
    return any(wanted in "".join(text.split()) for text in (candidate.text, *parts))


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

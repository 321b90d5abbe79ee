"""Python as a tool: blocks of one program, run in a sandbox, one interpreter a candidate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import path as search_path

from ...core.errors import ToolError
from ...core.messages import ToolCall, ToolSpec
from ...core.search import ToolRun
from ..sandbox import PYTHON, Bounds, Inside, Sandbox, sandbox
from . import interpreter
from .reply import Reply, read

SECONDS = 30.0
"""How long a block may take."""
REBUILD_SECONDS = 60.0
"""How long it may take to run earlier blocks again, all together."""
MOST_CODE = 100_000
SESSION = Bounds(
    seconds=86_400.0,
    cpu_seconds=900.0,
    memory=2 << 30,
    processes=64,
    file_bytes=64 << 20,
    disk_bytes=256 << 20,
    output_bytes=64 << 10,
)
"""What a candidate's interpreter may use from its start to its end; the time of a block is bounded besides."""
SPEC = ToolSpec(
    "python",
    "Run a block of Python and see what it prints and the value of its last line. Variables stay for the next block. "
    "There is no network; files written to the current folder and figures of matplotlib are kept.",
    {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The block: statements, or an expression to see."}},
        "required": ["code"],
        "additionalProperties": False,
    },
)


class PythonTool:
    """The tool ``python``: ``{"code": …}`` gives ``{"text", "artifacts", "table"}``, the last two where there are any.

    ``text`` is what was printed and the value of a last expression, cut to its head and its tail. ``artifacts`` are
    figures and files (name, media type, size, base64 data), ``table`` a table of pandas (columns, rows, row count).
    A block that raises is an error of the action: the text ends with the traceback. One that takes longer than
    ``block_seconds``, or dies, ends the interpreter; the next block finds the variables as they were before it.

    ``box`` is the sandbox (default: the one that ``sandbox()`` finds), ``files`` lie in the work folder.
    """

    spec = SPEC

    def __init__(
        self,
        box: Sandbox | None = None,
        *,
        block_seconds: float = SECONDS,
        bounds: Bounds = SESSION,
        files: Mapping[str, bytes | str] | None = None,
        unsafe_local: bool = False,
    ) -> None:
        self._box = box
        self._unsafe = unsafe_local
        self.block_seconds = block_seconds
        self.bounds = bounds
        self.files = files or {}

    @property
    def seconds(self) -> float:
        """How long an action may take: the interpreter may have to be brought back before it."""
        return self.block_seconds + REBUILD_SECONDS

    @property
    def box(self) -> Sandbox:
        """The sandbox. Raises ``UsageError`` with the install hint when there is none."""
        if self._box is None:
            self._box = sandbox(self._unsafe)
        return self._box

    async def ready(self) -> None:
        """Raises ``UsageError`` when there is no sandbox to run code in."""
        _ = self.box

    async def open(self, actions: Sequence[ToolCall] = ()) -> PythonSession:
        """A session in which the blocks of ``actions`` have run: they run again before its first block."""
        codes = [code for call in actions if isinstance(code := call.arguments.get("code"), str)]
        return PythonSession(self, [code for code in codes if not _refusal(code)])


@dataclass(frozen=True, slots=True)
class Died:
    """A block that took the interpreter with it: why, in words."""

    why: str


class PythonSession:
    """One candidate's interpreter: started for the first block, brought back after one that it died of."""

    def __init__(self, tool: PythonTool, blocks: list[str]) -> None:
        self._tool = tool
        self._blocks = blocks
        self._inside: Inside | None = None
        self._number = 0

    async def act(self, call: ToolCall) -> ToolRun:
        """Run the call's block. Raises ``ToolError`` or ``UsageError`` for what is not the block's fault."""
        code = call.arguments.get("code")
        if not isinstance(code, str):
            return ToolRun(call, error='give the argument "code": the text of a block')
        if refusal := _refusal(code):
            return ToolRun(call, error=refusal)
        try:
            if self._inside is None:
                await self._rebuild()
            started = time.perf_counter()
            given = await self._run(code)
        except BaseException:  # cancelled midway, the next block must not find this one at work, or half of the state
            await self._end()
            raise
        seconds = time.perf_counter() - started
        if isinstance(given, Died):
            return ToolRun(call, error=given.why, seconds=seconds, broken=True)
        self._blocks.append(code)
        return ToolRun(call, given.output, "" if given.ok else given.text or "it failed", seconds)

    async def close(self) -> None:
        """End the interpreter; nothing of it is left."""
        await self._end()

    async def _end(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            await inside.close()

    async def _start(self) -> None:
        tool = self._tool
        if tool.box.name == "docker":
            command = [PYTHON, "-c", _source()]
        else:
            command = [PYTHON, "-S", "-s", "-c", _source(), *_installed()]
        self._inside = await tool.box.start(command, files=tool.files, bounds=tool.bounds)
        self._number = 0

    async def _rebuild(self) -> None:
        """Start an interpreter and run the earlier blocks again; one that it dies of this time is left out."""
        deadline = time.perf_counter() + REBUILD_SECONDS
        while self._inside is None:
            await self._start()
            for place, code in enumerate(self._blocks[:]):
                given = await self._run(code, deadline - time.perf_counter())
                if isinstance(given, Died):
                    if time.perf_counter() >= deadline:
                        raise ToolError(f"earlier blocks took longer than {REBUILD_SECONDS:g} s to run again")
                    del self._blocks[place]
                    break

    async def _run(self, code: str, most: float | None = None) -> Reply | Died:
        """One block, at most ``most`` seconds long; a reply to another one (they can be forged) is passed over."""
        inside = self._inside
        assert inside is not None
        self._number += 1
        limit = self._tool.block_seconds if most is None else max(0.0, min(most, self._tool.block_seconds))
        deadline = time.perf_counter() + limit
        try:
            await inside.send(f"{self._number}\n{code}".encode())
            while True:
                reply = read(await inside.receive(max(0.0, deadline - time.perf_counter())))
                if reply is not None and reply.number == self._number:
                    return reply
        except TimeoutError:
            await self._end()
            return Died(f"the block ran longer than {limit:g} s and was stopped; variables are as they were before it")
        except EOFError:
            return await self._died()

    async def _died(self) -> Died:
        inside, self._inside = self._inside, None
        assert inside is not None
        ended = await inside.close()
        causes = {
            "memory": "it took too much memory",
            "cpu": "it took too much CPU time",
            "output": "it printed too much",
            "time": "its time was over",
        }
        why = causes.get(ended.why) or (f"exit status {ended.status}" if ended.status is not None else "it broke off")
        return Died(f"the interpreter ended ({why}); variables are as they were before the block")


def _refusal(code: str) -> str:
    """The error for what cannot even be sent."""
    if len(code) > MOST_CODE:
        return f"the block is {len(code)} characters long; the limit is {MOST_CODE}"
    if not code.isascii() and any("\ud800" <= c <= "\udfff" for c in code):
        return "the block contains characters that are not valid Unicode"
    return ""


@lru_cache(maxsize=1)
def _source() -> str:
    return Path(interpreter.__file__).read_text()


def _installed() -> list[str]:
    """The folders of installed packages: added by hand, because the module ``site`` takes longer than all the rest."""
    return [path for path in search_path if path.endswith(("site-packages", "dist-packages"))]

"""Checks of what goes into a sandbox and what comes out: status, streams, files, clock."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from ...core.conformance import expect
from ...core.errors import UsageError
from .protocol import PYTHON, Bounds, Ended, Sandbox

MIB = 1 << 20
QUICK = Bounds(seconds=20.0, output_bytes=256 << 10, memory=256 << 20)
EVERY_BYTE = bytes(range(256)) * 40
UNICODE = "größe/データ Ω.txt"
LINKS = """
import os
os.symlink('/etc/passwd', 'link.txt')
os.symlink('/', 'folder')
os.mkdir('real')
open('real/own.txt', 'w').write('own')
os.symlink('real/own.txt', 'inner.txt')
os.symlink('real', 'linked')
try:
    os.link('/etc/ld.so.cache', 'hard.txt')
except OSError:
    pass
try:
    os.link('/proc/self/environ', 'environ.txt')
except OSError:
    pass
"""
ODD = """
import os, signal, socket
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
os.mkfifo('fifo')
with socket.socket(socket.AF_UNIX) as one:
    one.bind('socket')
try:
    with open('sparse', 'w') as file:
        file.truncate(1 << 40)
except OSError:
    pass
open('secret', 'w').close()
os.chmod('secret', 0)
open('plain', 'w').write('plain')
"""
NAMES = """
import os
for name in (b'a\\nb', b'-rf', b'\\xff\\xfe', b'..x', b' '):
    open(name, 'wb').write(b'x')
"""
BARRIER = """
import os, sys, time
assert os.listdir('.') == [], os.listdir('.')
assert not os.path.exists('/tmp/mine'), 'the other one is here'
open('mine', 'w').write(sys.argv[1])
open('/tmp/mine', 'w').write(sys.argv[1])
time.sleep(0.5)
print(open('mine').read(), open('/tmp/mine').read(), end='')
"""
CLOSED = """
import os, time
os.close(1)
os.close(2)
time.sleep(0.3)
open('later', 'w').write('done')
"""


def streams_of(sandbox: Sandbox) -> dict[str, Callable[[], Awaitable[str]]]:
    """The checks, by name."""
    suite = _Suite(sandbox)
    return {
        "exit status": suite.status,
        "death by signal": suite.signals,
        "missing command": suite.missing,
        "input": suite.stdin,
        "no input": suite.no_stdin,
        "input that nobody reads": suite.unread,
        "two streams": suite.two,
        "huge output": suite.huge,
        "endless output": suite.endless,
        "flood of errors": suite.flood,
        "binary output": suite.binary,
        "invalid utf-8": suite.invalid,
        "closed output": suite.closed,
        "files in": suite.files_in,
        "names that lead out": suite.bad_names,
        "files out": suite.files_out,
        "links": suite.links,
        "odd files": suite.odd,
        "odd names": suite.odd_names,
        "large file": suite.large,
        "many files": suite.many,
        "state is not kept": suite.state,
        "two at a time": suite.apart,
        "clock": suite.clock,
        "python": suite.python,
    }


class _Suite:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def _run(
        self, code: str, *given: str, stdin: bytes = b"", bounds: Bounds = QUICK, wanted: Sequence[str] = ()
    ) -> Ended:
        command = [PYTHON, "-I", "-S", "-c", code, *given]
        return await self.sandbox.run(command, stdin=stdin, bounds=bounds, wanted=wanted)

    async def status(self) -> str:
        found = [(await self._run(f"raise SystemExit({n})")).status for n in (0, 3, 255)]
        expect(found == [0, 3, 255], f"0, 3 and 255 came back as {found}")
        return "0, 3, 255"

    async def signals(self) -> str:
        found = [(await self._run(f"import os; os.kill(os.getpid(), {n})")).status for n in (9, 11)]
        expect(found == [137, 139], f"signals 9 and 11 came back as {found}")
        return "137, 139"

    async def missing(self) -> str:
        done = await self.sandbox.run(["no-such-command-here"], bounds=QUICK)
        expect(done.status == 127, f"it ended with {done.status} {done.why!r}")
        return "127"

    async def stdin(self) -> str:
        given = EVERY_BYTE * 500
        code = "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), end='')"
        done = await self._run(code, stdin=given)
        from hashlib import sha256

        expect(done.stdout.decode() == sha256(given).hexdigest(), "what arrived is not what was given")
        return f"{len(given) >> 20} MiB"

    async def no_stdin(self) -> str:
        done = await self._run("import sys; print(sys.stdin.read() == '')", bounds=Bounds(seconds=5.0))
        expect(done.stdout == b"True\n", f"it ended with {done.status} {done.why!r}: it waits for input")
        return "ends at once"

    async def unread(self) -> str:
        done = await self._run("print('done')", stdin=b"x" * (8 * MIB), bounds=Bounds(seconds=5.0))
        expect((done.status, done.stdout) == (0, b"done\n"), f"it ended with {done.status} {done.why!r}")
        return "left unread"

    async def two(self) -> str:
        done = await self._run("import sys; print('out'); print('err', file=sys.stderr)")
        expect((done.stdout, done.stderr) == (b"out\n", b"err\n"), f"it gave {done.stdout!r} and {done.stderr!r}")
        return "apart"

    async def huge(self) -> str:
        code = "import sys\nsys.stdout.write('first')\nfor _ in range(100): sys.stdout.write('x' * (1 << 17))\n"
        done = await self._run(f"{code}print('last')")
        expect(done.cut, "it is not said that something was left out")
        expect(len(done.stdout) <= QUICK.output_bytes + 200, f"{len(done.stdout)} bytes were kept")
        expect(done.stdout.startswith(b"first"), "the head is lost")
        expect(bool(done.why) or done.stdout.endswith(b"last\n"), "the tail is lost")
        return f"{len(done.stdout)} bytes kept of 13 million"

    async def endless(self) -> str:
        done = await self._run("while True: print('x' * 10000)", bounds=Bounds(seconds=3.0, output_bytes=MIB))
        expect(done.why in ("output", "time", "cpu"), f"it ended with {done.status} {done.why!r}")
        expect(done.cut and len(done.stdout) <= MIB + 200, f"{len(done.stdout)} bytes were kept")
        return f"{done.why}, after {done.seconds:.1f} s"

    async def flood(self) -> str:
        code = "import sys\nfor _ in range(4000): sys.stderr.write('x' * 1000)\nprint('done')"
        done = await self._run(code)
        expect(done.stdout == b"done\n", f"it ended with {done.status} {done.why!r}")
        expect(done.cut and len(done.stderr) <= QUICK.output_bytes + 200, f"{len(done.stderr)} bytes were kept")
        return f"{len(done.stderr)} bytes kept of 4 million"

    async def binary(self) -> str:
        done = await self._run("import sys; sys.stdout.buffer.write(bytes(range(256)) * 40)")
        expect(done.stdout == EVERY_BYTE, "bytes were changed")
        return "every byte as it was"

    async def invalid(self) -> str:
        done = await self._run("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\xed\\xa0\\x80'); sys.exit(4)")
        expect((done.status, done.stdout) == (4, b"\xff\xfe\xed\xa0\x80"), f"it gave {done.status} {done.stdout!r}")
        return "taken as bytes"

    async def closed(self) -> str:
        done = await self._run(CLOSED, wanted=["later"])
        expect(done.files.get("later") == b"done", f"it was not waited for: {done.status} {done.why!r}")
        return "waited for its end"

    async def files_in(self) -> str:
        code = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read() + open('a/b/c', 'rb').read())"
        files = {UNICODE: EVERY_BYTE, "a/b/c": "text é", "empty": b""}
        done = await self.sandbox.run([PYTHON, "-I", "-S", "-c", code, UNICODE], files=files, bounds=QUICK)
        expect(done.stdout == EVERY_BYTE + "text é".encode(), f"it ended with {done.status} {done.stderr[-200:]!r}")
        return "bytes, text, folders, unicode"

    async def bad_names(self) -> str:
        for name in ("../x", "/x", "a/../../x", "", ".", "a\0b"):
            try:
                await self.sandbox.run(["true"], files={name: b""}, bounds=QUICK)
            except UsageError:
                continue
            expect(False, f"a file {name!r} was taken")
        return "refused"

    async def files_out(self) -> str:
        code = "import os, sys\nos.makedirs('größe')\nopen(sys.argv[1], 'wb').write(bytes(range(256)) * 40)\n"
        done = await self._run(code + "open('other', 'w').write('no')\nsys.exit(6)", UNICODE, wanted=["*.txt"])
        expect(done.status == 6, f"it ended with {done.status} {done.why!r} {done.stderr[-200:]!r}")
        expect(done.files == {UNICODE: EVERY_BYTE}, f"it gave {list(done.files)}")
        return "those that were asked for, and the status"

    async def links(self) -> str:
        done = await self._run(LINKS, wanted=["*"])
        expect(done.files.get("real/own.txt") == b"own", f"it ended with {done.status} {done.stderr[-200:]!r}")
        expect(set(done.files) == {"real/own.txt"}, f"it gave {sorted(done.files)}")
        return "not followed"

    async def odd(self) -> str:
        done = await self._run(ODD, wanted=["*"])
        expect(done.files.get("plain") == b"plain", f"it ended with {done.status} {done.why!r} {done.stderr[-200:]!r}")
        expect(sum(map(len, done.files.values())) < MIB, "a file of nothing was read whole")
        return "left out"

    async def odd_names(self) -> str:
        done = await self._run(NAMES, wanted=["*"])
        expect(done.status == 0, f"it ended with {done.status} {done.why!r} {done.stderr[-200:]!r}")
        bad = [
            n
            for n in done.files
            if n.startswith("/") or ".." in n.split("/") or (not n.isprintable() and "\n" not in n)
        ]
        expect(not bad, f"it gave {bad}")
        return f"{len(done.files)} of 5"

    async def large(self) -> str:
        code = "open('large', 'wb').write(bytes(range(256)) * (20 << 12))"
        done = await self._run(code, wanted=["large"])
        expect(done.files.get("large") == bytes(range(256)) * (20 << 12), f"it ended with {done.status} {done.why!r}")
        return "20 MiB"

    async def many(self) -> str:
        code = "import os\nfor n in range(3000): open(f'file-{n}', 'w').write(str(n))"
        done = await self._run(code, wanted=["file-*"])
        expect(done.status == 0, f"it ended with {done.status} {done.why!r}")
        right = all(body.decode() == name[5:] for name, body in done.files.items())
        expect(right and 0 < len(done.files) <= 3000, f"{len(done.files)} came back")
        return f"{len(done.files)} of 3000"

    async def state(self) -> str:
        await self._run(
            "for p in ('here', '/tmp/there', '/dev/shm/x'):\n try: open(p, 'w').close()\n except OSError: pass"
        )
        code = "import os; print([p for p in ('here', '/tmp/there', '/dev/shm/x') if os.path.exists(p)], end='')"
        done = await self._run(code)
        expect(done.stdout == b"[]", f"a later run sees {done.stdout.decode()}")
        return "a run sees nothing of an earlier one"

    async def apart(self) -> str:
        found = await asyncio.gather(*(self._run(BARRIER, name) for name in ("one", "two", "three")))
        said = [done.stdout.decode() or done.stderr.decode()[-200:] for done in found]
        expect(said == ["one one", "two two", "three three"], f"they gave {said}")
        return "three at a time, each alone"

    async def clock(self) -> str:
        code = "import time\na, b = time.time(), time.monotonic()\ntime.sleep(0.2)\nprint(a, time.monotonic() - b)"
        before = time.time()
        done = await self._run(code)
        wall, slept = map(float, done.stdout.split())
        expect(before - 2 <= wall <= time.time() + 2, f"its clock is {wall - before:.1f} s off")
        expect(0.19 <= slept < 5, f"a sleep of 0.2 s took {slept:.2f} s")
        return "right"

    async def python(self) -> str:
        done = await self._run("import json, math, sys; print(sys.version.split()[0])")
        expect(done.status == 0, done.stderr.decode(errors="replace")[-200:])
        return f"{done.stdout.decode().strip()} (here {sys.version.split()[0]})"

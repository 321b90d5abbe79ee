"""Checks of a process that is talked to: frames both ways, lies on the channel, its end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from ...core.conformance import Broken, expect
from .protocol import CONTROL, MOST_FRAME, PYTHON, Bounds, Inside, Sandbox
from .suite_bounds import LINGER, gone

QUICK = Bounds(seconds=20.0)
WAIT = 10.0
TALK = f"""
import os, sys, time
def get():
    head = sys.stdin.buffer.read(4)
    return None if len(head) < 4 else sys.stdin.buffer.read(int.from_bytes(head, 'big'))
def put(data):
    data = len(data).to_bytes(4, 'big') + data
    while data:
        data = data[os.write({CONTROL}, data):]
"""
ECHO = """
while (data := get()) is not None:
    put(data[::-1])
"""
NOISY = """
while (data := get()) is not None:
    print('noise ' * 1000, flush=True)
    print('noise ' * 1000, file=sys.stderr, flush=True)
    put(data)
"""


def frames_of(sandbox: Sandbox) -> dict[str, Callable[[], Awaitable[str]]]:
    """The checks, by name."""
    suite = _Suite(sandbox)
    return {
        "frames": suite.echo,
        "many frames": suite.many,
        "a huge frame": suite.huge,
        "no frame": suite.garbage,
        "half a frame": suite.half,
        "silence": suite.silence,
        "noise beside frames": suite.noise,
        "end of a talk": suite.end,
        "time of a talk": suite.time,
        "close of a talk": suite.close,
    }


class _Suite:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def _start(self, code: str, *given: str, bounds: Bounds = QUICK) -> Inside:
        return await self.sandbox.start([PYTHON, "-I", "-S", "-c", TALK + code, *given], bounds=bounds)

    async def echo(self) -> str:
        talk = await self._start(ECHO)
        try:
            for size in (0, 1, 70_000, 3_000_000):
                data = secrets.token_bytes(size)
                sending = asyncio.ensure_future(talk.send(data))
                expect(await talk.receive(WAIT) == data[::-1], f"a frame of {size} bytes came back changed")
                await sending
        finally:
            await talk.close()
        return "up to 3 MB, both ways"

    async def many(self) -> str:
        talk = await self._start(ECHO)
        try:
            for number in range(200):
                await talk.send(str(number).encode())
            found = [await talk.receive(WAIT) for _ in range(200)]
        finally:
            await talk.close()
        expect(found == [str(n).encode()[::-1] for n in range(200)], "they came back in another order")
        return "200, in order"

    async def _refused(self, code: str) -> str:
        talk = await self._start(code)
        try:
            try:
                await talk.receive(WAIT)
            except EOFError as error:
                return str(error)
            raise Broken("it was taken for a frame")
        finally:
            await talk.close()

    async def huge(self) -> str:
        return await self._refused(f"os.write({CONTROL}, b'\\xff\\xff\\xff\\xff'); time.sleep(5)")

    async def garbage(self) -> str:
        return await self._refused(f"os.write({CONTROL}, b'Traceback (most recent call last)'); time.sleep(5)")

    async def half(self) -> str:
        return await self._refused(f"os.write({CONTROL}, b'\\0\\0\\0\\x09half')")

    async def silence(self) -> str:
        talk = await self._start("get(); time.sleep(0.6); put(b'late')")
        try:
            await talk.send(b"")
            try:
                await talk.receive(0.2)
            except TimeoutError:
                pass
            else:
                raise Broken("a silent process was heard")
            expect(await talk.receive(WAIT) == b"late", "after a time-out the next frame is lost")
        finally:
            await talk.close()
        return "told, and nothing is lost"

    async def noise(self) -> str:
        talk = await self._start(NOISY)
        try:
            for number in range(20):
                await talk.send(str(number).encode())
                expect(await talk.receive(WAIT) == str(number).encode(), "what is printed disturbs the frames")
        finally:
            ended = await talk.close()
        expect(b"noise" in ended.stdout, "what was printed is lost")
        return f"{len(ended.stdout)} bytes printed beside 20 frames"

    async def end(self) -> str:
        talk = await self._start("put(b'bye'); print('last'); sys.exit(7)")
        try:
            expect(await talk.receive(WAIT) == b"bye", "its last frame is lost")
            try:
                await talk.receive(WAIT)
            except EOFError:
                pass
            else:
                raise Broken("it was heard after its end")
            await asyncio.sleep(0.1)
            try:
                for _ in range(3):
                    await talk.send(b"x" * 100_000)
            except EOFError:
                pass
            else:
                raise Broken("it was talked to after its end")
        finally:
            ended = await talk.close()
        expect((ended.status, ended.why) == (7, ""), f"it ended with {ended.status} {ended.why!r}")
        expect(ended.stdout == b"last\n", f"it printed {ended.stdout[:100]!r}")
        return "told, with its status"

    async def time(self) -> str:
        started = time.perf_counter()
        talk = await self._start("time.sleep(60)", bounds=Bounds(seconds=1.0))
        try:
            await talk.receive(WAIT)
        except EOFError:
            pass
        finally:
            ended = await talk.close()
        expect(ended.why == "time", f"it ended with {ended.status} {ended.why!r}")
        return f"ended after {time.perf_counter() - started:.1f} s of 1"

    async def close(self) -> str:
        mark = secrets.token_hex(8)
        talk = await self._start(LINGER, mark, "60")
        await asyncio.sleep(0.3)
        first, second = await asyncio.gather(talk.close(), talk.close())
        expect(first.why == "closed" and first == second, f"it ended with {first.status} {first.why!r}")
        expect(await gone(mark), "something of it is still there")
        expect(MOST_FRAME >= 1 << 20, "frames are too small")
        return "all of it is gone"

"""Headless chromium over its debugging pipe: the standard library is enough, no port is opened."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def found() -> str | None:
    """Where chromium is, if anywhere."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """A page of a running browser. ``errors`` is what it complained about: exceptions, logged errors, refused loads."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._pending = write, read, b""
        self._number, self._session = 0, ""
        self.errors: list[str] = []
        self.loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **given: Any) -> Any:
        """One command of the DevTools protocol and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']['message']}")
                return said["result"]
            self._take(said)

    def _next(self) -> Any:
        while b"\0" not in self._pending:
            data = os.read(self._read, 1 << 20)
            if not data:
                raise RuntimeError("chromium ended")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\0")
        return json.loads(line)

    def _take(self, said: Any) -> None:
        method, given = said.get("method"), said.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(given["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.errors.append(given["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not given["request"]["url"].startswith(
            ("file:", "data:", "blob:")
        ):
            self.errors.append(f"asked for {given['request']['url']}")
        elif method == "Page.loadEventFired":
            self.loaded = True

    def open(self, path: Path, width: int = 1280, dark: bool = False, height: int = 900) -> None:
        """Open a file in a window of that width, and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self._take(self._next())

    def run(self, script: str) -> Any:
        """The value of an expression; of a promise, what it comes to."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"].get("exception", {}).get("description", "exception"))
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true, 20 seconds at most."""
        script = f"""new Promise((done, fail) => {{ const end = Date.now() + 20000; const look = () => {{
            if ({condition}) done(true);
            else if (Date.now() > end) fail(new Error("not so: " + {json.dumps(condition)}));
            else setTimeout(look, 30); }}; look(); }})"""
        self.run(script)

    def picture(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **({} if not whole else self._clip()))
        path.write_bytes(base64.b64decode(shot["data"]))

    def _clip(self) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own in ``folder``."""
    program = found()
    assert program is not None
    inward, outward = os.pipe(), os.pipe()
    given, taken = (fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (inward[0], outward[1]))

    def plumb() -> None:
        os.dup2(given, 3)
        os.dup2(taken, 4)

    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
    command += [f"--user-data-dir={folder / 'profile'}", "--no-first-run", "--disable-dev-shm-usage"]
    process = subprocess.Popen(
        command, preexec_fn=plumb, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for fd in (inward[0], outward[1], given, taken):
        os.close(fd)
    try:
        page = Page(inward[1], outward[0])
        yield page
        page.call("Browser.close")
    finally:
        process.terminate()
        process.wait(10)
        os.close(inward[1])
        os.close(outward[0])

"""What the backends share: a command run to its end, or started and talked to, once a tree of it can be launched."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from .protocol import DEFAULT, NOTHING, Bounds, Ended
from .tree import Talk, Tree, complete, opened


class Backend:
    """A ``Sandbox`` out of one way to launch a tree."""

    async def launch(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes | str],
        bounds: Bounds,
        wanted: Sequence[str] = (),
        control: bool = False,
    ) -> Tree:
        """A tree under way. ``wanted`` are patterns of files to bring back; with ``control``, standard error is the
        control channel, and the command's own goes where its output goes. Raises ``ToolError``."""
        raise NotImplementedError

    async def run(
        self,
        command: Sequence[str],
        *,
        files: Mapping[str, bytes | str] = NOTHING,
        stdin: bytes = b"",
        bounds: Bounds = DEFAULT,
        wanted: Sequence[str] = (),
    ) -> Ended:
        """See ``Sandbox``."""
        started = time.perf_counter()
        tree = await opened(self.launch(command, files, bounds, wanted))
        return await complete(tree, stdin, bounds, started)

    async def start(
        self, command: Sequence[str], *, files: Mapping[str, bytes | str] = NOTHING, bounds: Bounds = DEFAULT
    ) -> Talk:
        """See ``Sandbox``."""
        started = time.perf_counter()
        tree = await opened(self.launch(command, files, bounds, control=True))
        return Talk(tree, bounds, started)

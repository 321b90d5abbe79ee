"""What the tests of sandboxes share: whether there is bubblewrap, and a stand-in for the docker client."""

from __future__ import annotations

from pathlib import Path

import pytest

from veriloop.tools.sandbox.bubblewrap import Bubblewrap

TROUBLE = Bubblewrap().trouble()
needs_bubblewrap = pytest.mark.skipif(bool(TROUBLE), reason=f"{TROUBLE} (apt install bubblewrap)")


def stand_in(folder: Path) -> str:
    """A ``docker`` that writes down how it was called, and runs what the container would on this machine."""
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\necho "$1 $2 $3" >> {folder}/log\n[ "$1" = rm ] && exit 0\n'
        'while [ "$1" != image ]; do shift; done\nshift\nexec "$@"\n'
    )
    program.chmod(0o755)
    return str(program)

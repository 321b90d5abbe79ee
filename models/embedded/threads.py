"""One thread for numpy's products while an embedded model computes.

Its matrices are so small that further threads only wait for each other, and on busy cores that takes many times longer.
The setting is the whole process's, so it is made for as long as a batch takes and then put back. Where another thread
of the process controls it, it stays as that one wants it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_thread() -> Generator[None]:
    """Within, numpy multiplies with one thread."""
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        for library in _controller().lib_controllers:
            # whoever sets a limit keeps control until it lets go
            getattr(library, "clear_controlling_thread", int)()


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

"""Sandboxes for code that nobody trusts: bubblewrap, Docker, or (only when told to) none."""

from .choose import sandbox
from .local import UnsafeLocal
from .protocol import CONTROL, FRAME, MOST_FRAME, PYTHON, Bounds, Ended, Inside, Sandbox

__all__ = ["CONTROL", "FRAME", "MOST_FRAME", "PYTHON", "Bounds", "Ended", "Inside", "Sandbox", "UnsafeLocal", "sandbox"]

"""What was submitted and under which id: a small JSON file for each open batch, so that no process pays for it twice.

A receipt is written before its batch is submitted, and again with the provider's id. One without an id is of a
submission that was cut: nobody knows whether it arrived.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import UsageError, plain

KEPT = 48 * 3600.0
"""Seconds after which a receipt is of no use: batches end within 24 h."""


@dataclass(eq=False)
class Receipt:
    """One batch of a model at an address. ``requests`` are those whose results nobody has got yet, by their hash, with
    notes of what was left out. ``id`` is the provider's, ``token`` ours, ``created`` in seconds since the epoch."""

    folder: Path
    model: str
    address: str
    token: str
    created: float
    requests: dict[str, dict[str, str]]
    id: str = ""

    @classmethod
    def new(cls, folder: Path, model: str, address: str, requests: Mapping[str, dict[str, str]]) -> Receipt:
        """A receipt, not yet written, of a batch that is yet to be submitted."""
        return cls(folder, model, address, uuid.uuid4().hex[:16], time.time(), dict(requests))

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.token}.json"

    @property
    def outdated(self) -> bool:
        """Whether it is too old to be of use."""
        return time.time() - self.created > KEPT

    def save(self) -> None:
        """Write the file as it is now, all or nothing."""
        data = asdict(self)
        del data["folder"]
        draft = self.path.with_suffix(".tmp")
        with draft.open("w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def receipts(folder: Path, model: str, address: str) -> list[Receipt]:
    """The open batches of a model, the newest first; those that are of no use any more are cleared away."""
    found: list[Receipt] = []
    for path in folder.glob("*.json"):
        receipt = _read(path)
        if receipt is not None and receipt.outdated:
            receipt.remove()
        elif receipt is not None and (receipt.model, receipt.address) == (model, address):
            found.append(receipt)
    return sorted(found, key=lambda receipt: receipt.created, reverse=True)


def _read(path: Path) -> Receipt | None:
    """None if another process has just removed it. Raises ``UsageError`` for another file: to skip it could cost."""
    try:
        return Receipt(path.parent, **json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError):
        raise UsageError(f"{path} is not a receipt of a batch: remove it") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {plain(error)}") from None


@asynccontextmanager
async def locked(folder: Path) -> AsyncGenerator[None]:
    """Alone among all who submit with this folder. Who holds it knows that a receipt without an id was left behind."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            if _taken(file):
                break
            await asyncio.sleep(0.1)
        yield
    finally:
        os.close(file)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Keys from the environment, or from a file that it names, as container platforms hand them out."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import UsageError, plain


def secret(setting: str, given: str | None = None) -> str:
    """The key: ``given``, else the environment variable ``setting``, else what stands in the file that
    ``SETTING_FILE`` names. Empty where there is none.

    Raises ``UsageError`` for a file that cannot be read or is empty, and for characters that no key has.
    """
    file = f"{setting}_FILE"
    key, source = (given or os.environ.get(setting) or "").strip(), setting
    if not key and (path := os.environ.get(file)):
        key, source = _read(file, path), f"the file of {file}"
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"{source} holds characters that no key has: copy it again")
    return key


def _read(setting: str, path: str) -> str:
    # The path is not shown: some put the key itself there.
    try:
        key = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"{setting} names a file that cannot be read: {plain(error)}") from None
    if not key:
        raise UsageError(f"{setting} names an empty file: put the key there")
    return key

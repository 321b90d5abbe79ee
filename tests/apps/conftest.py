"""The command as its user calls it, in a folder with a database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veriloop.apps.cli import main
from veriloop.apps.demo import atlas
from veriloop.graphs.record import journal_in


class Said:
    """What a command printed and its exit status."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """What it printed, however the lines were broken."""
        return " ".join(self.out.split())


@pytest.fixture
def veriloop(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Runs a command in a folder with ``atlas.sqlite``; each call is a process of its own to the journal."""
    monkeypatch.chdir(tmp_path)
    atlas.build(tmp_path / "atlas.sqlite")

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["veriloop", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        journal_in(home).close()
        journal_in.cache_clear()
        printed = capsys.readouterr()
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return call

"""Parts of the user's own that break: one line on the command line, and a way to see where."""

from __future__ import annotations

from pathlib import Path

import pytest

PARTS = """
from veriloop.core.messages import Capabilities
class Broken:
    name = "broken"
    capabilities = Capabilities()
    def __init__(self): raise RuntimeError("no\\nway")
class Unready:
    name = "unready"
    capabilities = Capabilities()
    def ready(self): raise RuntimeError("not now")
    async def generate(self, request): raise AssertionError("called")
class Policy:
    def propose(self, search): raise KeyError("mine")
    def select(self, search): return None
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--model", "own:Broken"], "model 'own:Broken' cannot be made: RuntimeError: no way"),
        (["--model", "own:Unready"], "RuntimeError: not now; to see where: python -X dev -m veriloop.apps.cli"),
        (["--strategy", "own:Policy", "--db", "atlas.sqlite"], "KeyError: 'mine'"),
    ],
)
def test_a_part_that_breaks_is_one_line(veriloop, monkeypatch, arguments: list[str], expected: str):
    Path("own.py").write_text(PARTS)
    monkeypatch.syspath_prepend(".")
    said = veriloop("solve", "Which?", *arguments)
    assert said.status == 2
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err


DOCUMENTED = '''
from dataclasses import dataclass
from typing import Literal
class Silent:
    def propose(self, search): return []
    def select(self, search): return None
@dataclass(frozen=True)
class Plain(Silent):
    width: int = 3
    way: Literal["up", "down"] = "up"
@dataclass(frozen=True)
class Told(Plain):
    """
    Goes on until
    it ends.

        a block
        of lines
    """
'''


def test_a_strategy_of_ones_own_is_shown_with_what_it_says(veriloop, monkeypatch):
    Path("told.py").write_text(DOCUMENTED)
    monkeypatch.syspath_prepend(".")
    silent, plain, told = (veriloop("strategies", "show", f"told:{name}").out for name in ("Silent", "Plain", "Told"))
    assert silent == "told:Silent\n"
    assert [line.split() for line in plain.splitlines()] == [
        ["told:Plain"],
        ["parameter", "default", "kind"],
        ["width", "3", "int"],
        ["way", "up", "up", "|", "down"],
    ]
    assert "\n\nGoes on until it ends.\n\n    a block\n    of lines\n\nparameter" in told

"""Names become objects, and what is wrong with a name is said in one line."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from veriloop.core import registry
from veriloop.core.errors import UsageError
from veriloop.core.registry import load, resolve

KNOWN = {"json": "json:dumps", "lost": "json:nothing"}


def test_a_known_name_an_import_path_and_a_nested_name_are_found():
    assert resolve("verifier", "json", KNOWN) is json.dumps
    assert resolve("verifier", "json:loads", KNOWN) is json.loads
    assert load("json.decoder:JSONDecoder.decode") is json.JSONDecoder.decode


def test_an_installed_packages_entry_point_is_found(monkeypatch: pytest.MonkeyPatch):
    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        return [EntryPoint(name, "json:loads", group)] if (group, name) == ("veriloop.verifier", "theirs") else []

    monkeypatch.setattr(registry, "entry_points", entry_points)
    assert resolve("verifier", "theirs", KNOWN) is json.loads


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("magic", "unknown verifier 'magic'; known: json, lost, or give package.module:Name"),
        ("", "unknown verifier ''"),
        ("json.dumps", "unknown verifier 'json.dumps'"),
        (":", "cannot load ':'"),
        ("lost", "cannot load 'json:nothing'"),
        ("json:", "cannot load 'json:'"),
        ("no.such.module:Name", "cannot load 'no.such.module:Name': No module named 'no'"),
        ("json:dumps.more", "cannot load 'json:dumps.more'"),
        ("json.decoder:JSONDecoder.more", "cannot load 'json.decoder:JSONDecoder.more'"),
        (".json:dumps", "cannot load '.json:dumps'"),
        (" json:dumps", "cannot load ' json:dumps'"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_in_one_line(name: str, line: str):
    with pytest.raises(UsageError) as refused:
        resolve("verifier", name, KNOWN)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("jsn", "unknown verifier 'jsn' (did you mean 'json'?); known: json, lost, shell:COMMAND, or give"),
        ("LOST", "unknown verifier 'LOST' (did you mean 'lost'?)"),
        ("shel:./check", "cannot load 'shel:./check': No module named 'shel'"),
    ],
)
def test_a_name_that_is_spelled_wrong_gets_the_one_that_may_be_meant(name: str, line: str):
    with pytest.raises(UsageError) as refused:
        resolve("verifier", name, KNOWN, ["shell:COMMAND"])
    assert str(refused.value).startswith(line)
    assert "did you mean" in str(refused.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def check(:", "SyntaxError: invalid syntax (half_written.py, line 1)"),
        ("{}['colour']", "KeyError: 'colour'"),
        ("raise RuntimeError('one\\ntwo')", "RuntimeError: one two"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import not_there_at_all", "No module named 'not_there_at_all'"),
    ],
)
def test_what_a_module_raises_while_it_is_imported_is_told_in_one_line(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "half_written.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("theirs", "half_written:check", "veriloop.verifier")
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry])  # type: ignore[reportUnknownLambdaType]
    for call in (lambda: load("half_written:check"), lambda: resolve("verifier", "theirs", KNOWN)):
        with pytest.raises(UsageError) as refused:
            call()
        assert str(refused.value).startswith(f"cannot load 'half_written:check': {said}")
        assert "\n" not in str(refused.value)


def test_a_module_in_the_current_folder_is_found_and_shadows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_own_checks.py").write_text("from my_own_helper import yes as check")
    (tmp_path / "my_own_helper.py").write_text("def yes(answer): return True")
    (tmp_path / "json.py").write_text("loads = None")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    before = list(sys.path)
    assert load("my_own_checks:check")("four")
    assert load("json:loads") is json.loads
    with pytest.raises(UsageError, match="No module named 'my_own_nothing'"):
        load("my_own_nothing:check")
    assert sys.path == before

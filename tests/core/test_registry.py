"""Names become objects, and what is wrong with a name is said in one line."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from typing import Any

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


def test_what_a_module_raises_while_it_is_imported_is_the_authors(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "half_written_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        load("half_written_module:check")

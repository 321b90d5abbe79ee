"""Keys: from an argument, the environment, or a file that it names; never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from veriloop.core.errors import UsageError
from veriloop.models.anthropic import Anthropic
from veriloop.models.secrets import secret

CANARY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A_KEY", "A_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_no_key_is_empty():
    assert secret("A_KEY") == ""


def test_the_argument_comes_before_the_variable_and_the_variable_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "key").write_text(" from-file \n")
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    assert secret("A_KEY") == "from-file"
    monkeypatch.setenv("A_KEY", " from-variable\n")
    assert secret("A_KEY") == "from-variable"
    assert secret("A_KEY", "given") == "given"


def test_a_file_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(CANARY)
    monkeypatch.setenv("A_KEY_FILE", "~/key")
    assert secret("A_KEY") == CANARY


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", "schlüssel".encode(), b"one\ntwo", b"two words"])
def test_a_file_that_holds_no_key_is_an_error(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(UsageError, match="A_KEY_FILE"):
        secret("A_KEY")


@pytest.mark.parametrize("path", ["missing", CANARY, "~nobody-has-this-name/key", "a\0b"])
def test_a_file_that_cannot_be_read_is_an_error_that_shows_no_key(path: str, monkeypatch: pytest.MonkeyPatch):
    if "\0" in path:
        monkeypatch.setattr("os.environ", {"A_KEY_FILE": path})
    else:
        monkeypatch.setenv("A_KEY_FILE", path)
    with pytest.raises(UsageError, match="A_KEY_FILE names a file that cannot be read") as caught:
        secret("A_KEY")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        secret("A_KEY")


@pytest.mark.parametrize("key", ["sk-…", "a\nb", f"{CANARY} twice", "a\tb"])
def test_odd_characters_are_an_error_that_shows_no_key(key: str):
    with pytest.raises(UsageError, match="A_KEY holds characters that no key has") as caught:
        secret("A_KEY", key)
    assert "canary" not in str(caught.value)


def test_a_model_reads_its_key_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    (tmp_path / "key").write_text(f"{CANARY}\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "key"))
    Anthropic("m").ready()
    assert CANARY not in repr(vars(Anthropic("m")))

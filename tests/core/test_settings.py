"""Settings: the environment over a file, and a word about what is wrong with either."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from veriloop.core.errors import UsageError
from veriloop.core.settings import Settings, load


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_without_file_or_environment_there_are_defaults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VERILOOP_HOME")
    settings = load()
    assert (settings.model, settings.prices, settings.home) == ("embedded:sql", {}, None)
    assert settings.folder.name == "veriloop"


def test_a_file_in_the_current_folder_is_read(folder: Path):
    write(folder / "veriloop.toml", 'model = "openai:x"\n[prices."openai:x"]\ninput = 1.5\noutput = 6\n')
    settings = load()
    assert settings.model == "openai:x"
    assert (settings.prices["openai:x"].input, settings.prices["openai:x"].output) == (1.5, 6)


def test_a_variable_names_another_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    write(folder / "veriloop.toml", 'strategy = "single"')
    monkeypatch.setenv("VERILOOP_SETTINGS", str(write(folder / "other.toml", 'strategy = "best_of_n"')))
    assert load().strategy == "best_of_n"
    monkeypatch.setenv("VERILOOP_SETTINGS", "")
    assert load().strategy == "single"


def test_the_environment_goes_before_the_file_and_arguments_before_both(folder: Path, monkeypatch: pytest.MonkeyPatch):
    write(folder / "veriloop.toml", 'strategy = "single"\nmodel = "openai:file"')
    monkeypatch.setenv("VERILOOP_STRATEGY", "iad")
    assert (load().strategy, load().model) == ("iad", "openai:file")
    assert Settings(strategy="best_of_n").strategy == "best_of_n"


def test_a_change_is_seen_by_the_next_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    file = write(folder / "veriloop.toml", 'strategy = "single"')
    assert load().strategy == "single"
    write(file, 'strategy = "iad"')
    os.utime(file, ns=(1, 1))
    assert load().strategy == "iad"
    monkeypatch.setenv("VERILOOP_STRATEGY", "self_refine")
    assert load().strategy == "self_refine"
    file.unlink()
    monkeypatch.delenv("VERILOOP_STRATEGY")
    assert load() == load()
    assert load().strategy == Settings().strategy


def test_the_home_folder_may_be_written_with_a_tilde(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_HOME", "~/data")
    assert load().folder == Path.home() / "data"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("home = 'x'\nmodel = ]", ["settings in veriloop.toml: ", "line 2"]),
        ("modle = 'x'", ["veriloop.toml", "there is no setting 'modle' (did you mean 'model'?)", "model"]),
        ("model = 3", ["setting 'model'", "veriloop.toml or VERILOOP_MODEL", "valid string"]),
        ("[prices.x]\ninput = 'much'\noutput = 1", ["setting 'prices.x.input'", "valid number"]),
        ("[prices.x]\ninput = 1", ["setting 'prices.x.output'", "VERILOOP_PRICES)", "Field required"]),
    ],
)
def test_what_is_wrong_in_the_file_is_named(folder: Path, text: str, words: list[str]):
    write(folder / "veriloop.toml", text)
    with pytest.raises(UsageError) as refused:
        load()
    for word in words:
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LIMITS", '{"openai:m": {"requests_per_minute": 0}}', "requests_per_minute is 0: give a number of 1 or more"),
        ("LIMITS", '{"openai:m": {"concurrency": -1}}', "concurrency is -1"),
        ("PRICES", '{"openai:m": {"input": -1, "output": 1}}', "input is -1.0: give a number of 0 or more"),
        ("PRICES", '{"openai:m": {"input": 1, "output": 1, "cache": 1}}', "cache"),
        ("TIMEOUTS", '{"conect": 1}', "there is no 'conect' (did you mean 'connect'?); there are connect, first_token"),
        ("TIMEOUTS", '{"idle": 0}', "idle is 0.0: give seconds above 0"),
    ],
)
def test_numbers_that_cannot_be_are_refused(monkeypatch, name: str, value: str, words: str):
    monkeypatch.setenv(f"VERILOOP_{name}", value)
    with pytest.raises(UsageError) as caught:
        load()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_SETTINGS", "nowhere.toml")
    with pytest.raises(UsageError, match=r"settings file nowhere.toml does not exist; VERILOOP_SETTINGS names it"):
        load()


def test_a_folder_is_no_settings_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_SETTINGS", str(folder))
    with pytest.raises(UsageError, match=r"settings file .* is a folder; VERILOOP_SETTINGS names it"):
        load()


def test_a_file_that_is_no_text_is_named(folder: Path):
    (folder / "veriloop.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"cannot read the settings in veriloop.toml: it is no UTF-8 text"):
        load()


def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_PRICES", "cheap")
    with pytest.raises(UsageError, match=r"VERILOOP_PRICES cannot be read, it must be JSON: Expecting value"):
        load()


def test_a_variable_that_is_spelled_wrong_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILOOP_MODLE", "openai:x")
    with pytest.raises(UsageError, match=r"no setting VERILOOP_MODLE \(did you mean 'VERILOOP_MODEL'\?\); there are"):
        load()
    monkeypatch.delenv("VERILOOP_MODLE")
    assert load().model == "embedded:sql"

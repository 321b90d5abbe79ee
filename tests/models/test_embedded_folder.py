"""An embedded model may lie in any folder; a folder of another form is refused with the name to write instead."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tiny_embedded import READ, made

from veriloop.core.errors import UsageError
from veriloop.core.messages import Message, Request
from veriloop.models import named
from veriloop.models.embedded import Embedded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("models") / "mine", 300)


def test_a_path_is_a_model_under_that_name(folder: Path):
    model = named(f"embedded:{folder}")
    request = Request(messages=(Message("user", READ[0]),), temperature=0.0, max_tokens=5)
    assert model.name == f"embedded:{folder}"
    texts = [asyncio.run(each.generate(request)).samples[0].text for each in (model, Embedded("mine", folder))]
    assert texts[0] == texts[1]


def test_a_path_is_read_from_where_one_stands(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parent)
    assert Embedded("mine").capabilities.only == "text"


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_a_folder_lacks_is_named(tmp_path: Path, lost: str):
    path = made(tmp_path / "mine", 300)
    (path / lost).unlink()
    with pytest.raises(UsageError, match=rf"{path} holds no {lost}; give the folder of an embedded model"):
        Embedded(str(path))


def test_a_name_that_is_neither_says_what_there_is():
    said = r"unknown embedded model 'sqll' \(did you mean 'sql'\?\); known: .*sql.*or give the path of a folder"
    with pytest.raises(UsageError, match=said):
        Embedded("sqll")


def test_a_config_that_cannot_be_read_is_named(tmp_path: Path):
    path = made(tmp_path / "mine", 300)
    for content in ("{", "[1]", '{"kind": "verse"}'):
        (path / "config.json").write_text(content)
        with pytest.raises(UsageError, match=r"config\.json"):
            Embedded(str(path))


def test_each_form_refuses_the_other(tmp_path: Path):
    path = made(tmp_path / "mine", 300)
    with pytest.raises(UsageError, match=rf"names no model_type; is it an embedded model\? Write embedded:{path}"):
        named(f"transformers:{path}").ready()  # type: ignore[attr-defined]
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(UsageError, match=rf"is a model for transformers: write transformers:{path}"):
        named(f"embedded:{path}")

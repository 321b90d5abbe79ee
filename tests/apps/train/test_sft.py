"""Fine-tuning: what is learned is learned, weights come back in the form they had, and a kill costs no more than the
steps since the last checkpoint."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hinted import record
from safetensors.numpy import load_file
from tiny_embedded import made
from tiny_model import make_tokenizer, save, sizes

from veriloop.apps.train.export import chat, pieces
from veriloop.apps.train.records import write
from veriloop.apps.train.sft import Order, Quiet, exported, sft, split
from veriloop.core.errors import UsageError
from veriloop.core.messages import Message, Request
from veriloop.core.search import Segment
from veriloop.models.embedded import Embedded
from veriloop.models.local import Transformers

TEXTS = ("```python\n47 * 36\n```\n", "```output\n1692\n```\n", "So there are 1692.\n#### 1692")
pytestmark = pytest.mark.timeout(300)


def learnable(folder: Path, problems: int = 6) -> Path:
    """A folder with exported chats: the same text for every problem."""
    segments = (Segment("It is 3."), Segment("\n\nWait,", "hint"), *map(Segment, TEXTS))
    segments = (*segments[:3], Segment(TEXTS[1], "tool"), segments[4])
    folder.mkdir(parents=True, exist_ok=True)
    chats: list[dict[str, Any]] = []
    for number in range(problems):
        asked = ({"role": "user", "content": f"How many pencils are in {number} boxes?"},)
        one = record(problem=f"p{number}", segments=segments, hint="wait", paraphrase="", messages=asked)
        chats.append(chat(one, list(pieces(one, "act"))))
    write(folder / "sft.jsonl", chats)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return learnable(tmp_path / "out")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with random weights that writes in float16, and a file that a training has to leave as it is."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    tokenizer = make_tokenizer()
    config = LlamaConfig(**sizes(tokenizer), max_position_embeddings=256, tie_word_embeddings=True)
    folder = save(tmp_path_factory.mktemp("llama"), LlamaForCausalLM(config).to(torch.float16), tokenizer)
    (folder / "NOTES.md").write_text("mine")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("small"), 400)


def command(out: Path, to: Path, model: str, *more: str) -> list[str]:
    how = ["--epochs", "20", "--rate", "0.01", "--batch", "4", "--at-once", "2"]
    return ["train", "sft", str(out), "--model", model, "--out", str(to), *how, *more]


def written(model: Any) -> str:
    asked = Message("user", "How many pencils are in 2 boxes?")
    request = Request(messages=(asked,), temperature=0.0, max_tokens=60, stop=("```\n",))
    return asyncio.run(model.generate(request)).samples[0].text


def test_a_transformers_model_learns_to_begin_as_the_texts_do(veriloop, out: Path, llama: Path, tmp_path: Path):
    to = tmp_path / "new"
    assert "```python" not in written(Transformers(str(llama)))
    said = veriloop(*command(out, to, f"transformers:{llama}", "--json"))
    assert said.status == 0, said.err
    assert written(Transformers(str(to))).startswith("```python\n47 * 36\n")
    losses = said.json["held_out_loss"]
    assert losses[-1] < losses[0] / 4
    assert (said.json["texts"], said.json["held_out"], said.json["too_long"]) == (5, 1, 0)
    assert {str(each.dtype) for each in load_file(to / "model.safetensors").values()} == {"float16"}
    for name in ("NOTES.md", "config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (to / name).read_bytes() == (llama / name).read_bytes()
    assert {each.name for each in to.iterdir()} >= {"training.json", "sft.json"}
    assert not (to / ".steps").exists()


def test_a_trained_model_can_be_trained_again(veriloop, out: Path, llama: Path, tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert veriloop(*command(out, one, f"transformers:{llama}", "--epochs", "1")).status == 0
    again = command(out, two, f"transformers:{one}", "--epochs", "2", "--json")
    said = veriloop(*again)
    assert said.status == 0, said.err
    assert json.loads((two / "sft.json").read_text())["model"] == f"transformers:{one}"
    assert veriloop(*again).json == said.json


def test_a_step_is_of_so_many_texts_however_many_go_at_once(veriloop, small: Path, tmp_path: Path):
    chats = learnable(tmp_path / "eight", 8)
    how = ["--epochs", "1", "--batch", "4", "--at-once", "3", "--held-out", "0", "--json"]
    assert veriloop(*command(chats, tmp_path / "new", f"embedded:{small}", *how)).json["steps"] == 2


def test_an_embedded_model_comes_back_as_one(veriloop, out: Path, small: Path, tmp_path: Path):
    to = tmp_path / "new"
    said = veriloop(*command(out, to, f"embedded:{small}"))
    assert said.status == 0, said.err
    assert written(Embedded(str(to))).startswith("```python\n47 * 36\n")
    before, after = (load_file(folder / "model.safetensors") for folder in (small, to))
    assert {name: each.dtype for name, each in before.items()} == {name: each.dtype for name, each in after.items()}
    for name in ("config.json", "tokenizer.json"):
        assert (to / name).read_bytes() == (small / name).read_bytes()
    assert "held out: " in said.words
    assert "step 4 of 40: loss" in said.words
    again = veriloop(*command(out, to, f"embedded:{small}", "--json"))
    assert again.json == json.loads((to / "training.json").read_text()), "what is done is not done again"
    other = veriloop(*command(out, to, f"embedded:{small}", "--seed", "1"))
    assert (other.status, other.err) == (2, f"veriloop: {to} holds another training: other seed; give another --out\n")


@pytest.mark.slow
def test_killed_it_goes_on_from_a_whole_checkpoint_to_the_same_weights(
    veriloop, out: Path, small: Path, tmp_path: Path
):
    whole, to = tmp_path / "whole", tmp_path / "new"
    asked = ["--epochs", "60"]
    assert veriloop(*command(out, whole, f"embedded:{small}", *asked)).status == 0
    code = "from veriloop.apps.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *command(out, to, f"embedded:{small}", *asked)])
    while not list(to.glob(".steps/checkpoint-*/whole")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    newest = max(to.glob(".steps/checkpoint-*"), key=lambda each: int(each.name.partition("-")[2]))
    torn = newest.with_name("checkpoint-9999")
    shutil.copytree(newest, torn)
    os.truncate(torn / "model.safetensors", 100)
    (torn / "whole").unlink(missing_ok=True)
    assert not (to / "training.json").exists()
    said = veriloop(*command(out, to, f"embedded:{small}", *asked, "--json"))
    assert said.status == 0, said.err
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, to))
    assert all(np.allclose(one[name], other[name], atol=1e-3) for name in one)
    assert said.json["steps"] == json.loads((whole / "training.json").read_text())["steps"]


class Interrupting(Quiet):
    """Sends a signal while step 4 of a training is told."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.told = 0

    def step(self, done: int, total: int) -> None:
        if done == 4:
            signal.raise_signal(self.number)

    def stopping(self) -> None:
        self.told += 1


def test_interrupted_it_ends_with_a_checkpoint_and_goes_on_to_the_same_weights(out: Path, small: Path, tmp_path: Path):
    asked = {"out": out, "model": f"embedded:{small}", "epochs": 10.0, "rate": 0.01, "batch": 2, "at_once": 2}
    whole, to = (Order(to=tmp_path / name, **asked) for name in ("whole", "new"))
    sft(whole)
    watch, handler = Interrupting(signal.SIGINT), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        sft(to, watch)
    assert (watch.told, signal.getsignal(signal.SIGINT)) == (1, handler)
    assert sorted(each.parent.name for each in to.to.glob(".steps/*/whole")) == ["checkpoint-3", "checkpoint-4"]
    assert sft(to)["steps"] == 30
    one, other = (load_file(each.to / "model.safetensors") for each in (whole, to))
    assert all(np.allclose(one[name], other[name], atol=1e-3) for name in one)


def test_texts_that_are_older_than_what_they_are_made_of_are_refused_unless_begun(
    veriloop, out: Path, small: Path, tmp_path: Path
):
    asked = command(out, tmp_path / "new", f"embedded:{small}", "--epochs", "1")
    (out / "filtered.jsonl").touch()
    os.utime(out / "sft.jsonl", (0, 0))
    said = veriloop(*asked)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert said.err.endswith("sft.jsonl: run veriloop train export again\n")
    os.utime(out / "sft.jsonl")
    assert veriloop(*asked).status == 0
    os.utime(out / "sft.jsonl", (0, 0))
    assert veriloop(*asked).status == 0


def test_held_out_are_problems_and_never_all_of_them(out: Path):
    chats = [*exported(out), *exported(out)]
    training, held = split(chats, 0.5, 0)
    assert (len(training), len(held)) == (6, 6)
    assert not {each["problem"] for each in training} & {each["problem"] for each in held}
    assert split(chats, 0.5, 0) == (training, held)
    assert split(chats[:1], 0.9, 0) == (chats[:1], [])
    assert split(chats, 0, 0) == (chats, [])


def test_texts_that_are_too_long_are_left_out_and_never_cut(veriloop, out: Path, small: Path, tmp_path: Path):
    said = veriloop(*command(out, tmp_path / "new", f"embedded:{small}", "--max-length", "20"))
    assert (said.status, said.err) == (2, "veriloop: every text is longer than 20 tokens: raise --max-length\n")


def test_mistakes_are_one_line_before_anything_is_loaded(veriloop, out: Path, small: Path, llama: Path, tmp_path: Path):
    cases = {
        "openai:gpt-5": "cannot be trained here: give transformers:FOLDER, embedded:NAME or embedded:FOLDER",
        "embedded:sql": "writes no plain text",
        "embedded:nowhere": "unknown embedded model 'nowhere'",
        f"embedded:{llama}": f"is a model for transformers: write transformers:{llama}",
        f"transformers:{small}": f"Write embedded:{small}",
        f"transformers:{tmp_path}/nowhere": "there is no folder",
    }
    for model, says in cases.items():
        said = veriloop(*command(out, tmp_path / "new", model))
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert says in said.err, model
    nothing = veriloop(*command(tmp_path, tmp_path / "new", f"embedded:{small}"))
    assert (nothing.status, "run veriloop train export first" in nothing.err) == (2, True)
    full = veriloop(*command(out, tmp_path, f"embedded:{small}"))
    assert full.err == f"veriloop: {tmp_path} is not empty: give a new folder as --out\n"
    assert "is where something is read from" in veriloop(*command(out, small, f"embedded:{small}")).err


def test_without_the_packages_it_says_how_to_get_them(
    veriloop, out: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("veriloop.apps.train.sft.NEEDED", ("torch", "no_such_package"))
    assert "cannot be trained here" in veriloop(*command(out, tmp_path / "new", "openai:gpt")).err
    said = veriloop(*command(out, tmp_path / "new", f"embedded:{small}"))
    wanted = "veriloop: training needs no_such_package: pip install 'veriloop[train]'\n"
    assert (said.status, said.err) == (2, wanted)


@pytest.mark.parametrize(
    "line",
    [
        '{"messages": []}',
        '{"problem": "p", "messages": [{"role": "user", "content": "?"}], "segments": [{"text": ""}]}',
    ],
)
def test_a_line_that_is_no_chat_is_named(out: Path, line: str):
    with (out / "sft.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UsageError, match="line 7 is no chat"):
        exported(out)

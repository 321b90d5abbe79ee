"""Models as the command's user meets them: checked, mistaken, out of reach, and with pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer, Raw
from tiny_model import shared

from veriloop.models.conformance import PROBES, RED_SQUARE


@pytest.fixture(autouse=True)
def picture(veriloop: Any) -> Path:
    """A picture in the folder of the command."""
    Path("red.png").write_bytes(base64.b64decode(RED_SQUARE))
    return Path("red.png")


def test_a_model_is_checked_line_by_line(veriloop):
    said = veriloop("models", "check", "embedded:sql", "--json")
    assert said.status == 0
    outcomes = {line["name"]: line["outcome"] for line in said.json}
    assert set(outcomes) == set(PROBES)
    assert {name for name, outcome in outcomes.items() if outcome == "n/a"} == {
        "schema",
        "tools",
        "images",
        "streaming",
    }
    assert "embedded:sql does not offer tools" in veriloop("models", "check", "embedded:sql").words


def test_a_model_that_breaks_its_word_fails_the_check(veriloop, monkeypatch):
    with ChatServer(lambda body, index: ["always the same"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop("models", "check", "openai:any", "--json")
    assert said.status == 1
    assert {line["outcome"] for line in said.json if line["name"] == "schema"} == {"fails"}


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_check_that_cannot_begin_is_one_line(veriloop, monkeypatch, json_: list[str]):
    with ChatServer(lambda body, index: Raw(401, {"error": {"message": "no"}})) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop("models", "check", "openai:any", *json_)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "does not accept the key" in said.err
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", [b"", b"a red square"])
def test_a_file_that_is_no_picture_is_not_sent(veriloop, content: bytes):
    Path("note.png").write_bytes(content)
    said = veriloop("solve", "Which colour?", "--image", "note.png", "--model", "openai:any")
    assert (said.status, said.err) == (2, "veriloop: note.png is not a picture: give a PNG, JPEG, GIF or WebP file\n")


def test_a_server_that_goes_away_in_a_later_round_leaves_a_way_on(veriloop, monkeypatch):
    monkeypatch.setattr("veriloop.models.line.TRIES", 1)
    answers: list[Any] = [["no"], ["no"], Raw(500, {}), Raw(500, {})]
    with ChatServer(lambda body, index: answers[index] * body.get("n", 1) if index < 2 else answers[2]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop(
            "solve", "Which?", "--model", "openai:any", "--verify", "shell:exit 1", "-s", "iad", "--set", "width=1"
        )
        assert said.status == 2
        run = veriloop("runs", "list", "--json").json[0]
        assert f"failed (500) (nothing is lost: veriloop runs resume {run['id']})" in said.err
        assert said.err.count("\n") == 1
        assert "Answer" in said.out
        monkeypatch.setattr(server, "reply", lambda body, index: ["no"])
        assert veriloop("runs", "resume", run["id"]).status == 1


def test_the_verifier_sql_is_refused_without_a_database(veriloop, monkeypatch):
    with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop("solve", "Which?", "--model", "openai:any", "--verify", "sql")
    assert said.status == 2
    assert "the verifier sql needs a database: give the task one (--db FILE)" in said.err
    assert server.requests == []


def test_the_embedded_model_is_not_asked_about_another_database(veriloop):
    Path("empty.sqlite").touch()
    said = veriloop("solve", "Which?", "--db", "empty.sqlite")
    assert said.status == 2
    assert "embedded:sql knows only databases with the tables" in said.err


def test_a_picture_goes_to_the_model(veriloop, monkeypatch):
    with ChatServer(lambda body, index: ["red"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        said = veriloop("solve", "Which colour?", "--image", "red.png", "--model", "openai:any", "--json")
    assert said.json["answer"] == "red"
    parts = server.requests[0].body["messages"][-1]["content"]
    assert parts[0] == {"type": "text", "text": "Which colour?"}
    assert parts[1]["image_url"]["url"] == f"data:image/png;base64,{RED_SQUARE}"


MISTAKES = {
    "a wrong key": (Raw(401, {"error": {"message": "Incorrect API key"}}), "does not accept the key (401): Incorrect"),
    "an unknown model": (Raw(404, {"error": {"message": "no"}}), "does not know openai:any (404): no; check the model"),
    "no money": (
        Raw(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}),
        "says that the quota is spent",
    ),
    "a page": (Raw(200, "<html>", {"content-type": "text/html"}), "gave no usable reply"),
    "a model without eyes": (
        Raw(400, {"error": {"message": "This model does not support image input"}}),
        "openai:any does not offer images",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_a_server_refuses_is_one_line_with_the_remedy(veriloop, monkeypatch, mistake: str):
    answer, expected = MISTAKES[mistake]
    with ChatServer(lambda body, index: answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789")
        said = veriloop("solve", "Which colour?", "--image", "red.png", "--model", "openai:any", "--json")
    assert (said.status, said.out) == (2, "")
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert "sk-wrong" not in said.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--image", "red.png", "--db", "atlas.sqlite"],
            "reads no pictures, and the task has one: give a model",
        ),
        (["--image", "red.png", "--model", f"transformers:{shared('text')}"], "reads no pictures"),
        (["--image", "gone.png", "--model", "openai:any"], "cannot read the picture gone.png: No such file"),
        (["--image", "atlas.sqlite", "--model", "openai:any"], "is not a picture"),
        (["--model", "openai:"], "'openai:' names no model: write openai:NAME"),
        (["--model", "anthropic:claude-opus-5-5"], "ANTHROPIC_API_KEY is not set: set it"),
        (["--model", "openai-responses:gpt-5"], "OPENAI_API_KEY is not set: set it"),
        (["--model", "transformers:./nowhere"], "there is no folder ./nowhere"),
        (["--model", "transformers:."], "holds no config.json; give the folder of a model"),
        (["--model", "antropic:claude"], "unknown model 'antropic:claude' (did you mean 'anthropic'?)"),
        (["--batch", "--db", "atlas.sqlite"], "embedded:sql has no batch interface: leave out batch (--batch)"),
    ],
)
def test_a_mistake_is_told_before_any_call(veriloop, arguments: list[str], expected: str):
    said = veriloop("solve", "Which colour?", *arguments)
    assert said.status == 2
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert veriloop("runs", "list", "--json").json == []


def test_a_hub_that_is_switched_off_is_named(veriloop, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = veriloop("solve", "Which?", "--model", "transformers:nobody/nothing")
    assert said.status == 2
    assert "nobody/nothing is not on this machine, and the hub is switched off (HF_HUB_OFFLINE)" in said.err


@pytest.mark.parametrize("model", ["openai:m", "openai-responses:m", "anthropic:m"])
def test_no_network_is_one_line(veriloop, monkeypatch, model: str):
    monkeypatch.setattr("veriloop.models.line.TRIES", 1)
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_BASE_URL", "http://no-such-host.invalid/v1")
    said = veriloop("solve", "Which?", "--model", model)
    assert said.status == 2
    assert "cannot reach http://no-such-host.invalid" in said.err
    assert "unknown host; check the base url and the network" in said.err
    assert said.err.count("\n") == 1

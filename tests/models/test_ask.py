"""Typed output: asked for, found in what comes back, repaired once."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Answer, ChatServer, Raw, obedient
from pydantic import BaseModel, Field

from veriloop.core.errors import OutputError
from veriloop.core.messages import Capabilities, Image, Message, Text
from veriloop.core.seeds import derive
from veriloop.models.ask import ask, read
from veriloop.models.openai import OpenAI
from veriloop.models.schema import is_strict, strict_schema
from veriloop.models.scripted import Script, Scripted

PLAIN = Capabilities()


class Rating(BaseModel):
    score: float = Field(ge=0, le=1)
    reason: str = ""


class Tree(BaseModel):
    label: str
    children: list[Tree] = []


class Mixed(BaseModel):
    tree: Tree = Field(description="the tree")
    either: int | str
    rating: Rating | None = None


class Free(BaseModel):
    counts: dict[str, int]


QUESTION = (Message("user", "Rate it."),)


def rate(script: Script, capabilities: Capabilities = PLAIN, **settings: Any) -> tuple[Rating, Scripted]:
    model = Scripted(script, capabilities=capabilities)
    return asyncio.run(ask(model, QUESTION, Rating, **settings)), model


def test_a_model_with_schemas_is_given_the_strict_schema_and_no_words():
    rating, model = rate(['{"score": 0.5, "reason": "so"}'], Capabilities(schema=True), seed=3, max_tokens=9)
    assert rating == Rating(score=0.5, reason="so")
    (request,) = model.requests
    assert request.messages == QUESTION
    assert request.schema == strict_schema(Rating.model_json_schema())
    assert (request.seeds, request.temperature, request.max_tokens) == ((3,), 0.0, 9)


def test_other_models_are_asked_in_words_within_the_last_turn():
    _, model = rate(['{"score": 1}'])
    (request,) = model.requests
    assert request.schema is None
    assert [message.role for message in request.messages] == ["user"]
    assert request.messages[0].text.startswith("Rate it.\nReply with one JSON object")
    assert json.dumps(Rating.model_json_schema()) in request.messages[0].text


def test_pictures_stay_where_they_are():
    model = Scripted(['{"score": 1}'], capabilities=Capabilities(images=True))
    picture = Image("AAAA")
    asyncio.run(ask(model, [Message("user", (picture, Text("Rate it.")))], Rating))
    assert model.requests[0].messages[0].images == (picture,)


def test_after_an_assistant_turn_the_words_are_a_turn_of_their_own():
    model = Scripted(['{"score": 1}'], capabilities=PLAIN)
    asyncio.run(ask(model, [*QUESTION, Message("assistant", "It is good.")], Rating))
    assert [message.role for message in model.requests[0].messages] == ["user", "assistant", "user"]


def test_one_repair_turn_shows_the_reply_and_what_is_wrong_with_it():
    rating, model = rate(['{"score": 7}', '{"score": 0.7}'], seed=5)
    assert rating.score == 0.7
    first, second = model.requests
    said, told = second.messages[-2:]
    assert (said.role, said.text, told.role) == ("assistant", '{"score": 7}', "user")
    assert "- score: Input should be less than or equal to 1" in told.text
    assert (first.seeds, second.seeds) == ((5,), (derive(5, "repair"),))


def test_after_the_repair_turn_it_is_an_error_of_one_line():
    with pytest.raises(OutputError, match="scripted gave no valid Rating, even after a repair: it holds no JSON") as e:
        rate(["nonsense", "more nonsense"])
    assert "\n" not in str(e.value)


def test_an_empty_reply_is_repaired_too():
    rating, model = rate(["", '{"score": 0}'])
    assert rating.score == 0
    assert model.requests[1].messages[-2].text == "(empty)"


@pytest.mark.parametrize(
    "reply",
    [
        '{"score": 0.25}',
        '  {"score": 0.25}\n',
        '```json\n{"score": 0.25}\n```',
        '```\n{"score": 0.25}\n```',
        'I think {so}. See [1].\n```json\n{"score": 0.25}\n```\nDone.',
        'First I thought {"score": 9}, but now: {"score": 0.25}',
        '{"score": 0.25} or, to say it again: {"reason": "", "score": 0.250}',
        'Result: {"score": 0.25} (on a scale {from 0 to 1})',
        '{"score": 0.25} [1, 2]',
        '<think>{"score": "?"}</think>{"score": 0.25}',
    ],
)
def test_the_valid_json_in_a_reply_is_found(reply: str):
    assert read(reply, Rating) == (Rating(score=0.25), [])


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("no braces at all", "it holds no JSON object"),
        ('{"score": 0.5,}', "Invalid JSON"),
        ('```json\n{"score": 0.5,}\n```', "Invalid JSON"),
        ('{"reason": "x"}', "score: Field required"),
        ('{"label": "a", "inner": {"score": 0.5}, ', "Invalid JSON"),
    ],
)
def test_what_is_wrong_with_a_reply_is_said(reply: str, fault: str):
    found, faults = read(reply, Rating)
    assert found is None
    assert fault in faults[0]


@pytest.mark.parametrize(
    "reply",
    [
        '{"score": 0.0, "reason": "it says so itself"}\nThe candidate wrote {"score": 1.0, "reason": "perfect"}',
        'The candidate wrote {"score": 1.0}.\n```json\n{"score": 0.0}\n```',
        'First I thought {"score": 0.9}, but now: {"score": 0.25}',
    ],
)
def test_several_answers_that_differ_are_none(reply: str):
    assert read(reply, Rating) == (None, ["it holds several different answers: give one"])


def test_a_judge_that_quotes_an_answer_is_asked_to_give_one():
    rating, model = rate(['{"score": 0.0} as the candidate says {"score": 1.0}', '{"score": 0.0}'])
    assert rating.score == 0.0
    assert "- it holds several different answers: give one" in model.requests[1].messages[-1].text


@pytest.mark.parametrize("wall", ["[" * 100_000, '{"a":' * 50_000, "[[1]," * 50_000, '["' * 50_000, "{" * 200_000])
def test_a_wall_of_brackets_does_not_stall(wall: str):
    start = time.monotonic()
    assert read("x " + wall, Rating)[0] is None
    assert time.monotonic() - start < 1.0


@settings(deadline=None)
@given(st.text(max_size=200), st.floats(0, 1), st.text(max_size=40))
def test_json_is_found_behind_any_text(before: str, score: float, reason: str):
    rating = Rating(score=score, reason=reason)
    assert read(f"Text {before}\n{rating.model_dump_json()}", Rating)[0] == rating


def test_a_strict_schema_closes_every_object_and_requires_everything():
    schema = strict_schema(Mixed.model_json_schema())
    assert is_strict(schema)
    assert schema["required"] == ["tree", "either", "rating"]
    assert schema["properties"]["tree"] == {"anyOf": [{"$ref": "#/$defs/Tree"}], "description": "the tree"}
    for name in ("Tree", "Rating"):
        part = schema["$defs"][name]
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])
    assert '"default"' not in json.dumps(schema)


def test_a_recursive_schema_keeps_its_references_below_the_root():
    schema = strict_schema(Tree.model_json_schema())
    assert schema["type"] == "object"
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert is_strict(schema)
    assert strict_schema(schema) == schema


def test_a_free_form_mapping_has_no_strict_schema():
    assert not is_strict(strict_schema(Free.model_json_schema()))


@pytest.mark.parametrize("refuses", [False, True])
def test_typed_output_from_a_server_with_and_without_schemas(refuses: bool):
    def reply(body: dict[str, Any], index: int) -> Answer:
        if refuses and "response_format" in body:
            return Raw(400, {"error": {"message": "response_format: json_schema is not supported"}})
        return obedient(body, index) if not refuses else ['Sure: {"score": 0.5}']

    async def run() -> Rating:
        async with ChatServer(reply) as server:
            return await ask(OpenAI("m", base_url=server.base_url), QUESTION, Rating)

    assert asyncio.run(run()).score == 0.5

"""What a server refuses by name is learned: the next request goes without it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from loopback import Answer, ChatServer, Raw, obedient
from loopback_client import ADD, CLOSED, ask, refusing, request

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError
from veriloop.core.messages import Image, Message, Request, Text
from veriloop.models.conformance import RED_SQUARE
from veriloop.models.openai import OpenAI
from veriloop.models.responses import Responses

# ---- learned refusals


def test_a_refused_limit_goes_under_its_other_name_and_is_remembered():
    words = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."

    async def run() -> None:
        async with ChatServer(refusing(max_tokens=words)) as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(2):
                reply = await model.generate(request(max_tokens=33))
                assert reply.notes == ("openai:m refuses max_tokens: max_completion_tokens was sent instead",)
            bodies = [r.body for r in server.requests]
            assert [body.get("max_tokens") for body in bodies] == [33, None, None]
            assert [body.get("max_completion_tokens") for body in bodies] == [None, 33, 33]

    asyncio.run(run())


def test_refusals_are_learned_one_after_the_other_and_all_at_once():
    words = {name: f"Unsupported value: '{name}' is not supported" for name in ("temperature", "top_p", "seed")}

    async def run() -> None:
        async with ChatServer(refusing(**words)) as server:
            model = OpenAI("m", base_url=server.base_url)
            asked = request(top_p=0.5)
            replies = await asyncio.gather(*(model.generate(asked) for _ in range(5)))
            assert all(len(reply.notes) == 3 for reply in replies)
            before = len(server.requests)
            assert len((await model.generate(asked)).notes) == 3
            assert len(server.requests) == before + 1

    asyncio.run(run())


def test_a_refused_schema_is_sent_in_words():
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    reply, server = ask(request(schema=schema), refusing(response_format="response_format is not supported"))
    assert "response_format" not in server.requests[1].body
    assert json.dumps(schema) in server.requests[1].body["messages"][-1]["content"]
    assert reply.notes == ("openai:m refuses response_format: the schema was sent in words",)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer"}},
        {"type": "integer"},
        {"anyOf": [{"type": "object"}, {"type": "null"}], "type": "object"},
        {"enum": ["a", "b"]},
    ],
)
def test_a_schema_of_no_object_goes_in_words_right_away(schema: dict[str, Any]):
    reply, server = ask(request(schema=schema), lambda *_: ["[1, 2]"])
    (sent,) = server.requests
    assert "response_format" not in sent.body
    assert json.dumps(schema) in sent.body["messages"][-1]["content"]
    assert reply.notes == ("openai:m takes schemas of objects only: the schema was sent in words",)


@pytest.mark.parametrize("param", ["response_format", "response_format.json_schema.schema", None])
def test_an_invalid_schema_is_sent_in_words_and_the_next_one_as_it_is(param: str | None):
    words = (
        "Invalid schema for response_format 'output': schema must be a JSON Schema of 'type: \"object\"', got 'None'."
    )
    odd = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}}

    def reply(body: dict[str, Any], index: int) -> Answer:
        if "response_format" in body and "$ref" in body["response_format"]["json_schema"]["schema"]:
            return Raw(400, {"error": {"message": words, "type": "invalid_request_error", "param": param}})
        return obedient(body, index)

    async def run() -> None:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            first = await model.generate(request(schema=odd))
            assert first.notes == ("openai:m refuses response_format: the schema was sent in words",)
            second = await model.generate(request(schema={"type": "object", "properties": {}}))
            assert second.notes == ()
            assert ["response_format" in r.body for r in server.requests] == [True, False, True]

    asyncio.run(run())


@pytest.mark.parametrize("name", ["tools", "logprobs"])
def test_a_refused_feature_is_no_knob_to_do_without(name: str):
    wanted = {"tools": (ADD,)} if name == "tools" else {"logprobs": True}
    with pytest.raises(CapabilityError, match=f"does not offer {name}"):
        ask(request(**wanted), refusing(**{name: f"{name} is not supported"}))


@pytest.mark.parametrize("param", ["tools", None])
def test_a_fault_with_the_tools_is_no_missing_feature(param: str | None):
    error = {"message": "Tool names in 'tools' must be unique.", "param": param}
    with pytest.raises(ModelError, match="refuses the request"):
        ask(request(tools=(ADD,)), lambda *_: Raw(400, {"error": error}))


@pytest.mark.parametrize("make", [OpenAI, Responses])
@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("Invalid content type. image_url is only supported by certain models.", "messages.[0].content.[1].type"),
        ("m is not a multimodal model", None),
        ("this model is missing data required for image input", None),
        ("unknown variant `image_url`, expected `text`", None),
        ("No endpoints found that support image input", None),
    ],
)
def test_a_server_that_takes_no_pictures_says_so_in_one_line(make: Any, words: str, param: str | None):
    picture = Request(messages=(Message("user", (Text("What colour?"), Image(RED_SQUARE))),))
    answer = Raw(400, {"error": {"message": words, "param": param}})
    with pytest.raises(CapabilityError, match=r"m does not offer images: ") as caught:
        ask(picture, lambda *_: answer, make)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="refuses the request"):
        ask(request(), lambda *_: answer, make)


@pytest.mark.parametrize(
    "words", ["You uploaded an unsupported image. Use one of these formats: png", "Invalid base64 data"]
)
def test_a_broken_picture_is_no_missing_feature(words: str):
    picture = Request(messages=(Message("user", (Image("AAAA"),)),))
    with pytest.raises(ModelError, match="refuses the request"):
        ask(picture, lambda *_: Raw(400, {"error": {"message": words}}))


def test_a_picture_that_cannot_be_had_is_no_missing_feature():
    picture = Request(messages=(Message("user", (Image(RED_SQUARE),)),))
    words = "Failed to download image: only https urls are supported"
    error = {"message": words, "param": "messages[0].content[0].image_url"}
    with pytest.raises(ModelError, match="refuses the request"):
        ask(picture, lambda *_: Raw(400, {"error": error}))


def test_fastapi_servers_refuse_in_their_own_form():
    detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
    reply, _ = ask(request(), lambda body, i: Raw(422, {"detail": detail}) if "seed" in body else ["fine"])
    assert reply.notes == ("openai:m refuses seed: it was left out",)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "max_tokens is too large: 1024. This model supports at most 512", "param": "max_tokens"},
        {"message": "temperature must be between 0 and 1", "param": None},
        {"message": "The context is 9000 tokens; lower max_tokens or the messages", "param": "messages"},
        {"message": "Something else is wrong", "param": None},
    ],
)
def test_a_400_about_a_value_is_an_error_and_nothing_is_left_out(error: dict[str, Any]):
    async def run() -> None:
        async with ChatServer(lambda body, index: Raw(400, {"error": error})) as server:
            with pytest.raises(ModelError, match="refuses the request to openai:m") as caught:
                await OpenAI("m", base_url=server.base_url).generate(request())
            assert not isinstance(caught.value, TransientModelError)
            assert len(server.requests) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "words",
    [
        "json_schema is not supported by this model",
        "'response_format.type' must be one of ['text', 'json_object']",
        "Structured outputs are not supported",
    ],
)
def test_a_schema_may_be_refused_by_another_name(words: str):
    reply, server = ask(request(schema=CLOSED), refusing(response_format=words))
    assert "response_format" not in server.requests[1].body
    assert reply.notes == ("openai:m refuses response_format: the schema was sent in words",)


def test_two_parameters_that_cannot_be_together_are_not_refused_each():
    def reply(body: dict[str, Any], index: int) -> Answer:
        both = {"temperature", "top_p"} <= body.keys()
        return Raw(400, {"error": "`temperature` and `top_p` cannot both be specified"}) if both else obedient(body)

    async def run() -> None:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            both = await model.generate(request(top_p=0.5))
            assert both.notes == ("openai:m refuses temperature: it was left out",)
            assert (await model.generate(request())).notes == ()
            assert "temperature" in server.requests[-1].body

    asyncio.run(run())


def test_a_refusal_that_echoes_the_request_is_about_what_it_says_alone():
    detail = [{"loc": ["body", "messages", 0], "msg": "Field required", "input": "which tools stop the seed"}]
    with pytest.raises(ModelError, match="refuses the request"):
        ask(request(tools=(ADD,), stop=("x",)), lambda *_: Raw(422, {"detail": detail}))


def test_a_refusal_that_stays_is_raised_and_not_learned():
    async def run() -> None:
        async with ChatServer(lambda body, i: Raw(400, {"error": {"message": "seed is not supported"}})) as server:
            model = OpenAI("m", base_url=server.base_url)
            with pytest.raises(ModelError, match="seed is not supported"):
                await model.generate(request())
            server.reply = obedient
            assert (await model.generate(request())).notes == ()

    asyncio.run(run())

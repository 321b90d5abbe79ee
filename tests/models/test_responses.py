"""The Responses backend, through the real SDK, against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from loopback import Answer, ChatServer, Raw, Reply, obedient
from loopback_chat import event
from loopback_client import ADD, CLOSED, ask, failure, listen, refusing, request

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError, UsageError
from veriloop.core.messages import Image, Message, Request, Sample, Text, ToolCall, ToolSpec
from veriloop.models.conformance import RED_SQUARE, check
from veriloop.models.responses import Responses

EVENTS = {"content-type": "text/event-stream"}
THOUGHT = {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "c2VjcmV0"}
TURN = Message("assistant", "", "reply", tool_calls=(ToolCall("add", {"a": 1}, "call_1"),))
USAGE = {"input_tokens": 9, "output_tokens": 5}


def sent(*messages: Message, **fields: Any) -> dict[str, Any]:
    """The body that a request becomes."""
    _, server = ask(Request(messages=messages, **fields), make=Responses)
    return server.requests[0].body


def said(text: str, **fields: Any) -> dict[str, Any]:
    """An output item that says ``text``."""
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}], **fields}


def sample(*output: dict[str, Any], status: str = "completed", **fields: Any) -> Sample:
    """The sample that a response is, the same at once and streamed."""
    whole = {"status": status, "output": list(output), "usage": USAGE, "error": None, **fields}
    last = event({"type": f"response.{status}", "response": whole}).decode()
    at_once = ask(request(tools=(ADD,)), lambda *_: Raw(200, whole), Responses)[0]
    streamed = listen(request(tools=(ADD,)), lambda *_: Raw(200, last, EVENTS), Responses)[0]
    assert streamed == at_once
    return at_once.samples[0]


# ---- what goes out


def test_every_field_of_a_request_reaches_the_server():
    body = sent(
        Message("system", "Be brief."),
        Message("user", "Hi"),
        temperature=0.3,
        top_p=0.9,
        max_tokens=55,
        logprobs=True,
        tools=(ADD,),
        tool_choice="none",
    )
    function = {"type": "function", "name": "add", "description": "Adds.", "parameters": ADD.parameters}
    assert body == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": "Hi"}],
        "temperature": 0.3,
        "top_p": 0.9,
        "max_output_tokens": 55,
        "store": False,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "tools": [{**function, "strict": False}],
        "tool_choice": "none",
    }


def test_what_is_not_asked_for_is_not_sent():
    assert set(sent(Message("user", "Hi"))) == {
        "model",
        "input",
        "temperature",
        "max_output_tokens",
        "store",
        "include",
    }


def test_system_turns_at_the_head_are_instructions():
    head, later = Message("system", "Be brief."), Message("system", "Now be long.")
    body = sent(head, head, Message("user", "Hi"), later, Message("user", "Well?"))
    assert body["instructions"] == "Be brief.\n\nBe brief."
    assert [item["role"] for item in body["input"]] == ["user", "system", "user"]
    assert sent(head)["input"] == [{"role": "system", "content": "Be brief."}]


def test_a_picture_goes_as_a_data_url():
    body = sent(Message("user", (Text("What colour?"), Image(RED_SQUARE))))
    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "What colour?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{RED_SQUARE}", "detail": "auto"},
    ]


def test_a_tool_may_answer_with_a_picture():
    result = Message("tool", (Text("Here"), Image(RED_SQUARE)), "tool", tool_call_id="call_1")
    output = sent(Message("user", "Draw"), TURN, result)["input"][-1]["output"]
    assert [part["type"] for part in output] == ["input_text", "input_image"]


def test_a_picture_that_cannot_go_is_refused_before_a_call():
    with pytest.raises(UsageError, match="not in one of role assistant"):
        sent(Message("user", "Hi"), Message("assistant", (Image(RED_SQUARE),)), Message("user", "Hi"))


def test_tools_and_schemas_are_strict_only_where_they_can_be():
    tools = (ToolSpec("one", "", CLOSED), ToolSpec("two", "", {"type": "object", "additionalProperties": True}))
    body = sent(Message("user", "Hi"), tools=tools, schema=CLOSED)
    assert [tool["strict"] for tool in body["tools"]] == [True, False]
    assert body["text"] == {"format": {"type": "json_schema", "name": "output", "schema": CLOSED, "strict": True}}


def test_a_tool_call_makes_the_round_trip():
    body = sent(Message("user", "1 + 1?"), TURN, Message("tool", "2", "tool", tool_call_id="call_1"))
    assert body["input"][1:] == [
        {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "2"},
    ]


def test_thinking_is_sent_back_as_it_came():
    first = request(tools=(ADD,))
    reply, _ = ask(first, make=Responses)
    (found,) = reply.samples
    assert [item["type"] for item in found.state] == ["reasoning", "function_call"]
    turns = (
        *first.messages,
        Message("assistant", found.text, "reply", found.tool_calls, state=found.state),
        Message("tool", "4", "tool", tool_call_id=found.tool_calls[0].id),
    )
    body = sent(*turns, tools=(ADD,))
    assert body["input"][1:-1] == list(found.state)
    assert body["store"] is False


def test_what_another_provider_kept_is_not_sent():
    signed = {"type": "thinking", "thinking": "Hmm", "signature": "x"}
    body = sent(Message("user", "Hi"), Message("assistant", "Hello", "reply", state=(signed,)), Message("user", "Hi"))
    assert body["input"][1] == {"role": "assistant", "content": "Hello"}


@pytest.mark.parametrize("fields", [{"seeds": (1, 2)}, {"stop": ("END",)}, {"prefix": "So"}])
def test_what_the_protocol_cannot_say_is_refused_before_a_call(fields: dict[str, Any]):
    with pytest.raises(CapabilityError, match="openai-responses:m does not offer"):
        ask(request(**fields), make=Responses)


# ---- what comes back


def test_usage_counts_what_came_from_the_cache_and_went_into_it():
    usage = {**USAGE, "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 2}}
    reply, _ = ask(request(), lambda *_: Raw(200, {"output": [said("x")], "usage": usage}), Responses)
    told = reply.usage
    assert (told.tokens_in, told.tokens_out, told.cached, told.stored) == (9, 5, 6, 2)


def test_a_server_that_reports_no_usage_is_not_free():
    reply, _ = ask(request(), lambda *_: Raw(200, {"output": [said("x")], "usage": None}), Responses)
    assert reply.usage.tokens_in > 0
    assert reply.notes == ("openai-responses:m reports no usage: tokens are estimated",)


def test_a_plain_reply_has_no_state():
    assert sample(said("Hello ", id="a"), said("you", id="b")) == Sample("Hello you")


def test_a_comment_on_the_way_is_not_the_answer_but_state():
    found = sample(said("Let me see.", phase="commentary"), said("4", phase="final_answer"))
    assert found.text == "4"
    assert [item["phase"] for item in found.state] == ["commentary", "final_answer"]
    assert sample(said("Let me see.", phase="commentary")).text == "Let me see."


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "refusal"), ("steered", "length"), (None, "length")],
)
def test_a_reply_that_was_cut_says_why_and_its_thinking_is_not_kept(reason: str, finish: str):
    found = sample(THOUGHT, said("So"), status="incomplete", incomplete_details={"reason": reason})
    assert (found.text, found.finish, found.state) == ("So", finish, ())


def test_a_reply_that_was_cut_while_thinking_is_an_empty_one():
    found = sample(THOUGHT, status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert found == Sample("", finish="length")


def test_a_refusal_is_a_reply():
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": "I will not."}]}
    found = sample(THOUGHT, refusal)
    assert (found.text, found.finish, found.state) == ("I will not.", "refusal", (THOUGHT, refusal))


def test_tool_calls_come_with_their_arguments_even_broken_ones():
    calls = [{"type": "function_call", "call_id": "c", "name": "add", "arguments": a} for a in ('{"a": 1}', '{"a": ')]
    found = sample(THOUGHT, *calls)
    assert found.tool_calls == (ToolCall("add", {"a": 1}, "c"), ToolCall("add", {"invalid_json": '{"a": '}, "c"))
    assert found.finish == "tool_calls"


def test_log_probabilities_are_summed():
    reply, _ = ask(request("one two three", logprobs=True), make=Responses)
    assert reply.samples[0].logprob == pytest.approx(-2.0)
    assert ask(request(), make=Responses)[0].samples[0].logprob is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Raw(200, {"output": None}), "no choice"),
        (Raw(200, {"choices": []}), "no choice"),
        (Raw(200, {}), "no choice"),
        (Raw(200, "[1]"), "not an object"),
        (Raw(200, "<html>hello</html>", {"content-type": "text/html"}), "text/html that is not JSON"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_broken_reply_is_an_error_of_one_line(answer: Answer, words: str, streamed: bool):
    error = failure(answer, make=Responses, streamed=streamed)
    assert words in str(error)
    assert not isinstance(error, TransientModelError)


# ---- refusals


def learns(reply: Reply, **fields: Any) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The notes of the second of two replies, and the bodies of all requests."""

    async def run() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
        async with ChatServer(reply) as server:
            model = Responses("m", base_url=server.base_url)
            for _ in range(2):
                came = await model.stream(request(**fields), lambda *_: None)
            return came.notes, [logged.body for logged in server.requests]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("temperature", "it was left out"),
        ("top_p", "it was left out"),
        ("store", "it was left out"),
        ("stream", "the reply came at once"),
    ],
)
def test_a_refused_parameter_is_learned(name: str, instead: str):
    notes, bodies = learns(refusing(**{name: f"Unsupported parameter: '{name}'"}), top_p=0.5)
    assert notes == (f"openai-responses:m refuses {name}: {instead}",)
    assert [name in body for body in bodies] == [True, False, False]


@pytest.mark.parametrize("param", ["include", "include[1]", "top_logprobs", None])
def test_refused_log_probabilities_are_not_blamed_on_thinking(param: str | None):
    error = {"message": "include: logprobs are not supported with this model", "param": param}

    async def run() -> int:
        async with ChatServer(lambda *_: Raw(400, {"error": error})) as server:
            with pytest.raises(CapabilityError, match="does not offer logprobs"):
                await Responses("m", base_url=server.base_url).generate(request(logprobs=True))
            return len(server.requests)

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "queued", "in_progress"])
def test_a_response_that_has_not_ended_is_none(status: str):
    answer = Raw(200, {"status": status, "output": [], "usage": USAGE, "error": None})
    assert "no choice in" in str(failure(answer, make=Responses))


def test_a_model_that_does_not_think_is_not_asked_for_its_thoughts():
    words = {"message": "Encrypted content is not supported with this model.", "param": "include"}

    def reply(body: dict[str, Any], index: int) -> Answer:
        return Raw(400, {"error": words}) if "reasoning.encrypted_content" in body["include"] else obedient(body)

    notes, bodies = learns(reply, logprobs=True)
    assert notes == ("openai-responses:m refuses include: thinking is not kept from turn to turn",)
    assert [body["include"] for body in bodies[1:]] == [["message.output_text.logprobs"]] * 2


@pytest.mark.parametrize("param", ["text", "text.format", "text.format.schema", None])
def test_a_refused_schema_is_sent_in_words(param: str | None):
    error = {"message": "Unsupported parameter: text.format is not supported with this model.", "param": param}
    picture = Message("user", (Text("How many?"), Image(RED_SQUARE)))
    reply, server = ask(
        Request(messages=(picture,), schema=CLOSED),
        lambda body, index: Raw(400, {"error": error}) if "text" in body else obedient(body),
        Responses,
    )
    *_, last = server.requests[1].body["input"][-1]["content"]
    assert last["type"] == "input_text"
    assert json.dumps(CLOSED) in last["text"]
    assert reply.notes == ("openai-responses:m refuses text: the schema was sent in words",)


def test_a_schema_of_no_object_goes_in_words_right_away():
    reply, server = ask(request(schema={"type": "integer"}), lambda *_: ["1"], Responses)
    assert "text" not in server.requests[0].body
    assert reply.notes == ("openai-responses:m takes schemas of objects only: the schema was sent in words",)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"tools": (ADD,)}, "tools are not supported"),
        ({"logprobs": True}, "logprobs are not supported with reasoning models"),
        ({"logprobs": True}, "Invalid value: 'message.output_text.logprobs'"),
    ],
)
def test_a_refused_feature_is_no_knob_to_do_without(wanted: dict[str, Any], words: str):
    with pytest.raises(CapabilityError, match=f"does not offer {next(iter(wanted))}"):
        ask(request(**wanted), lambda *_: Raw(400, {"error": {"message": words}}), Responses)


@pytest.mark.parametrize("param", ["max_output_tokens", "input[0].content", "tools[0].parameters", None])
def test_a_400_about_a_value_is_an_error_and_nothing_is_left_out(param: str | None):
    error = {"message": "Invalid 'max_output_tokens': below minimum value, expected >= 16.", "param": param}
    found = failure(Raw(400, {"error": error}), make=Responses)
    assert "refuses the request" in str(found)


# ---- the whole


def test_the_key_and_the_address_are_those_of_the_provider():
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        Responses("gpt-5").ready()
    assert Responses("m", "http://here/v1").address == "http://here/v1"
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        raise failure(401, make=Responses)


def test_it_keeps_every_promise_it_declares():
    async def run() -> dict[str, str]:
        async with ChatServer(latency=0.03) as server:
            return {line.name: line.outcome for line in await check(Responses("m", base_url=server.base_url))}

    outcomes = asyncio.run(run())
    assert [outcomes.pop(name) for name in ("n", "seed", "stop", "prefix")] == ["n/a"] * 4
    assert set(outcomes.values()) == {"works"}

"""The Chat Completions backend, through the real SDK, against a real server on loopback."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from dataclasses import replace
from typing import Any

import pytest
from loopback import Answer, ChatServer, Raw, obedient
from loopback_client import ADD, arrived, ask, failure, request

from veriloop.core.errors import CapabilityError, TransientModelError, UsageError
from veriloop.core.messages import Capabilities, Image, Message, Request, Text, ToolCall, Usage
from veriloop.models import chat
from veriloop.models.conformance import RED_SQUARE, check
from veriloop.models.openai import OpenAI

# ---- what goes out


def test_every_field_of_a_request_reaches_the_server():
    asked = request(seeds=(7, 8), temperature=0.3, top_p=0.9, max_tokens=55, stop=("END",), logprobs=True, tools=(ADD,))
    _, server = ask(asked)
    body = server.requests[0].body
    assert body["messages"] == [{"role": "user", "content": "What is 2 + 2?"}]
    wanted = {"model": "m", "n": 2, "seed": 7, "temperature": 0.3, "top_p": 0.9, "max_tokens": 55, "stop": ["END"]}
    assert body.items() >= (wanted | {"logprobs": True}).items()
    assert body["tools"][0] == {
        "type": "function",
        "function": {"name": "add", "description": "Adds.", "parameters": ADD.parameters},
    }


def test_what_is_not_asked_for_is_not_sent():
    _, server = ask(request())
    assert set(server.requests[0].body) == {"model", "messages", "temperature", "max_tokens", "seed"}


def test_a_seed_fits_every_servers_integer():
    _, server = ask(request(seeds=(2**62 + 5,)))
    assert server.requests[0].body["seed"] == 5


def test_a_seed_is_not_sent_to_a_server_without_seeds():
    _, server = ask(request(), capabilities=Capabilities(seed=False))
    assert "seed" not in server.requests[0].body


def test_a_picture_goes_as_a_data_url():
    message = Message("user", (Text("What colour?"), Image(RED_SQUARE)))
    _, server = ask(Request(messages=(message,)))
    parts = server.requests[0].body["messages"][0]["content"]
    assert parts[0] == {"type": "text", "text": "What colour?"}
    assert parts[1] == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{RED_SQUARE}"}}


def test_a_tool_call_makes_the_round_trip():
    reply, _ = ask(request(tools=(ADD,)))
    (call,) = reply.samples[0].tool_calls
    assert (call.name, dict(call.arguments), reply.samples[0].finish) == ("add", {"a": 1}, "tool_calls")
    turns = (
        *request().messages,
        Message("assistant", "", "reply", tool_calls=(call,)),
        Message("tool", "4", "tool", tool_call_id=call.id),
    )
    _, server = ask(Request(messages=turns, tools=(ADD,)))
    said, result = server.requests[0].body["messages"][1:]
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert said == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    assert result == {"role": "tool", "tool_call_id": call.id, "content": "4"}


def test_a_schema_is_strict_only_where_it_can_be():
    closed = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    for schema, strict in ((closed, True), (free, False)):
        reply, server = ask(request(schema=schema))
        sent = server.requests[0].body["response_format"]
        assert sent["json_schema"] == {"name": "output", "schema": schema, "strict": strict}
        assert isinstance(json.loads(reply.samples[0].text), dict)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_that_has_no_form_as_json_is_the_callers_fault(streamed: bool):
    async def run() -> None:
        async with ChatServer() as server:
            model = OpenAI("m", base_url=server.base_url)
            for asked in (request("half \ud800"), request(tools=(replace(ADD, parameters={"a": float("nan")}),))):
                with pytest.raises(UsageError, match="the request to openai:m cannot be written as JSON"):
                    await (model.stream(asked, lambda *_: None) if streamed else model.generate(asked))

    asyncio.run(run())


def test_what_is_not_declared_is_refused_before_a_call():
    async def run() -> int:
        async with ChatServer() as server:
            model = OpenAI("m", base_url=server.base_url, capabilities=Capabilities())
            for asked in (request(seeds=(1, 2)), request(tools=(ADD,)), request(prefix="So"), request(schema={})):
                with pytest.raises(CapabilityError, match="openai:m does not offer"):
                    await model.generate(asked)
            return len(server.requests)

    assert asyncio.run(run()) == 0


# ---- what comes back


def test_usage_counts_cached_tokens():
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
    body = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    reply, _ = ask(request(), lambda *_: Raw(200, body))
    assert (reply.usage.tokens_in, reply.usage.tokens_out, reply.usage.cached) == (9, 4, 6)


@pytest.mark.parametrize(
    ("details", "cached", "stored"),
    [
        ({"cached_tokens": 1e9}, 0, 0),
        ({"cached_tokens": 10**9}, 9, 0),
        ({"cached_tokens": 6, "cache_write_tokens": 6}, 6, 3),
        ({"cached_tokens": -6, "cache_write_tokens": True}, 0, 0),
        ("x", 0, 0),
    ],
)
def test_no_more_is_cached_than_was_read(details: Any, cached: int, stored: int):
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": details}
    reply, _ = ask(request(), lambda *_: Raw(200, {"choices": [{"message": {"content": "x"}}], "usage": usage}))
    assert reply.usage == Usage(9, 4, cached, stored)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": True, "completion_tokens": 4},
        {"prompt_tokens": 10**400, "completion_tokens": 4},
        None,
        {},
        "x",
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 9},
        {"prompt_tokens": "9"},
    ],
)
def test_a_server_that_reports_no_usage_is_not_free(usage: Any):
    message = Message("user", (Text("Why? " * 60), Image(RED_SQUARE)))
    asked = Request(messages=(message,), seeds=(1, 2), tools=(ADD,))
    choices = [{"message": {"content": "Ja, " * 30}}, {"message": {"content": "nö\ud800"}}]
    reply, _ = ask(asked, lambda *_: Raw(200, {"choices": choices, "usage": usage}))
    assert 1500 + 100 <= reply.usage.tokens_in <= 1500 + 160
    assert 40 <= reply.usage.tokens_out <= 60
    assert reply.notes == ("openai:m reports no usage: tokens are estimated",)


def test_log_probabilities_are_summed():
    reply, _ = ask(request("one two three", logprobs=True))
    assert reply.samples[0].logprob == pytest.approx(-2.0)


@pytest.mark.parametrize("token", [{}, {"logprob": None}, {"logprob": "x"}, None, 1, {"logprob": float("nan")}])
def test_log_probabilities_that_are_none_cost_no_reply(token: Any):
    choice = {"message": {"content": "x"}, "logprobs": {"content": [{"logprob": -1.0}, token]}}
    reply, _ = ask(request(), lambda *_: [choice])
    assert (reply.samples[0].text, reply.samples[0].logprob) == ("x", None)


def test_a_reply_ends_before_a_stop_text_even_if_the_server_ignores_it():
    reply, _ = ask(request(stop=("END", "STOP")), lambda *_: ["so far STOP and END"])
    assert (reply.samples[0].text, reply.samples[0].stopped) == ("so far ", "STOP")


@pytest.mark.parametrize(
    ("more", "stopped"), [({"stop_reason": "END"}, "END"), ({"stop_reason": None}, ""), ({}, None)]
)
def test_a_server_may_say_which_stop_text_ended_a_reply(more: dict[str, Any], stopped: str | None):
    """vLLM does, in ``stop_reason``; of another nobody knows."""
    choice = {"message": {"content": "so far"}, "finish_reason": "stop", **more}
    reply, _ = ask(request(stop=("END",)), lambda *_: [choice])
    assert reply.samples[0].stopped == stopped
    stream = chat.Stream(lambda *_: None)
    stream.take({"choices": [{"index": 0, "delta": {"content": "so far"}}]})
    stream.take({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **more}]})
    assert [sample.stopped for sample in chat.samples(stream.whole() or {}, ("END",))] == [stopped]


@pytest.mark.parametrize(
    ("text", "finish"), [("so far END and on", "stop"), ("so far END", "stop"), ("so far ", "length")]
)
def test_what_was_cut_off_after_a_stop_text_is_not_missed(text: str, finish: str):
    choice = {"message": {"content": text}, "finish_reason": "length"}
    assert ask(request(stop=("END",)), lambda *_: [choice])[0].samples[0].finish == finish


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("length", "length"),
        ("max_tokens", "length"),
        ("function_call", "tool_calls"),
        ("content_filter", "refusal"),
        ("eos", "stop"),
        (None, "stop"),
        (["stop"], "stop"),
    ],
)
def test_why_it_ended_is_told_in_four_words(said: Any, finish: str):
    choice = {"message": {"content": "x"}, "finish_reason": said}
    assert ask(request(), lambda *_: Raw(200, {"choices": [choice]}))[0].samples[0].finish == finish


def test_a_refusal_is_a_reply():
    refusal = {"message": {"content": None, "refusal": "I will not."}}
    reply, _ = ask(request(), lambda *_: [refusal])
    assert (reply.samples[0].text, reply.samples[0].finish) == ("I will not.", "refusal")


def test_broken_arguments_of_a_tool_call_are_kept_for_the_tool_to_complain_about():
    for broken in ('{"a": ', '{"a": NaN}', '{"a": 1e999}', "[" * 100_000, '{"a":' * 150 + "1" + "}" * 150, "[1]"):
        call = {"function": {"name": "add", "arguments": broken}}
        reply, _ = ask(request(tools=(ADD,)), lambda *_, call=call: [{"message": {"tool_calls": [call]}}])
        assert reply.samples[0].tool_calls == (ToolCall("add", {"invalid_json": broken}, "call_0"),)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "no choice"),
        ([{"message": None}], "no choice"),
        ([{"message": {"content": 5}}], "no choice"),
        (Raw(200, {"choices": "x"}), "no choice"),
        (Raw(200, "[1]"), "not an object"),
        (Raw(200, "[" * 100_000), "that is not JSON"),
        (Raw(200, "{", {"content-type": "application/json"}), "application/json that is not JSON"),
        (Raw(200, "<html>hello</html>", {"content-type": "text/html"}), "text/html that is not JSON"),
        (Raw(200, {"error": {"message": "upstream said no", "code": "bad"}}), "upstream said no"),
    ],
)
def test_a_broken_reply_is_an_error_of_one_line(answer: Answer, words: str):
    error = failure(answer)
    assert words in str(error)
    assert not isinstance(error, TransientModelError)


# ---- n


def test_more_choices_than_asked_for_are_dropped():
    reply, _ = ask(request(), lambda *_: ["a", "b"])
    assert [sample.text for sample in reply.samples] == ["a"]


@pytest.mark.parametrize("refused", [False, True])
def test_a_server_without_n_gives_one_sample(refused: bool):
    def reply(body: dict[str, Any], index: int) -> Answer:
        if refused and "n" in body:
            return Raw(400, {"error": {"message": "'n' : number must be at most 1"}})
        return obedient(body, index)[:1]

    async def run() -> None:
        async with ChatServer(reply) as server:
            model = OpenAI("m", base_url=server.base_url)
            for _ in range(2):
                came = await model.generate(request(seeds=(1, 2, 3, 4)))
                assert [sample.text[-3:] for sample in came.samples] == ["[1]"]
                assert came.notes == (("openai:m refuses n: the samples were asked for one by one",) if refused else ())
            assert [r.body.get("n") for r in server.requests] == ([4, None, None] if refused else [4, 4])

    asyncio.run(run())


# ---- connections


def test_cancelling_closes_the_http_request():
    async def run() -> None:
        async with ChatServer(latency=5) as server:
            model = OpenAI("m", base_url=server.base_url)
            task = asyncio.create_task(model.generate(request()))
            await arrived(server, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.1)
            assert server.requests[0].outcome == "cancelled"

    asyncio.run(run())


def test_one_model_serves_many_event_loops_and_leaves_nothing_open():
    with warnings.catch_warnings(record=True) as seen, ChatServer() as server:
        warnings.simplefilter("always")
        model = OpenAI("m", base_url=server.base_url)
        for _ in range(3):
            assert asyncio.run(model.generate(request())).samples
            gc.collect()
        OpenAI("m", base_url=server.base_url)
        del model
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


def test_a_closed_model_opens_again():
    async def run() -> None:
        async with ChatServer() as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.aclose()
            for _ in range(2):
                await model.generate(request())
                await model.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("cycle", [False, True])
def test_a_model_dropped_in_a_running_loop_closes_its_connections(cycle: bool):
    def sessions() -> set[int]:
        gc.collect()
        return {id(o) for o in gc.get_objects() if type(o).__name__ == "ClientSession" and not o.closed}

    async def run() -> None:
        before = sessions()
        async with ChatServer() as server:
            model: Any = OpenAI("m", base_url=server.base_url)
            model.itself = model if cycle else None
            await model.generate(request())
            del model
            gc.collect()
            await asyncio.sleep(0.05)
            assert sessions() <= before

    asyncio.run(run())


def test_many_calls_go_out_at_once():
    async def run() -> float:
        async with ChatServer(latency=0.2) as server:
            model = OpenAI("m", base_url=server.base_url)
            await model.generate(request())
            start = time.monotonic()
            await asyncio.gather(*(model.generate(request()) for _ in range(64)))
            return time.monotonic() - start

    assert asyncio.run(run()) < 1.5


def test_it_keeps_every_promise_it_declares():
    async def run() -> dict[str, str]:
        async with ChatServer(latency=0.03) as server:
            return {line.name: line.outcome for line in await check(OpenAI("m", base_url=server.base_url))}

    outcomes = asyncio.run(run())
    assert outcomes.pop("prefix") == "n/a"
    assert set(outcomes.values()) == {"works"}


def test_a_server_that_reports_no_usage_breaks_a_promise():
    async def run() -> dict[str, str]:
        async with ChatServer(lambda *_: Raw(200, {"choices": [{"message": {"content": "x"}}]})) as server:
            return {line.name: line.detail for line in await check(OpenAI("m", base_url=server.base_url))}

    assert asyncio.run(run())["usage"] == "openai:m reports no usage: tokens are estimated"

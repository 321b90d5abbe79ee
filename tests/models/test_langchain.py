"""LangChain's chat models as models: what they are sent, what comes back, and what their faults stand for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import FakeListChatModel, FakeMessagesListChatModel, ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableLambda
from talker import CALL, Talker, tokens

from veriloop.core.errors import CapabilityError, UsageError
from veriloop.core.messages import Image, Message, Reply, Request, Sample, Text, ToolCall, Usage
from veriloop.core.wire import decode, encode
from veriloop.models.conformance import RED_SQUARE, WEATHER, check
from veriloop.models.langchain import LangChain, wrapped


def request(text: str = "one two", **fields: Any) -> Request:
    return Request(messages=(Message("system", "Be brief."), Message("user", text)), **fields)


def generate(model: Any, asked: Request | None = None) -> Reply:
    return asyncio.run((model if isinstance(model, LangChain) else LangChain(model)).generate(asked or request()))


def helpful(asked: dict[str, Any]) -> AIMessage | str:
    last = asked["messages"][-1]
    if asked.get("tools") and not isinstance(last, ToolMessage):
        return AIMessage("", tool_calls=[CALL], usage_metadata=tokens(9, 3))
    return "Count: 1, 2, 3, 4, 5, 6."


def test_it_keeps_the_promises_it_makes():
    lines = asyncio.run(check(LangChain(Talker(answer=helpful))))
    kept = {"text", "stop", "temperature", "tools", "images", "streaming", "usage", "errors", "cancel"}
    assert {line.name for line in lines if line.outcome == "works"} == kept, lines
    assert {line.name for line in lines if line.outcome == "n/a"} == {"n", "seed", "schema", "logprobs", "prefix"}


def test_a_fake_of_langchain_makes_fewer_promises():
    model = LangChain(FakeListChatModel(responses=["a word"]))
    assert not model.capabilities.tools
    assert not model.capabilities.temperature
    reply = generate(model)
    assert reply.samples == (Sample("a word"),)
    assert [note.partition(" ")[2] for note in reply.notes] == [
        "has no max_tokens: it was left out",
        "reports no usage: tokens are estimated",
    ]
    assert reply.usage.tokens_in > 0


def test_names_tell_the_class_and_the_model():
    assert LangChain(Talker()).name == "langchain:Talker/talker-1"
    assert LangChain(Talker().bind(model="talker-2")).name == "langchain:Talker/talker-2"
    assert LangChain(FakeListChatModel(responses=["a"])).name == "langchain:FakeListChatModel"


def test_turns_become_messages():
    talker = Talker()
    picture = Message("user", (Text("what is this?"), Image(RED_SQUARE)))
    called = Message("assistant", "", "reply", (ToolCall("get_weather", {"city": "Paris"}, "c1"),))
    result = Message("tool", "Sunny.", "tool", tool_call_id="c1")
    generate(talker, replace(request(), messages=(*request().messages, picture, called, result)))
    system, user, seen, said, ran = talker.asked[0]["messages"]
    assert (system, user) == (SystemMessage("Be brief."), HumanMessage("one two"))
    assert seen.content == [
        {"type": "text", "text": "what is this?"},
        {"type": "image", "base64": RED_SQUARE, "mime_type": "image/png"},
    ]
    assert said.tool_calls == [{**CALL, "type": "tool_call"}]
    assert (ran.content, ran.tool_call_id, ran.name) == ("Sunny.", "c1", "get_weather")


def test_the_result_of_a_call_goes_back_under_the_name_of_its_own_turns_call():
    def turn(name: str) -> tuple[Message, Message]:
        call = ToolCall(name, {}, "call_0")  # as calls without an id are called
        return Message("assistant", "", "reply", (call,)), Message("tool", "1", "tool", tool_call_id="call_0")

    talker = Talker()
    generate(talker, replace(request(), messages=(*request().messages, *turn("add"), *turn("sub"))))
    assert [m.name for m in talker.asked[0]["messages"] if isinstance(m, ToolMessage)] == ["add", "sub"]


def test_what_a_request_sets_goes_into_the_fields_of_a_copy():
    talker = Talker(temperature=0.0)
    generate(talker, request(temperature=0.3, top_p=0.9, max_tokens=5, stop=("x",)))
    asked = talker.asked[0]
    assert [asked[name] for name in ("temperature", "top_p", "max_tokens", "stop")] == [0.3, 0.9, 5, ["x"]]
    assert (talker.temperature, talker.max_tokens) == (0.0, None)


def test_what_is_bound_stays_bound():
    talker = Talker()
    model = LangChain(talker.bind(temperature=0.1).with_config(tags=["mine"]).bind(strict=True))
    generate(model, request(max_tokens=5))
    asked = talker.asked[0]
    assert (asked["temperature"], asked["strict"], asked["max_tokens"]) == (0.1, True, 5)
    assert not model.capabilities.temperature


def test_tools_that_are_bound_already_are_the_only_ones():
    model = LangChain(Talker().bind_tools([{"type": "web_search"}]))
    generate(model)
    with pytest.raises(CapabilityError, match="does not offer tools"):
        generate(model, request(tools=(WEATHER,)))


def test_a_profile_says_what_the_model_can_do():
    poor: ModelProfile = {"image_inputs": False, "tool_calling": False, "temperature": False}
    talker = Talker(profile=poor)
    can = LangChain(talker).capabilities
    assert not can.images
    assert not can.tools
    assert not can.temperature
    generate(talker)
    assert talker.asked[0]["temperature"] is None


def test_tools_are_offered_in_the_form_that_all_integrations_take():
    talker = Talker(answer=helpful)
    sample = generate(talker, request(tools=(WEATHER,))).samples[0]
    assert talker.asked[0]["tools"][0]["function"]["name"] == "get_weather"
    assert sample.tool_calls == (ToolCall("get_weather", {"city": "Paris"}, "c1"),)
    assert sample.finish == "tool_calls"


def test_no_tool_may_be_called_where_the_integration_can_say_so():
    talker = Talker()
    generate(talker, request(tools=(WEATHER,), tool_choice="none"))
    assert talker.asked[0]["tool_choice"] == "none"


def test_an_integration_that_takes_none_for_a_name_gets_no_choice():
    class Naming(Talker):
        def bind_tools(self, tools: Any, *, tool_choice: str | None = None, **kwargs: Any) -> Any:
            choice = {"tool_choice": {"type": "tool", "name": tool_choice}} if tool_choice else {}
            return self.bind(tools=tools, **choice)

    class Choosy(Talker):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            if "tool_choice" in kwargs:
                raise ValueError("there is no tool 'none'")
            return self.bind(tools=tools)

    for talker in (Naming(), Choosy()):
        generate(talker, request(tools=(WEATHER,), tool_choice="none"))
        assert "tool_choice" not in talker.asked[0]
        assert talker.asked[0]["tools"]


def test_a_call_that_is_no_json_is_the_models_slip():
    broken = {"name": "get_weather", "args": '{"city": ', "id": "c1", "error": "cut"}
    said = AIMessage("", invalid_tool_calls=[broken], usage_metadata=tokens(1, 1))
    assert generate(Talker(answer=said)).samples[0].tool_calls == (
        ToolCall("get_weather", {"invalid_json": '{"city": '}, "c1"),
    )


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ({"finish_reason": "stop"}, "stop"),
        ({"finish_reason": "MAX_TOKENS"}, "length"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"done_reason": "length"}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"stop_reason": "refusal"}, "refusal"),
        ({"finish_reason": "SAFETY"}, "refusal"),
        ({"stopReason": "guardrail_intervened"}, "refusal"),
        ({}, "stop"),
    ],
)
def test_why_it_ended(said: dict[str, Any], finish: str):
    message = AIMessage("a word", response_metadata=said)
    assert generate(Talker(answer=message)).samples[0].finish == finish


def test_what_was_cut_off_after_a_stop_text_is_not_missed():
    message = AIMessage("so far END and on", response_metadata={"finish_reason": "length"})
    sample = generate(Talker(answer=message), request(stop=("END",))).samples[0]
    assert (sample.text, sample.finish) == ("so far ", "stop")


def test_a_refusal_is_told_in_its_words():
    message = AIMessage("", additional_kwargs={"refusal": "I will not."})
    sample = generate(Talker(answer=message)).samples[0]
    assert (sample.text, sample.finish) == ("I will not.", "refusal")


def test_tokens_are_counted_as_they_are_told():
    message = AIMessage("a", usage_metadata=tokens(50, 8, cache_read=20, cache_creation=10))
    assert generate(Talker(answer=message)).usage == Usage(50, 8, 20, 10)
    timed = tokens(50, 8, cache_creation=0, ephemeral_5m_input_tokens=4, ephemeral_1h_input_tokens=6)
    assert generate(Talker(answer=AIMessage("a", usage_metadata=timed))).usage == Usage(50, 8, 0, 10)


def test_odd_counts_make_no_reply_cheaper():
    message = AIMessage("a", usage_metadata=tokens(50, 8, cache_read=10**9, cache_creation=-5))
    assert generate(Talker(answer=message)).usage == Usage(50, 8, 50, 0)
    assert generate(Talker(answer=AIMessage("a", usage_metadata=tokens(-50, 80)))).usage.tokens_in > 0


def test_tokens_that_nobody_counted_are_estimated():
    reply = generate(Talker(answer=AIMessage("a word", usage_metadata=tokens(0, 0))))
    assert reply.usage.tokens_out > 0
    assert reply.notes == ("langchain:Talker/talker-1 reports no usage: tokens are estimated",)


def test_thinking_goes_back_as_it_came():
    content: list[Any] = [{"type": "thinking", "thinking": "hm", "signature": "S"}, {"type": "text", "text": "a"}]
    message = AIMessage(content, tool_calls=[CALL], additional_kwargs={"signed": "T", "tool_calls": []}, id="m1")
    talker = Talker(answer=message)
    sample = decode(Reply, encode(generate(talker))).samples[0]
    assert sample.text == "a"
    back = Message("assistant", sample.text, "reply", sample.tool_calls, state=sample.state)
    generate(talker, replace(request(), messages=(*request().messages, back)))
    returned = talker.asked[1]["messages"][-1]
    assert (returned.content, returned.additional_kwargs, returned.id) == (content, {"signed": "T"}, "m1")
    assert returned.tool_calls == message.tool_calls


def test_what_another_model_kept_is_not_sent():
    talker = Talker()
    back = Message("assistant", "plain", "reply", state=({"langchain": "langchain:Other", "content": "secret"},))
    generate(talker, replace(request(), messages=(*request().messages, back)))
    assert talker.asked[0]["messages"][-1] == AIMessage("plain")


def test_plain_text_keeps_no_state():
    assert generate(Talker()).samples[0].state == ()


def test_pieces_are_heard_as_they_come():
    model = LangChain(Talker(answer="one two three"))
    heard: list[tuple[int, str]] = []
    assert model.stream is not None
    reply = asyncio.run(model.stream(request(), lambda i, text: heard.append((i, text))))
    assert [text for _, text in heard if text] == ["one ", "two ", "three "]
    assert reply.samples[0].text == "one two three "
    assert reply.usage == Usage(7, 2)


def test_a_streamed_call_is_put_together():
    model = LangChain(Talker(answer=helpful))
    assert model.stream is not None
    reply = asyncio.run(model.stream(request(tools=(WEATHER,)), lambda i, text: None))
    assert reply.samples[0].tool_calls == (ToolCall("get_weather", {"city": "Paris"}, "c1"),)


def test_half_a_streamed_call_is_none():
    half = {"name": "get_weather", "args": '{"city": "Pa', "id": "c1", "index": 0, "type": "tool_call_chunk"}
    chunk = AIMessageChunk("", tool_call_chunks=[half])
    assert chunk.tool_calls[0]["args"] == {"city": "Pa"}
    sample = generate(FakeMessagesListChatModel(responses=[chunk])).samples[0]
    assert sample.tool_calls[0].arguments == {"invalid_json": '{"city": "Pa'}


def test_a_model_that_cannot_stream_does_not_pretend():
    model = LangChain(FakeMessagesListChatModel(responses=[AIMessage("a")]))
    assert model.stream is None
    assert not model.capabilities.streaming
    assert LangChain(Talker(disable_streaming=True)).stream is None


def test_cancelling_stops_the_call():
    class Slow(Talker):
        async def _agenerate(self, *args: Any, **options: Any) -> ChatResult:
            try:
                await asyncio.sleep(60)
            finally:
                self.asked.append({"stopped": True})
            raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(LangChain(slow).generate(request()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    slow = Slow()
    asyncio.run(main())
    assert slow.asked == [{"stopped": True}]


def test_a_sample_never_comes_out_of_langchains_cache():
    set_llm_cache(InMemoryCache())
    try:
        talker = Talker()
        model = LangChain(talker)
        generate(model)
        generate(model)
    finally:
        set_llm_cache(None)
    assert len(talker.asked) == 2


def test_those_who_listen_to_the_caller_do_not_listen_to_the_model():
    class Listening(BaseCallbackHandler):
        seen: list[str] = []  # noqa: RUF012

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            self.seen.append("model")

        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            self.seen.append("chain")

    async def ask(text: str) -> str:
        return (await LangChain(Talker()).generate(request(text))).samples[0].text

    asyncio.run(RunnableLambda(ask).ainvoke("one", {"callbacks": [Listening()]}))
    assert Listening.seen == ["chain"]


def test_only_what_langchain_made_is_wrapped():
    assert isinstance(wrapped(Talker()), LangChain)
    assert isinstance(wrapped(Talker().bind(stop=["x"])), LangChain)
    assert wrapped("openai:gpt-5-mini") is None
    assert wrapped(Talker) is None
    with pytest.raises(UsageError, match="RunnableSequence is a runnable and no chat model"):
        wrapped(Talker() | RunnableLambda(str))


def test_looking_does_not_import_langchain():
    code = (
        "import sys; from veriloop.models.langchain import wrapped; assert wrapped(object()) is None;"
        "print([m for m in sys.modules if m.startswith('langchain')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Anthropic's Messages as data: what a request becomes, and what a reply is read as."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic_server import events, message
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from veriloop.core.errors import UsageError
from veriloop.core.messages import Image, Message, Request, Sample, Text, ToolCall, ToolSpec, Usage
from veriloop.models import claude, claude_reply
from veriloop.models.conformance import INTEGER, RED_SQUARE
from veriloop.models.schema import strict_schema

ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
MARK = {"cache_control": {"type": "ephemeral"}}
THOUGHT = {"type": "thinking", "thinking": "2 + 2 …", "signature": "c2lnbmVk"}
SECRET = {"type": "redacted_thinking", "data": "b3BhcXVl"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}


def asked(*messages: Message, **fields: Any) -> dict[str, Any]:
    return claude.body(Request(messages=messages, **fields), "m")


def user(text: str, purpose: Any = "task") -> Message:
    return Message("user", text, purpose)


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def told(*blocks: Any, **fields: Any) -> Sample:
    found = claude_reply.sample(message({"model": "m", "messages": []}, {"content": list(blocks), **fields}), ())
    assert found
    return found


def replied(sample: Sample) -> Message:
    return Message("assistant", sample.text, "reply", sample.tool_calls, state=sample.state)


# ---- turns


def test_the_systems_turns_go_apart_and_turns_of_one_side_become_one():
    body = asked(
        Message("system", "Be brief."),
        user("The task."),
        user("The method.", "instruction"),
        Message("assistant", "An answer.", "reply"),
        Message("system", "Be kind."),
        user("Again.", "instruction"),
    )
    assert body["system"] == [text("Be brief."), text("Be kind.") | MARK]
    assert body["messages"] == [
        {"role": "user", "content": [text("The task.") | MARK, text("The method.")]},
        {"role": "assistant", "content": [text("An answer.")]},
        {"role": "user", "content": [text("Again.")]},
    ]


def test_calls_and_their_results_go_as_blocks_and_results_side_by_side():
    calls = (ToolCall("add", {"a": 1}, "t1"), ToolCall("add", {"a": 2}, "t2"))
    body = asked(
        user("Add."),
        Message("assistant", "I add.", "reply", calls),
        Message("tool", "1", "tool", tool_call_id="t1"),
        Message("tool", (Text("2"), Image(RED_SQUARE)), "tool", tool_call_id="t2"),
        user("Go on.", "instruction"),
        tools=(ADD,),
    )
    said, results = body["messages"][1:]
    assert said["content"] == [
        text("I add."),
        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "add", "input": {"a": 2}},
    ]
    assert [block["type"] for block in results["content"]] == ["tool_result", "tool_result", "text"]
    assert results["content"][0] == {"type": "tool_result", "tool_use_id": "t1", "content": [text("1")]}
    assert results["content"][1]["content"][1]["source"]["data"] == RED_SQUARE


def test_the_endpoint_never_gets_an_empty_text():
    body = asked(
        Message("system", " "),
        user(""),
        Message("assistant", "\n", "reply"),
        Message("tool", "", "tool", tool_call_id="t1"),
    )
    assert "system" not in body
    assert [turn["content"][0] for turn in body["messages"]] == [
        text("(empty)") | MARK,
        text("(empty)"),
        {"type": "tool_result", "tool_use_id": "t1"} | MARK,
    ]


def test_a_talk_without_the_user_cannot_be():
    with pytest.raises(UsageError, match="message of the user"):
        asked(Message("system", "Be brief."))


def test_pictures_go_as_base64_where_they_may():
    image = Image(RED_SQUARE, "image/webp")
    body = asked(Message("user", (Text("What?"), image)))
    source = {"type": "base64", "media_type": "image/webp", "data": RED_SQUARE}
    assert body["messages"][0]["content"] == [text("What?"), {"type": "image", "source": source} | MARK]
    for message_, words in (
        (Message("user", (Image("x", "image/svg+xml"),)), "not as image/svg"),
        (Message("assistant", (image,)), "in user messages"),
        (Message("system", (image,)), "in user messages"),
    ):
        with pytest.raises(UsageError, match=words):
            asked(user("Hm?"), message_)


def test_what_is_not_asked_for_and_what_nobody_takes_is_not_sent():
    assert set(asked(user("Hm?"), temperature=0.1, top_p=0.5, seeds=(7,))) == {"model", "max_tokens", "messages"}


def test_tools_stay_when_they_may_not_be_called():
    body = asked(user("Add."), tools=(ADD,), tool_choice="none")
    assert body["tools"] == [{"name": "add", "description": "Adds.", "input_schema": dict(ADD.parameters)} | MARK]
    assert body["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in asked(user("Add."), tools=(ADD,))


def test_a_stop_text_of_white_space_is_not_sent():
    assert asked(user("Hm?"), stop=("\n\n", "END"))["stop_sequences"] == ["END"]
    assert "stop_sequences" not in asked(user("Hm?"), stop=("\n",))


# ---- the cache


def test_the_stable_prefix_is_marked_for_the_cache():
    turns = [Message("system", "Be brief."), user("Once."), user("The task."), user("The method.", "instruction")]
    body = asked(*turns, tools=(ADD,))
    assert list(body) == ["model", "max_tokens", "tools", "system", "messages"]
    assert marked(body) == ["Be brief.", "The task."]
    call = Message("assistant", "", "reply", (ToolCall("add", {"a": 1}, "t1"),))
    result = Message("tool", "1", "tool", tool_call_id="t1")
    assert marked(asked(*turns, call, result, tools=(ADD,))) == ["Be brief.", "The task.", "t1"]
    assert marked(asked(*turns, call, result, tools=(ADD,), tool_choice="none")) == ["Be brief.", "The task."]
    assert marked(asked(*turns[1:], tools=(ADD,))) == ["add", "The task."]


def marked(body: dict[str, Any]) -> list[str]:
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    found = [block for block in blocks if "cache_control" in block]
    return [block.get("name") or block.get("text") or block["tool_use_id"] for block in found]


# ---- thinking


def test_thinking_goes_back_as_it_came_in_the_order_it_came():
    blocks = [THOUGHT, SECRET, text("I add."), CALL, THOUGHT, CALL | {"id": "toolu_2"}]
    sample = told(*blocks)
    assert (sample.text, [call.id for call in sample.tool_calls]) == ("I add.", ["toolu_1", "toolu_2"])
    assert json.dumps(sample.state) == json.dumps(blocks)
    body = asked(user("Add."), replied(sample), tools=(ADD,))
    assert body["messages"][1] == {"role": "assistant", "content": blocks}


def test_what_was_not_thought_about_needs_no_state():
    assert told("Four.").state == ()


def test_a_turn_that_was_changed_keeps_the_thinking_before_it():
    changed = Message("assistant", "I add, later.", "reply", state=told(THOUGHT, text("I add."), SECRET, CALL).state)
    assert asked(user("Add."), changed)["messages"][1]["content"] == [THOUGHT, text("I add, later.")]


def test_only_thinking_goes_back_before_what_was_said():
    turn = Message("assistant", "Four.", "reply", state=(THOUGHT,))
    assert asked(user("Add."), turn)["messages"][1]["content"] == [THOUGHT, text("Four.")]


def test_the_state_of_other_providers_is_not_sent():
    turn = Message("assistant", "Four.", "reply", state=({"type": "reasoning", "encrypted_content": "x"},))
    assert asked(user("Add."), turn)["messages"][1]["content"] == [text("Four.")]


# ---- schemas


class Score(BaseModel):
    value: float = Field(ge=0, le=1)
    why: str | None = Field(None, description="Why?")
    tags: list[str] = Field(default_factory=list, max_length=3)


def test_a_schema_goes_in_the_form_the_endpoint_takes():
    assert asked(user("Hm?"), schema=INTEGER)["output_config"] == {"format": {"type": "json_schema", "schema": INTEGER}}


def test_limits_on_values_become_words():
    form = claude.formal(strict_schema(Score.model_json_schema()))
    assert form
    value = form["properties"]["value"]
    assert "minimum" not in value
    assert "minimum: 0" in value["description"]
    assert "maxItems" not in form["properties"]["tags"]
    assert form["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": {"type": "integer"}},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "integer"}}}},
        {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}},
        {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "integer"}]}}},
        {"type": "object", "properties": {"a": {"type": "any"}}},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": True}},
    ],
)
def test_a_schema_that_has_no_such_form_goes_in_words(schema: dict[str, Any]):
    body = asked(user("The task."), schema=schema)
    assert "output_config" not in body
    task, words = body["messages"][-1]["content"]
    assert task == text("The task.") | MARK
    assert json.dumps(schema) in words["text"]


def test_the_words_stay_in_their_place_while_tools_run():
    turns = [user("Add."), replied(told(THOUGHT, CALL)), Message("tool", "1", "tool", tool_call_id="toolu_1")]
    first, later = (asked(*turns[:count], tools=(ADD,), schema={"type": "object"}) for count in (1, 3))
    assert later["messages"][0] == first["messages"][0]
    assert [block["type"] for block in later["messages"][2]["content"]] == ["tool_result"]


# ---- replies


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "refusal"),
        ("pause_turn", "stop"),
        (None, "stop"),
    ],
)
def test_why_a_reply_ended(reason: str | None, finish: str):
    assert told("x", stop_reason=reason).finish == finish


def test_a_refusal_without_words_is_explained():
    details = {"type": "refusal", "category": "cyber", "explanation": "I will not."}
    assert told(stop_reason="refusal", stop_details=details).text == "I will not."
    assert told("No.", stop_reason="refusal", stop_details=details).text == "No."


def test_texts_are_one_text_cut_at_the_stop_texts():
    data = message({"model": "m", "messages": []}, ["so far", " END or", " so"])
    found = claude_reply.sample(data, ("END", "\n"))
    assert found
    assert (found.text, found.stopped) == ("so far ", "END")
    said = {**message({"model": "m", "messages": []}, ["so far"]), "stop_reason": "stop_sequence", "stop_sequence": "X"}
    assert [each.stopped for each in (claude_reply.sample(said, ("X",)), told("so far")) if each] == ["X", ""]


def test_blocks_that_nobody_knows_are_left_out():
    assert told({"type": "server_thing", "data": 1}, "Hello.").text == "Hello."


@pytest.mark.parametrize("content", [None, "x", {}])
def test_a_reply_without_content_is_none(content: Any):
    assert claude_reply.sample({"content": content}, ()) is None


def test_usage_counts_what_came_from_the_cache_and_went_into_it():
    counts = {"input_tokens": 5, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 20, "output_tokens": 3}
    assert claude_reply.usage({"usage": counts}) == Usage(tokens_in=95, tokens_out=3, cached=70, stored=20)
    assert claude_reply.usage({"usage": {"input_tokens": 5, "output_tokens": 3}}) == Usage(5, 3)


@pytest.mark.parametrize(
    "usage", [None, {}, "x", {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 9}, {"input_tokens": "9"}]
)
def test_usage_that_is_none(usage: Any):
    assert claude_reply.usage({"usage": usage}) is None


@pytest.mark.parametrize(
    "content",
    [
        ["one two three"],
        [THOUGHT, "four"],
        [THOUGHT, SECRET, "I add.", CALL, THOUGHT, CALL | {"id": "toolu_2", "input": {}}],
        [""],
        [],
    ],
)
def test_a_stream_writes_what_would_have_come_at_once(content: list[Any]):
    whole = message({"model": "m", "messages": []}, {"content": content, "stop_reason": "max_tokens"})
    written = claude_reply.Written()
    pieces = [written.take(event) for event in events(whole)]
    assert written.done
    assert written.message == whole
    assert "".join(pieces) == "".join(item for item in content if isinstance(item, str))


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
INPUT = st.dictionaries(TEXT, st.integers() | TEXT | st.lists(st.booleans(), max_size=3), max_size=3)
CONTENT = st.lists(
    TEXT
    | st.builds(lambda text: THOUGHT | {"thinking": text}, TEXT)
    | st.builds(lambda given: CALL | {"input": given}, INPUT)
    | st.just(SECRET),
    max_size=5,
)


@given(CONTENT)
def test_whatever_is_streamed_is_read_and_goes_back_as_it_was(content: list[Any]):
    whole = message({"model": "m", "messages": []}, content)
    written = claude_reply.Written()
    for event in events(whole):
        written.take(json.loads(json.dumps(event)))
    assert written.message == whole
    found = claude_reply.sample(written.message, ())
    assert found
    if found.state:
        assert asked(user("Hm?"), replied(found))["messages"][1]["content"] == whole["content"]


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 5}, Usage(12, 2, 4, 5)),
        ({"input_tokens": 3, "cache_read_input_tokens": None}, Usage(3, 2)),
        ({"input_tokens": 3, "cache_read_input_tokens": -4}, None),
        ({"input_tokens": True}, None),
        ({"input_tokens": 3, "output_tokens": 0}, None),
    ],
)
def test_tokens_are_counted_only_where_they_can_be_numbers_of_tokens(counts: dict[str, Any], usage: Usage | None):
    assert claude_reply.usage({"usage": {"output_tokens": 2, **counts}}) == usage


def test_input_of_a_call_that_is_no_json_is_kept_for_the_tool_to_complain_about():
    whole = message({"model": "m", "messages": []}, [CALL | {"input": '{"a": '}])
    written = claude_reply.Written()
    for event in events(whole):
        written.take(event)
    found = claude_reply.sample(written.message, ())
    assert found
    assert found.tool_calls == (ToolCall("add", {"invalid_json": '{"a": '}, "toolu_1"),)


def test_the_input_of_a_call_may_come_as_text_and_its_name_be_missing():
    found = claude_reply.sample({"content": [{"type": "tool_use", "input": '{"a": 1}'}]}, ())
    assert found
    assert found.tool_calls == (ToolCall("", {"a": 1}, "call_0"),)


def test_text_whose_block_was_not_begun_is_kept():
    written = claude_reply.Written()
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "heard"}}
    assert written.take(piece) == "heard"
    found = claude_reply.sample(written.message, ())
    assert found
    assert found.text == "heard"


def test_what_was_cut_off_after_a_stop_text_is_not_missed():
    whole = {"content": [{"type": "text", "text": "so far END and on"}], "stop_reason": "max_tokens"}
    found = claude_reply.sample(whole, ("END",))
    assert found
    assert (found.text, found.finish) == ("so far ", "stop")


def test_events_that_nobody_knows_are_no_fault():
    written = claude_reply.Written()
    for event in ({"type": "news"}, {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta"}}, {}):
        assert written.take(event) == ""
    assert not written.done


# ---- refusals


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("output_config: Extra inputs are not permitted", "output_config"),
        ("output_config.format.schema: For 'object' type, property 'x' is not supported", "output_config"),
        ("'claude-2' does not support output format.", "output_config"),
        ("The compiled grammar is too large, which would cause performance issues.", "output_config"),
        ("stop_sequences: Extra inputs are not permitted", "stop_sequences"),
        ("stop_sequences is not supported", "stop_sequences"),
        ("messages.0.content.0.text.cache_control: Extra inputs are not permitted", "cache_control"),
        ("tools.0.custom.cache_control: Extra inputs are not permitted", "cache_control"),
        ("unknown field cache_control", "cache_control"),
        ('{"detail": [{"loc": ["body", "output_config"], "msg": "Extra inputs are not permitted"}]}', "output_config"),
        ("messages.1.content.0: Invalid `signature` in `thinking` block", "thinking"),
        ("'claude-2' does not support tools.", "tools"),
        ("tools: Extra inputs are not permitted", "tools"),
        ("tools: Tool names must be unique.", None),
        ("tools.0.custom.input_schema: JSON schema is invalid", None),
        ("messages: roles must alternate", None),
        ("messages.0.content: the tools you name are none", None),
        ("max_tokens: 300000 > 128000, which is the maximum allowed for m; use tools", None),
        ("The prompt is too long; leave out tools", None),
        ("temperature is deprecated", None),
        ("", None),
    ],
)
def test_which_parameter_a_400_refuses(words: str, name: str | None):
    body = asked(
        user("Add."), replied(told(THOUGHT, "One.")), user("Go on."), stop=("END",), tools=(ADD,), schema=INTEGER
    )
    assert claude.refused_parameter(body, words) == name


def test_what_is_not_there_cannot_be_refused():
    body = claude.without(asked(user("Hm?")), "cache_control", None)
    for words in ("cache_control: no", "output_config: no", "signature in thinking is bad", "stop_sequences: no"):
        assert claude.refused_parameter(body, words) is None


@pytest.mark.parametrize(
    ("name", "words", "lasting"),
    [
        ("output_config", "output_config: Extra inputs are not permitted", True),
        ("output_config", "output_config.format.schema: no", False),
        ("output_config", "The compiled grammar is too large", False),
        ("stop_sequences", "stop_sequences: at most 4", False),
        ("thinking", "Invalid signature in thinking block", False),
        ("cache_control", "messages.0.content.0.text.cache_control: Extra inputs are not permitted", True),
    ],
)
def test_a_refusal_of_the_parameter_lasts_and_one_of_its_value_does_not(name: str, words: str, lasting: bool):
    assert claude.lasting(name, words) == lasting


def test_marks_go_and_words_that_look_like_them_stay():
    call = Message("assistant", "", "reply", (ToolCall("add", {"cache_control": 1}, "t1"),))
    tool = ToolSpec("add", "Adds.", {"type": "object", "properties": {"cache_control": {"type": "integer"}}})
    body = claude.without(asked(user("Hm?"), call, tools=(tool,)), "cache_control", None)
    assert marked(body) == []
    assert body["messages"][1]["content"][0]["input"] == {"cache_control": 1}
    assert "cache_control" in body["tools"][0]["input_schema"]["properties"]


def test_thinking_can_go_and_leaves_no_empty_turn():
    body = asked(user("Hm?"), Message("assistant", "", "reply", state=(THOUGHT,)), replied(told(THOUGHT, "One.")))
    turns = claude.without(body, "thinking", None)["messages"]
    assert [block for turn in turns for block in turn["content"] if block["type"] != "text"] == []

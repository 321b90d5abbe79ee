"""Every noun survives the way through JSON text, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veriloop import Candidate, Finding, Image, Limits, Message, Proposal, Result, Search, Task, Text, Verdict
from veriloop.core.messages import Capabilities, Reply, Request, Sample, ToolCall, ToolSpec, Usage
from veriloop.core.search import Opinion, Segment, Spend, ToolRun
from veriloop.core.wire import decode, dumps, encode, to_bytes

words = st.text(max_size=8)
count = st.integers(0, 2**63 - 1)
unit = st.floats(0, 1)
plain = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | plain | words
data = st.recursive(scalars, lambda d: st.lists(d, max_size=3) | st.dictionaries(words, d, max_size=3), max_leaves=5)
records = st.dictionaries(words, data, max_size=3)


def several(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(each, max_size=3).map(tuple)


def some(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | each


usage = st.builds(Usage, count, count, count)
tool_call = st.builds(ToolCall, words, records, words)
tool_spec = st.builds(ToolSpec, words, words, records)
parts = several(st.builds(Text, words) | st.builds(Image, words, words))
message = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    words | parts,
    st.sampled_from(["task", "instruction", "reply", "tool"]),
    several(tool_call),
    words,
)
request = st.builds(
    Request,
    messages=several(message),
    seeds=st.lists(count, min_size=1, max_size=3).map(tuple),
    temperature=unit,
    top_p=st.floats(0.01, 1),
    max_tokens=st.integers(1, 2**40),
    stop=several(words),
    tools=several(tool_spec),
    schema=some(records),
    logprobs=st.booleans(),
    prefix=words,
)
sample = st.builds(Sample, words, several(tool_call), some(plain), words)
reply = st.builds(Reply, several(sample), usage, several(words))
capabilities = st.builds(Capabilities, only=words, images=st.booleans(), n=st.booleans(), prefix=st.booleans())
limits = st.builds(
    Limits, calls=some(count), tokens=some(count), money=some(unit), seconds=some(unit), tool_runs=some(count)
)
question = st.builds(Message, st.just("user"), words.map("q".__add__))
task = st.builds(Task, several(message).flatmap(lambda told: question.map(lambda q: (*told, q))), some(words),
                 some(records), limits)  # fmt: skip
proposal = st.builds(
    Proposal,
    id=words,
    role=words,
    scope=words,
    parents=several(words),
    instruction=words,
    prefix=words,
    tools=some(several(words)),
    temperature=unit,
    max_tokens=count,
    stop=several(words),
    seed=some(count),
)
tool_run = st.builds(ToolRun, tool_call, data, words, unit)
outcome = st.sampled_from(["passed", "failed", "unscored", "infra_error"])
verdict = st.builds(Verdict, outcome, some(unit), several(st.builds(Finding, words, some(unit), words)), words)
segment = st.builds(Segment, words, st.sampled_from(["model", "hint", "tool", "recalled"]))
candidate = st.builds(
    Candidate,
    id=words,
    proposal=proposal,
    round=count,
    segments=several(segment),
    artifact=data,
    answer=data,
    complete=st.booleans(),
    key=words,
    logprob=some(plain),
    tool_runs=several(tool_run),
    usage=usage,
    verdict=verdict,
    verifying=usage,
)
opinion = st.builds(Opinion, id=words, proposal=proposal, round=count, value=some(records), error=words, usage=usage)
spend = st.builds(Spend, calls=count, tokens_in=count, tokens_out=count, money=some(plain), seconds=unit)
attempts = several(candidate | opinion)
search = st.builds(
    Search, task=task, seed=count, round=count, attempts=attempts, remaining=limits, experience=records, scope=words
)
result = st.builds(
    Result, run_id=words, answer=data, best=some(candidate), attempts=attempts, spend=spend, stopped=words
)
nouns = st.one_of(
    message, request, reply, capabilities, limits, task, proposal, tool_run, verdict, candidate, opinion, spend, search,
    result,
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nouns)
def test_every_noun_comes_back_as_it_was(noun: Any):
    assert decode(type(noun), json.loads(dumps(encode(noun)))) == noun
    assert decode(type(noun), json.loads(to_bytes(noun))) == noun


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nouns)
def test_a_noun_is_one_line_and_equal_nouns_have_equal_bytes(noun: Any):
    again = decode(type(noun), encode(noun))
    assert dumps(encode(noun)) == dumps(encode(again))
    assert b"\n" not in dumps(encode(noun))
    assert b"\n" not in to_bytes(noun)


@given(data)
def test_plain_data_comes_back_as_it_was(value: Any):
    assert json.loads(dumps(value)) == json.loads(to_bytes(value)) == value


def test_canonical_bytes_do_not_depend_on_the_order_of_keys():
    assert dumps({"b": 1, "a": [2, "é"]}) == dumps({"a": [2, "é"], "b": 1}) == '{"a":[2,"é"],"b":1}'.encode()


@pytest.mark.parametrize("wrong", [{}, {"outcome": "great"}, {"outcome": "passed", "score": 2}, "passed", None])
def test_what_does_not_fit_is_a_value_error(wrong: Any):
    with pytest.raises(ValueError, match="validation error"):
        decode(Verdict, wrong)

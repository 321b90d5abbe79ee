"""START over endpoints: none of them continues a text, so hints and output are turns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anthropic_server import MessagesServer
from loopback import ChatServer

import veriloop
from veriloop import Result
from veriloop.core.events import Event, Noticed
from veriloop.graphs.policies.start import Start
from veriloop.models.anthropic import Anthropic
from veriloop.models.openai import OpenAI
from veriloop.tools.scripted import ScriptedTool

TEXTS = ["It is 4. Wait, no.", "Right.\n```python\nprint(3)", "It is 3."]


def solve(model: Any, notes: list[str]) -> Result:
    def note(event: Event) -> None:
        if isinstance(event, Noticed):
            notes.append(event.text)

    work = veriloop.asolve(
        "What is 1 + 2?",
        strategy=Start(rounds=1, position="after:Wait"),
        model=model,
        tools=[ScriptedTool(lambda code: {"text": str(len(code))})],
        verify=None,
        journal=False,
        on_event=note,
    )
    return asyncio.run(work)


def checked(result: Result, notes: list[str], turns: list[list[dict[str, Any]]]) -> None:
    text = result.candidates[1].text
    assert text.startswith("It is 4. Wait, ")
    assert text.endswith("Right.\n```python\nprint(3)\n```\n```output\n1\n```\nIt is 3.")
    assert [segment.source for segment in result.candidates[1].segments] == ["model", "hint", "model", "tool", "model"]
    assert any(note.endswith("hints are follow-up turns") for note in notes)
    said = [[turn["role"] for turn in each if turn["role"] != "system"] for each in turns]
    assert said[1:] == [["user", "assistant", "user"], ["user", "assistant", "user", "assistant", "user"]]


def test_over_chat_completions():
    notes: list[str] = []
    with ChatServer(lambda body, index: [TEXTS[index]]) as server:
        result = solve(OpenAI("any", base_url=server.base_url), notes)
    checked(result, notes, [request.body["messages"] for request in server.requests])
    assert [request.body.get("stop") for request in server.requests] == [["\n```\n"]] * 3


@pytest.mark.parametrize("thinks", [False, True])
def test_over_messages_whose_thinking_is_left_out_where_the_text_is_cut(thinks: bool):
    thought = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}] if thinks else []

    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        stopped = {"stop_reason": "stop_sequence", "stop_sequence": "\n```\n"} if index == 1 else {}
        return {"content": [*thought, {"type": "text", "text": TEXTS[index]}], **stopped}

    notes: list[str] = []
    with MessagesServer(reply) as server:
        result = solve(Anthropic("any", base_url=server.base_url, api_key="k"), notes)
    checked(result, notes, [request.body["messages"] for request in server.requests])
    assert [request.body["stop_sequences"] for request in server.requests] == [["\n```\n"]] * 3

"""Responses, OpenAI's newer protocol, as the loopback server speaks it: as JSON and as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loopback_chat import event, filled, words

THINKING = "reasoning.encrypted_content"


def response(body: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    """A response that says what the first of ``choices`` (as of Chat Completions) says; a token is a word.

    It has a thought before it where thoughts are asked for.
    """
    choice = filled(choices[0])
    cut = choice.get("finish_reason") == "length"
    status = "incomplete" if cut else "completed"
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": f"secret {len(body['input'])}"}
    output = [thought] if THINKING in (body.get("include") or ()) else []
    output += [{**item, "status": status} for item in _items(choice)]
    words_in = sum(len(str(item.get("content")).split()) for item in body["input"])
    words_out = len(str(choice["message"].get("content")).split())
    usage = {
        "input_tokens": words_in,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": words_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": words_in + words_out,
    }
    details = {"reason": "max_output_tokens"} if cut else None
    head = {"id": "resp_1", "object": "response", "model": body["model"], "status": status, "error": None}
    return {**head, "incomplete_details": details, "output": output, "usage": usage}


def _items(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    message, parts = choice["message"], []
    if message.get("content") is not None:
        logprobs = (choice.get("logprobs") or {}).get("content") or []
        parts.append({"type": "output_text", "text": message["content"], "annotations": [], "logprobs": logprobs})
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    if parts:
        yield {"type": "message", "id": "msg_1", "role": "assistant", "content": parts}
    for i, call in enumerate(message.get("tool_calls") or ()):
        yield {"type": "function_call", "id": f"fc_{i}", "call_id": call["id"], **call["function"]}


def events(whole: dict[str, Any]) -> Iterator[bytes]:
    """A response as the events of a stream, word by word."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    told = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    for i, item in enumerate(whole["output"]):
        told += [(kind, {**fields, "output_index": i}) for kind, fields in _growing(item)]
    told.append((f"response.{whole['status']}", {"response": whole}))
    for number, (kind, fields) in enumerate(told):
        yield event({"type": kind, "sequence_number": number, **fields}, kind)


def _growing(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    bare = {name: value for name, value in item.items() if name not in ("content", "arguments", "encrypted_content")}
    yield "response.output_item.added", {"item": bare}
    for part in item.get("content", ()):
        kind = "refusal" if part["type"] == "refusal" else "output_text"
        for word in words(part.get("text") or part.get("refusal")):
            yield f"response.{kind}.delta", {"item_id": item["id"], "content_index": 0, "delta": word, "logprobs": []}
    for word in words(item.get("arguments")):
        yield "response.function_call_arguments.delta", {"item_id": item["id"], "delta": word}
    yield "response.output_item.done", {"item": item}

"""What the loopback server says: replies to requests, and Chat Completions as JSON and as a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from itertools import zip_longest
from typing import Any


def completion(body: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    """A Chat Completions response; a token is a word."""
    full: list[dict[str, Any]] = []
    for i, choice in enumerate(choices):
        full.append({"index": i, "finish_reason": "stop", "logprobs": None, **filled(choice)})
    words_in = sum(len(str(message.get("content")).split()) for message in body["messages"])
    words_out = sum(len(str(choice["message"].get("content")).split()) for choice in full if choice.get("message"))
    usage = {"prompt_tokens": words_in, "completion_tokens": words_out, "total_tokens": words_in + words_out}
    return {"id": "x", "object": "chat.completion", "model": body["model"], "choices": full, "usage": usage}


def filled(choice: Any) -> dict[str, Any]:
    """A choice that may be given as its text."""
    return {"message": {"role": "assistant", "content": choice}} if isinstance(choice, str) else choice


def chunks(body: dict[str, Any], response: dict[str, Any]) -> Iterator[bytes]:
    """A response as the events of a stream: its choices take turns, word by word."""
    head = {"id": "x", "object": "chat.completion.chunk", "model": body["model"]}
    for turn in zip_longest(*(_pieces(choice) for choice in response["choices"])):
        for choice in filter(None, turn):
            yield event({**head, "choices": [choice]})
    if (body.get("stream_options") or {}).get("include_usage") and response.get("usage"):
        yield event({**head, "choices": [], "usage": response["usage"]})
    yield b"data: [DONE]\n\n"


def event(data: Any, name: str = "") -> bytes:
    """A server-sent event."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def words(text: str | None) -> list[str]:
    """A text in pieces that end with the space after a word."""
    return re.findall(r"\S+\s*|\s+", text or "")


def _pieces(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    message, tokens = choice["message"], list((choice["logprobs"] or {}).get("content") or ())
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{name: word} for name in ("content", "refusal") for word in words(message.get(name))]
    for i, call in enumerate(message.get("tool_calls") or ()):
        arguments = call["function"]["arguments"]
        deltas += [{"tool_calls": [{**call, "index": i, "function": {**call["function"], "arguments": ""}}]}]
        halves = arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]
        deltas += [{"tool_calls": [{"index": i, "function": {"arguments": half}}]} for half in halves]
    for delta in deltas:
        told = [tokens.pop(0)] if delta.get("content") and tokens else []
        logprobs = {"content": told} if told else None
        yield {"index": choice["index"], "delta": delta, "logprobs": logprobs, "finish_reason": None}
    yield {"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}


def obedient(body: dict[str, Any], _index: int = 0) -> list[Any]:
    """The default reply: the last user text and the seed, doing everything the request asks for."""
    return [_choice(body, (body.get("seed") or 0) + i) for i in range(body.get("n") or 1)]


def _choice(body: dict[str, Any], seed: int) -> dict[str, Any]:
    if (tools := body.get("tools")) and body.get("tool_choice") != "none":
        function = tools[0].get("function") or tools[0]
        call = {"name": function["name"], "arguments": json.dumps(example(function["parameters"]))}
        calls = [{"id": f"call_{seed}", "type": "function", "function": call}]
        return {"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    form = (body.get("response_format") or {}).get("json_schema") or (body.get("text") or {}).get("format")
    text = f"{last_user_text(body)} [{seed if body.get('temperature') else 0}]"
    if form:
        text = json.dumps(example(form["schema"]))
    for stop in body.get("stop") or ():
        text = text.partition(stop)[0]
    told = body.get("logprobs") or "message.output_text.logprobs" in (body.get("include") or ())
    logprobs = {"content": [{"token": word, "logprob": -0.5} for word in text.split()]}
    return {"message": {"content": text}, "logprobs": logprobs if told else None}


def example(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """The simplest value that fits a JSON schema."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(root["$defs"][name], root)
    if "anyOf" in schema:
        return example(schema["anyOf"][-1], root)
    if "enum" in schema or "const" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if schema.get("type") == "object":
        return {name: example(sub, root) for name, sub in schema.get("properties", {}).items()}
    plain = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "array": []}
    return plain.get(schema.get("type", "null"))


def last_user_text(body: dict[str, Any]) -> str:
    """The text of the last user message, of a request in either protocol."""
    turns = body["messages"] if "messages" in body else body["input"]
    content = next((turn["content"] for turn in reversed(turns) if turn.get("role") == "user"), "")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] in ("text", "input_text"))


def scripted(script: list[Any]) -> Callable[[dict[str, Any], int], list[Any]]:
    """Choice i of a request is ``script[hash(seed + i, last user text) % len(script)]``."""

    def reply(body: dict[str, Any], _index: int) -> list[Any]:
        return [pick(script, (body.get("seed") or 0) + i, last_user_text(body)) for i in range(body.get("n") or 1)]

    return reply


def pick(script: list[Any], seed: int, text: str) -> Any:
    """The entry of ``script`` that a seed and a text stand for, the same in every process."""
    digest = blake2b(f"{seed}\x1f{text}".encode(), digest_size=8).digest()
    return script[int.from_bytes(digest, "big") % len(script)]

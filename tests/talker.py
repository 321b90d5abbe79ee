"""A chat model of LangChain's kind that says what it is told to, and an error as SDKs raise them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, SecretStr

KEY = "sk-0123456789"
CALL = {"name": "get_weather", "args": {"city": "Paris"}, "id": "c1"}


class Talker(BaseChatModel):
    """Says what ``answer`` says to the messages and what it is set to; keeps all of that in ``asked``."""

    model_name: str = "talker-1"
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    api_key: SecretStr = SecretStr(KEY)
    answer: Any = "yes"
    asked: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "talker"

    def bind_tools(self, tools: Any, *, tool_choice: str | None = None, **kwargs: Any) -> Any:
        return self.bind(tools=tools, **({"tool_choice": tool_choice} if tool_choice else {}), **kwargs)

    def _say(self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]) -> AIMessage:
        set_to = {name: getattr(self, name) for name in ("temperature", "top_p", "max_tokens")}
        self.asked.append({"messages": messages, "stop": stop, **set_to, **options})
        said = self.answer(self.asked[-1]) if callable(self.answer) else self.answer
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, AIMessage) else AIMessage(said, usage_metadata=tokens(7, 2))

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._say(messages, stop, options))])

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        whole = self._say(messages, stop, options)
        for word in str(whole.content).split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))
        for call in whole.tool_calls:
            text = json.dumps(call["args"])
            for part in ({"name": call["name"], "args": text[:4], "id": call["id"]}, {"args": text[4:]}):
                piece = {"name": None, "id": None, **part, "index": 0, "type": "tool_call_chunk"}
                yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[piece]))
        rest = {"response_metadata": whole.response_metadata, "usage_metadata": whole.usage_metadata}
        yield ChatGenerationChunk(message=AIMessageChunk("", **rest))


class Status(Exception):
    """An SDK's error: a status, headers, a body."""

    def __init__(self, status: int, words: str = "no", headers: dict[str, str] | None = None) -> None:
        super().__init__(f"Error code: {status} - {words}")
        self.status_code = status
        self.body = {"error": {"message": words}}
        self.response = type("Response", (), {"headers": headers or {}})()


def tokens(read: int, written: int, **details: int) -> Any:
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written} | (
        {"input_token_details": details} if details else {}
    )

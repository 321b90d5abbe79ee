"""What the faults of LangChain's integrations stand for, and which parameter they refuse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.exceptions import ModelRateLimitError
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from talker import KEY, Status, Talker

from veriloop.core.errors import CapabilityError, ModelError, TransientModelError
from veriloop.core.messages import Message, Reply, Request
from veriloop.models.conformance import WEATHER
from veriloop.models.langchain import LangChain


def request(**fields: Any) -> Request:
    return Request(messages=(Message("user", "one two"),), **fields)


def generate(model: Any, asked: Request | None = None) -> Reply:
    return asyncio.run((model if isinstance(model, LangChain) else LangChain(model)).generate(asked or request()))


def failure(error: Exception) -> ModelError:
    with pytest.raises(ModelError) as caught:
        generate(Talker(answer=error))
    return caught.value


def refuses(name: str, words: str, how: type[Exception] = Status) -> Any:
    """An answer to those who do not send ``name``."""

    def answer(asked: dict[str, Any]) -> str | Exception:
        error = Status(400, words) if how is Status else how(words)
        return error if asked.get(name) is not None else "yes"

    return answer


@pytest.mark.parametrize(
    ("name", "words", "how"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0.7 with this model.", Status),
        ("temperature", "`temperature` is not supported for this model at non-default values.", ValueError),
        ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model.", Status),
        ("stop", "create() got an unexpected keyword argument 'stop'", TypeError),
    ],
)
def test_a_refused_parameter_is_left_out_reported_and_remembered(name: str, words: str, how: type[Exception]):
    talker = Talker(answer=refuses(name, words, how))
    model = LangChain(talker)
    for tried in (2, 3):
        reply = generate(model, request(stop=("z",)))
        assert reply.notes[0].startswith(f"langchain:Talker/talker-1 refuses {name}: ")
        assert len(talker.asked) == tried


def test_a_refusal_is_not_learned_where_the_call_fails_all_the_same():
    answers: list[Any] = [Status(400, "temperature is not supported"), Status(400), "yes"]
    model = LangChain(Talker(answer=lambda asked: answers.pop(0)))
    with pytest.raises(ModelError):
        generate(model)
    assert generate(model).notes == ()


def test_two_parameters_that_cannot_be_together_are_not_refused_each():
    answers: list[Any] = [Status(400, "`temperature` and `top_p` cannot both be specified"), "yes", "yes"]
    model = LangChain(Talker(answer=lambda asked: answers.pop(0)))
    assert generate(model, request(top_p=0.5)).notes == (
        "langchain:Talker/talker-1 refuses temperature: it was left out",
    )
    assert generate(model).notes == ()


def test_a_message_that_is_no_reply_is_a_failure():
    class Odd(Talker):
        async def _agenerate(self, *args: Any, **options: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=HumanMessage("hm"))])

    with pytest.raises(ModelError, match="langchain:Odd/talker-1 failed: AttributeError"):
        generate(Odd())


def test_an_error_that_causes_itself_is_told():
    error = KeyError("choices")
    error.__cause__ = error
    assert "KeyError" in str(failure(error))


def test_a_fault_with_a_value_is_not_a_refusal():
    error = failure(Status(400, "max_tokens must be less than 4096"))
    assert "must be less than 4096" in str(error)


def test_a_model_that_refuses_tools_is_the_wrong_one():
    with pytest.raises(CapabilityError, match="does not offer tools: this model does not support tools"):
        generate(Talker(answer=Status(400, "this model does not support tools")), request(tools=(WEATHER,)))


def test_busy_waits_as_long_as_it_is_asked_to():
    error = failure(Status(429, "slow down", {"retry-after": "7"}))
    assert isinstance(error, TransientModelError)
    assert (error.retry_after, error.busy) == (7.0, True)


@pytest.mark.parametrize("status", [408, 409, 500, 503, 529])
def test_a_status_that_may_pass(status: int):
    assert isinstance(failure(Status(status)), TransientModelError)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_status_that_will_not_pass(status: int):
    assert not isinstance(failure(Status(status)), TransientModelError)


def test_a_status_may_stand_in_the_cause_or_in_botos_words():
    outer = RuntimeError("Error calling model")
    outer.__cause__ = Status(503)
    assert isinstance(failure(outer), TransientModelError)
    boto = RuntimeError("ThrottlingException")
    boto.response = {"ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": {"retry-after": "2"}}}
    error = failure(boto)
    assert isinstance(error, TransientModelError)
    assert error.retry_after == 2.0


def test_names_of_errors_tell_where_no_status_does():
    class APITimeoutError(Exception): ...

    class ConnectError(Exception): ...

    timed_out, refused, limited = failure(APITimeoutError("late")), failure(ConnectError("no")), failure(Limited("x"))
    assert isinstance(timed_out, TransientModelError)
    assert isinstance(refused, TransientModelError)
    assert isinstance(limited, TransientModelError)
    assert (timed_out.unsettled, refused.unsettled, limited.busy) == (True, False, True)
    assert isinstance(failure(TimeoutError()), TransientModelError)
    assert not isinstance(failure(KeyError("choices")), TransientModelError)


class Limited(ModelRateLimitError):
    """As integrations make it."""


def test_a_spent_quota_is_not_tried_again():
    spent = Status(429, "no money")
    spent.code = "insufficient_quota"
    assert not isinstance(failure(spent), TransientModelError)


@pytest.mark.parametrize(
    "bound", [{"api_key": "bound-0123"}, {"extra_headers": {"Authorization": "Bearer bound-0123"}}]
)
def test_a_key_that_is_bound_is_not_shown(bound: dict[str, Any]):
    with pytest.raises(ModelError, match=r"bad key \[key\]"):
        generate(Talker(answer=Status(401, "bad key bound-0123")).bind(**bound))


def test_an_error_is_one_line_without_the_key():
    for error in (Status(401, f"bad key {KEY}\nagain"), KeyError(f"Bearer {KEY}")):
        said = str(failure(error))
        assert KEY not in said
        assert "[key]" in said
        assert "\n" not in said

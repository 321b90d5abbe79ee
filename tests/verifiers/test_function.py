"""A plain function as a verifier: what it may be, take and return."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from veriloop import Candidate, Finding, Task, Verdict
from veriloop.core.errors import UsageError
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, reply

TASK = Task("What?")


def judge(function: Callable[..., Any], answer: str = "four") -> Verdict:
    return asyncio.run(make(function).verify(TASK, reply(TASK, answer), Everyone()))


@pytest.mark.parametrize(
    ("said", "outcome", "score", "text"),
    [
        (True, "passed", 1.0, ""),
        (False, "failed", 0.0, ""),
        (1, "passed", 1.0, ""),
        (0.4, "failed", 0.4, ""),
        ((True, "well done"), "passed", 1.0, "well done"),
        ((0.4, "so so"), "failed", 0.4, "so so"),
        ((False, ""), "failed", 0.0, ""),
    ],
)
def test_a_bool_a_number_or_either_with_a_message(said: Any, outcome: str, score: float, text: str):
    def check(answer: str) -> Any:
        return said

    verdict = judge(check)
    assert (verdict.outcome, verdict.score, verdict.text, verdict.verifier) == (outcome, score, text, "check")


def test_a_verdict_is_taken_as_it_is():
    verdict = Verdict("unscored", None, (Finding("mood", None, "no idea"),), "me")
    assert judge(lambda answer: verdict) is verdict


@pytest.mark.parametrize("said", [None, "yes", 2, -0.1, float("nan"), ("yes", "no"), [True], (True, "a", "b")])
def test_anything_else_is_the_callers_mistake(said: Any):
    with pytest.raises(UsageError, match=r"return a bool, a number 0\.\.1 or a Verdict"):
        judge(lambda answer: said)


async def later(answer: str) -> bool:
    await asyncio.sleep(0)
    return answer == "four"


class Checker:
    """An object that can be called and waited for."""

    async def __call__(self, answer: str) -> bool:
        return await later(answer)


@pytest.mark.parametrize("function", [later, functools.partial(later), Checker(), lambda answer: later(answer)])
def test_a_coroutine_function_in_any_shape_is_awaited(function: Callable[..., Any]):
    assert judge(function).outcome == "passed"
    assert judge(function, "five").outcome == "failed"


def both(answer: str, task: Task, candidate: Candidate) -> bool:
    return (answer, task, candidate.artifact) == ("four", TASK, "four")


@pytest.mark.parametrize(
    "function",
    [
        both,
        lambda task, candidate: task is TASK and candidate.answer == "four",
        lambda candidate, answer: candidate.answer == answer,
        lambda answer, task=None: task is TASK,
        lambda answer, wanted="four": answer == wanted,
        lambda answer, *rest, **more: answer == "four" and not rest and not more,
        lambda *answers: answers == ("four",),
        lambda answer, /: answer == "four",
        lambda *, answer: answer == "four",
        str.isalpha,
        "four".__eq__,
        functools.partial(lambda wanted, answer: wanted == answer, "four"),
        bool,
    ],
)
def test_it_gets_the_answer_and_the_task_and_candidate_where_it_names_them(function: Callable[..., Any]):
    assert judge(function).outcome == "passed"


def test_a_function_that_raises_is_no_score():
    with pytest.raises(ZeroDivisionError):
        judge(lambda answer: 1 / 0)


def test_a_plain_function_may_block():
    async def main() -> bool:
        started = threading.Event()
        slow = make(lambda answer: started.wait(5)).verify(TASK, reply(TASK, "four"), Everyone())
        waiting = asyncio.create_task(slow)
        await asyncio.sleep(0.01)
        started.set()
        return (await waiting).outcome == "passed"

    assert asyncio.run(main())


def test_one_that_blocks_does_not_outlive_a_limit():
    release = threading.Event()

    async def main() -> None:
        async with asyncio.timeout(0.1):
            await make(lambda answer: release.wait(5)).verify(TASK, reply(TASK, "four"), Everyone())

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(main())
    release.set()
    assert time.monotonic() - started < 2


def test_one_that_ends_after_its_loop_is_no_fault(monkeypatch: pytest.MonkeyPatch):
    faults: list[object] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    release, ended = threading.Event(), threading.Event()

    def check(answer: str) -> bool:
        release.wait(5)
        ended.set()
        return True

    async def main() -> None:
        async with asyncio.timeout(0.1):
            await make(check).verify(TASK, reply(TASK, "four"), Everyone())

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    threads = [thread for thread in threading.enumerate() if thread.name == "veriloop verifier"]
    release.set()
    assert ended.wait(5)
    for thread in threads:
        thread.join(5)
    assert threads
    assert not faults


def test_it_sees_the_callers_context_variables():
    colour: ContextVar[str] = ContextVar("colour")
    colour.set("blue")
    assert judge(lambda answer: colour.get() == "blue").outcome == "passed"


def test_one_that_raises_stop_iteration_does_not_hang():
    with pytest.raises(RuntimeError, match="StopIteration"):
        judge(lambda answer: next(iter("")))

"""The one graph: what it promises about order, faults, tools, memory, types, and being cut short."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import veriloop
import veriloop as vl
from veriloop import Candidate, Image, Limits, Message, Proposal, Result, Search, Strategy, Task, Text, Verdict
from veriloop.core.errors import CapabilityError, ModelError, RunFailed, ToolError, UsageError
from veriloop.core.events import (
    AttemptEnded,
    Event,
    Executed,
    Proposed,
    RoundClosed,
    RoundStarted,
    RunEnded,
    RunStarted,
)
from veriloop.core.messages import Capabilities, Reply, Request, Sample, ToolCall, ToolSpec
from veriloop.core.search import ToolRun
from veriloop.graphs.policies.best_of_n import BestOfN
from veriloop.graphs.policies.common import best
from veriloop.graphs.policies.iad import IAD
from veriloop.models.scripted import Scripted


@dataclass(frozen=True)
class Fixed:
    """Proposes ``rounds`` as they are and takes the best; ``enough`` at ``score``."""

    rounds: tuple[tuple[Proposal, ...], ...]
    score: float = 2.0
    seen: list[Search] = field(default_factory=list)

    def propose(self, search: Search) -> list[Proposal]:
        self.seen.append(search)
        return list(self.rounds[search.round]) if search.round < len(self.rounds) else []

    def select(self, search: Search) -> Candidate | None:
        return best(search.candidates)

    def enough(self, search: Search) -> bool:
        return max(candidate.score for candidate in search.candidates) >= self.score


def solve(task: Task | str = "What?", **options: Any) -> Result:
    return asyncio.run(veriloop.asolve(task, **{"journal": False, "model": Scripted(), **options}))


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id.removeprefix(event.run + "/") for event in events]


def asks(*instructions: str, **fields: Any) -> tuple[Proposal, ...]:
    return tuple(Proposal(instruction=text, **fields) for text in instructions)


def last(request: Request) -> str:
    return request.messages[-1].text


# ---- events ----


def test_events_tell_a_run_in_order():
    events: list[Event] = []
    result = solve(strategy=IAD(rounds=2, width=1), verify=lambda answer: 0.5, on_event=events.append)
    assert ids(events) == [
        "run",
        "round/0", "proposed/0.0", "attempt/0.0", "closed/0",
        "round/1", "proposed/1.0", "attempt/1.0", "closed/1",
        "end",
    ]  # fmt: skip
    assert [type(e) for e in events[:5]] == [RunStarted, RoundStarted, Proposed, AttemptEnded, RoundClosed]
    assert isinstance(events[-1], RunEnded)
    assert events[-1].result == result
    assert {event.run for event in events} == {result.run_id}


def test_attempts_stand_in_the_order_proposed_whatever_the_order_they_ended_in():
    async def verify(answer: str) -> float:
        await asyncio.sleep(0.03 * (4 - int(answer)))
        return 0.1 * int(answer)

    events: list[Event] = []
    result = solve(strategy=BestOfN(4), model=Scripted(["1", "2", "3", "4"]), verify=verify, on_event=events.append)
    assert [candidate.answer for candidate in result.candidates] == ["1", "2", "3", "4"]
    ended = [event.attempt.id for event in events if isinstance(event, AttemptEnded)]
    assert ended == ["0.3", "0.2", "0.1", "0.0"]


def test_a_replay_of_a_recording_repeats_all_events(tmp_path: Path):
    first: list[Event] = []
    again: list[Event] = []
    options: dict[str, Any] = {"strategy": IAD(rounds=2, width=2), "verify": lambda answer: 0.5, "seed": 7}
    result = solve(record=tmp_path / "run.jsonl", on_event=first.append, **options)
    mute = Scripted([])
    replayed = solve(replay=tmp_path / "run.jsonl", on_event=again.append, model=mute, **options)
    assert sorted(ids(again)) == sorted(ids(first))
    assert (replayed.best, replayed.attempts, mute.requests) == (result.best, result.attempts, [])


def test_a_resumed_run_repeats_the_ids_of_its_events_and_pays_nothing_again():
    first: list[Event] = []
    again: list[Event] = []
    options: dict[str, Any] = {"verify": lambda answer: 0.5}
    result = solve(journal=True, strategy=IAD(rounds=2, width=2), on_event=first.append, **options)
    mute = Scripted([])
    resumed = asyncio.run(veriloop.aresume(result.run_id, model=mute, on_event=again.append, **options))
    assert isinstance(again[0], RunStarted)
    assert again[0].resumed
    assert set(ids(again)) <= set(ids(first))
    assert (resumed.best, resumed.attempts, mute.requests) == (result.best, result.attempts, [])


def test_a_policy_object_that_no_file_can_hold_is_given_again_on_resume():
    policy = Fixed((asks("a"),))
    result = solve(journal=True, strategy=policy)
    with pytest.raises(UsageError, match=r"objects that no file can hold \(.*model.*\)"):
        asyncio.run(veriloop.aresume(result.run_id))
    resumed = asyncio.run(veriloop.aresume(result.run_id, strategy=policy, model=Scripted([])))
    assert resumed.best == result.best


def test_a_subscribers_fault_never_stops_a_run(caplog: pytest.LogCaptureFixture):
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("no room on the screen")

    result = solve(strategy="single", on_event=[broken, seen.append])
    assert result.answer
    assert ids(seen) == ["run", "round/0", "proposed/0.0", "attempt/0.0", "closed/0", "end"]
    assert [record.message for record in caplog.records if "gets no more events" in record.message]
    assert len(caplog.records) == 1


# ---- faults ----


def test_an_attempt_that_raises_is_lost_and_its_siblings_live_on():
    def verify(answer: str) -> float:
        if answer == "b":
            raise ZeroDivisionError("oh")
        return 0.5 if answer == "a" else 0.7

    result = solve(strategy=BestOfN(3), model=Scripted(["a", "b", "c"]), verify=verify)
    assert [candidate.verdict.outcome for candidate in result.candidates] == ["failed", "infra_error", "failed"]
    assert result.candidates[1].verdict.text == "ZeroDivisionError: oh"
    assert result.candidates[1].verdict.score is None
    assert (result.answer, result.stopped) == ("c", "done")


def test_a_run_that_loses_every_attempt_fails_with_the_reason_and_its_id():
    with pytest.raises(RunFailed, match="the key is wrong") as failed:
        solve(strategy=BestOfN(2), model=Scripted([ModelError("the key is wrong")]), verify=lambda answer: True)
    assert failed.value.run_id


def test_a_run_that_failed_can_be_resumed_once_the_cause_is_mended():
    with pytest.raises(RunFailed) as failed:
        solve(journal=True, strategy="single", model=Scripted([ModelError("the key is wrong")]))
    mended = asyncio.run(veriloop.aresume(failed.value.run_id, model=Scripted(["yes"])))
    assert mended.answer == "yes"


def test_a_run_that_loses_a_later_round_ends_with_the_best_so_far_and_the_reason():
    model = Scripted(["a", ModelError("the line is dead")])
    result = solve(strategy=IAD(rounds=3, width=1), model=model, verify=lambda answer: 0.5)
    assert (result.answer, result.stopped) == ("a", "error: the line is dead")


def test_a_reply_that_is_no_answer_has_failed_and_counts():
    result = solve(strategy=BestOfN(2), model=Scripted([" ", "a"]), verify=lambda answer: 0.1)
    assert result.candidates[0].verdict.outcome == "failed"
    assert result.candidates[0].verdict.text == "the reply holds no usable answer"
    assert (result.answer, result.spend.verdicts) == ("a", 1)


def test_a_reply_with_half_a_character_can_be_written_down():
    assert solve(journal=True, strategy="single", model=Scripted(["caf\ud800"])).answer == "caf?"


def test_a_reply_nested_too_deep_to_be_written_down_is_lost_and_its_siblings_live_on():
    model = Scripted(["[" * 500 + "]" * 500, "[1]"])
    result = solve(journal=True, strategy=BestOfN(2), model=model, output=list[Any], verify=lambda answer: 0.5)
    assert result.answer == [1]


# ---- a round ----


class Pause:
    """A tool that waits."""

    spec = ToolSpec("pause", "Wait.", {"type": "object", "properties": {"seconds": {"type": "number"}}})

    def __init__(self) -> None:
        self.log: list[str] = []

    async def open(self, actions: Sequence[ToolCall] = ()) -> Pause:
        self.log.append("open")
        return self

    async def act(self, call: ToolCall) -> ToolRun:
        if "seconds" not in call.arguments:
            return ToolRun(call, error="say how many seconds")
        if call.arguments["seconds"] == "broken":
            raise ToolError("the clock is broken")
        await asyncio.sleep(call.arguments["seconds"])
        return ToolRun(call, {"waited": call.arguments["seconds"]})

    async def close(self) -> None:
        self.log.append("close")


def pauses(seconds: Any, id: str = "c1") -> Sample:
    return Sample("", (ToolCall("pause", {"seconds": seconds}, id),))


def slow_or_fast(request: Request, seed: int) -> str | Sample:
    """Who is told to be slow calls the tool first."""
    return pauses(0.5) if last(request) == "slow" else "answer"


def test_a_slow_attempt_delays_nobodys_verification():
    ended: dict[str, float] = {}
    start = time.monotonic()

    def note(event: Event) -> None:
        if isinstance(event, AttemptEnded):
            ended[event.attempt.id] = time.monotonic() - start

    policy = Fixed((asks("slow", "fast", "quick"),))
    solve(strategy=policy, model=Scripted(slow_or_fast), tools=[Pause()], verify=lambda a: 0.5, on_event=note)
    assert max(ended["0.1"], ended["0.2"]) < 0.4 < 0.5 < ended["0.0"]


def test_enough_closes_the_round_and_cancelled_attempts_leave_nothing():
    tool, events = Pause(), list[Event]()
    policy = Fixed((asks("slow", "fast"), asks("slow")), score=0.5)
    result = solve(
        strategy=replace(policy, rounds=policy.rounds[:1]),
        model=Scripted(slow_or_fast),
        tools=[tool],
        verify=lambda answer: 0.5,
        on_event=events.append,
    )
    assert [attempt.id for attempt in result.attempts] == ["0.1"]
    assert [event.attempt.id for event in events if isinstance(event, AttemptEnded)] == ["0.1"]
    assert tool.log == ["open", "close"]


def test_the_policy_sees_only_closed_rounds_and_what_is_left():
    policy = Fixed((asks("a", "b"), asks("c")))
    solve(strategy=policy, limits=Limits(calls=5, tokens=10_000))
    assert [len(search.attempts) for search in policy.seen] == [0, 2, 3]
    assert [search.remaining.calls for search in policy.seen] == [5, 3, 2]


def test_a_time_limit_ends_a_run_with_what_there_is():
    start = time.monotonic()
    policy = Fixed((asks("fast", "slow"), asks("never")))
    model = Scripted(lambda request, seed: pauses(30) if last(request) == "slow" else "answer")
    result = solve(strategy=policy, model=model, tools=[Pause()], limits=Limits(seconds=0.3))
    assert (result.answer, result.stopped) == ("answer", "budget: seconds")
    assert time.monotonic() - start < 5


# ---- tools ----


def test_a_model_calls_tools_until_it_answers():
    model = Scripted([pauses(0, "c1"), pauses(0.0, "c2"), "done"])
    tool, events = Pause(), list[Event]()
    result = solve(strategy="single", model=model, tools=[tool], on_event=events.append)
    assert result.answer == "done"
    assert [run.call.id for run in result.best.tool_runs] == ["c1", "c2"] if result.best else False
    assert (result.spend.tool_runs, result.spend.calls) == (2, 3)
    assert tool.log == ["open", "close"]
    assert len([event for event in events if isinstance(event, Executed)]) == 2
    called, told = model.requests[1].messages[-2:]
    assert (called.role, called.tool_calls[0].id) == ("assistant", "c1")
    assert (told.role, told.tool_call_id, told.text) == ("tool", "c1", '{"waited":0}')
    assert [spec.name for spec in model.requests[0].tools] == ["pause"]


def test_a_proposal_says_which_tools_it_may_call():
    model = Scripted(["a", "b"])
    solve(strategy=Fixed((asks("x", tools=()), asks("y", tools=("pause",)))), model=model, tools=[Pause()])
    assert [[spec.name for spec in request.tools] for request in model.requests] == [[], ["pause"]]


def test_an_unknown_tool_and_a_wrong_call_are_told_to_the_model():
    model = Scripted([Sample("", (ToolCall("fly", {}, "c1"), ToolCall("pause", {}, "c2"))), "done"])
    result = solve(strategy="single", model=model, tools=[Pause()])
    told = [message.text for message in model.requests[1].messages[-2:]]
    assert told == ["there is no tool 'fly'; there are: pause", "say how many seconds"]
    assert (result.answer, result.spend.tool_runs) == ("done", 1)


def test_a_tool_that_fails_itself_is_told_to_the_model_found_and_opened_anew():
    tool, model = Pause(), Scripted([pauses("broken"), pauses(0), "done"])
    result = solve(strategy="single", model=model, tools=[tool])
    assert last(model.requests[1]) == "the tool pause failed: the clock is broken"
    assert (result.answer, [run.broken for run in result.best.tool_runs]) == ("done", [True, False])
    assert result.verdict.text == "1 of 2 tool runs failed: pause: the tool pause failed: the clock is broken"
    assert tool.log == ["open", "close", "open", "close"]


class Stuck(Pause):
    """Cannot be closed."""

    async def close(self) -> None:
        raise RuntimeError("stuck")


def test_a_tool_that_cannot_be_closed_costs_no_answer():
    assert solve(strategy="single", model=Scripted([pauses(0), "done"]), tools=[Stuck()]).answer == "done"


def test_after_the_last_step_no_tool_may_be_called():
    model = Scripted(lambda request, seed: pauses(0) if request.tool_choice == "auto" else "done")
    result = solve(strategy="single", model=model, tools=[Pause()])
    assert (result.answer, result.spend.tool_runs, len(model.requests)) == ("done", 8, 9)


def test_a_budget_of_tool_runs_holds():
    model = Scripted(lambda request, seed: pauses(0))
    result = solve(strategy="single", model=model, tools=[Pause()], limits=Limits(tool_runs=3))
    assert (result.answer, result.stopped, result.spend.tool_runs) == (None, "budget: tool_runs", 3)


# ---- memory ----


class Notebook:
    """A memory that keeps what it was told."""

    def __init__(self) -> None:
        self.learned: list[tuple[Search, Candidate | None]] = []

    async def recall(self, task: Task) -> Mapping[str, Any]:
        return {"prompt": "Lesson: count twice.", "experience": {"solved": 3}}

    async def learn(self, search: Search, best: Candidate | None) -> None:
        self.learned.append((search, best))


def test_what_memory_recalls_reaches_the_prompt_and_the_policy():
    model, policy = Scripted(), Fixed((asks("a"),))
    solve(strategy=policy, model=model, memory=Notebook())
    assert model.requests[0].messages[0].text.endswith("\n\nLesson: count twice.")
    assert [search.experience for search in policy.seen] == [{"solved": 3}] * 2


def test_memory_learns_once_from_what_was_verified():
    memory = Notebook()
    result = solve(strategy=IAD(rounds=2, width=2), memory=memory, verify=lambda answer: 0.5)
    ((search, chosen),) = memory.learned
    assert (search.attempts, chosen) == (result.attempts, result.best)


def test_memory_learns_nothing_where_nothing_was_verified():
    memory = Notebook()
    solve(strategy="single", memory=memory)
    solve(strategy="single", memory=memory, verify=lambda answer: Verdict("unscored"))
    assert memory.learned == []


def test_without_a_memory_the_prompt_is_the_formats_own():
    model = Scripted()
    solve(strategy="single", model=model)
    assert "Lesson" not in model.requests[0].messages[0].text


# ---- typed output ----


class City(BaseModel):
    """The wanted answer."""

    name: str
    people: int


def test_the_answer_is_of_the_wanted_type():
    model = Scripted(['Here: {"name": "Rome", "people": 3}'])
    result = solve(strategy="single", model=model, output=City)
    assert result.answer == City(name="Rome", people=3)
    assert model.requests[0].schema == City.model_json_schema()
    assert '"people"' in model.requests[0].messages[0].text


@pytest.mark.parametrize(
    ("kind", "reply", "answer"),
    [(list[int], "[1, 2]", [1, 2]), (int, "```json\n42\n```", 42), (str, '"yes"', "yes"), (bool, "true", True)],
)
def test_any_type_pydantic_validates_can_be_wanted(kind: Any, reply: str, answer: Any):
    assert solve(strategy="single", model=Scripted([reply]), output=kind).answer == answer


def test_an_invalid_reply_has_failed_with_a_finding_and_iad_mends_it():
    model = Scripted(['{"name": "Rome"}', '{"name": "Rome", "people": 3}'])
    result = solve(strategy=IAD(rounds=2, width=1), model=model, output=City, verify=lambda answer: 0.9)
    assert result.candidates[0].verdict.text == "the answer is not of the wanted type: people: Field required"
    assert result.candidates[0].verdict.score == 0
    assert "people: Field required" in last(model.requests[1])
    assert result.answer == City(name="Rome", people=3)


@pytest.mark.parametrize("reply", ["no", "[" * 50_000, "[NaN]", "9" * 5000, '{"a": [1}'])
def test_what_is_no_json_has_failed(reply: str):
    verdict = solve(strategy="single", model=Scripted([reply]), output=list[float]).verdict
    assert (verdict.outcome, verdict.score) == ("failed", 0)


# ---- refused before any call ----

PICTURE = Task((Message("user", (Text("What is this?"), Image("aGVsbG8="))),))
BLIND, SQL_ONLY = Capabilities(n=True, schema=True), Capabilities(only="sql")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"task": PICTURE, "model": Scripted(capabilities=BLIND)}, "reads no pictures"),
        (
            {"task": PICTURE, "model": {"proposer": Scripted(), "critic": Scripted(capabilities=BLIND)}},
            "reads no pictures, and the task has one: give a model that does",
        ),
        ({"model": Scripted(capabilities=SQL_ONLY)}, "only sql, for a question about a database .* asks for text: "),
        (
            {"task": Task("Write f.", language="python"), "model": Scripted(capabilities=Capabilities(only="text"))},
            "writes only text, and this task asks for python: give another model",
        ),
        (
            {"model": {"proposer": Scripted(), "critic": Scripted(capabilities=SQL_ONLY)}},
            "cannot be the critic; name a model for that role",
        ),
        (
            {"model": {"proposer": Scripted(), "judge": Scripted(capabilities=SQL_ONLY)}, "verify": "judge"},
            "cannot be the judge; .*, or verify without it: --verify none",
        ),
    ],
)
def test_what_a_model_cannot_do_is_refused_before_any_call(options: dict[str, Any], line: str):
    with pytest.raises(CapabilityError, match=line):
        solve(options.pop("task", "What?"), strategy="self_refine", **options)
    models = options["model"] if isinstance(options["model"], dict) else {"only": options["model"]}
    assert [request for model in models.values() for request in model.requests] == []


def test_the_critic_sees_the_picture_in_question():
    content = json.dumps({"problems": [], "advice": "", "good_enough": True})
    model = Scripted(["a cat", content])
    solve(PICTURE, strategy="self_refine", model=model)
    assert [image.data for image in model.requests[1].messages[-1].images] == ["aGVsbG8="]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"strategy": "iad"}, "strategy iad needs a verifier"),
        ({"strategy": BestOfN(2)}, "strategy best_of_n needs a verifier"),
        ({"strategy": "magic"}, "unknown strategy 'magic'; known: a_star, beam, best_of_n, iad"),
        ({"strategy": "single", "verify": "magic"}, "unknown verifier 'magic'"),
        ({"strategy": "single", "model": "magic"}, "unknown model 'magic'"),
        ({"strategy": "single", "model": {"judge": Scripted()}}, "no model for the proposer"),
        ({"strategy": "single", "limits": Limits(money=1.0), "model": Scripted()}, ""),
        ({"strategy": "single", "task": Task("rows?", database="/nowhere.sqlite")}, "nowhere.sqlite"),
        ({"strategy": "single", "replay": "/nowhere.jsonl"}, "there is no recording /nowhere.jsonl"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: dict[str, Any], line: str):
    if not line:  # the scripted model is free, so a money limit can hold
        assert solve(**options).spend.money == 0
        return
    with pytest.raises(UsageError, match=line) as refused:
        solve(options.pop("task", "What?"), **options)
    assert "\n" not in str(refused.value)


# ---- entries ----


def test_solve_works_inside_a_running_event_loop():
    async def notebook() -> Result:
        return veriloop.solve("What?", strategy="single", model=Scripted(["here"]), journal=False)

    assert asyncio.run(notebook()).answer == "here"


def test_solve_works_in_many_threads():
    answers: list[Any] = []

    def work(text: str) -> None:
        answers.append(veriloop.solve("What?", strategy="single", model=Scripted([text]), journal=False).answer)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [str(i) for i in range(8)]


def test_a_hundred_runs_at_once_do_not_mix():
    async def many() -> list[Result]:
        model = Scripted(lambda request, seed: f"{request.messages[1].text}!", latency=0.05)
        runs = [
            veriloop.asolve(f"q{i}", strategy=IAD(rounds=2, width=2), model=model, verify=lambda a: 0.5, seed=i)
            for i in range(100)
        ]
        return await asyncio.gather(*runs)

    results = asyncio.run(many())
    assert [result.answer for result in results] == [f"q{i}!" for i in range(100)]
    assert {result.spend.calls for result in results} == {4}
    assert len({result.run_id for result in results}) == 100


@pytest.mark.parametrize("n", [True, False])
def test_cancelling_a_run_stops_everything(n: bool):
    class Waiting(Scripted):
        """Counts the calls under way."""

        under_way = 0

        async def generate(self, request: Request) -> Reply:
            self.under_way += 1
            try:
                return await super().generate(request)
            finally:
                self.under_way -= 1

    model = Waiting(latency=60, capabilities=Capabilities(n=n))
    tool, pausing = Pause(), Scripted(lambda request, seed: pauses(60))

    async def main() -> None:
        runs = [
            asyncio.create_task(veriloop.asolve("What?", strategy=BestOfN(3), verify=bool, **options))
            for options in ({"model": model}, {"model": pausing, "tools": [tool]})
        ]
        while model.under_way == 0 or len(tool.log) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for run in runs:
            run.cancel()
        ended = await asyncio.gather(*runs, return_exceptions=True)
        assert [type(error) for error in ended] == [asyncio.CancelledError] * 2
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert model.under_way == 0
    assert tool.log == ["open"] * 3 + ["close"] * 3


def test_a_strategy_by_name_is_the_policy_with_those_parameters():
    result = solve(strategy=Strategy("best_of_n", {"n": 3}), verify=lambda answer: 0.5)
    assert (len(result.candidates), result.strategy) == (3, "best_of_n")


# ---- tracing to third parties ----


@pytest.fixture
def collector() -> Iterator[tuple[str, Callable[[], int]]]:
    """A server that counts whatever is sent to it."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_PATCH = _any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", lambda: len(seen)
    server.shutdown()
    thread.join()
    server.server_close()


RUN = """
import veriloop
from veriloop.models.scripted import Scripted
print(veriloop.solve("What?", strategy="single", model=Scripted(["here"]), journal=False).answer)
"""
TRACED = """
from langchain_core.runnables import RunnableLambda
print(RunnableLambda(lambda said: said).invoke("here"))
"""
FLUSH = """
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
"""


@pytest.mark.parametrize(("code", "traced"), [(RUN, False), (TRACED, True)])
def test_nothing_goes_to_langsmith_whatever_its_variables_say(
    code: str, traced: bool, collector: tuple[str, Callable[[], int]]
):
    url, count = collector
    variables = {f"{name}_{key}": value for name in ("LANGSMITH", "LANGCHAIN") for key, value in (
        ("TRACING_V2", "true"), ("ENDPOINT", url), ("API_KEY", "not-a-key"),
    )}  # fmt: skip
    variables["LANGSMITH_TRACING"] = "true"
    ran = subprocess.run(
        [sys.executable, "-c", code + FLUSH],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "here\n", ran.stderr
    assert (count() > 0) == traced


def test_a_variable_with_which_langgraph_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANGCHAIN_TRACING", "true")
    with pytest.raises(UsageError, match="unset LANGCHAIN_TRACING"):
        solve(strategy="single")


def test_solve_inside_a_run_is_refused_rather_than_waiting_for_itself():
    async def nested(answer: str) -> bool:
        return bool(vl.solve("again", model=Scripted(["yes"]), verify=None, journal=False))

    with pytest.raises(UsageError, match="await asolve"):
        vl.solve(
            "once", strategy="best_of_n", model=Scripted(lambda request, seed: "yes"), verify=nested, journal=False
        )


def test_a_reply_that_was_cut_is_no_answer():
    model = Scripted([Sample("It is forty-", finish="length")])
    result = vl.solve("how many?", model=model, verify=None, journal=False)
    assert not result.candidates[0].complete
    assert "cut at max_tokens" in result.verdict.text


def test_a_question_about_a_database_takes_no_output_type():
    with pytest.raises(UsageError, match="its rows"):
        vl.solve(vl.Task("q", database="x.sqlite"), model=Scripted(["x"]), output=int, journal=False)


def test_when_the_time_is_up_an_unverified_answer_is_better_than_none():
    async def forever(answer: str) -> bool:
        await asyncio.sleep(30)
        return True

    result = vl.solve(
        "how many?",
        model=Scripted(lambda _, seed: "four"),
        verify=forever,
        limits=vl.Limits(seconds=0.3),
        journal=False,
    )
    assert result.answer == "four"
    assert result.verdict.outcome == "unscored"
    assert result.stopped == "budget: seconds"

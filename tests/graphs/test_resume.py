"""A run goes on where its journal ends: nothing is paid twice, nothing is lost, and what cannot be is said."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import ChatServer
from sittings import reply, score, summary

import veriloop as vl
from veriloop.core.errors import JournalMismatch, ModelError, RunFailed, UsageError
from veriloop.core.events import RunStarted
from veriloop.core.messages import Reply, Request, Sample, ToolCall, ToolSpec
from veriloop.core.search import Candidate, Proposal, Search, ToolRun
from veriloop.graphs.record import journal_in
from veriloop.models.scripted import Scripted

IAD = vl.Strategy("iad", {"rounds": 3, "width": 2})
FIVE = vl.Strategy("best_of_n", {"n": 5})


def fruit(request: Request, seed: int) -> str:
    """An answer by prompt and seed."""
    return f"fruit {(seed + len(request.messages[-1].text)) % 97}"


def lines(home: Path) -> list[bytes]:
    """The lines of the only journal."""
    (path,) = (home / "journals").glob("*.jsonl")
    return path.read_bytes().splitlines(keepends=True)


def kinds(home: Path) -> list[str]:
    """What each line of the only journal holds."""
    return [(r[0] if isinstance(r, list) else r)["kind"] for r in map(json.loads, lines(home))]


def left_by_a_killed_process(home: Path, data: bytes) -> None:
    """A data folder as a process leaves it that was killed when it had written ``data``."""
    journal_in.cache_clear()
    (home / "journals").mkdir(parents=True, exist_ok=True)
    for path in (home / "journals").iterdir():
        path.unlink()
    (home / "journals" / "20260101-000000-1-aaaaaa.jsonl").write_bytes(data)


def cut_after(home: Path, kind: str, count: int = 1) -> None:
    """Forget everything after the ``count``-th line of a kind."""
    at = [i for i, each in enumerate(kinds(home)) if each == kind][count - 1]
    left_by_a_killed_process(home, b"".join(lines(home)[: at + 1]))


def asked(model: Scripted) -> int:
    """How many samples a model was asked for."""
    return sum(request.n for request in model.requests)


def test_a_finished_run_resumed_again_pays_nothing_and_gives_the_same(home) -> None:
    first = vl.solve("Which?", model=Scripted(fruit), verify=score, strategy=IAD)
    model = Scripted(fruit)
    again = vl.resume(first.run_id, model=model)
    assert summary(again) == summary(first)
    assert again.spend == replace(first.spend, seconds=again.spend.seconds)
    assert model.requests == []


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[bytes, vl.Result]:
    """A journal of a finished run and its result."""
    home = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERILOOP_HOME", str(home))
        result = vl.solve("Which?", model=Scripted(fruit), verify=score, strategy=IAD)
        journal_in(home).close()
    return b"".join(lines(home)), result


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0.0, 1.0))
def test_wherever_the_journal_is_torn_the_run_ends_the_same_and_pays_only_what_is_missing(finished, home, part) -> None:
    data, result = finished
    header = data.index(b"\n") + 1
    kept = data[: header + round(part * (len(data) - header))]
    left_by_a_killed_process(home, kept)
    settled = kept[: kept.rfind(b"\n") + 1].count(b'"kind":"model"')
    model = Scripted(fruit)
    again = vl.resume(result.run_id, model=model)
    assert summary(again) == summary(result)
    assert asked(model) == 6 - settled


def test_a_run_whose_beginning_is_torn_off_is_unknown_and_says_so(finished, home) -> None:
    data, result = finished
    left_by_a_killed_process(home, data[:50])
    with pytest.raises(UsageError, match="there is no run"):
        vl.resume(result.run_id, model=Scripted(fruit))
    left_by_a_killed_process(home, data[data.index(b"\n") + 1 :])
    with pytest.raises(UsageError, match=r"the beginning of run .* is lost"):
        vl.resume(result.run_id, model=Scripted(fruit))


def test_an_unknown_run_says_where_to_look(home) -> None:
    with pytest.raises(UsageError, match=r"there is no run 'nobody'; see: veriloop runs list"):
        vl.resume("nobody")


class Racing:
    """A model without n whose first sample comes at once and whose others come late."""

    name = "racing"
    capabilities = replace(Scripted().capabilities, n=False)

    def __init__(self, first: str = "right") -> None:
        self.first = first
        self.calls = 0

    async def generate(self, request: Request) -> Reply:
        """``first`` at once, then ``wrong`` after a while."""
        self.calls += 1
        if self.calls > 1:
            await asyncio.sleep(0.2)
        return await Scripted([self.first if self.calls == 1 else "wrong"]).generate(request)


def right(answer: str) -> bool:
    """Whether the answer is the right one."""
    return answer == "right"


def test_a_round_that_was_closed_early_stays_closed(home) -> None:
    first = vl.solve("Which?", model=Racing(), verify=right, strategy=FIVE)
    assert (len(first.candidates), first.stopped) == (1, "passed")
    cut_after(home, "closed")
    model = Racing()
    again = vl.resume(first.run_id, model=model)
    assert summary(again) == summary(first)
    assert model.calls == 0


def flaky(request: Request, seed: int) -> str:
    """Fails for every other seed."""
    if seed % 2:
        raise ModelError("the model is out of order")
    return fruit(request, seed)


ONE_BY_ONE = replace(Scripted().capabilities, n=False, seed=True)


def test_what_infrastructure_lost_in_a_closed_round_stays_lost(home) -> None:
    first = vl.solve("Which?", model=Scripted(flaky, capabilities=ONE_BY_ONE), verify=score, strategy=FIVE)
    outcomes = [c.verdict.outcome for c in first.candidates]
    assert 0 < outcomes.count("infra_error") < 5
    cut_after(home, "closed")
    model = Scripted(fruit, capabilities=ONE_BY_ONE)
    again = vl.resume(first.run_id, model=model)
    assert summary(again) == summary(first)
    assert model.requests == []


def test_what_infrastructure_lost_in_an_open_round_is_tried_again(home) -> None:
    first = vl.solve("Which?", model=Scripted(flaky, capabilities=ONE_BY_ONE), verify=score, strategy=FIVE)
    lost = [c.verdict.outcome for c in first.candidates].count("infra_error")
    cut_after(home, "attempt", 5 - lost)
    model = Scripted(fruit, capabilities=ONE_BY_ONE)
    again = vl.resume(first.run_id, model=model)
    assert [c.verdict.outcome for c in again.candidates] == ["failed"] * 5
    assert len(model.requests) == lost


def test_a_run_that_failed_as_a_whole_goes_on_when_the_server_is_up(home, monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    with pytest.raises(RunFailed, match="connection refused; is the server running") as failed:
        vl.solve("Which?", model="openai:test", verify=score, strategy=IAD)
    server = ChatServer(reply)
    server.port = port
    with server:
        again = vl.resume(failed.value.run_id)
        assert len(server.requests) == 3
        assert summary(again) == summary(vl.solve("Which?", model="openai:test", verify=score, strategy=IAD))


def test_a_later_round_lost_as_a_whole_gives_the_best_so_far_and_is_tried_again(home) -> None:
    down = Scripted(["fruit 1", "fruit 2", ModelError("the server is down")])
    first = vl.solve("Which?", model=down, verify=score, strategy=IAD)
    assert first.stopped == "error: the server is down"
    assert first.answer in ("fruit 1", "fruit 2")
    again = vl.resume(first.run_id, model=Scripted(fruit))
    assert (again.stopped, again.spend.calls) == ("done", 6)


# --- the budget over sittings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [{"calls": 4}, {"tokens": 2300}, {"tokens": 4400}])
def test_a_limit_holds_over_all_sittings(home, limit) -> None:
    def limited(request: Request, seed: int) -> str:
        return "fruit " + "very " * 400 + str(seed % 9)

    task = vl.Task("Which?", limits=vl.Limits(**limit))
    first = vl.solve(task, model=Scripted(limited), verify=score, strategy=IAD)
    assert first.stopped == f"budget: {next(iter(limit))}"
    data = b"".join(lines(home))
    for count in range(1, data.count(b"\n")):
        left_by_a_killed_process(home, b"".join(data.splitlines(keepends=True)[:count]))
        again = vl.resume(first.run_id, model=Scripted(limited))
        assert summary(again) == summary(first)


def test_money_of_earlier_sittings_counts(home, monkeypatch) -> None:
    monkeypatch.chdir(home.parent)
    Path("veriloop.toml").write_text('[prices."paid"]\ninput = 0.0\noutput = 1000.0\n')

    class Paid(Scripted):
        name = "paid"

    task = vl.Task("Which?", limits=vl.Limits(money=2.5))
    first = vl.solve(task, model=Paid(fruit), verify=score, strategy=IAD)
    assert first.spend.money == pytest.approx(first.spend.tokens_out / 1000)
    cut_after(home, "closed")
    again = vl.resume(first.run_id, model=Paid(fruit))
    assert summary(again) == summary(first)


def test_seconds_of_earlier_sittings_count(home) -> None:
    task = vl.Task("Which?", limits=vl.Limits(seconds=0.5))
    first = vl.solve(task, model=Scripted(fruit, latency=0.2), verify=score, strategy=IAD)
    assert (first.stopped, len(first.candidates)) == ("budget: seconds", 4)
    cut_after(home, "closed")
    again = vl.resume(first.run_id, model=Scripted(fruit, latency=0.2))
    assert (again.stopped, len(again.candidates)) == ("budget: seconds", 4)
    assert 0.5 <= again.spend.seconds < 0.7


@dataclass
class Counted:
    """A tool that the model may call, and how often it ran."""

    ran: int = 0

    @property
    def spec(self) -> Any:
        """What the model sees."""
        from veriloop.core.messages import ToolSpec

        return ToolSpec("look", "Looks.", {"type": "object", "properties": {}})

    async def open(self, actions: Any = ()) -> Counted:
        """Stateless."""
        return self

    async def act(self, call: Any) -> ToolRun:
        """Count."""
        self.ran += 1
        return ToolRun(call, output={"seen": self.ran})

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Looking:
    """One proposal after the other, each with the tool."""

    n: int = 3

    def propose(self, search: Search) -> list[Proposal]:
        """One more until there are ``n``."""
        return [Proposal(tools=("look",))] if len(search.attempts) < self.n else []

    def select(self, search: Search) -> Candidate | None:
        """The last."""
        return search.candidates[-1] if search.candidates else None


def looker(request: Request, seed: int) -> Any:
    """Looks once, then answers."""
    from veriloop.core.messages import Sample, ToolCall

    if any(m.role == "tool" for m in request.messages):
        return f"saw {request.messages[-1].text}"
    return Sample("", (ToolCall("look", {}, "1"),))


def test_tool_runs_are_restored_and_counted(home) -> None:
    task = vl.Task("Which?", limits=vl.Limits(tool_runs=2))
    first = vl.solve(task, model=Scripted(looker), tools=[Counted()], strategy=Looking(), verify=None)
    assert (first.spend.tool_runs, first.stopped) == (2, "budget: tool_runs")
    cut_after(home, "tool")
    tool = Counted(ran=1)
    again = vl.resume(first.run_id, model=Scripted(looker), tools=[tool])
    assert summary(again) == summary(first)
    assert tool.ran == 2


# --- what cannot be ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drifting:
    """A policy whose temperature is no parameter: code, which may change between two sittings."""

    def propose(self, search: Search) -> list[Proposal]:
        """Two rounds of one."""
        return [Proposal(temperature=TEMPERATURE)] if search.round < 2 else []

    def select(self, search: Search) -> Candidate | None:
        """The first."""
        return search.candidates[0] if search.candidates else None


TEMPERATURE = 0.5


@pytest.mark.parametrize("kept", ["model", "attempt", "closed"])
def test_changed_code_is_a_named_error_and_never_a_second_payment(home, kept, monkeypatch) -> None:
    first = vl.solve("Which?", model=Scripted(fruit), verify=score, strategy=Drifting())
    cut_after(home, kept)
    monkeypatch.setitem(globals(), "TEMPERATURE", 0.9)
    monkeypatch.setattr(sys.modules[Drifting.__module__], "TEMPERATURE", 0.9, raising=False)
    model = Scripted(fruit)
    with pytest.raises(JournalMismatch, match="code or settings changed since"):
        vl.resume(first.run_id, model=model, strategy=Drifting())
    assert model.requests == []


def never(answer: Any) -> bool:
    """A function that can be imported."""
    return False


class AsObject:
    """A verifier that is an object."""

    name = "as_object"

    async def verify(self, task: vl.Task, candidate: Candidate, context: Any) -> vl.Verdict:
        """Never content."""
        return vl.Verdict("failed", 0.5, (), self.name)


def local() -> Callable[[str], bool]:
    """A function that cannot be imported."""
    return lambda answer: False


@pytest.mark.parametrize(("what", "given"), [("verify", AsObject()), ("verify", local()), ("output", list[int])])
def test_objects_that_no_file_can_hold_are_asked_for_by_name(home, what, given) -> None:
    options = {"verify": never, what: given}
    first = vl.solve("Which?", model=Scripted(lambda r, s: "[1]"), strategy=FIVE, **options)
    with pytest.raises(UsageError, match=rf"objects that no file can hold \({what}, model\).*veriloop\.resume"):
        vl.resume(first.run_id)
    again = vl.resume(first.run_id, model=Scripted([]), **{what: given})
    assert summary(again) == summary(first)


def test_a_task_with_a_schema_of_its_own_is_resumed(home) -> None:
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "required": ["b"]}
    task = vl.Task("Which?", output_schema=schema)
    model = Scripted(lambda r, s: json.dumps({"b": str(s), "a": 1}))
    first = vl.solve(task, model=model, verify=None, strategy="single")
    cut_after(home, "model")
    assert summary(vl.resume(first.run_id, model=Scripted([]))) == summary(first)


def test_a_run_at_work_in_another_process_is_left_alone(home) -> None:
    code = (
        "import asyncio, veriloop as vl\n"
        "from veriloop.models.scripted import Scripted\n"
        "slow = Scripted(latency=30)\n"
        "def started(event): print(event.run, flush=True)\n"
        "vl.solve('Which?', model=slow, strategy='single', on_event=started)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            run = other.stdout.readline().strip()
            with pytest.raises(UsageError, match="being worked on by another process"):
                vl.resume(run, model=Scripted(fruit))
        finally:
            other.kill()
    assert vl.resume(run, model=Scripted(fruit)).stopped == "done"


def test_a_run_at_work_in_this_process_is_left_alone(home) -> None:
    async def both() -> None:
        seen: list[str] = []
        slow = asyncio.create_task(
            vl.asolve("Which?", model=Scripted(latency=5), strategy="single", on_event=lambda e: seen.append(e.run))
        )
        await asyncio.sleep(0.1)
        try:
            with pytest.raises(UsageError, match="being worked on"):
                await vl.aresume(seen[0], model=Scripted(fruit))
        finally:
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)

    asyncio.run(both())


def test_a_resumed_run_says_so_and_repeats_the_ids_of_its_events(home) -> None:
    seen: list[Any] = []
    first = vl.solve("Which?", model=Scripted(fruit), verify=score, strategy=IAD, on_event=seen.append)
    cut_after(home, "closed", 2)
    again: list[Any] = []
    vl.resume(first.run_id, model=Scripted(fruit), on_event=again.append)
    assert next(e for e in again if isinstance(e, RunStarted)).resumed
    assert {e.id for e in again} <= {e.id for e in seen}


class Counting:
    """A tool with a state: it counts its actions."""

    spec = ToolSpec("count", "counts", {"type": "object"})

    async def open(self, actions: Sequence[ToolCall] = ()) -> Counter:
        return Counter(len(actions))


class Counter:
    def __init__(self, done: int) -> None:
        self.done = done

    async def act(self, call: ToolCall) -> ToolRun:
        self.done += 1
        return ToolRun(call, (self.done,))

    async def close(self) -> None: ...


def three_calls(request: Request, seed: int) -> Sample:
    counted = [m.text for m in request.messages if m.role == "tool"]
    return Sample(",".join(counted)) if len(counted) == 3 else Sample("", (ToolCall("count", {}),))


def test_a_tool_keeps_its_state_over_a_kill(home) -> None:
    again = {"model": Scripted(three_calls), "tools": [Counting()]}
    first = vl.solve("Count!", verify=None, **again)
    assert first.answer == "[1],[2],[3]"
    cut_after(home, "tool", 2)
    assert vl.resume(first.run_id, **again).answer == first.answer


def test_a_candidate_whose_verifier_broke_is_the_same_after_a_resume(home) -> None:
    def often_broken(answer: str) -> float:
        if int(answer.split()[1]) % 2:
            raise OSError("the checker is away")
        return 0.5

    again = {"model": Scripted(fruit), "verify": often_broken}
    for seed in range(30):  # one that breaks for some and not for a whole round
        with suppress(RunFailed):
            tried = vl.solve("Which?", strategy=IAD, seed=seed, journal=False, **again)
            if len(tried.candidates) == 6 and len({c.verdict.outcome for c in tried.candidates}) == 2:
                break
    first = vl.solve("Which?", strategy=IAD, seed=seed, **again)
    assert {c.verdict.outcome for c in first.candidates} == {"failed", "infra_error"}
    assert all(c.text for c in first.candidates)
    cut_after(home, "closed", 2)
    assert vl.resume(first.run_id, **again).candidates == first.candidates


def test_every_model_object_must_be_given_again_for_its_role(home) -> None:
    models = {"proposer": Scripted(fruit), "judge": Scripted(fruit)}
    first = vl.solve("Which?", strategy="single", model=models, verify=None)
    with pytest.raises(UsageError, match="had a model object as judge"):
        vl.resume(first.run_id, model=models["proposer"])

"""A recording is a deterministic test: all replies come out of it, everything else runs for real."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer
from sittings import FRUIT, reply, score, solve, summary

import veriloop as vl
from veriloop.core.errors import JournalMismatch, ModelError, UsageError
from veriloop.core.messages import Reply, Request
from veriloop.models.scripted import Scripted

IAD = vl.Strategy("iad", {"rounds": 3, "width": 2})


def fruit(request: Request, seed: int) -> str:
    """An answer by prompt and seed."""
    return FRUIT[(seed + len(request.messages[-1].text)) % len(FRUIT)]


def silent() -> Scripted:
    """A model of the same name that nobody may call."""
    return Scripted([])


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Where the recording goes."""
    return tmp_path / "run.jsonl"


def recorded(tape: Path, **options: Any) -> vl.Result:
    """The run that is on the tape."""
    return vl.solve("Which?", **{"model": Scripted(fruit), "verify": score, "strategy": IAD, **options, "record": tape})


def replayed(tape: Path, **options: Any) -> vl.Result:
    """The same run out of the tape."""
    return vl.solve("Which?", **{"model": silent(), "verify": score, "strategy": IAD, **options, "replay": tape})


def test_a_replay_gives_the_same_result_without_a_call(tape) -> None:
    first = recorded(tape)
    model = silent()
    assert summary(replayed(tape, model=model)) == summary(first)
    assert model.requests == []


@pytest.mark.parametrize("kind", ["iad", "self_refine", "sql"])
def test_a_replay_needs_neither_server_nor_key(kind, tape, tmp_path, monkeypatch) -> None:
    with ChatServer(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        first = asyncio.run(solve(kind, 3, tmp_path, record=tape))
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert summary(asyncio.run(solve(kind, 3, tmp_path, replay=tape))) == summary(first)


def test_a_replay_repeats_the_ids_of_events(tape) -> None:
    def ids(seen: list[Any]) -> list[str]:
        return [event.id.partition("/")[2] for event in seen]

    first: list[Any] = []
    again: list[Any] = []
    recorded(tape, on_event=first.append)
    replayed(tape, on_event=again.append)
    assert sorted(ids(again)) == sorted(ids(first))


def test_a_replay_writes_nothing(tape, home) -> None:
    recorded(tape, journal=False)
    before = tape.read_bytes()
    replayed(tape)
    assert tape.read_bytes() == before
    assert not list(home.glob("journals/*"))


def test_verifiers_run_in_a_replay(tape) -> None:
    first = recorded(tape, strategy=vl.Strategy("best_of_n", {"n": 4}))
    seen: list[str] = []

    def stricter(answer: str) -> float:
        seen.append(answer)
        return 0.1

    again = replayed(tape, strategy=vl.Strategy("best_of_n", {"n": 4}), verify=stricter)
    assert seen == [c.answer for c in first.candidates]
    assert [c.verdict.score for c in again.candidates] == [0.1] * 4


class Racing:
    """Without n; the first answer is right and at once, the others come late."""

    name = "racing"
    capabilities = replace(Scripted().capabilities, n=False)
    calls = 0

    async def generate(self, request: Request) -> Reply:
        """Answer."""
        self.calls += 1
        if self.calls > 1:
            await asyncio.sleep(0.1)
        return await Scripted(["right" if self.calls == 1 else "wrong"]).generate(request)


def test_a_round_closed_early_is_closed_where_it_was(tape) -> None:
    five = vl.Strategy("best_of_n", {"n": 5})
    first = recorded(tape, model=Racing(), strategy=five, verify=lambda answer: answer == "right")
    model = Racing()
    again = replayed(tape, model=model, strategy=five, verify=lambda answer: answer == "right")
    assert summary(again) == summary(first)
    assert model.calls == 0


def test_what_was_lost_to_infrastructure_is_lost_in_the_replay(tape) -> None:
    def flaky(request: Request, seed: int) -> str:
        if seed % 2:
            raise ModelError("out of order")
        return fruit(request, seed)

    able = replace(Scripted().capabilities, n=False, seed=True)
    five = vl.Strategy("best_of_n", {"n": 5})
    first = recorded(tape, model=Scripted(flaky, capabilities=able), strategy=five)
    assert "infra_error" in {c.verdict.outcome for c in first.candidates}
    assert summary(replayed(tape, model=Scripted([], capabilities=able), strategy=five)) == summary(first)


@pytest.mark.parametrize(
    "limits", [vl.Limits(seconds=0.35), vl.Limits(calls=3), vl.Limits(tokens=1400)], ids=["seconds", "calls", "tokens"]
)
def test_a_run_that_its_budget_ended_ends_there_in_the_replay(tape, limits) -> None:
    first = recorded(tape, model=Scripted(fruit, latency=0.15), limits=limits)
    assert first.stopped.startswith("budget: ")
    assert first.candidates
    assert summary(replayed(tape, limits=limits)) == summary(first)


def test_a_missing_recording_says_how_to_make_one(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"there is no recording .*; make one with --record"):
        replayed(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize("content", ["", "hello", '{"some": "json"}\n', "\0\1\2"])
def test_what_is_not_a_recording_says_so(tape, content) -> None:
    tape.write_text(content)
    with pytest.raises(UsageError, match="is not a recording of a run"):
        replayed(tape)


def test_a_run_that_goes_on_where_the_recording_ends_says_so(tape) -> None:
    recorded(tape, limits=vl.Limits(calls=2))
    with pytest.raises(JournalMismatch, match=r"the recording has no .*: the run went another way, so record it again"):
        replayed(tape)


def test_a_run_that_asks_something_else_says_so(tape) -> None:
    recorded(tape)
    model = silent()
    with pytest.raises(JournalMismatch, match=r"recorded for another request: the verifier, .* so record it again"):
        replayed(tape, model=model, verify=lambda answer: 0.5)
    assert model.requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strategy": vl.Strategy("iad", {**IAD.parameters, "rounds": 4})}, r"run: rounds 3 \(now 4\); ask the same"),
        ({"strategy": "best_of_n"}, r"strategy iad \(now best_of_n\)"),
        ({"seed": 5}, r"run: seed 0 \(now 5\); ask the same, or record this one"),
        ({"model": "openai:other"}, r"proposer's model openai:test \(now openai:other\)"),
        ({"task": "Who?"}, r"run: question 'Which\?' \(now 'Who\?'\); ask"),
    ],
)
def test_a_recording_of_another_run_is_refused_by_what_differs(tape, monkeypatch, change, words) -> None:
    with ChatServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        recorded(tape, model="openai:test")
        asked = len(server.requests)
        options: dict[str, Any] = {"task": "Which?", "model": "openai:test", "verify": score, "strategy": IAD, **change}
        with pytest.raises(JournalMismatch, match=words):
            vl.solve(**options, replay=tape)
        assert len(server.requests) == asked


def test_a_recording_is_not_written_over(tape) -> None:
    tape.write_text("mine")
    model = Scripted(fruit)
    with pytest.raises(UsageError, match="it exists already; remove it or name another file"):
        recorded(tape, model=model)
    assert (tape.read_text(), model.requests) == ("mine", [])


def test_a_recording_that_cannot_be_written_says_so_before_any_call(tmp_path) -> None:
    model = Scripted(fruit)
    with pytest.raises(UsageError, match="nowhere"):
        recorded(tmp_path / "nowhere" / "run.jsonl", model=model)
    assert model.requests == []

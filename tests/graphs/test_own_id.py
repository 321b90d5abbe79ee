"""Runs under an id and in a folder of the caller's own: gone on with, told again, never paid twice."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

import veriloop as vl
from veriloop.core.errors import JournalMismatch, UnknownRun, UsageError
from veriloop.core.events import RoundStarted
from veriloop.core.journal import Journal, Record, read
from veriloop.core.messages import Request, Usage
from veriloop.core.settings import load
from veriloop.core.wire import decode, encode
from veriloop.graphs.record import journal_in
from veriloop.memory.runs import collect, list_runs
from veriloop.models.scripted import Scripted

IAD = vl.Strategy("iad", {"rounds": 2, "width": 1})


def fruit(request: Request, seed: int) -> str:
    return f"fruit {seed}"


def half(answer: str) -> float:
    return 0.5


def solve(model: Scripted, run_id: str = "mine", question: str = "Which?", **options: Any) -> vl.Result:
    return vl.solve(question, model=model, verify=half, strategy=IAD, run_id=run_id, **options)


def new_process(folder: Path) -> None:
    """The next run finds the journals as another process would."""
    journal_in(folder).close()
    journal_in.cache_clear()


def test_a_run_with_an_id_of_ones_own_is_told_again_and_pays_nothing(tmp_path: Path) -> None:
    first = solve(model := Scripted(fruit), folder=tmp_path)
    assert first.run_id == "mine"
    again = solve(model, folder=tmp_path)
    new_process(tmp_path)
    later = solve(model, folder=tmp_path)
    assert again.candidates == later.candidates == first.candidates
    assert len(model.requests) == 2
    kinds = [r.kind for path in tmp_path.glob("journals/*.jsonl") for r in read(path)]
    assert kinds.count("end") == kinds.count("run") == 1


def test_a_run_that_was_cut_is_gone_on_with(tmp_path: Path) -> None:
    async def interrupted() -> None:
        def cut(event: Any) -> None:
            if isinstance(event, RoundStarted) and event.round == 1:
                task.cancel()

        work = vl.asolve(
            "Which?",
            model=Scripted(fruit),
            verify=half,
            strategy=IAD,
            run_id="mine",
            folder=tmp_path,
            on_event=cut,
        )
        task = asyncio.create_task(work)
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(interrupted())
    new_process(tmp_path)
    rest = Scripted(fruit)
    assert len(solve(rest, folder=tmp_path).candidates) == 2
    assert len(rest.requests) == 1


def test_nothing_of_it_is_in_the_data_folder(tmp_path: Path, home: Path) -> None:
    solve(Scripted(fruit), folder=tmp_path / "bench")
    new_process(tmp_path / "bench")
    collect(load())
    assert list_runs(load()) == []
    assert list((tmp_path / "bench" / "journals").iterdir())


def test_in_the_data_folder_it_is_told_out_of_the_store_too(home: Path) -> None:
    first = solve(model := Scripted(fruit))
    new_process(home)
    assert collect(load()) == 1
    assert solve(model).candidates == first.candidates
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [({"question": "What?"}, "question"), ({"seed": 1}, "seed"), ({"strategy": "single"}, "strategy")],
)
def test_another_run_under_the_same_id_is_refused_by_what_differs(tmp_path: Path, change: Any, named: str) -> None:
    solve(Scripted(fruit), folder=tmp_path)
    asked: dict[str, Any] = {"question": "Which?", "strategy": IAD, "seed": 0, **change}
    with pytest.raises(JournalMismatch, match=f"run mine is another one: .*{named} .*give another run_id"):
        vl.solve(asked.pop("question"), model=Scripted(fruit), verify=half, run_id="mine", folder=tmp_path, **asked)


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 81, "é", 'a"b'])
def test_an_id_that_cannot_be_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match="is not an id of a run"):
        solve(Scripted(fruit), wrong, folder=tmp_path)


def test_a_folder_for_no_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave out journal=False"):
        solve(Scripted(fruit), folder=tmp_path, journal=False)


def test_the_same_id_twice_at_once_is_refused(tmp_path: Path) -> None:
    async def both() -> list[Any]:
        model = Scripted(fruit, latency=0.1)
        runs = [
            vl.asolve("Which?", model=model, verify=half, strategy=IAD, run_id="mine", folder=tmp_path) for _ in "ab"
        ]
        return await asyncio.gather(*runs, return_exceptions=True)

    ended, refused = asyncio.run(both())
    assert ended.best is not None
    assert "being worked on already" in str(refused)


def test_what_the_verifier_asked_is_counted_apart(tmp_path: Path) -> None:
    def judging(request: Request, seed: int) -> str:
        return fruit(request, seed) if request.schema is None else json.dumps({"reasons": [], "score": 0.4})

    def run(**options: Any) -> vl.Result:
        return vl.solve("Which?", model=Scripted(judging), verify="judge", strategy=IAD, **options)

    first = run(run_id="mine", folder=tmp_path)
    used = [c.usage + c.verifying for c in first.candidates]
    assert all(c.verifying.tokens_in and c.verifying.tokens_out for c in first.candidates)
    total = sum(used, Usage())
    assert (total.tokens_in, total.tokens_out) == (first.spend.tokens_in, first.spend.tokens_out)
    new_process(tmp_path)
    assert run(run_id="mine", folder=tmp_path).candidates == first.candidates


def test_a_candidate_of_an_older_journal_is_read() -> None:
    old = encode(vl.solve("Which?", model=Scripted(fruit), verify=half, journal=False).candidates[0])
    del old["verifying"]
    assert decode(vl.Candidate, old).verifying == Usage()


def test_among_thousands_of_runs_each_is_found_at_once(tmp_path: Path) -> None:
    for sitting in range(3):
        journal = Journal(tmp_path)
        for n in range(2000):
            log = journal.resume(f"r{n}") if sitting else journal.start(f"r{n}")
            log.put("model", str(len(log.records)), "x" * 2000)
            log.close()
        journal.close()
    journal = Journal(tmp_path)
    journal.resume("r0").close()
    started = time.perf_counter()
    for n in range(0, 2000, 20):
        log = journal.resume(f"r{n}")
        assert set(log.records) == {("model", str(k)) for k in range(3)}
        log.close()
    assert time.perf_counter() - started < 0.5  # all the journals read for each of them take five times that


def test_lines_that_are_added_moved_or_torn_are_found(tmp_path: Path) -> None:
    dead, reader = Journal(tmp_path), Journal(tmp_path)
    dead.start("r1").put("run", "", {})
    dead.close()
    reader.resume("r1").close()
    with dead.path.open("ab") as file:
        file.write(Record("r2", "run", "", "", 0.0, {}).data())  # no end of line
    assert set(reader.resume("r2").records) == {("run", "")}
    moved = tmp_path / "moved"
    moved.write_bytes(Record("r3", "run", "", "", 0.0, {}).line())
    moved.replace(dead.path)
    assert set(reader.resume("r3").records) == {("run", "")}
    with pytest.raises(UnknownRun):
        reader.resume("r1")

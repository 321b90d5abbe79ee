"""Runs are found wherever they lie, and moved to the store without loss."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import veriloop as vl
from veriloop.core.errors import UsageError
from veriloop.core.journal import Journal, Lock, read
from veriloop.core.settings import Settings
from veriloop.graphs.record import journal_in
from veriloop.memory import runs
from veriloop.memory.store import Store
from veriloop.models.scripted import Scripted

Write = Callable[..., Path]
WHOLE = ("begin", "work", "close", "end")
CUT = ("begin", "work")
HERE = Path(__file__).parent


def statuses(settings: Settings) -> dict[str, str]:
    return {info.id: info.status for info in runs.list_runs(settings, None)}


def left(home: Path) -> list[str]:
    """The ids of the runs in journals."""
    return sorted({r.run for path in (home / "journals").glob("*.jsonl") for r in read(path)})


def test_a_real_run_is_seen_in_its_journal_and_then_in_the_store(home: Path, settings: Settings) -> None:
    done = vl.solve("how many?", strategy="single", model=Scripted(["42"]), verify=lambda answer: answer == "42")
    before = runs.list_runs(settings)
    assert runs.collect(settings) == 0  # this process lives
    journal_in(home).close()
    assert runs.collect(settings) == 1
    assert left(home) == []
    assert runs.list_runs(settings) == before
    info, records = runs.find(settings, done.run_id)
    assert (info.question, info.answer, info.status, info.strategy) == ("how many?", "42", "passed", "single")
    assert info.spend == done.spend
    assert (records[0].kind, records[-1].kind) == ("run", "end")


def test_a_run_that_was_cut_off_is_resumed_and_collected_from_both_journals(home: Path, settings: Settings) -> None:
    with pytest.raises(vl.VeriloopError) as failed:
        vl.solve("how many?", strategy="single", model=Scripted([]), verify=None)
    journal_in(home).close()
    journal_in.cache_clear()
    run = failed.value.run_id  # pyright: ignore
    assert statuses(settings) == {run: "unfinished"}
    assert runs.collect(settings) == 0
    vl.resume(run, model=Scripted(["42"]))
    journal_in(home).close()
    assert len(list((home / "journals").iterdir())) == 2
    assert runs.collect(settings) == 1
    info, records = runs.find(settings, run)
    assert (info.status, info.answer) == ("unscored", "42")
    assert len({(r.kind, r.key) for r in records}) == len(records)
    assert left(home) == []


def test_only_finished_runs_leave_a_journal(home: Path, settings: Settings, write: Write) -> None:
    path = write(r1=WHOLE, r2=CUT, r3=WHOLE)
    before = [r for r in read(path) if r.run == "r2"]
    assert runs.collect(settings) == 2
    assert runs.collect(settings) == 0
    assert list(read(path)) == before
    assert statuses(settings) == {"r1": "passed", "r2": "unfinished", "r3": "passed"}
    Journal(home / "journals").resume("r2").close()


def test_a_live_process_keeps_its_journal(home: Path, settings: Settings, write: Write) -> None:
    path = write(r1=WHOLE, r2=CUT)
    lock = Lock(path)
    assert runs.collect(settings) == 0
    assert statuses(settings) == {"r1": "passed", "r2": "running"}
    lock.release()
    assert statuses(settings) == {"r1": "passed", "r2": "unfinished"}


def test_a_run_with_a_sitting_in_a_held_journal_waits(home: Path, settings: Settings, write: Write) -> None:
    first = write(r1=CUT, r2=CUT)
    write(r1=["close", "end"])
    lock = Lock(first)
    assert runs.collect(settings) == 0
    lock.release()
    assert runs.collect(settings) == 1
    assert [r.kind for r in runs.find(settings, "r1")[1]] == ["run", "model", "attempt", "closed", "end"]
    assert left(home) == ["r2"]


def test_empty_journals_are_cleared_away(home: Path, settings: Settings, write: Write) -> None:
    path = write(r1=CUT)
    path.write_bytes(b"")
    assert runs.collect(settings) == 0
    assert not path.exists()


def test_what_was_stored_before_a_kill_is_only_cleared_away(home: Path, settings: Settings, write: Write) -> None:
    path = write(r1=WHOLE)
    data = path.read_bytes()
    assert runs.collect(settings) == 1
    path.write_bytes(data)
    assert statuses(settings) == {"r1": "passed"}
    assert runs.collect(settings) == 0
    assert left(home) == []


def test_a_run_whose_beginning_is_lost_is_still_there(settings: Settings, write: Write) -> None:
    write(r1=["close", "end"])
    assert runs.collect(settings) == 1
    (info,) = runs.list_runs(settings)
    assert (info.status, info.question, info.answer) == ("passed", "", 7)
    assert info.created.timestamp() == pytest.approx(time.time(), abs=60)


def test_lists_the_newest_first(settings: Settings, write: Write) -> None:
    write(r1=WHOLE, days=3)
    write(r2=WHOLE, days=1)
    runs.collect(settings)
    write(r3=CUT, days=2)
    write(r4=WHOLE, days=0)
    assert [info.id for info in runs.list_runs(settings)] == ["r4", "r2", "r3", "r1"]
    assert [info.id for info in runs.list_runs(settings, 2)] == ["r4", "r2"]
    assert runs.count_runs(settings) == 4


def test_finds_by_the_beginning_of_an_id(settings: Settings, write: Write) -> None:
    write(ab1=WHOLE, ab=WHOLE, cd1=WHOLE)
    runs.collect(settings)
    write(ab2=CUT, ef1=CUT)
    assert [runs.find(settings, name)[0].id for name in ("ab", "ab1", "c", "e")] == ["ab", "ab1", "cd1", "ef1"]
    with pytest.raises(UsageError, match="'a' may be any of ab, ab1, ab2: give more of the id"):
        runs.find(settings, "a")
    for unknown in ("x", "AB", "_b", '"'):
        with pytest.raises(UsageError, match="there is no run"):
            runs.find(settings, unknown)


def test_removes_finished_and_unfinished_runs(home: Path, settings: Settings, write: Write) -> None:
    write(r1=WHOLE, r2=WHOLE)
    runs.collect(settings)
    write(u1=CUT, u2=CUT)
    write(u1=["close"])
    assert runs.remove(settings, ["r1", "u1"]) == 2
    assert statuses(settings) == {"r2": "passed", "u2": "unfinished"}
    assert left(home) == ["u2"]


def test_removes_nothing_when_one_is_unknown_or_at_work(settings: Settings, write: Write) -> None:
    write(r1=WHOLE)
    runs.collect(settings)
    lock = Lock(write(u1=CUT))
    with pytest.raises(UsageError, match="there is no run 'x'"):
        runs.remove(settings, ["r1", "x"])
    with pytest.raises(UsageError, match="run u1 is in the journal of a live process"):
        runs.remove(settings, ["r1", "u1"])
    lock.release()
    assert statuses(settings) == {"r1": "passed", "u1": "unfinished"}


def test_prunes_what_is_old_and_gives_the_room_back(home: Path, settings: Settings, write: Write) -> None:
    write(**{f"r{n}": WHOLE for n in range(300)}, days=3000)
    runs.collect(settings)
    write(u1=CUT, days=3000)
    write(u2=CUT, new=WHOLE, days=-3000)
    lock = Lock(write(u3=CUT, days=3000))
    size = (home / "veriloop.sqlite").stat().st_size
    count, freed = runs.prune(settings, 30)
    lock.release()
    assert count == 301
    assert statuses(settings) == {"u2": "unfinished", "new": "passed", "u3": "unfinished"}
    assert freed > size - (home / "veriloop.sqlite").stat().st_size > 50_000
    assert runs.prune(settings, 30)[0] == 1


def test_says_where_the_data_lives(home: Path, settings: Settings, write: Write) -> None:
    line = f"finished runs: {home}/veriloop.sqlite (0.0 MB); journals: {home}/journals"
    assert runs.where(settings) == f"{line} (0 files, 0.0 MB)"
    assert not home.exists()
    write(r1=CUT)
    assert runs.where(settings) == f"{line} (1 file, 0.0 MB)"
    elsewhere = settings.model_copy(update={"store": "postgresql+psycopg://me:secret@host/data"})
    assert runs.where(elsewhere).startswith("finished runs: postgresql+psycopg://me:***@host/data; journals: ")


def test_a_thousand_runs_are_listed_in_half_a_second(settings: Settings, write: Write) -> None:
    for part in range(10):
        write(**{f"s{part}{n}": WHOLE for n in range(100)})
    assert runs.collect(settings) == 1000
    for n in range(200):
        write(**{f"j{n}": CUT if n % 2 else WHOLE}, days=1)
    took: list[float] = []
    for _ in range(3):  # a machine that others use may stand still during one
        begun = time.perf_counter()
        listed = runs.list_runs(settings, None)
        took.append(time.perf_counter() - begun)
        assert len(listed) == 1200
    assert min(took) < 0.5


def test_collecting_may_be_killed_at_any_step(home: Path, tmp_path: Path, write: Write) -> None:
    write(r1=CUT, r2=WHOLE, u1=CUT)
    write(r1=["close", "end"], r3=WHOLE)
    said = subprocess.run(
        [sys.executable, str(HERE / "killing.py"), str(home), str(tmp_path / "copy")], capture_output=True, check=True
    )
    points = [json.loads(line) for line in said.stdout.splitlines()]
    seen = {"r1": "passed", "r2": "passed", "r3": "passed", "u1": "unfinished"}
    whole = {run: ["run", "model", "attempt", "closed", "end"] for run in ("r1", "r2", "r3")}
    for point in points:
        assert point["listed"] == seen
        assert point["stored"] == whole
        assert point["left"] == ["u1"]
    assert len(points) > 50
    assert {point["moved"] for point in points} == {0, 1, 2, 3}


def test_two_processes_collect_at_once(home: Path, settings: Settings, write: Write) -> None:
    for n in range(40):
        write(**{f"r{n}": WHOLE, f"u{n}": CUT})
    go = home / "go"
    code = f"""
import time
from pathlib import Path
from veriloop.core.settings import load
from veriloop.memory import runs
settings = load()
print(flush=True)
while not Path({str(go)!r}).exists():
    time.sleep(0.001)
print(runs.collect(settings))
"""
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        process.stdout.readline()
    go.touch()
    moved = [int(process.communicate()[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    runs.collect(settings)
    assert sum(moved) <= 40
    assert len(Store.of(settings).recent()) == 40
    assert left(home) == sorted(f"u{n}" for n in range(40))


def test_a_moment_is_kept_to_the_second_in_utc(settings: Settings, write: Write) -> None:
    write(r1=WHOLE)
    runs.collect(settings)
    (info,) = runs.list_runs(settings)
    assert info.created.isoformat() == "2026-01-31T12:00:00+00:00"
    assert info.created.utcoffset() == timedelta(0)

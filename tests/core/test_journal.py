"""What is written before a kill is read after it, what is half written is not, and one process works on it."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from veriloop.core.errors import JournalMismatch, UsageError
from veriloop.core.journal import Journal, Lock, Record, is_held, read

WRITER = """
import os, signal, sys
from pathlib import Path
from veriloop.core.journal import Journal

log = Journal(Path(sys.argv[1])).start("r1")
log.put("run", "", {"asked": "what?"})
log.put_all([("model", "a", "first", "h1"), ("model", "b", "second", "h2")], t=1.5)
print("written", flush=True)
if sys.argv[2:] == ["die"]:
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.read()
"""


@contextmanager
def writer(folder: Path, *how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process with a run ``r1`` in its journal."""
    command = [sys.executable, "-c", WRITER, str(folder), *how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process


def left_behind(folder: Path, *runs: str) -> Path:
    """The journal of a process that has ended, with the beginnings of runs."""
    journal = Journal(folder)
    for run in runs:
        journal.start(run).put("run", "", {})
    journal.close()
    return journal.path


def only(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


def sync_threads() -> int:
    return sum(thread.name == "veriloop-journal" for thread in threading.enumerate())


def test_reads_what_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.start("r1").put("model", "0/proposer/0", {"text": "schön\n\x00"}, "h", 0.12345)
    journal.close()
    assert list(read(journal.path)) == [Record("r1", "model", "0/proposer/0", "h", 0.1235, {"text": "schön\n\x00"})]


def test_drops_a_torn_tail_wherever_it_is_torn(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    log = journal.start("r1")
    log.put("run", "", {"n": 1})
    whole = journal.path.stat().st_size
    log.put("model", "ä", {"n": [2, {"ü": None}]}, "h", 1.0)
    journal.close()
    data = journal.path.read_bytes()
    for size in range(whole, len(data) - 1):
        journal.path.write_bytes(data[:size])
        assert [r.kind for r in read(journal.path)] == ["run"]
    journal.path.write_bytes(data[:-1])
    assert [r.kind for r in read(journal.path)] == ["run", "model"]


def test_several_steps_in_one_write_are_all_there_or_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    log = journal.start("r1")
    log.put_all([("model", key, key * 5, "h") for key in "abc"], t=1.0)
    journal.close()
    data = journal.path.read_bytes()
    for size in range(len(data)):
        journal.path.write_bytes(data[:size])
        assert len(list(read(journal.path))) in ((0, 3) if size == len(data) - 1 else (0,))
    journal.path.write_bytes(data)
    assert [r.key for r in read(journal.path)] == ["a", "b", "c"]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    log = journal.start("r1")
    log.put("run", "", {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 50, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            log.put("model", "a", "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.put("model", "b", "fits")
    journal.close()
    assert [r.key for r in read(journal.path)] == ["", "b"]


def test_the_same_key_for_another_request_is_a_named_error(tmp_path: Path) -> None:
    left_behind(tmp_path, "r0")
    with writer(tmp_path, "die"):
        pass
    log = Journal(tmp_path).resume("r1")
    assert log.get("model", "a", "h1") == "first"
    assert log.get("model", "c", "h1") is None
    with pytest.raises(JournalMismatch, match="model a is recorded for another request"):
        log.get("model", "a", "other")
    log.close()


def test_adopts_the_journal_of_a_killed_process(tmp_path: Path) -> None:
    with writer(tmp_path, "die") as process:
        assert process.wait() == -signal.SIGKILL
    journal = Journal(tmp_path)
    log = journal.resume("r1")
    assert log.get("run", "") == {"asked": "what?"}
    assert log.elapsed == 1.5
    assert is_held(only(tmp_path))
    log.close()
    assert not is_held(only(tmp_path))


def test_refuses_a_run_of_a_live_process(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        assert is_held(only(tmp_path))
        with pytest.raises(UsageError, match="run r1 is being worked on by another process"):
            Journal(tmp_path).resume("r1")
        process.kill()
        process.wait()
        Journal(tmp_path).resume("r1").close()


def test_refuses_a_run_that_nobody_began(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run 'r9'"):
        Journal(tmp_path / "none").resume("r9")


def test_waits_for_one_who_only_looks(tmp_path: Path) -> None:
    lock = Lock(left_behind(tmp_path, "r1"))
    threading.Timer(0.05, lock.release).start()
    Journal(tmp_path).resume("r1").close()


def test_runs_of_one_dead_process_are_resumed_side_by_side_but_each_once(tmp_path: Path) -> None:
    path = left_behind(tmp_path, "r1", "r2")
    journal = Journal(tmp_path)
    first, second = journal.resume("r1"), journal.resume("r2")
    with pytest.raises(UsageError, match="r1 is being worked on already"):
        journal.resume("r1")
    first.close()
    assert is_held(path)
    second.close()
    assert not is_held(path)
    journal.resume("r1").close()
    assert not is_held(path)


def test_a_run_over_three_sittings(tmp_path: Path) -> None:
    left_behind(tmp_path, "r1")
    for sitting in (1, 2):
        journal = Journal(tmp_path)
        log = journal.resume("r1")
        assert len(log.records) == sitting
        log.put("model", str(sitting), sitting, "h", t=log.elapsed + 1)
        log.close()
        journal.close()
    log = Journal(tmp_path).resume("r1")
    assert set(log.records) == {("run", ""), ("model", "1"), ("model", "2")}
    assert log.elapsed == 2
    assert len(log.adopted) == 3
    log.close()


def test_threads_append_whole_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path)

    def write(run: str) -> None:
        log = journal.start(run)
        for n in range(200):
            log.put_all([("model", f"{n}.{i}", run * 50, "h") for i in range(2)], t=n)

    threads = [threading.Thread(target=write, args=(f"r{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    records = list(read(journal.path))
    assert len(records) == len({(r.run, r.key) for r in records}) == 8 * 200 * 2
    assert [r.key for r in records if r.run == "r3"] == [f"{n}.{i}" for n in range(200) for i in range(2)]


def test_the_sync_thread_ends_with_the_journal(tmp_path: Path) -> None:
    before = sync_threads()
    journal = Journal(tmp_path)
    journal.start("r1").put("run", "", {})
    assert sync_threads() == before + 1
    journal.close()
    journal.close()
    assert sync_threads() == before


def test_a_closed_journal_that_is_written_again_is_locked_and_synced_again(tmp_path: Path) -> None:
    before = sync_threads()
    journal = Journal(tmp_path)
    for run in ("r1", "r2"):
        journal.start(run).put("run", "", {})
        assert is_held(journal.path)
        assert sync_threads() == before + 1
        journal.close()
    assert [r.run for r in read(journal.path)] == ["r1", "r2"]


def test_nothing_is_written_without_a_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals")
    journal.start("r1")
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write the journal in .*set VERILOOP_HOME"):
        Journal(tmp_path / "file").start("r1").put("run", "", {})


def test_two_who_look_do_not_see_each_other(tmp_path: Path) -> None:
    path = left_behind(tmp_path, "r1")
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.extend(is_held(path) for _ in range(300))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 1200


def test_a_lock_is_on_the_file_that_is_there_now(tmp_path: Path) -> None:
    path = left_behind(tmp_path, "r1")
    old = Lock(path)
    (tmp_path / "new").write_bytes(path.read_bytes())
    (tmp_path / "new").replace(path)
    Lock(path).release()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        Lock(path)
    old.release()


def test_a_filtered_reading_sees_only_matching_lines(tmp_path: Path) -> None:
    path = left_behind(tmp_path, "r1", "r2")
    assert [r.run for r in read(path, b'"run":"r2"')] == ["r2"]
    assert len(list(read(path, b'"kind":"run"', b"nowhere"))) == 2
    assert list(read(tmp_path / "gone.jsonl")) == []

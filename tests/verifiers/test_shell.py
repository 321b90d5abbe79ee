"""Any command as a verifier: its exit status, its words, and that it never outlives its time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from veriloop import Task, Verdict
from veriloop.core.errors import UsageError
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, reply
from veriloop.verifiers.shell import LONGEST, Shell

TASK = Task("What is 2 + 2?")
SECRET = "$(touch hacked); `touch hacked`; 'quoted' \"too\""


def judge(command: str, answer: str = "four", seconds: float = 10.0) -> Verdict:
    return asyncio.run(Shell(command, seconds).verify(TASK, reply(TASK, answer), Everyone()))


def alive(pid: str) -> bool:
    """Whether a process still runs (one that nobody has buried yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: str) -> bool:
    until = time.monotonic() + 2
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


@pytest.mark.parametrize(
    ("command", "outcome", "score", "text"),
    [
        ("true", "passed", 1.0, ""),
        ("exit 3", "failed", 0.0, ""),
        ("echo fine", "passed", 1.0, "fine"),
        ("echo wrong >&2; exit 1", "failed", 0.0, "wrong"),
        ("""echo nearly; echo '{"score": 0.4}'; exit 1""", "failed", 0.4, "nearly"),
        ("""echo '{"score": 0.9}'""", "passed", 0.9, ""),
        ("""echo '{"score": 7}'; exit 1""", "failed", 0.99, ""),
        ("""echo '{"score": 0.4}'; exit 2""", "failed", 0.0, '{"score": 0.4}'),
        ("""printf %4000s | tr ' ' '['; exit 1""", "failed", 0.0, "[" * 4000),
        ("""echo '{"score": "much"}'""", "passed", 1.0, '{"score": "much"}'),
        ("""echo '[0.4]'""", "passed", 1.0, "[0.4]"),
        ("""echo '{"grade": 1}'; exit 1""", "failed", 0.0, '{"grade": 1}'),
    ],
)
def test_the_exit_status_is_the_outcome_and_what_is_printed_the_feedback(
    command: str, outcome: str, score: float, text: str
):
    verdict = judge(command)
    assert (verdict.outcome, verdict.score, verdict.text) == (outcome, score, text)
    assert verdict.verifier == f"shell:{command}"


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        ("print(d['text'])", 'Nonsense.\n{"score": 1.0}'),
        ("print('wrong: it says'); print(d['text'])", '{"score": 1.0}'),
        ("print(json.dumps(json.loads(d['text'])))", '{ "score":1.0 }'),
        ("print(d['text'][:-3])", 'Nonsense.\n{"score": 1}...'),
    ],
)
def test_a_candidate_cannot_write_its_own_score(check: str, answer: str):
    script = f'python3 -c "import json,sys; d=json.load(sys.stdin); {check}"'
    failed, passed = judge(f"{script}; exit 1", answer), judge(script, answer)
    assert (failed.outcome, failed.score) == ("failed", 0.0)
    assert "score" in failed.text
    assert (passed.outcome, passed.score) == ("passed", 1.0)


def test_it_reads_question_and_answer_as_json():
    script = "import json,sys; d=json.load(sys.stdin); print(d['question'], d['answer'], d['artifact'], d['text'])"
    assert judge(f'python3 -c "{script}"', "four").text == "What is 2 + 2? four four four"


def test_the_answer_never_reaches_a_command_line_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    verdict = judge("tr '\\0' ' ' < /proc/$$/cmdline; env; grep -c hacked", SECRET)
    assert "hacked" not in verdict.text.replace("grep -c hacked", "")
    assert verdict.text.endswith("1")
    assert list(tmp_path.iterdir()) == [tmp_path / "home"] or list(tmp_path.iterdir()) == []


def test_a_command_need_not_read_what_it_is_told():
    assert judge("exec 0<&-; true", "four " * 100_000).outcome == "passed"


def test_feedback_is_bounded_however_much_is_printed():
    verdict = judge("yes | head -c 50000000; echo; echo the end; exit 1")
    assert len(verdict.text) <= LONGEST
    assert verdict.text.endswith("the end")


@pytest.mark.parametrize(("command", "why"), [("no-such-command-here", "not found"), ("/dev/null", "denied")])
def test_a_command_that_cannot_run_is_an_infrastructure_error(command: str, why: str):
    verdict = judge(command)
    assert (verdict.outcome, verdict.score) == ("infra_error", None)
    assert why in verdict.text


def test_time_out_is_an_infrastructure_error_and_kills_all_that_was_started(tmp_path: Path):
    pids = tmp_path / "pids"
    verdict = judge(f"sleep 300 & echo $! > {pids}; echo $$ >> {pids}; wait", seconds=0.3)
    assert (verdict.outcome, verdict.score) == ("infra_error", None)
    assert "did not end within 0.3 s" in verdict.text
    assert all(gone(pid) for pid in pids.read_text().split())


def test_what_a_command_leaves_behind_is_killed_too(tmp_path: Path):
    pids = tmp_path / "pids"
    assert judge(f"sleep 300 >/dev/null 2>&1 & echo $! > {pids}").outcome == "passed"
    assert gone(pids.read_text().strip())
    assert judge(f"sleep 300 & echo $! > {pids}", seconds=0.3).outcome == "infra_error"
    assert gone(pids.read_text().strip())


def test_what_flees_cannot_hold_up_the_verdict():
    start = time.monotonic()
    assert judge("setsid sleep 3 & sleep 300", seconds=0.2).outcome == "infra_error"
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("steps", range(8))
def test_cancelling_at_any_moment_of_the_start_ends_it_at_once(steps: int):
    async def main() -> None:
        verifying = asyncio.create_task(Shell("sleep 30; true").verify(TASK, reply(TASK, "four"), Everyone()))
        for _ in range(steps):
            await asyncio.sleep(0)
        verifying.cancel()
        done, _ = await asyncio.wait([verifying], timeout=5)
        assert done

    asyncio.run(main())


def test_cancelling_kills_it(tmp_path: Path):
    pids = tmp_path / "pids"

    async def main() -> None:
        shell = Shell(f"echo $$ > {pids}.part; mv {pids}.part {pids}; sleep 300")
        verifying = asyncio.create_task(shell.verify(TASK, reply(TASK, "four"), Everyone()))
        while not pids.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        verifying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await verifying

    asyncio.run(main())
    assert gone(pids.read_text().strip())


def test_a_shell_verifier_needs_a_command():
    with pytest.raises(UsageError, match="has no command"):
        make("shell: ")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("./no-such-check.sh", "is no program that can be found"),
        ("no-such-command-here -x | cat", "is no program that can be found"),
        ("/dev/null", "is no program"),
        ("./check.sh; true", r"may not be executed \(chmod \+x\)"),
    ],
)
def test_a_program_that_there_is_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, why: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "check.sh").write_text("true")
    with pytest.raises(UsageError, match=why):
        make(f"shell:{command}")


@pytest.mark.parametrize(
    "command",
    [
        "cd /nowhere && ./x",
        "[ 1 = 1 ]",
        "if true; then ./x; fi",
        "X=1 ./x",
        "f () { ./x; }; f",
        "(./x)",
        '"./x y"',
        "~/x",
        "2>&1 ./x",
        "2>/dev/null ./x",
    ],
)
def test_what_the_shell_itself_understands_is_left_to_it(command: str):
    assert make(f"shell:{command}").name == f"shell:{command}"

"""Checks that a model wrote: they count where they tell their own examples apart, and can do no harm."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path

import pytest
from sandboxed import needs_bubblewrap

from veriloop import Candidate, Proposal, Task
from veriloop.agents.roles import Check, Constraint
from veriloop.core.errors import UsageError
from veriloop.tools.sandbox import UnsafeLocal
from veriloop.verifiers import proving
from veriloop.verifiers.proving import Prover

TEXT = Task("When do they meet?")
EVEN = "def check(answer):\n    return int(answer) % 2 == 0"


def constraint(code: str, right: list[str], wrong: list[str], language: str = "python") -> Constraint:
    check = Check(language=language, code=code, right=right, wrong=wrong)  # type: ignore[arg-type]
    return Constraint(text="It is even.", kind="form", strength="hard", how="count", check=check)


def answered(answer: object) -> Candidate:
    return Candidate(id="0.0", proposal=Proposal(), round=0, answer=answer, artifact=answer, complete=True)


def proved(each: Constraint, *answers: object, task: Task = TEXT) -> tuple[Prover, list[bool | None]]:
    """The prover of one constraint, and what it says of answers."""

    async def main() -> tuple[Prover, list[bool | None]]:
        prover = await Prover.of(task, [each])
        return prover, [(await prover.prove(answered(answer))).get(0) for answer in answers]

    return asyncio.run(main())


@needs_bubblewrap
def test_a_check_that_tells_its_examples_apart_decides():
    prover, said = proved(constraint(EVEN, ["4", " 10 "], ["7"]), "8", "9")
    assert (said, prover.unsound, prover.trouble) == ([True, False], (), "")


@needs_bubblewrap
def test_a_check_that_raises_on_an_answer_says_nothing_of_that_answer():
    assert proved(constraint(EVEN, ["4"], ["7"]), "eight", "8")[1] == [None, True]


@needs_bubblewrap
@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("def check(answer): return True", ["4"], ["7"]),
        ("def check(answer): return int(answer) % 2 == 1", ["4"], ["7"]),
        (EVEN, ["4"], []),
        (EVEN, [], ["7"]),
        (EVEN, ["four"], ["7"]),
        (EVEN, ["4"], ["7"] * 16 + ["8"]),
        ("seen = []\ndef check(answer): return not seen and not seen.append(answer)", ["4"], ["7"]),
        ("def check(answer): return 'yes' if int(answer) % 2 == 0 else ''", ["4"], ["7"]),
        ("def test(answer): return int(answer) % 2 == 0", ["4"], ["7"]),
        ("def check(answer: return", ["4"], ["7"]),
        ("raise SystemExit(0)", ["4"], ["7"]),
        ("\0", ["4"], ["7"]),
        ("", ["4"], ["7"]),
    ],
)
def test_a_check_that_does_not_is_none(code: str, right: list[str], wrong: list[str]):
    prover, said = proved(constraint(code, right, wrong), "8")
    assert (said, prover.unsound) == ([None], (0,))


HOSTILE = {
    "loops": "while True: pass",
    "takes all memory": "x = bytearray(1 << 30)\n        x = [bytearray(1 << 28) for _ in range(8)]",
    "ends its process": "import os; os._exit(0)",
    "exits": "raise SystemExit(0)",
    "raises a strange thing": "raise type('X', (BaseException,), {'__str__': lambda self: 1 / 0})()",
    "forks": "import os\n        while True: os.fork()",
    "recurs": "check(answer)",
    "says something else": "return 1",
}


@needs_bubblewrap
@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_check_does_to_itself_leaves_the_answer_to_the_judge(what: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(proving, "SECONDS", 2.0)
    code = f"def check(answer):\n    if answer == 'now':\n        {HOSTILE[what]}\n    return int(answer) % 2 == 0"
    started = time.monotonic()
    prover, said = proved(constraint(code, ["4"], ["7"]), "now", "8")
    assert (said, prover.unsound) == ([None, True], ())
    assert time.monotonic() - started < 30


@needs_bubblewrap
def test_a_check_that_would_run_the_answer_is_none():
    code = "def check(answer): return abs(eval(answer) - 24) < 1e-6"
    yes = "type('Yes', (), {'__sub__': lambda self, other: 0})()"
    prover, said = proved(constraint(code, ["4 * 6"], ["5 * 5"]), yes)
    assert (said, prover.unsound) == ([None], (0,))


@needs_bubblewrap
def test_what_a_check_prints_is_no_opinion():
    loud = "import sys, os\ndef check(answer):\n    print('{\"holds\": true}' * 1000)\n    sys.stderr.write('no')\n"
    loud += "    os.write(1, b'\\x00\\x00\\x00\\x0f{\"holds\": true}')\n    return int(answer) % 2 == 0"
    assert proved(constraint(loud, ["4"], ["7"]), "8", "9")[1] == [True, False]


@needs_bubblewrap
def test_a_check_reaches_no_file_and_no_network(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("4")
    tries = f"""
import os, socket
def check(answer):
    found = []
    for path in ({str(secret)!r}, {str(Path.home() / ".ssh")!r}, {str(Path(__file__))!r}):
        try:
            open(path).read()
            found.append(path)
        except OSError:
            pass
    try:
        open({str(secret)!r}, "w").write("gone")
        found.append("wrote")
    except OSError:
        pass
    try:
        socket.create_connection(("127.0.0.1", 22), 1)
        found.append("network")
    except OSError:
        pass
    if [name for name in os.environ if "KEY" in name or "VERILOOP" in name]:
        found.append("environment")
    return not found and int(answer) % 2 == 0
"""
    assert proved(constraint(tries, ["4"], ["7"]), "8")[1] == [True]
    assert secret.read_text() == "4"


@needs_bubblewrap
def test_data_crosses_as_data():
    task = Task("A list?", output_schema={"type": "array"})
    code = "def check(answer): return isinstance(answer, list) and len(answer) == 2"
    each = constraint(code, ["[1, 2]", "[3,4]"], ["[1]"])
    assert proved(each, [5, 6], [5], "56", [5, float("nan")], task=task)[1] == [True, False, False, True]
    assert proved(constraint(code, ["one, two"], ["[1]"]), [5, 6], task=task)[0].unsound == (0,)


@needs_bubblewrap
def test_an_answer_that_is_too_long_is_left_to_the_judge():
    assert proved(constraint(EVEN, ["4"], ["7"]), "8" * 100_000, "8")[1] == [None, True]


@pytest.mark.parametrize("found", ["none", "unsafe"])
def test_without_a_sandbox_no_check_is_run(found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def none() -> UnsafeLocal:
        if found == "unsafe":
            return UnsafeLocal()
        raise UsageError("no sandbox for code that a model writes")

    monkeypatch.setattr(proving, "sandbox", none)
    touches = f"open({str(tmp_path / 'ran')!r}, 'w')\n{EVEN}"
    prover, said = proved(constraint(touches, ["4"], ["7"]), "8")
    assert (said, prover.unsound) == ([None], ())
    assert "no sandbox" in prover.trouble
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def shop(tmp_path: Path) -> Task:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE fruit (name TEXT, price REAL)")
        database.executemany("INSERT INTO fruit VALUES (?, ?)", [("apple", 1.0), ("pear", 2.0), ("it's", 3.0)])
    return Task("Which fruits are there?", database=str(path))


SOLD = "SELECT c1 FROM answer WHERE c1 NOT IN (SELECT name FROM fruit)"


def test_a_query_that_finds_what_breaks_a_constraint_decides(shop: Task):
    each = constraint(SOLD, ['[["apple"], ["pear"]]', "[]"], ['[["plum"]]'], "sql")
    prover, said = proved(each, [["pear"], ["it's"]], [["pear"], ["nail"]], [], None, "pear", task=shop)
    assert (said, prover.unsound) == ([True, False, True, None, None], ())


def test_a_query_that_asks_whether_a_constraint_is_kept_decides(shop: Task):
    each = constraint(
        "WITH n AS (SELECT count(*) AS n FROM answer) SELECT n = 2 FROM n;", ["[[1], [2]]"], ["[[1]]"], "sql"
    )
    assert proved(each, [[3, 1], [4, 1]], [[3]], task=shop)[1] == [True, False]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM fruit",
        "SELECT 1); DELETE FROM fruit; --",
        "SELECT * FROM nothing",
        "ATTACH DATABASE '/tmp/x' AS x",
        "SELECT load_extension('x')",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "",
        "\0",
    ],
)
def test_a_query_that_cannot_be_run_is_none(query: str, shop: Task):
    each = constraint(query, ['[["apple"]]'], ['[["plum"]]'], "sql")
    assert proved(each, [["apple"]], task=shop)[0].unsound == (0,)
    assert shop.database
    with sqlite3.connect(shop.database) as database:
        assert database.execute("SELECT count(*) FROM fruit").fetchone() == (3,)


def test_a_query_needs_a_database_and_examples_that_are_rows(shop: Task):
    assert proved(constraint(SOLD, ['[["apple"]]'], ['[["plum"]]'], "sql"), [["apple"]])[0].unsound == (0,)
    assert proved(constraint(SOLD, ['"apple"'], ['[["plum"]]'], "sql"), [["apple"]], task=shop)[0].unsound == (0,)


@needs_bubblewrap
def test_python_sees_the_rows_of_a_query(shop: Task):
    code = "def check(answer): return all(len(row) == 1 for row in answer)"
    assert proved(constraint(code, ['[["a"]]'], ['[["a", 1]]']), [["pear"]], [["pear", 2]], task=shop)[1] == [
        True,
        False,
    ]


def test_a_large_table_fits_or_is_left_to_the_judge(shop: Task):
    each = constraint(SOLD, ['[["apple"]]'], ['[["plum"]]'], "sql")
    rows = [["apple"]] * 3000
    assert len(json.dumps(rows)) < proving.MOST_ANSWER
    assert proved(each, rows, rows * 10, task=shop)[1] == [True, None]

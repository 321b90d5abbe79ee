"""python-tests and stdin-stdout: what crosses between code and tests, what findings say, where tests come from."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop import Task, Verdict
from veriloop.core.errors import ToolError, Unjudgeable, UsageError
from veriloop.verifiers import make
from veriloop.verifiers.code.plain import TooDeep, decode, encode
from veriloop.verifiers.code.python_tests import PythonTests
from veriloop.verifiers.code.shown import shown_in
from veriloop.verifiers.code.stdin_stdout import Case, StdinStdout, same_output
from veriloop.verifiers.conformance import Everyone, check, reply

TASK = Task("Write it.", language="python")


def verdict(verifier: Any, code: str, task: Task = TASK) -> Verdict:
    return asyncio.run(verifier.verify(task, reply(task, f"```python\n{code}\n```"), Everyone()))


def judged(code: str, tests: str, **more: Any) -> Verdict:
    return verdict(PythonTests(tests, **more), code)


keys = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
scalars = keys | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False) | st.fractions() | st.dates()
values = st.recursive(
    scalars | st.decimals(allow_nan=False) | st.timedeltas() | st.datetimes() | st.frozensets(keys),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner, inner) | st.sets(keys),
    max_leaves=10,
)


def crossed(value: Any) -> Any:
    def never(value: Any) -> int:
        raise AssertionError(value)

    return decode(json.loads(json.dumps(encode(value, never))), lambda number, kind: (number, kind))


@given(values)
def test_plain_data_crosses_as_it_is(value: Any) -> None:
    back = crossed(value)
    assert back == value
    assert type(back) is type(value)


def test_what_holds_itself_does_not_cross() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TooDeep):
        crossed(loop)


@pytest.mark.parametrize(
    "data",
    [
        {"set": [[1]]},
        {"int": "z"},
        {"nothing": 1},
        {"a": 1, "b": 2},
        {"complex": [1, 2, 3]},
        {},
        {"dict": [[1]]},
        {"bytes": 7},
    ],
)
def test_data_of_another_form_is_refused(data: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode(data, lambda number, kind: None)


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
        ("def f(x):\n    x.sort()", "xs = [3, 1]\nf(xs)\nassert xs == [1, 3]"),
        ("def f(x):\n    x['a'] = {1, 2}", "d = {}\nassert f(d) is None\nassert d == {'a': {1, 2}}"),
        ("from collections import Counter\ndef f(t): return Counter(t)", "assert f('aab') == {'a': 2, 'b': 1}"),
        ("def f(): return (1, [2.5, None], 'é\\ud800', b'x', 2**70, 1j)",
         "assert f() == (1, [2.5, None], 'é\\ud800', b'x', 2**70, 1j)"),
        ("def f(): return float('nan')", "import math\nassert math.isnan(f())"),
        ("def f(x):\n    raise ValueError('no')",
         "try:\n    f(1)\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'no'"),
        ("class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\n    def sum(self): return self.a + self.b\n"
         "def f(pairs): return max(p.a for p in pairs)",
         "p = Pair(1, 5)\nassert p.sum() == 6 and p.b == 5\nassert f([p, Pair(a=7, b=0)]) == 7"),
        ("import re\ndef f(s): return re.match('a', s)", "assert f('ab')\nassert not f('b')"),
        ("def sum(a, b): return a + b", "assert sum(10, 15) == 25\nassert sum(1, 2) == 3"),
        ("def f(x): return x + 1", "def test_one():\n    assert f(1) == 2\n\ndef test_two():\n    assert f(2) == 3"),
        ("def f(x): return x + 1", "def check(candidate):\n for n in range(5):\n  assert candidate(n) == n + 1"),
    ],
)  # fmt: skip
def test_right_code_passes(code: str, tests: str) -> None:
    found = judged(code, tests, entry="f" if "def f" in code and "check" in tests else "")
    assert found.outcome == "passed", found.text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(x): return x", ["assert f(1) == 2: it gave 1", "1 of 3 checks hold."]),
        ("def f(x): return 'y' * 999", ["it gave 'yyy"]),
        (
            "def f(x):\n    y = 1\n    return [][x]",
            ["it raises IndexError: list index out of range (line 3 of the code)"],
        ),
        ("def g(x): return 2", ["it raises NameError: the code defines no 'f'; it defines g"]),
        ("import nothing_of_this_name", ["The code cannot be loaded: it raises ModuleNotFoundError"]),
        ("def f(x)\n    return 2", ["The code cannot be loaded: it raises SyntaxError"]),
        ("def f(x): return x + 1", ["assert abs(f(1) - 9) < 0.5: the left side is 7, the right side 0.5"]),
    ],
)
def test_findings_say_what_is_wrong(code: str, said: list[str]) -> None:
    found = judged(code, "assert f(1) == 2\nassert f(0) == 0\nassert abs(f(1) - 9) < 0.5")
    assert found.outcome == "failed"
    for each in said:
        assert each in found.text


def test_the_score_is_the_share_of_checks_that_hold() -> None:
    found = judged("def f(x): return x", "assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 0\nassert f(4) == 4")
    assert found.score == 0.75


@pytest.mark.parametrize(
    "tests",
    [
        "x = f(1)",
        "for n in []:\n    assert f(n) == n",
        "def check(candidate):\n    return\n    assert candidate(1) == 1\ncheck(f)",
        "try:\n    assert f(1) == 2\nexcept Exception:\n    pass",
        "assert f(1) == 1\nraise RuntimeError('later')",
    ],
)
def test_checks_that_were_left_out_are_no_pass(tests: str) -> None:
    assert judged("def f(x): return x", tests).outcome == "failed"


def test_helpers_that_a_task_gives_are_its_own_in_the_tests() -> None:
    setup = "def poly(xs, x): return sum(c * x ** i for i, c in enumerate(xs))"
    tests = "assert abs(poly([1, 2], find(1))) < 1e-6"
    assert judged("def find(x): return -0.5 + 0 * poly([1], 1)", tests, setup=setup).outcome == "passed"
    cheat = "def poly(xs, x): return 0\ndef find(x): return 3"
    assert judged(cheat, tests, setup=setup).outcome == "failed"


def test_tests_that_cannot_be_run_leave_unscored() -> None:
    found = judged("def f(g): return g(1)", "assert f(lambda n: n) == 1")
    assert (found.outcome, found.score) == ("unscored", None)
    assert "which is no plain data" in found.text
    with pytest.raises(UsageError, match="no Python"):
        asyncio.run(PythonTests("assert f(").ready(TASK))


class Broken:
    """A sandbox that does not start."""

    name = "broken"

    async def start(self, *args: Any, **named: Any) -> Any:
        raise ToolError("the sandbox does not start")

    run = start


@pytest.mark.parametrize(
    "verifier", [PythonTests("assert f() == 1", box=Broken()), StdinStdout((Case("", "1"),), box=Broken())]
)
def test_a_sandbox_that_breaks_is_no_verdict(verifier: Any) -> None:
    found = verdict(verifier, "def f(): return 1")
    assert (found.outcome, found.score, found.text) == ("infra_error", None, "the sandbox does not start")


def test_tests_that_end_their_own_process_are_no_verdict() -> None:
    assert judged("def f(): return 1", "import os\nassert f() == 1\nos._exit(0)").outcome == "infra_error"


MBPP = (
    "Write add.\n\nYour code should pass these tests:\n\n```python\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n```"
)
HEAD = '''Write this function.

```python
from typing import List

def helper(x):
    return x

def total(xs: List[int]) -> int:
    """ Add them.
    >>> total([1, 2])
    3
    >>> total([])
    0
    total([4]) == 4
    total([5]) => 5. # five
    total(xs) ==> 6
    """
```'''


def test_without_tests_of_its_own_it_runs_what_the_question_shows() -> None:
    assert shown_in(MBPP).tests == "assert add(1, 2) == 3\nassert add(0, 0) == 0"
    shown = shown_in(HEAD)
    assert shown.entry == "total"
    assert shown.tests.splitlines() == [
        "assert total([1, 2]) == 3",
        "assert total([]) == 0",
        "assert total([4]) == 4",
        "assert total([5]) == 5",
    ]
    assert "def helper" in shown.setup
    task = Task(HEAD, language="python")
    assert verdict(make("python-tests"), "def total(xs: List[int]): return sum(xs)", task).outcome == "passed"
    assert verdict(make("python-tests"), "def total(xs): return 3", task).outcome == "failed"
    assert verdict(make("python-tests"), "def f(): return 3").outcome == "unscored"


@given(st.text())
def test_no_question_breaks_the_search_for_tests(text: str) -> None:
    shown_in(f"```python\n{text}\n```\n>>> {text}\n{text}")


def test_tests_and_cases_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("assert f(1) == 2")
    (tmp_path / "c.json").write_text('[{"input": "1", "output": "2"}]')
    assert verdict(make(f"python-tests:{tmp_path / 't.py'}"), "def f(x): return 2").outcome == "passed"
    assert verdict(make(f"stdin-stdout:{tmp_path / 'c.json'}"), "print(int(input()) + 1)").outcome == "passed"
    (tmp_path / "c.json").write_text("[]")
    for wanted, said in [
        (f"python-tests:{tmp_path / 'x.py'}", "cannot read the tests"),
        (f"stdin-stdout:{tmp_path / 'x.json'}", "cannot read the cases"),
        (f"stdin-stdout:{tmp_path / 'c.json'}", "holds no cases"),
        ("stdin-stdout", "give stdin-stdout:FILE"),
        ("python-tests:", "give python-tests:FILE"),
    ]:
        with pytest.raises(UsageError, match=said):
            make(wanted)


@pytest.mark.parametrize(
    ("question", "tests"),
    [
        ("Write add(a, b).\n>>> add(1, 2)\n3", "assert add(1, 2) == 3"),
        ("For instance add(1,2) == 3.", "assert add(1, 2) == 3"),
        ("`add(1, 2)` returns `3` (and add(0, 0) -> 0).", "assert add(0, 0) == 0"),
        ("add(1, 2) == 3 and add(0, 0) == 0.", "assert add(1, 2) == 3\nassert add(0, 0) == 0"),
        ("Mind that `add(1, 2) == 3`, always.", "assert add(1, 2) == 3"),
        ('Do it.\ndef add(a, b):\n    """Add.\n    >>> add(1, 2)\n    3\n    """\nThanks.', "assert add(1, 2) == 3"),
        ("```python\ndef add(a, b):\n```\nadd(1, 2) => 3", "assert add(1, 2) == 3"),
        ("Write a function add(a,b) . assert add(1,2)==3", "assert add(1,2)==3"),
        ("Tests: `assert add(1,2)==3`, `assert not add(0, 0)`.", "assert add(1,2)==3\nassert not add(0, 0)"),
        ("`assert not odd(2)` and `assert odd(1)`, never `assert odd(0)`", "assert not odd(2)\nassert odd(1)"),
        (">>> sorted(pair(2))\n[1, 2]", "assert sorted(pair(2)) == [1, 2]"),
    ],
)
def test_examples_are_found_where_people_write_them(question: str, tests: str) -> None:
    assert shown_in(question).tests == tests


@pytest.mark.parametrize(
    "question",
    [
        "Write f.",
        "add(1, 2) == 3\nsub(1, 2) == -1",
        "add(a, b) == 3",
        "It is not so that add(1, 2) == 4.",
        ">>> print(add(1, 2))\n3",
        "box.add(1) == 2",
        "We assert that it holds. assert x is good",
        "abs(-1) == 1",
        "add(1, 2) == 3 in most cases",
        "It would be wrong to assert add(1, 2) == 4.",
        "Never `assert add(1, 2) == 4`.",
        "It is wrong that `add(1, 2) == 4`.",
        "`assert add(1, 2) == 4` is wrong, as is `add(1, 2) == 4`",
        "Currently add(1, 2) == 4",
        "Write `greet() -> None`, which prints a greeting.",
        "add(999, 1) returns 1,000.",
        "Write f.\n```python\ndef check(candidate):\n    assert candidate(1) == 2\n```",
        "Write f.\n```\nfor n in range(3):\n    assert f(n) == n\n```",
    ],
)
def test_what_may_be_no_example_is_none(question: str) -> None:
    assert shown_in(question).tests == ""
    with pytest.raises(Unjudgeable, match="shows no tests"):
        asyncio.run(make("python-tests").ready(Task(question)))  # type: ignore[attr-defined]


def test_a_long_line_of_calls_and_signs_is_read_in_time() -> None:
    started = time.monotonic()
    for text in ("f(1)==" * 3000, "f(" * 9000 + "==", " assert f((" * 1500, ">>> " + "-" * 19000 + "1\n3"):
        assert shown_in(text).tests == ""
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("x = 1", "no check in it that is run"),
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(1), 2)",
            "no check",
        ),
        ("def helper(x):\n    assert x", "no check"),
        ("x = 1\nassert f(", "t.py, line 2, is no Python: "),
    ],
)
def test_a_file_that_no_code_could_pass_is_refused(tmp_path: Path, tests: str, said: str) -> None:
    (tmp_path / "t.py").write_text(tests)
    with pytest.raises(UsageError, match=said) as refused:
        make(f"python-tests:{tmp_path / 't.py'}")
    assert str(refused.value).startswith(str(tmp_path / "t.py"))


@pytest.mark.parametrize(
    "tests",
    [
        "def check(candidate):\n    assert candidate(1) == 2",
        "def test_f():\n    assert f(1) == 2",
        "def same(a, b):\n    assert a == b\n\nsame(f(1), 2)",
        "class Case:\n    def run(self):\n        assert f(1) == 2\n\nCase().run()",
        "for n in range(3):\n    assert f(n) == n + 1",
        "made = []\n@made.append\ndef case():\n    assert f(1) == 2\n\nmade[0]()",
        "def case():\n    assert f(1) == 2\n\nglobals()['case']()",
    ],
)
def test_checks_are_seen_in_every_form_that_is_run(tmp_path: Path, tests: str) -> None:
    (tmp_path / "t.py").write_text(tests)
    assert make(f"python-tests:{tmp_path / 't.py'}").name.endswith("t.py")
    assert judged("def f(x): return x + 1", tests, entry="f").outcome == "passed"


@pytest.mark.parametrize(
    ("wanted", "said", "same"),
    [
        ("1 2\n3\n", "1 2 \n3", True), ("0.5", "0.50", True), ("1", "1.0", True), ("YES", "yes", False),
        ("1 2", "1\n2", False), ("", "", True), ("1", "", False), ("nan", "nan", True), ("1e3", "1000", True),
    ],
)  # fmt: skip
def test_when_two_outputs_are_the_same(wanted: str, said: str, same: bool) -> None:
    assert same_output(wanted, said) is same


def test_a_program_is_run_on_every_case() -> None:
    cases = (Case("1 2\n", "3\n"), Case("5 5\n", "10\n"), Case("0 0\n", "0\n"))
    right = "a, b = map(int, input().split())\nprint(a + b)"
    assert verdict(StdinStdout(cases), right).outcome == "passed"
    found = verdict(StdinStdout(cases), "print(3)")
    assert found.score == pytest.approx(1 / 3)
    assert found.text == "For the input '5 5' it prints '3'; '10' is right.\n1 of 3 outputs are right."
    assert verdict(StdinStdout(cases, hidden=True), "print(3)").text == "1 of 3 outputs are right."
    assert "ended with status 1 (ValueError: no)" in verdict(StdinStdout(cases), "raise ValueError('no')").text


@pytest.mark.parametrize(
    ("verifier", "texts"),
    [
        (PythonTests("assert f(1) == 2"), ("```python\ndef f(x): return 2\n```", "```python\ndef f(x): return 1\n```")),
        (StdinStdout((Case("1", "2"),)), ("```python\nprint(2)\n```", "no code")),
    ],
)
def test_they_keep_the_promises_of_a_verifier(verifier: Any, texts: tuple[str, ...]) -> None:
    assert [line for line in asyncio.run(check(verifier, TASK, texts)) if line.outcome != "works"] == []


def test_cancelled_verdicts_leave_nothing_behind() -> None:
    """What is left behind says so when its loop is gone, and a warning fails the test."""
    verifier = PythonTests("assert f(1) == 1")

    async def first_of_many(more: float) -> None:
        code = reply(TASK, "```python\ndef f(x): return x\n```")
        trials = [asyncio.create_task(verifier.verify(TASK, code, Everyone())) for _ in range(6)]
        await asyncio.wait(trials, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(more)
        for each in trials:
            each.cancel()
        await asyncio.gather(*trials, return_exceptions=True)

    for place in range(20):
        asyncio.run(first_of_many(0.004 * place))
        gc.collect()

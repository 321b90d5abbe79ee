"""gsm8k, math, humaneval, mbpp and graph_coloring: what is asked, what counts as right, and whole runs of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import DATA, needs_data
from loopback import ChatServer, pick

from veriloop.apps.bench.benchmark import Item, Scores, make
from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.stats import summary
from veriloop.core.errors import UsageError
from veriloop.graphs.record import journal_in
from veriloop.verifiers.conformance import reply

FILES = {
    "gsm8k": "gsm8k.jsonl",
    "math": "math500.jsonl",
    "humaneval": "humaneval.jsonl",
    "mbpp": "mbpp_test.jsonl",
    "graph_coloring": "graph_coloring_generated.jsonl",
}
HEAD = 'def double(x: int) -> int:\n    """ Twice x.\n    >>> double(2)\n    4\n    """\n'
COLOUR = "Vertex 0 is connected to vertex 1.\nVertex 1 is connected to vertex 2.\nYou may use at most 2 colors."
ROWS: dict[str, dict[str, Any]] = {
    "gsm8k": {"id": "g", "question": "How many?", "answer": "1,200"},
    "math": {"id": "m", "problem": "What is $x$?", "answer": "\\frac{1}{2}", "subject": "Algebra"},
    "humaneval": {
        "id": "h",
        "prompt": HEAD,
        "entry_point": "double",
        "test_code": "def check(candidate):\n assert candidate(2) == 4\n assert candidate(5) == 10\ncheck(double)",
    },
    "mbpp": {
        "id": "b",
        "prompt": "Write a function to double.",
        "tests_visible": ["assert double(2) == 4"],
        "test_code": "assert double(2) == 4\nassert double(5) == 10",
    },
    "graph_coloring": {"id": "c", "prompt": COLOUR},
}
LUCKY = "```python\ndef double(x):\n    return x ** 2\n```"
RIGHT = "```python\ndef double(x):\n    return 2 * x\n```"


def folder(path: Path, name: str, count: int = 1) -> Path:
    """The data of a benchmark: its one task, numbered."""
    path.mkdir(exist_ok=True)
    (asked,) = {"question", "problem", "prompt"} & ROWS[name].keys()
    said = ROWS[name][asked]
    numbered = [
        said.replace('""" ', f'""" Task {n}. ') if "def " in said else f"{said} (Task {n}.)" for n in range(count)
    ]
    lines = [json.dumps({**ROWS[name], "id": f"{name}_{n}", asked: text}) for n, text in enumerate(numbered)]
    (path / FILES[name]).write_text("\n".join(lines) + "\n")
    return path


def scores(name: str, item: Item, texts: Sequence[str]) -> list[Scores]:
    async def work() -> list[Scores]:
        benchmark = make(name)
        found = await benchmark.score(item, [reply(item.task, text) for text in texts])
        if close := getattr(benchmark, "close", None):
            await close()
        return found

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("gsm8k", ["It is 1200.", "#### 1,200", "\\boxed{1200} eggs", "17", "1200 and then 3", "No idea"]),
        ("math", ["So \\boxed{0.5}", "\\boxed{\\frac12}", "The answer is 1/2.", "\\boxed{2}", "\\boxed{", "None"]),
        (
            "graph_coloring",
            ["0: 1\n1: 2\n2: 1", "0: a\n1: b\n2: a", "2: 3\n1: 2\n0: 3", "0: 1\n1: 1\n2: 1", "0: 1", "-"],
        ),
    ],
)
def test_what_counts_as_right(tmp_path: Path, name: str, texts: list[str]) -> None:
    (item,) = make(name).load(folder(tmp_path, name))
    metric = make(name).metrics[0]
    assert [bool(each[metric]) for each in scores(name, item, texts)] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_a_program_is_right_when_it_passes_all_tests(tmp_path: Path, name: str) -> None:
    (item,) = make(name).load(folder(tmp_path, name))
    found = scores(name, item, [RIGHT, LUCKY, "no code"])
    assert found == [
        {"passed": True, "checks": 1.0},
        {"passed": False, "checks": 0.5},
        {"passed": False, "checks": 0.0},
    ]
    assert item.task.language == "python"
    assert "(5)" not in item.task.question, "a test that is not shown is in the question"


@pytest.mark.parametrize("name", FILES)
def test_data_of_another_kind_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    benchmark = make(name)
    with pytest.raises(UsageError, match=f"there is no .*{FILES[name]}"):
        benchmark.load(tmp_path)
    for line, said in [
        ("{", "line 1: it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"id": "a"}', "it has no"),
    ]:
        (tmp_path / FILES[name]).write_text(line)
        with pytest.raises(UsageError, match=said):
            benchmark.load(tmp_path)
    folder(tmp_path, name)
    with (tmp_path / FILES[name]).open("a") as file:
        file.write(json.dumps({**ROWS[name], "id": f"{name}_0"}))
    with pytest.raises(UsageError, match="is there twice"):
        benchmark.load(tmp_path)


def run(name: str, data: Path, out: Path, answers: Callable[..., Any], **more: Any) -> dict[str, float]:
    """The accuracy of each arm of a whole run."""
    asked = {"strategies": ["single", "best_of_n"], "proposals": 4, **more}
    order = Order(benchmark=name, data=data, out=out, models={"proposer": "openai:test"}, **asked)
    with ChatServer(answers) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        asyncio.run(Course(order).run())
    journal_in(out.absolute()).close()
    journal_in.cache_clear()
    return {arm["label"]: arm["accuracy"][make(name).metrics[0]]["value"] for arm in summary(out)}


def choices(*texts: str) -> Callable[..., list[str]]:
    """Answers with one of the texts by seed; a judge likes everything."""

    def answer(body: dict[str, Any], _index: int) -> list[str]:
        if "response_format" in body:
            return [json.dumps({"reasons": ["It looks good."], "score": 1.0})] * (body.get("n") or 1)
        asked = next(m["content"] for m in body["messages"] if m["role"] == "user")
        return [pick(list(texts), (body.get("seed") or 0) + i, asked) for i in range(body.get("n") or 1)]

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_shown_tests_choose_and_hidden_tests_decide(tmp_path: Path, name: str) -> None:
    wrong = "```python\ndef double(x):\n    return x\n```"
    data = folder(tmp_path / "data", name, 4)
    found = run(
        name,
        data,
        tmp_path / "out",
        choices(RIGHT, wrong),
        strategies=["single", "best_of_n"],
        proposals=8,
    )
    assert found["best_of_n"] == 1.0
    assert found["single"] < 1.0
    cheat = "```python\nimport os\nos._exit(0)\n```"
    none = run(name, data, tmp_path / "none", choices(LUCKY, cheat))
    assert none == {"single": 0.0, "best_of_n": 0.0}


def test_a_task_that_shows_no_tests_is_answered_like_the_others(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", "humaneval", 2)
    file = data / FILES["humaneval"]
    first, second = map(json.loads, file.read_text().splitlines())
    bare = {**second, "prompt": 'def double(x):\n    """ Twice. """\n'}
    file.write_text("\n".join(map(json.dumps, (bare, first))) + "\n")
    found = run("humaneval", data, tmp_path / "out", choices(RIGHT))
    assert found == {"single": 1.0, "best_of_n": 1.0}


def test_a_sound_verifier_finds_the_colouring_that_a_pleased_judge_does_not(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", "graph_coloring", 8)
    texts = ["0: 1\n1: 2\n2: 1", "0: 1\n1: 1\n2: 1", "0: 1\n1: 2\n2: 2", "0: 1\n1: 2\n2: 3"]
    asked = {"strategies": ["best_of_n"], "proposals": 16, "verify": ["graph-coloring", "judge"]}
    found = run("graph_coloring", data, tmp_path / "out", choices(*texts), **asked)
    assert found["best_of_n · graph-coloring"] == 1.0
    assert found["best_of_n · judge"] < 1.0


def test_answers_are_chosen_by_a_judge(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", "gsm8k", 4)
    assert run("gsm8k", data, tmp_path / "out", choices("#### 1200")) == {"single": 1.0, "best_of_n": 1.0}


@needs_data
@pytest.mark.parametrize(
    ("name", "pack", "count"),
    [
        ("gsm8k", "reasoning", 791),
        ("math", "reasoning", 300),
        ("graph_coloring", "reasoning", 120),
        ("humaneval", "code_exec", 98),
        ("mbpp", "code_exec", 300),
    ],
)
def test_the_real_data_are_read(name: str, pack: str, count: int) -> None:
    items = make(name).load(DATA / pack)
    assert len(items) == count
    assert all(item.gold for item in items)

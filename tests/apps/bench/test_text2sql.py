"""Tasks are read from all three layouts, and scored as the benchmarks themselves score."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench_tasks import DATA, LAYOUTS, database, folder, needs_data, rows

from veriloop.apps.bench.benchmark import Item, Scores, make, oracle_of
from veriloop.apps.bench.execution import Execution
from veriloop.apps.bench.text2sql import Text2SQL
from veriloop.core.errors import UsageError
from veriloop.core.search import Candidate, Proposal
from veriloop.core.task import Task

PACKS = {"text2sql_spider": (575, 11), "text2sql_defog": (166, 7), "text2sql_geoquery": (595, 1)}


def candidate(sql: Any) -> Candidate:
    return Candidate(id="0.0", proposal=Proposal(), round=0, artifact=sql, complete=True)


def scored(items: Sequence[Item], queries: Sequence[Any]) -> list[Scores]:
    """The score of a query for each item."""

    async def work() -> list[Scores]:
        benchmark = Text2SQL()
        both = zip(items, queries, strict=True)
        found = await asyncio.gather(*(benchmark.score(item, [candidate(sql)]) for item, sql in both))
        await benchmark.close()
        return [scores for (scores,) in found]

    return asyncio.run(work())


def item(path: Path, *gold: str) -> Item:
    if not path.exists():
        database(path)
    return Item("q", Task("What?", database=str(path)), gold)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(tmp_path: Path, layout: str) -> None:
    items = Text2SQL().load(folder(tmp_path, rows(5), layout))
    assert [i.task.question for i in items] == [f"Which fruit is above {n}?" for n in range(5)]
    assert [i.group for i in items] == ["shop_0", "shop_1", "shop_0", "shop_1", "shop_0"]
    assert all(Path(str(i.task.database)).is_file() for i in items)
    assert len({i.id for i in items}) == 5
    assert scored(items, [i.gold[0] for i in items]) == [{"spider": True, "bird": True}] * 5


def test_bird_says_its_evidence_with_the_question_and_keeps_the_difficulty(tmp_path: Path) -> None:
    task = {**rows(1)[0], "evidence": "above refers to number > N", "difficulty": "moderate"}
    (found,) = Text2SQL().load(folder(tmp_path, [task], "bird"))
    assert found.id == "0"
    assert found.task.question == "Which fruit is above 0?\n\nabove refers to number > N"
    assert found.tags == {"difficulty": "moderate"}


def test_instructions_are_said_with_the_question(tmp_path: Path) -> None:
    task = {**rows(1)[0], "instructions": "Sort by name.", "full_instructions": "Sort by name.\nNever cry."}
    (found,) = Text2SQL().load(folder(tmp_path, [task]))
    assert found.task.question.endswith("\n\nSort by name.")


def test_one_file_of_a_layout_can_be_named(tmp_path: Path) -> None:
    path = folder(tmp_path, rows(2), "spider")
    (path / "dev.json").rename(path / "train_spider.json")
    assert len(Text2SQL().load(path / "train_spider.json")) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": ""}, "question 2: it has no question"),
        ({"gold_sql": None}, r"question 2: it has no gold \(gold_sql, query, SQL, sql\)"),
        ({"db_id": "../x"}, "question 2: db_id '../x' is not the name of a database"),
        ({"id": "q0"}, "the id 'q0' is there twice"),
    ],
)
def test_a_task_that_cannot_be_is_named_by_its_place(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder(tmp_path, rows(2))
    first, second = rows(2)
    lines = [first, {**second, **change}]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UsageError, match=said):
        Text2SQL().load(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "has no questions: give a folder with"),
        ({"questions.jsonl": "no json"}, "line 1: it is not JSON"),
        ({"questions.jsonl": "{}\n\n[1,2]\n"}, r"questions.jsonl, line 3: it is not a JSON object but \[1,2\]"),
        ({"dev.json": "[{}, 7]"}, "question 2: it is not a JSON object but 7"),
        ({"questions.jsonl": ""}, "has no questions"),
        ({"dev.json": '{"a": 1}'}, "is not a list of questions"),
        ({"dev.json": '[{"db_id": "x"}]'}, r"has no databases of its questions \(x.sqlite"),
    ],
)
def test_a_folder_of_another_kind_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        Text2SQL().load(tmp_path)


RULES: list[tuple[str, str, bool, bool]] = [
    # gold, query, right by Spider's rule, by BIRD's
    ("SELECT name, number FROM fruit", "SELECT number, name FROM fruit", True, False),
    ("SELECT name FROM fruit", "SELECT name FROM fruit ORDER BY name DESC", True, True),
    ("SELECT name FROM fruit ORDER BY name", "SELECT name FROM fruit ORDER BY name DESC", False, True),
    ("SELECT 1 FROM fruit", "SELECT 1", False, True),
    ("SELECT DISTINCT 1 FROM fruit", "SELECT 1 FROM fruit", True, True),
    ("SELECT count(DISTINCT number / 2) FROM fruit", "SELECT count(number) FROM fruit", True, False),
    ("SELECT name FROM fruit WHERE number > 3", "SELECT name FROM fruit WHERE number > 4", False, False),
    ("SELECT name FROM fruit", "SELECT names FROM fruit", False, False),
    ("SELECT name FROM fruit", "DROP TABLE fruit", False, False),
    ("SELECT name FROM fruit", "", False, False),
    ("SELECT name FROM fruit WHERE 0", "SELECT number FROM fruit WHERE 0", True, True),
]


@pytest.mark.parametrize(("gold", "sql", "spider", "bird"), RULES)
def test_the_rules(tmp_path: Path, gold: str, sql: str, spider: bool, bird: bool) -> None:
    assert scored([item(tmp_path / "a.sqlite", gold)], [sql]) == [{"spider": spider, "bird": bird}]


def test_any_of_several_right_queries_will_do(tmp_path: Path) -> None:
    several = item(tmp_path / "a.sqlite", "SELECT name FROM fruit", "SELECT nothing", "SELECT number FROM fruit")
    right, wrong = scored([several] * 2, ["SELECT number FROM fruit", "SELECT number + 1 FROM fruit"])
    assert right["spider"]
    assert not wrong["spider"]


def test_what_is_no_query_is_wrong(tmp_path: Path) -> None:
    assert scored([item(tmp_path / "a.sqlite", "SELECT 1")], [None]) == [{"spider": False, "bird": False}]


def test_each_distinct_query_of_a_task_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = Execution._run

    async def counted(self: Execution, database: str, sql: str) -> Any:
        ran.append(sql)
        return await run(self, database, sql)

    monkeypatch.setattr(Execution, "_run", counted)
    one = item(tmp_path / "a.sqlite", "SELECT name FROM fruit")
    scored([one] * 9, ["SELECT 1", "SELECT 2", "SELECT DISTINCT 3"] * 3)
    assert sorted(ran) == ["SELECT 1", "SELECT 2", "SELECT 3", "SELECT DISTINCT 3", "SELECT name FROM fruit"]


def test_tasks_of_one_id_are_scored_by_their_own_gold(tmp_path: Path) -> None:
    """Two folders whose questions have no ids: tasks to tune on, and tasks that are measured."""
    noted = [{k: v for k, v in row.items() if k != "id"} for row in rows(4)]
    items = [Text2SQL().load(folder(tmp_path / name, part))[0] for name, part in (("a", noted[:2]), ("b", noted[2:]))]
    assert items[0].id == items[1].id
    right = [item.gold[0] for item in items]
    assert scored(items, right) == [{"spider": True, "bird": True}] * 2
    assert scored(items, right[::-1]) == [{"spider": False, "bird": False}] * 2


def test_one_benchmark_serves_one_event_loop_after_another(tmp_path: Path) -> None:
    benchmark = Text2SQL()
    items = benchmark.load(folder(tmp_path, rows(12)))

    async def work(number: int) -> list[list[Scores]]:
        queries = [candidate(f"SELECT {number}")]
        found = await asyncio.gather(*(benchmark.score(item, queries) for item in items))
        await benchmark.close()
        return found

    for number in (1, 2):
        assert asyncio.run(work(number)) == [[{"spider": False, "bird": False}]] * 12


@pytest.mark.parametrize(
    ("make_item", "said"),
    [
        (lambda path: item(path / "a.sqlite", "SELECT x"), "its own right query fails: no such column"),
        (lambda path: Item("q", Task("?", database=str(path / "none.sqlite")), ("SELECT 1",)), "cannot read"),
    ],
)
def test_a_broken_task_is_one_line(tmp_path: Path, make_item: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asyncio.run(Text2SQL().ready(make_item(tmp_path)))


def test_the_oracle_says_how_and_never_what(tmp_path: Path) -> None:
    one = item(tmp_path / "a.sqlite", "SELECT name FROM fruit WHERE number > 7")

    async def verdicts() -> list[Any]:
        oracle = oracle_of(benchmark := Text2SQL(), one)
        queries = ["SELECT name FROM fruit WHERE number IN (8, 9)", "SELECT name FROM fruit", "SELECT x"]
        found = [await oracle.verify(one.task, candidate(sql), None) for sql in queries]  # type: ignore[arg-type]
        await benchmark.close()
        return found

    right, more, fails = asyncio.run(verdicts())
    assert (right.outcome, right.score, right.verifier) == ("passed", 1.0, "oracle")
    assert more.text == "It is not right. It has more rows than the right answer. Some of its rows are right."
    assert (fails.outcome, fails.text) == ("failed", "It is not right.")


def test_text2sql_is_made_by_name() -> None:
    benchmark = make("text2sql")
    assert (benchmark.verify, benchmark.metrics) == ("sql", ("spider", "bird"))


@needs_data
@pytest.mark.parametrize("pack", PACKS)
def test_every_right_query_of_the_packs_is_right(pack: str) -> None:
    tasks, databases = PACKS[pack]
    items = Text2SQL().load(DATA / pack)
    assert (len(items), len({i.group for i in items})) == (tasks, databases)
    assert scored(items, [i.gold[-1] for i in items]) == [{"spider": True, "bird": True}] * tasks


@needs_data
def test_the_labelled_predictions_of_the_spider_pack_are_scored_as_labelled() -> None:
    items = {i.id: i for i in Text2SQL().load(DATA / "text2sql_spider")}
    lines = (DATA / "text2sql_spider" / "candidates.jsonl").read_text().splitlines()
    labelled = [json.loads(line) for line in lines]
    found = scored([items[each["question_id"]] for each in labelled], [each["candidate_sql"] for each in labelled])
    assert len(labelled) == 57
    assert [scores["spider"] for scores in found] == [each["execution_match"] for each in labelled]

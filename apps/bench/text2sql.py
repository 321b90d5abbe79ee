"""Questions about SQLite databases: our folders, Spider's layout and BIRD's; scored by execution match.

questions.jsonl  db/ID.sqlite                                   ours: question, db_id, gold_sql [, id, instructions,
                                                                gold_sql_alternatives, difficulty, category, …]
dev.json  database/ID/ID.sqlite                                 Spider: question, db_id, query
dev.json  dev_databases/ID/ID.sqlite                            BIRD: question, db_id, SQL, evidence, difficulty
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from veriloop.apps.bench.benchmark import Item, Scores
from veriloop.core.errors import UsageError, plain
from veriloop.core.protocols import Context, Verifier
from veriloop.core.search import Candidate, Finding, Verdict
from veriloop.core.task import Task

if TYPE_CHECKING:
    from veriloop.apps.bench.execution import Execution, Match

FILES = ("questions.jsonl", "dev.json", "test.json", "dev.jsonl", "train.json")
FOLDERS = ("db", "database", "dev_databases", "test_database", "test_databases", "train_databases", "databases")
GOLD = ("gold_sql", "query", "SQL", "sql")
HINTS = ("evidence", "instructions", "full_instructions")
TAGS = ("difficulty", "category", "split")
SHAPE = "give a folder with questions.jsonl and db/, or of Spider's or BIRD's layout (dev.json and database folders)"


class Text2SQL:
    """SQL is right when it gives what a gold query gives: ``spider`` by the rule of Spider's test suites (multisets of
    rows under some permutation of columns, DISTINCT dropped, in order where gold has ORDER BY; 60 s), ``bird`` by
    BIRD's (sets of rows; 30 s). Of several gold queries any will do."""

    name = "text2sql"
    verify = "sql"
    metrics = ("spider", "bird")

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder, or of one file in it. What a benchmark says besides the question (BIRD's evidence,
        instructions) goes below the question."""
        if not data.exists():
            raise UsageError(f"there is no data folder {data}: {SHAPE}")
        file = data if data.is_file() else next((data / n for n in FILES if (data / n).is_file()), None)
        if file is None:
            raise UsageError(f"{data} has no questions: {SHAPE}")
        rows = _rows(file)
        databases = _databases(file.parent, [str(row.get("db_id")) for row in rows])
        items = [_item(file, place, row, databases) for place, row in enumerate(rows)]
        ids = [item.id for item in items]
        if len(set(ids)) < len(ids):
            twice = next(each for each in ids if ids.count(each) > 1)
            raise UsageError(f"{file}: the id {twice!r} is there twice")
        return items

    async def ready(self, item: Item) -> None:
        """Raises ``UsageError`` when the database is missing or gold does not run."""
        await self._execution.golds(str(item.task.database), item.gold)

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]:
        """Each candidate's query, run and compared; what is no query is wrong."""
        return [{"spider": m.spider, "bird": m.bird} for m in [await self.match(item, c) for c in candidates]]

    async def match(self, item: Item, candidate: Candidate) -> Match:
        """How a candidate compares with gold."""
        from veriloop.apps.bench.execution import Match

        sql = candidate.artifact
        if not isinstance(sql, str) or not sql.strip():
            return Match(False, False)
        return await self._execution.match(str(item.task.database), item.gold, sql)

    def oracle(self, item: Item) -> Verifier:
        """The verifier ``oracle``: Spider's rule, with the library's feedback."""
        return SqlOracle(self, item)

    async def close(self) -> None:
        """End the processes that run queries."""
        await self._execution.close()

    @cached_property
    def _execution(self) -> Execution:
        from veriloop.apps.bench.execution import Execution

        return Execution()


@dataclass(frozen=True)
class SqlOracle:
    """What the library's ``oracle`` says of SQL, out of the results that scoring keeps: each query runs once."""

    benchmark: Text2SQL
    item: Item
    name: str = "oracle"

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the candidate matches gold, which the feedback never quotes."""
        found = await self.benchmark.match(self.item, candidate)
        message = "It is right." if found.spider else f"It is not right. {found.how}".strip()
        finding = Finding("oracle", float(found.spider), message)
        return Verdict("passed" if found.spider else "failed", float(found.spider), (finding,), self.name)


def _rows(file: Path) -> list[Mapping[str, Any]]:
    """The tasks of a file: a JSON list, or JSON lines."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {plain(error)}") from error
    if file.suffix == ".json":
        found: Any = _parsed(file, text)
    else:
        lines = enumerate(text.splitlines(), 1)
        found = [_line(file, line, number) for number, line in lines if line.strip()]
    if not isinstance(found, list):
        raise UsageError(f"{file} is not a list of questions: {SHAPE}")
    rows = cast("list[Any]", found)
    if odd := next((n for n, row in enumerate(rows, 1) if not isinstance(row, dict)), 0):
        raise UsageError(f"{file}, question {odd}: it is not a JSON object but {json.dumps(rows[odd - 1])[:60]}")
    if not rows:
        raise UsageError(f"{file} has no questions")
    return rows


def _line(file: Path, text: str, number: int) -> Any:
    found = _parsed(file, text, f", line {number}")
    if not isinstance(found, dict):
        raise UsageError(f"{file}, line {number}: it is not a JSON object but {text.strip()[:60]}")
    return cast("dict[str, Any]", found)


def _parsed(file: Path, text: str, where: str = "") -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{file}{where}: it is not JSON ({error})") from error


def _databases(folder: Path, ids: Sequence[str]) -> Path:
    """The folder that holds the databases: the first of the usual ones with one of them in it."""
    there = [folder / name for name in FOLDERS if (folder / name).is_dir()]
    found = next((f for f in there for name in dict.fromkeys(ids) if _database(f, name).exists()), None)
    if found is None:
        raise UsageError(f"{folder} has no databases of its questions ({ids[0]}.sqlite and so on): {SHAPE}")
    return found


def _database(folder: Path, name: str) -> Path:
    """``ID/ID.sqlite`` where there is such a folder, else ``ID.sqlite``."""
    inner = folder / name / f"{name}.sqlite"
    return inner if inner.exists() else folder / f"{name}.sqlite"


def _item(file: Path, place: int, row: Mapping[str, Any], databases: Path) -> Item:
    def text(*names: str) -> str:
        said = (str(row[name]).strip() for name in names if row.get(name) is not None)
        return next(filter(None, said), "")

    name, question, gold = text("db_id"), text("question"), text(*GOLD)
    if missing := next((n for n, v in {"db_id": name, "question": question, "gold": gold}.items() if not v), ""):
        fields = f"{missing} ({', '.join(GOLD)})" if missing == "gold" else missing
        raise UsageError(f"{file}, question {place + 1}: it has no {fields}")
    if Path(name).name != name:
        raise UsageError(f"{file}, question {place + 1}: db_id {name!r} is not the name of a database")
    hint = text(*HINTS)
    return Item(
        id=text("id", "question_id") or f"{file.stem}_{place:04d}",
        task=Task(f"{question}\n\n{hint}" if hint else question, database=str(_database(databases, name).absolute())),
        gold=(gold, *(str(each) for each in row.get("gold_sql_alternatives") or ())),
        group=name,
        tags={tag: row[tag] for tag in TAGS if row.get(tag)},
    )

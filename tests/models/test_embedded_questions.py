"""The questions that no grammar wrote: each has an answer, none that is taught also weighs or develops, and none is one
of a benchmark's in the same words."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from bench_tasks import DATA, ROOT, needs_data

from veriloop.apps.demo import atlas
from veriloop.models.embedded.text import normalise

FOLDER = ROOT / "scripts" / "embedded_sql"
SETS = ("taught_questions", "judge_questions", "dev_questions")


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def asked(path: Path) -> set[str]:
    """The questions of a file as a model reads them, without signs."""
    return {re.sub(r"[^a-z0-9]+", " ", normalise(line["question"])).strip() for line in lines(path)}


def test_each_question_has_an_answer(tmp_path: Path):
    with closing(sqlite3.connect(atlas.build(tmp_path / "atlas.sqlite"))) as database:
        for line in [line for name in SETS for line in lines(FOLDER / f"{name}.jsonl")]:
            rows = database.execute(line.get("gold_sql") or line["sql"]).fetchall()
            assert any(cell is not None for row in rows for cell in row), line


def test_what_is_taught_is_not_what_weighs_and_measures():
    taught, weighed, developed = (asked(FOLDER / f"{name}.jsonl") for name in SETS)
    assert not taught & (weighed | developed)


@needs_data
def test_no_question_of_the_benchmark_is_among_them():
    measured = asked(DATA / "text2sql_geoquery" / "questions.jsonl")
    assert len(measured) > 500
    for name in SETS:
        assert not asked(FOLDER / f"{name}.jsonl") & measured, name

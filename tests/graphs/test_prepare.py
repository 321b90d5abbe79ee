"""What cannot be is refused before the first call."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

import veriloop as vl
from veriloop.core.errors import CapabilityError, UsageError
from veriloop.models.scripted import Scripted


class Narrow(Scripted):
    """Knows one schema."""

    name = "narrow"
    tables = ("state", "city", "river")


def database(folder: Path, *tables: str) -> str:
    path = folder / f"{len(tables)}.sqlite"
    connection = sqlite3.connect(path)
    for table in tables:
        connection.execute(f"CREATE TABLE {table} (x)")
    connection.close()
    return str(path)


@pytest.mark.parametrize("tables", [(), ("person",), ("state", "person")])
def test_a_model_that_knows_one_schema_is_not_asked_about_another(tmp_path: Path, tables: tuple[str, ...]):
    model = Narrow()
    with pytest.raises(CapabilityError, match="narrow knows only databases with the tables state, city, river: give"):
        vl.solve(vl.Task("Which?", database=database(tmp_path, *tables)), model=model)
    assert model.requests == []


@pytest.mark.parametrize("tables", [("State", "CITY"), ("state", "city", "river", "more")])
def test_most_of_its_tables_are_enough(tmp_path: Path, tables: tuple[str, ...]):
    model = Narrow(lambda request, seed: "SELECT 1")
    assert vl.solve(vl.Task("Which?", database=database(tmp_path, *tables)), model=model).answer == [[1]]


@pytest.mark.parametrize("options", [{"verify": None}, {"verify": "none"}, {"strategy": "self_refine"}, {}])
def test_gold_that_nobody_compares_with_is_refused(options: dict[str, Any]):
    model = Scripted()
    with pytest.raises(UsageError, match="gold is only for the verifier oracle: add verify='oracle'"):
        vl.solve("Which?", model=model, gold="this", **options)
    assert model.requests == []


@pytest.mark.parametrize("strategy", ["single", "best_of_n", "iad", "self_refine"])
@pytest.mark.parametrize("parameter", [{"temperature": -5}, {"temperature": float("nan")}, {"max_tokens": 0}])
def test_what_no_model_can_sample_at_is_refused_when_the_strategy_is_made(strategy: str, parameter: dict[str, Any]):
    with pytest.raises(UsageError, match="cannot sample at temperature"):
        vl.Strategy(strategy, parameter).make()


def test_no_verifier_may_be_called_none():
    assert vl.solve("Which?", model=Scripted(["this"]), verify="none").strategy == "single"

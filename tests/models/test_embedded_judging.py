"""The judge beside the writer: what it is told changes what it says, and it knows right from wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from veriloop.models.embedded import HERE
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.judging import FEATURES
from veriloop.models.embedded.reading import Attempt

QUESTION = "what is the longest river in texas"
RIGHT = (
    "SELECT river_name FROM river WHERE length = (SELECT MAX(length) FROM river WHERE traverse = 'texas') "
    "AND traverse = 'texas'"
)
ONE = ("one row", "text")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(HERE / "sql")


def chance(engine: Engine, sql: str, marks: tuple[str, ...] = ONE, question: str = QUESTION) -> float:
    return asyncio.run(engine.judge(question, Attempt(sql, marks)))[0]


@pytest.mark.parametrize(
    "wrong",
    [
        RIGHT.replace("MAX", "MIN"),
        RIGHT.replace("'texas'", "'ohio'"),
        "SELECT river_name FROM river WHERE traverse = 'texas'",
        "SELECT lake_name FROM lake WHERE area = (SELECT MAX(area) FROM lake WHERE state_name = 'texas')",
    ],
)
def test_it_knows_right_from_wrong(engine: Engine, wrong: str):
    assert chance(engine, wrong) < 0.5 < chance(engine, RIGHT)


def test_what_a_verifier_found_counts_against_an_attempt(engine: Engine):
    assert chance(engine, RIGHT, ("empty", "no row")) < chance(engine, RIGHT)


def test_the_same_question_is_judged_the_same_and_read_once(engine: Engine):
    network = engine.network
    assert network is not None
    first = network.log_chance(QUESTION, Attempt(RIGHT, ONE))
    assert network.log_chance(QUESTION, Attempt(RIGHT, ONE)) is first
    values, read = network.features(QUESTION, Attempt(RIGHT, ONE))
    assert (len(values), read) == (len(FEATURES), first[1])
    assert network.weights.log_chance(values) == pytest.approx(first[0], abs=1e-4)


def test_sql_that_says_what_was_asked_makes_the_question_likely(engine: Engine):
    network = engine.network
    assert network is not None
    asked, unasked = FEATURES.index("asked"), FEATURES.index("unasked")
    right, _ = network.features(QUESTION, Attempt(RIGHT))
    wrong, _ = network.features(QUESTION, Attempt("SELECT COUNT(state_name) FROM state"))
    assert right[asked] > wrong[asked]
    assert right[unasked] == wrong[unasked]


def test_without_a_judge_there_is_no_opinion(engine: Engine):
    alone = Engine(engine.decoder, engine.vocabulary)
    with pytest.raises(ValueError, match="no judge"):
        chance(alone, RIGHT)


def test_what_is_too_long_to_judge_is_said(engine: Engine):
    with pytest.raises(ValueError, match="too long to judge"):
        chance(engine, RIGHT, question="how long is the river " * 100)


def test_both_networks_are_small():
    files = sorted((HERE / "sql").rglob("*.safetensors"))
    assert len(files) == 2
    assert sum(weights.size for file in files for weights in load_file(file).values()) < 3_000_000
    assert sum(file.stat().st_size for file in Path(HERE / "sql").rglob("*") if file.is_file()) < 8_000_000

"""embedded:game24: what it reads of a question, that it writes legal steps and judges states, what it learned from."""

from __future__ import annotations

import asyncio
import json
import sys
from fractions import Fraction
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bench_tasks import DATA, needs_data

import veriloop as vl
from veriloop import Task
from veriloop.agents.roles import Verification, messages
from veriloop.apps.bench.game24 import GAME
from veriloop.core.errors import CapabilityError, UsageError
from veriloop.core.messages import Message, Request
from veriloop.models.embedded import HERE, Embedded
from veriloop.models.embedded.game import asked
from veriloop.models.embedded.kinds import kind
from veriloop.verifiers.conformance import Everyone, reply
from veriloop.verifiers.game24 import Game24, numbers_of, solution, solves

SCRIPTS = Path(__file__).parents[2] / "scripts" / "embedded_game24"


@pytest.fixture(scope="module")
def data() -> SimpleNamespace:
    """The modules of the data; scripts are no package."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return SimpleNamespace(**{name: import_module(name) for name in ("solver", "texts")})
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in ("solver", "texts"):
            sys.modules.pop(name)


@pytest.fixture(scope="module")
def model() -> Embedded:
    return Embedded("game24")


def puzzle(*numbers: int) -> str:
    return GAME.format(numbers=" ".join(map(str, numbers)))


def written(model: Embedded, question: str, seeds: int, prefix: str = "", **options: Any) -> list[Any]:
    request = Request(
        messages=(Message("user", question),), seeds=tuple(range(seeds)), prefix=prefix, max_tokens=100, **options
    )
    return list(asyncio.run(model.generate(request)).samples)


def chance(model: Embedded, question: str, steps: str) -> int:
    task = Task(question)
    asked = messages("step_reward", task, [reply(task, steps)])
    (said,) = asyncio.run(model.generate(Request(messages=asked, role="step_reward"))).samples
    return Verification.model_validate_json(said.text).score


def legal(question: str, text: str) -> bool:
    task = Task(question)
    return asyncio.run(Game24().step(task, reply(task, text), Everyone())).outcome == "unscored"


@pytest.mark.parametrize(
    "question",
    [puzzle(13, 4, 9, 10), "Input: 4 9 10 13", "use 24 and 1 2 3 4 to make 24 of 4, 9, 13 and 10", "4 9 10 13?"],
)
def test_it_reads_the_four_numbers_as_the_verifier_does(question: str) -> None:
    assert asked(question) == sorted(numbers_of(question) or ()) == [4, 9, 10, 13]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is 2 + 2?", "names no four numbers"),
        ("Input: 2 5 8 11. Make 25.", "asks for 25"),
        ("Input: 200 500 800 1100.", "it knows numbers from 1 to 13, not 200, 500, 800, 1100"),
        ("Input: 0 5 8 11.", "it knows numbers from 1 to 13"),
    ],
)
def test_a_question_without_a_puzzle_that_it_knows_is_refused(model: Embedded, question: str, said: str) -> None:
    with pytest.raises(CapabilityError, match=f"embedded:game24 cannot answer this: .*{said}"):
        written(model, question, 1)
    with pytest.raises(CapabilityError, match=said):
        chance(model, question, "2 + 5 = 7, left: 7 8 11")


def test_what_it_cannot_read_ends_a_run_at_once_and_is_no_trouble_that_may_pass() -> None:
    with pytest.raises(CapabilityError, match="names no four numbers"):
        vl.solve("Which state?", strategy="tree_of_thought", model="embedded:game24")


def test_a_kind_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"kind": "chess"}')
    with pytest.raises(UsageError, match="none of sql, text, game24"):
        kind(tmp_path)


def test_it_writes_steps_that_are_mostly_legal_and_sometimes_lead_to_24(model: Embedded) -> None:
    asked = [puzzle(*each) for each in ((1, 2, 3, 4), (4, 6, 8, 12), (2, 5, 8, 11), (3, 3, 7, 7))]
    texts = [(each, sample.text) for each in asked for sample in written(model, each, 24, temperature=1.0)]
    assert sum(legal(each, text.rsplit("\n", 1)[0]) for each, text in texts) > 0.5 * len(texts)
    solved = sum(solves(each, text) for each, text in texts)
    assert 0 < solved < 0.7 * len(texts)


def test_a_step_is_a_line_that_goes_on_from_the_steps_before(model: Embedded) -> None:
    first = "6 * 4 = 24, left: 8 12 24\n"
    (sample,) = written(model, puzzle(4, 6, 8, 12), 1, first, stop=("\n",))
    assert sample.stopped == "\n"
    assert legal(puzzle(4, 6, 8, 12), first + sample.text)
    (sample,) = written(
        model,
        puzzle(1, 2, 3, 4),
        1,
        "3 * 2 = 6, left: 1 4 6\n6 * 4 = 24, left: 1 24\n24 * 1 = 24, left: 24\n",
        stop=("\n",),
    )
    assert (sample.stopped, solves(puzzle(1, 2, 3, 4), sample.text)) == ("", True)


def test_it_tells_states_from_which_24_is_in_reach_from_others(model: Embedded) -> None:
    question = puzzle(4, 9, 10, 13)
    good = chance(model, question, "10 - 4 = 6, left: 6 9 13\n13 - 9 = 4, left: 4 6")
    assert good > chance(model, question, "13 + 9 = 22, left: 4 10 22\n22 + 10 = 32, left: 4 32")
    broken = chance(model, question, "10 - 4 = 6, left: 6 9 13\n13 - 6 = 4, left: 4 6")
    assert good > broken


def test_what_is_kept_for_measurement_is_never_trained_on(data: SimpleNamespace) -> None:
    shares = {each: {s for s in data.solver.sets() if data.solver.share(s) == each} for each in ("trained", "held out")}
    drawn = {each: {walk.start for walk in islice(data.texts.walks(3, each), 300)} for each in shares}
    assert drawn["held out"] <= shares["held out"]
    assert drawn["trained"] <= shares["trained"]
    assert not shares["held out"] & shares["trained"]
    assert len(data.solver.LEFT_OUT) == 360


@needs_data
def test_the_packs_sets_are_left_out(data: SimpleNamespace) -> None:
    lines = (DATA / "reasoning" / "game24_enumerated.jsonl").read_text("utf-8").splitlines()
    sets = [tuple(map(Fraction, json.loads(line)["numbers"])) for line in lines]
    assert {data.solver.share(each) for each in sets} == {"left out"}
    assert {data.solver.digest(each) for each in sets} == data.solver.LEFT_OUT
    assert all(
        data.solver.solvable(each) == json.loads(line)["solvable"] for each, line in zip(sets, lines, strict=True)
    )


def test_every_text_says_of_each_line_what_is_true(data: SimpleNamespace) -> None:
    broken = 0
    for walk in islice(data.texts.walks(5), 400):
        question = puzzle(*map(int, walk.start))
        text = ""
        for line in walk.lines[:-1]:
            text = f"{text}\n{line.text}"
            left = line.text.split("left: ")[1].split()
            assert legal(question, text) == line.learned, text
            possible = line.learned and data.solver.solvable(tuple(sorted(map(Fraction, left))))
            assert line.reachable == possible
        last = walk.lines[-1]
        assert solves(question, last.text) or not last.reachable
        assert not last.reachable or last.learned
        broken += not last.learned
    assert 0.1 < broken / 400 < 0.3


def test_the_solver_agrees_with_the_verifiers_search(data: SimpleNamespace) -> None:
    for state in list(data.solver.sets())[::151]:
        assert data.solver.solvable(state) == (solution(list(map(int, state))) is not None)


def test_its_weights_are_small() -> None:
    folder = HERE / "game24"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
    assert json.loads((folder / "training.json").read_text("utf-8"))["parameters"] <= 3_000_000

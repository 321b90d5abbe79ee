"""Game of 24 and graph colouring: the question says what is right, and every label of the data agrees."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from bench_tasks import DATA, needs_data

from veriloop import Task, Verdict, asolve
from veriloop.core.errors import Unjudgeable, UsageError
from veriloop.models.scripted import Scripted
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, check, reply
from veriloop.verifiers.game24 import numbers_of, solution, solves
from veriloop.verifiers.graph_coloring import coloring_of, graph_of

GAME = "Use each number once to make 24.\nInput: 4 9 10 13"
GRAPH = """Color the following graph, described as a set of edges, such that no two vertices on the same edge share a
color. You may use at most 2 colors.
Vertex 0 is connected to vertex 1.
Vertex 1 is connected to vertex 2.
Vertex 2 is connected to vertex 3.
There are a total of 4 vertices (0 to 3). Give one line per vertex in the form '0: Color 1'."""


def verdict(name: str, question: str, text: str) -> Verdict:
    task = Task(question)
    return asyncio.run(make(name).verify(task, reply(task, text), Everyone()))


def rows(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "reasoning" / file).read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        "(10 - 4) * (13 - 9)",
        "(10 − 4) × (13 − 9) = 24",
        "Steps: 10 - 4 = 6\n13 - 9 = 4\n**Answer:** (10-4)*(13-9)",
        "So \\boxed{(10 - 4) \\times (13 - 9) = 24}.",
        "The answer is (10-4)*(13-9).",
        "(10 - 4) * (13 - 9) = 24.0",
        "1 + 1\n(13 - 9) * (10 - 4)",
    ],
)
def test_an_expression_that_makes_24_passes(text: str) -> None:
    assert verdict("game24", GAME, text).outcome == "passed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(10 - 4) * (13 - 8)", "uses 10, 4, 13, 8; use each of 4, 9, 10, 13 exactly once"),
        ("24 * 1", "uses 24, 1"),
        ("(10 - 4) * (13 + 9)", "is 132, not 24"),
        ("4 / (9 - 9) + 10 + 13", "uses"),
        ("10 ** 4 + 13 - 9", "Only whole numbers"),
        ("-4 + 9 + 10 + 13", "Only whole numbers"),
        ("10 // 4 + 13 + 9", "Only whole numbers"),
        ("10 + + 4 13 9", "not an expression"),
        ("(" * 90 + "10 + 4", "not an expression"),
        ("It cannot be done.", "There is a solution"),
        ("I do not know", "There is no expression"),
        ("__import__('os').system('true')", "There is no expression"),
        ("9" * 150 + " * 4", "uses"),
        ("Answer: (10 - 4) + (13 - 9) = 10", "(10 - 4) + (13 - 9) is 10, not 24."),
        ("Answer: 4 - 10 - 13 - 9 = -28", "4 - 10 - 13 - 9 is -28, not 24."),
        ("Answer: (10 - 4) * (13 - 9) = 25", "(10 - 4) * (13 - 9) is 24, and not what the line says"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    found = verdict("game24", GAME, text)
    assert (found.outcome, found.score) == ("failed", 0.0)
    assert said in found.text


def test_fractions_are_exact_and_nothing_divides_by_zero() -> None:
    assert verdict("game24", "Input: 3 3 8 8", "8 / (3 - 8 / 3)").outcome == "passed"
    assert "divides by zero" in verdict("game24", "Input: 3 3 8 8", "8 / (3 - 3) + 8").text


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("Make 24 of 1, 8, 11 and 13.", (1, 8, 11, 13)),
        ("Input: 1 1 4 6\nSteps: …\nInput: 1 8 11 13", (1, 8, 11, 13)),
        ("Numbers: [1, 8, 11, 13]", (1, 8, 11, 13)),
        ("Make 24.", None),
        ("Use 1, 2 and 3.", None),
    ],
)
def test_the_puzzle_is_read_from_the_question(question: str, numbers: tuple[int, ...] | None) -> None:
    assert numbers_of(question) == numbers


@pytest.mark.parametrize(
    "question",
    [
        "Input: 2 5 8 11. Make 25.",
        "Make 25: 2 5 8 11",
        "Use 2, 5, 8 and 11 to get 25",
        "How can 2 5 8 11 = 25?",
        "Numbers: 2 5 8 11\nTarget: 25",
        "so that the result is exactly **25**: 2 5 8 11",
    ],
)
def test_a_question_for_another_number_than_24_is_unscored(question: str) -> None:
    found = verdict("game24", question, "(11 - 5) * (8 / 2) = 24")
    assert (found.outcome, found.score) == ("unscored", None)
    assert found.text == "The question asks for 25, and this is the game of 24."
    assert not solves(question, "(11 - 5) * (8 / 2)")


@pytest.mark.parametrize(
    "question",
    [
        "Make 24 (not 25) of 2 5 8 11",
        "Make 25 of 1 2 3 4, or get 24: 2 5 8 11",
        "Input: 1 1 4 6\nSteps:\n1 + 1 = 2 (left: 2 4 6)\nInput: 2 5 8 11",
        "Make at most 3 lines, and get 1 answer: 2 5 8 11",
    ],
)
def test_other_numbers_in_a_question_are_no_target(question: str) -> None:
    assert verdict("game24", question, "(11 - 5) * (8 / 2) = 24").outcome == "passed"


@pytest.mark.parametrize("name", ["game24", "graph-coloring"])
def test_a_question_of_another_kind_leaves_unscored(name: str) -> None:
    found = verdict(name, "What is 2 + 2?", "4")
    assert (found.outcome, found.score) == ("unscored", None)


@pytest.mark.parametrize("name", ["game24", "graph-coloring", "python-tests", "natural-plan"])
def test_such_a_question_is_refused_before_any_call(name: str) -> None:
    model = Scripted(["4"])
    with pytest.raises(Unjudgeable, match=f"(?i)verifier {name}: the question "):
        asyncio.run(asolve("What is 2 + 2?", model=model, verify=name, journal=False))
    assert model.requests == []


@needs_data
def test_every_label_of_the_game_agrees() -> None:
    tried = rows("game24_enumerated.jsonl")
    assert len(tried) == 360
    for row in tried:
        question = "Input: " + " ".join(map(str, row["numbers"]))
        found = solution(row["numbers"])
        assert (found is not None) == row["solvable"], row
        assert (verdict("game24", question, "There is no solution.").outcome == "passed") != row["solvable"]
        for right in [found, row["one_solution"]] if row["solvable"] else []:
            assert verdict("game24", question, right).outcome == "passed", row
            assert verdict("game24", question, f"{right} + 1").outcome == "failed"


@pytest.mark.parametrize(
    "text", ["0: Color 1\n1: Color 2\n2: Color 1\n3: Color 2", "**Vertex 0:** red\n1: b\n2: Red\n3: B"]
)
def test_a_right_colouring_passes(text: str) -> None:
    assert verdict("graph-coloring", GRAPH, text).outcome == "passed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0: 1\n1: 1\n2: 1\n3: 2", "Vertex 0 and vertex 1 are connected and both have color 1.\nVertex 1 and vertex 2"),
        ("0: 1\n1: 2\n2: 1", "No colour for 3"),
        ("0: 1\n1: 2\n2: 3\n3: 1", "It uses 3 colors; at most 2 are allowed."),
        ("", "No colour for 0, 1, 2, 3"),
        ("0: 1\n1: 2\n2: 1\n3: 2\n3: 1", "Vertex 2 and vertex 3"),
        ("9: 1\n7: 1\n99999999999: 1", "No colour for 0, 1, 2, 3"),
    ],
)
def test_wrong_edges_missing_vertices_and_colours_too_many_are_named(text: str, said: str) -> None:
    found = verdict("graph-coloring", GRAPH, text or "nothing")
    assert found.outcome == "failed"
    assert said in found.text


def test_feedback_names_all_wrong_edges_the_first_or_none() -> None:
    text = "0: 1\n1: 1\n2: 1\n3: 2"
    assert len(verdict("graph-coloring", GRAPH, text).findings) == 2
    assert verdict("graph-coloring:first", GRAPH, text).text.endswith("vertex 1 are connected and both have color 1.")
    assert verdict("graph-coloring:none", GRAPH, text).text == "The colouring is not right."
    with pytest.raises(UsageError, match="names all, first or none"):
        make("graph-coloring:some")


@needs_data
def test_every_label_of_the_colourings_agrees() -> None:
    seen = 0
    for row in rows("graph_coloring_generated.jsonl"):
        graph = graph_of(row["prompt"])
        assert graph is not None
        assert (graph.n, [list(edge) for edge in graph.edges]) == (row["n"], row["edges"])
        for each in row["candidates"]:
            text = "\n".join(f"{vertex}: Color {colour}" for vertex, colour in enumerate(each["coloring"]))
            found = verdict("graph-coloring", row["prompt"], text)
            assert (found.outcome == "passed") == each["valid"], (row["id"], each)
            assert sum("are connected" in f.message for f in found.findings) == len(each["violations"])
            assert len(coloring_of(text, graph.n)) == graph.n
            seen += 1
    assert seen == 480


@pytest.mark.parametrize(
    ("name", "question", "texts"),
    [("game24", GAME, ("(10-4)*(13-9)", "1 + 2")), ("graph-coloring", GRAPH, ("0: 1\n1: 2\n2: 1\n3: 2", "0: 1"))],
)
def test_they_keep_the_promises_of_a_verifier(name: str, question: str, texts: tuple[str, ...]) -> None:
    assert [line for line in asyncio.run(check(make(name), question, texts)) if line.outcome != "works"] == []

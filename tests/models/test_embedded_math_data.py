"""The grammar that embedded:math is to learn from: its answers are right, its code gives them, and what is kept for
measurement is never trained on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from itertools import islice
from operator import add, floordiv, mod, mul, sub
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from veriloop.agents.drafts import gave
from veriloop.agents.fences import blocks
from veriloop.agents.insertion import lead
from veriloop.apps.bench.answers import GSM8K, Gsm8k
from veriloop.core.messages import ToolCall
from veriloop.core.search import Segment, ToolRun
from veriloop.tools.hints import hints

SCRIPTS = Path(__file__).parents[2] / "scripts" / "embedded_math"
CHANGES: dict[str, Any] = {"lose": sub, "gain": add, "times": mul, "packs": floordiv, "rest": mod, "price": mul}
MANY = {"lose many": sub, "gain many": add}
EXECUTES = """\
import contextlib, io, json, sys
def said(code):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    return out.getvalue()
print(json.dumps([said(code) for code in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def grammar() -> SimpleNamespace:
    """The modules of the grammar; scripts are no package."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return SimpleNamespace(**{name: import_module(name) for name in ("solving", "hinting", "texts", "problems")})
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def drawn(grammar: SimpleNamespace) -> list[Any]:
    return list(islice(grammar.texts.examples(8), 3000))


def executed(codes: list[str]) -> list[str]:
    """What each code prints, all in another process."""
    command = [sys.executable, "-I", "-c", EXECUTES]
    done = subprocess.run(command, input=json.dumps(codes), capture_output=True, text=True, timeout=100, check=True)
    return json.loads(done.stdout)


def told(template: str, question: str) -> int:
    """The answer to a story, from the kinds of its sentences and the numbers in its words."""
    numbers = iter(int(each) for each in re.findall(r"\d+", question))
    amount = 0
    for kind in (part.rsplit(" ", 1)[0] for part in template.split(" | ")):
        if kind in ("product", "sum", "plain"):
            amount = next(numbers)
            amount = amount * next(numbers) if kind == "product" else amount + (kind == "sum" and next(numbers))
        elif kind in MANY:
            amount = MANY[kind](amount, next(numbers) * next(numbers))
        elif kind != "now":
            amount = CHANGES[kind](amount, next(numbers))
    assert next(numbers, None) is None
    return amount


def counted(family: str, question: str) -> int:
    """The answer to a counting question, by brute force on the numbers in its words."""
    found = [int(each) for each in re.findall(r"\d+", question)]
    if family == "coins":
        total, p, q = found
        return sum((total - p * many) % q == 0 for many in range(total // p + 1))
    if family == "pairs":
        top, k = found[-2:] if "a < b" not in question else (found[1], found[2])
        return sum((a + b) % k == 0 for b in range(1, top + 1) for a in range(1, b))
    if family == "either":
        top = int(re.search(r"(?:from 1 to|up to|not above) (\d+)", question)[1])  # type: ignore[index]
        k, m = (int(each) for each in re.search(r"(\d+) or (?:by )?(\d+)", question).groups())  # type: ignore[union-attr]
        return sum(n % k == 0 or n % m == 0 for n in range(1, top + 1))
    low, high = (int(each) for each in re.search(r"(?:from|between) (\d+) (?:to|and) (\d+)", question).groups())  # type: ignore[union-attr]
    span = range(low, high + 1)
    rest = list((Counter(found) - Counter([low, high])).elements())
    if family == "multiples":
        return sum(n % rest[0] == 0 for n in span)
    if family == "digits":
        return sum(str(rest[0]) in str(n) for n in span)
    assert family == "digit sums"
    return sum(sum(map(int, str(n))) == rest[0] for n in span)


def test_answers_are_those_that_the_words_give(grammar: SimpleNamespace):
    seen: Counter[str] = Counter()
    for problem in islice(grammar.texts.problems(11, None), 6000):
        family = re.match(r"[a-z ]*[a-z]", problem.template)[0]  # type: ignore[index]
        of_story = "|" in problem.template
        seen["story" if of_story else family] += 1
        right = (told if of_story else counted)(problem.template if of_story else family, problem.question)
        assert (problem.answer, problem.answer >= 0) == (right, True), problem.question
    assert len(seen) == 7
    assert min(seen.values()) > 100


def test_both_codes_of_a_problem_print_its_answer(grammar: SimpleNamespace):
    problems = list(islice(grammar.texts.problems(12, None), 1500))
    for way in ("code", "another"):
        printed = executed([getattr(each, way) for each in problems])
        assert [int(each) for each in printed] == [each.answer for each in problems]
    assert all("exec" not in each.code and "import" not in each.code for each in problems)


def test_what_is_kept_for_measurement_is_never_trained_on(grammar: SimpleNamespace, tmp_path: Path):
    path = grammar.problems.write(tmp_path, 500, 900)
    kept = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    trained = list(islice(grammar.texts.examples(1), 20_000))
    assert not {each["template"] for each in kept} & {each.problem.template for each in trained}
    assert not {each["question"] for each in kept} & {each.problem.question for each in trained}
    every = {each.template for each in islice(grammar.texts.problems(1, None), 20_000)}
    assert 0.02 < sum(map(grammar.solving.held_out, every)) / len(every) < 0.1


def test_held_out_problems_are_a_benchmark(grammar: SimpleNamespace, tmp_path: Path):
    path = grammar.problems.write(tmp_path, 500, 900)
    assert path.read_bytes() == grammar.problems.write(tmp_path / "again", 500, 900).read_bytes()
    items = Gsm8k().load(tmp_path)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len({item.task.question for item in items}) == 500
    for item, row in zip(items, rows, strict=True):
        assert item.task.question.startswith(row["question"] + "\n\n")
        assert item.gold == row["answer"]
        solved = told(row["template"], row["question"]) if "|" in row["template"] else None
        assert solved in (None, int(row["answer"]))


def test_most_texts_solve_in_the_head_and_right(drawn: list[Any], grammar: SimpleNamespace):
    kinds = Counter(each.kind for each in drawn)
    assert kinds["plain"] > len(drawn) / 2
    assert set(kinds) == set(grammar.texts.KINDS)
    for each in drawn:
        right = Gsm8k().final(each.text) == str(each.problem.answer)
        assert right or each.kind == "early"  # what was wrong before a hint in the middle stays so
        assert each.kind != "plain" or all(piece.learned for piece in each.pieces) or "Wait, " in each.text


def test_every_value_that_is_learned_is_right(drawn: list[Any]):
    operations = {"+": add, "-": sub, "*": mul, "//": floordiv, "%": mod}
    wrong = 0
    for example in drawn:
        marks = [piece.learned for piece in example.pieces for _ in piece.text]
        for found in re.finditer(r"(\d+) (\+|-|\*|//|%) (\d+) = (\d+)", example.text):
            right = operations[found[2]](int(found[1]), int(found[3])) == int(found[4])
            assert right == marks[found.start(4)], found[0]
            wrong += not right
    assert wrong > 300


def test_hints_and_output_are_never_learned_and_stand_as_they_do_in_a_run(drawn: list[Any]):
    codes, given = list[str](), list[str]()
    for example in drawn:
        before = ""
        for piece in example.pieces:
            if piece.text.startswith("```output"):
                code = blocks(before)[-1]
                assert (code.tag, code.closed, code.end) == ("python", True, len(before))
                run = ToolRun(ToolCall("python", {"code": code.body}, "1"), {"text": _inside(piece.text)}, "", 0.0)
                assert gave([Segment(before)], run, False).text == piece.text
                assert not piece.learned
                codes.append(code.body)
                given.append(_inside(piece.text))
            before += piece.text
    assert len(codes) > 500
    assert [each.strip("\n") for each in executed(codes)] == given
    put_in = [p.text for each in drawn for p in each.pieces if not p.learned and "Python" in p.text]
    assert len(put_in) > 500
    for said in put_in:
        assert said.endswith("\n")
        words = said.removeprefix("\n\n").removeprefix("Wait, ")
        assert said in (lead(words, "before_stop", "x"), lead(words, "before_stop", ""), words)


def test_rows_learn_what_the_model_writes_and_read_what_a_run_would_give_it(drawn: list[Any]):
    sys.path.insert(0, str(SCRIPTS))
    try:
        learn = import_module("learn")
    finally:
        sys.path[:] = [each for each in sys.path if "embedded_" not in each]
    encoder = learn.Encoder(learn.train_tokenizer(1, 900))
    plain = encoder.plain
    for example in drawn[:300]:
        ids, learned = encoder(example)
        text, begin = example.text, len(plain.ask(example.problem.question))
        assert plain.written(ids) == example.problem.question + text
        marks = [piece.learned for piece in example.pieces for _ in piece.text]
        mine = "".join(char for char, mark in zip(text, marks, strict=True) if mark)
        taught = plain.written([each for each, mark in zip(ids, learned, strict=True) if mark])
        assert taught.replace(" ", "") == mine.replace(" ", "")
        assert not any(learned[:begin])
        assert (ids[-1], learned[-1]) == (plain.end, True)
        cuts = [at for at in range(1, len(text)) if marks[at] and not marks[at - 1] and text[at - 1] == "\n"]
        for cut in cuts:
            asked = GSM8K.format(question=example.problem.question)
            opening = plain.opening(asked, text[:cut])
            assert (opening.pending, list(opening.ids)) == ("", ids[: len(opening.ids)])


def test_no_sentence_of_the_library_is_trained_on(grammar: SimpleNamespace):
    import random

    rng, hinting = random.Random(1), grammar.hinting
    kinds = (hinting.WHOLE, hinting.CHECK, hinting.STEPS, hinting.OTHER, hinting.EACH)
    ours = {hinting.wording(kind, rng) for kind in kinds for _ in range(2000)}
    assert len(ours) > 300
    assert not ours & {words for hint in hints() for words in hint.paraphrases}


def _inside(block: str) -> str:
    return block.removeprefix("```output\n").removesuffix("\n```\n")

"""The tests that a question shows: assertions, examples after ``>>>``, and examples in a function's description."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 20_000
"""Characters of a question in which tests are looked for."""
_BLOCK = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_DOCTEST = re.compile(r"^[ \t]*>>>[ \t]*(.+)\n[ \t]*(\S.*)$", re.MULTILINE)
_SIGN = re.compile(r"\s*(?:==>|=>|==|➞|→|->|\b(?:should return|returns)\b)\s*")
_WORDS = {"true": "True", "false": "False", "null": "None", "none": "None"}


@dataclass(frozen=True)
class Shown:
    """Tests as Python, what the question gives with them, and the function they are about, where known."""

    tests: str = ""
    setup: str = ""
    entry: str = ""


@lru_cache(maxsize=256)
def shown_in(question: str) -> Shown:
    """The tests that a question shows; no tests where it shows none."""
    question = question[:LONGEST]
    asserts = list(dict.fromkeys(_asserts(question)))
    function, setup = _given(question)
    if asserts or not function:
        return Shown("\n".join(asserts), setup, function)
    known = {function, *_defined(setup)}
    examples = dict.fromkeys([*_doctests(question, known), *_arrows(question, function, known)])
    return Shown("\n".join(examples), setup, function)


def _asserts(question: str) -> Iterator[str]:
    """Lines that are an assertion each."""
    for line in question.splitlines():
        if line.strip().startswith("assert ") and isinstance(_statement(line.strip()), ast.Assert):
            yield line.strip()


def _statement(line: str) -> ast.stmt | None:
    try:
        (found,) = _parsed(line).body
    except (SyntaxError, ValueError):
        return None
    return found


def _parsed(code: str) -> ast.Module:
    """The tree of a piece of the question; what Python warns of in it is nobody's business here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _given(question: str) -> tuple[str, str]:
    """The name of the last function that a block of the question begins, and all else in that block."""
    for block in reversed(_BLOCK.findall(question)):
        try:
            tree = _parsed(block)
        except (SyntaxError, ValueError):
            continue
        if functions := [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
            wanted = functions[-1]
            rest = [ast.unparse(node) for node in tree.body if node is not wanted]
            return wanted.name, "\n".join(rest)
    return "", ""


def _defined(setup: str) -> set[str]:
    return {node.name for node in _parsed(setup).body if isinstance(node, ast.FunctionDef)}


def _doctests(question: str, known: set[str]) -> Iterator[str]:
    """``>>> f(1)`` and the line below it, where that is a value."""
    for call, wanted in _DOCTEST.findall(question):
        if found := _example(call, wanted, known):
            yield found


def _arrows(question: str, function: str, known: set[str]) -> Iterator[str]:
    """``f(1) == 2`` and what else people write between a call and its value."""
    for line in question.splitlines():
        start = line.find(f"{function}(")
        if start < 0 or ">>>" in line or line.lstrip().startswith(("def ", "assert ")):
            continue
        for sign in _SIGN.finditer(line, start):
            if found := _example(line[start : sign.start()], line[sign.end() :], known):
                yield found
                break


def _example(call: str, wanted: str, known: set[str]) -> str:
    """An assertion, where both sides are whole: a call of what is known with values, and a value."""
    left = _expression(call.strip())
    right = _value(wanted)
    if left is None or right is None or not isinstance(left, ast.Call):
        return ""
    names = {node.id for node in ast.walk(left) if isinstance(node, ast.Name)}
    if not names & known or names - known - vars(builtins).keys():
        return ""
    return f"assert {ast.unparse(left)} == {ast.unparse(right)}"


def _value(text: str) -> ast.expr | None:
    """What a text begins with that is a value, a full stop and a comment left out."""
    text = text.split(" #")[0].strip().removesuffix(".").strip()
    found = _expression(_WORDS.get(text, text))
    try:
        return found if found is not None and ast.literal_eval(found) is not ... else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _expression(text: str) -> ast.expr | None:
    found = _statement(text)
    return found.value if isinstance(found, ast.Expr) else None

"""The tests that a question shows: assertions, examples after ``>>>``, and examples in a function's description."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from .counting import bound

LONGEST = 20_000
"""Characters of a question in which tests are looked for."""
MOST = 20
"""Calls of a line, and signs behind them, that are looked at."""
_BLOCK = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_DOCTEST = re.compile(r"^[ \t]*>>>[ \t]*(.+)\n[ \t]*(\S.*)$", re.MULTILINE)
_HEADS = ("def ", "class ", "import ", "from ", "@")
_NAME = r"[A-Za-z_]\w*"
_NOT = re.compile(r"\b(?:not|never|wrong\w*|incorrect\w*|buggy|currently|instead|unlike)\b|n't\b", re.IGNORECASE)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
"""One number for a reader, several for Python."""
_SIGN = re.compile(r"\s*(?:==>|=>|==|➞|→|->|\b(?:should return|returns)\b)\s*")
_HOLDERS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While)
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
    if asserts:
        return Shown("\n".join(asserts), setup, function)
    known = {function, *_defined(setup)} if function else set[str]()
    examples = list(dict.fromkeys([*_doctests(question, known), *_arrows(question, function, known)]))
    if not function:
        called = set[str]().union(*(_called(_parsed(each)) for each in examples))
        if len(called) != 1:  # whose examples they are, nobody says
            return Shown()
        (function,) = called
    return Shown("\n".join(examples), setup, function)


def _asserts(question: str) -> Iterator[str]:
    """Assertions: lines that are one each, and those within a line that ask nothing but what they call. One in a
    function or a loop means nothing outside of it."""
    inside = set(_inside(question))
    for line in question.splitlines():
        if line.strip() in inside:
            continue
        if line.strip().startswith("assert ") and isinstance(_statement(line.strip()), ast.Assert):
            yield line.strip()
            continue
        said, *parts = re.split(r"\bassert\s+", line)
        for part in parts:
            piece, _, after = part.partition("`")
            text = f"assert {_ended(piece)}"
            if isinstance(found := _statement(text), ast.Assert) and _whole(found) and not _denied(said, after):
                yield text
                part = after  # what an assertion itself says denies none
            said += part


def _inside(question: str) -> Iterator[str]:
    """The lines of assertions that stand in functions, classes and loops of the code that a question gives."""
    for block in _BLOCK.findall(question):
        tree, lines = _tree(block), block.splitlines()
        nodes = [node for node in ast.walk(tree) if isinstance(node, _HOLDERS)] if tree else []
        for each in (each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Assert)):
            yield lines[each.lineno - 1].strip()


def _denied(before: str, after: str = "") -> bool:
    """Whether the words of a line say that what stands between them does not hold."""
    return bool(_NOT.search(before) or _NOT.search(re.split("[,.;]", after)[0]))


def _whole(found: ast.Assert) -> bool:
    """Whether an assertion has a meaning by itself: it calls something, and has no other names of its own."""
    names = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
    called = _called(found)
    return bool(called) and names - bound(found) - vars(builtins).keys() <= called


def _called(tree: ast.AST) -> set[str]:
    """The names that a piece calls, built-in ones left out."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)} - vars(builtins).keys()


def _ended(text: str) -> str:
    """A piece of a sentence without what ends it there: stops, "and", the bracket around it."""
    text = text.rstrip(" \t,;.").removesuffix(" and").rstrip(" \t,;.")
    return text.removesuffix(")").rstrip() if text.count(")") > text.count("(") else text


def _statement(line: str) -> ast.stmt | None:
    tree = _tree(line)
    return tree.body[0] if tree and len(tree.body) == 1 else None


def _parsed(code: str) -> ast.Module:
    """The tree of a piece of the question; what Python warns of in it is nobody's business here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _given(question: str) -> tuple[str, str]:
    """The name of the last function that a piece of code in the question begins, and all else in that piece; what is
    fenced comes first."""
    for block in reversed([*_unfenced(question), *_BLOCK.findall(question)]):
        tree = _tree(block) or _tree(f"{block.rstrip()}\n    ...")  # a head without a body
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
        if tree and functions:
            rest = [ast.unparse(node) for node in tree.body if node is not functions[-1]]
            return functions[-1].name, "\n".join(rest)
    return "", ""


def _unfenced(question: str) -> Iterator[str]:
    """Code that stands between the sentences: lines that begin as code does, and what is indented below them."""
    block: list[str] = []
    for line in [*question.splitlines(), "."]:
        if line.startswith(_HEADS) or (block and (not line.strip() or line[0].isspace())):
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []


def _tree(code: str) -> ast.Module | None:
    try:
        return _parsed(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _defined(setup: str) -> set[str]:
    return {node.name for node in _parsed(setup).body if isinstance(node, ast.FunctionDef)}


def _doctests(question: str, known: set[str]) -> Iterator[str]:
    """``>>> f(1)`` and the line below it, where that is a value."""
    for call, wanted in _DOCTEST.findall(question):
        if found := _example(call, _value(wanted), known):
            yield found


def _arrows(question: str, function: str, known: set[str]) -> Iterator[str]:
    """``f(1) == 2`` and what else people write between a call and its value, in plain text or between backquotes."""
    call = re.compile(rf"(?<![\w.]){re.escape(function) or _NAME}\(")
    for line in question.splitlines():
        if ">>>" in line or line.lstrip().startswith(("def ", "assert ")):
            continue
        quoted = line.split("`")
        places = range(1, len(quoted), 2) if len(quoted) % 2 else range(0)
        parts = [quoted[at] for at in places if not _denied("".join(quoted[:at:2]), quoted[at + 1])]
        yield from (
            list(_in_line(line, call, known))
            or [each for part in parts for each in _in_line(part, call, known)]
            or (list(_in_line("".join(quoted), call, known)) if parts else [])
        )


def _in_line(line: str, call: re.Pattern[str], known: set[str]) -> Iterator[str]:
    """The examples of a line; of each the value ends with the line, or where the next call begins."""
    starts = [found.start() for found in islice(call.finditer(line), MOST)]
    for sign in islice(_SIGN.finditer(line), MOST) if starts else ():
        later = next((start for start in starts if start >= sign.end()), len(line))
        right = _value(line[sign.end() :]) or _value(_ended(line[sign.end() : later]))
        before = [start for start in starts if right and start < sign.start() and not _NOT.search(line[:start])]
        tried = (_example(line[start : sign.start()], right, known) for start in before)
        yield from islice(filter(None, tried), 1)


def _example(call: str, right: ast.expr | None, known: set[str]) -> str:
    """An assertion, where both sides are whole: a call of what is known with values, and a value. Where nothing is
    known, any function may be called."""
    left = _expression(call.strip())
    if left is None or right is None or not isinstance(left, ast.Call):
        return ""
    if not left.args and isinstance(right, ast.Constant) and right.value is None:
        return ""  # the head of a function: f() -> None
    names = {node.id for node in ast.walk(left) if isinstance(node, ast.Name)}
    known = known or _called(left)
    if not names & known or names - known - vars(builtins).keys() or "print" in names - known:
        return ""
    return f"assert {ast.unparse(left)} == {ast.unparse(right)}"


def _value(text: str) -> ast.expr | None:
    """What a text begins with that is a value, a full stop and a comment left out."""
    text = text.split(" #")[0].strip().removesuffix(".").strip()
    text = text.removesuffix(")") if text.count(")") > text.count("(") else text
    found = None if _THOUSANDS.fullmatch(text) else _expression(_WORDS.get(text, text))
    try:
        return found if found is not None and ast.literal_eval(found) is not ... else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _expression(text: str) -> ast.expr | None:
    found = _statement(text)
    return found.value if isinstance(found, ast.Expr) else None

"""Tests rewritten so that every assertion in them is counted. Standard library only."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from typing import Any

NAME = "__veriloop__"
"""What rewritten tests call the account."""


class Site:
    """An assertion: its text, whether it is reached for ``sure``, and whether its left side is a call."""

    def __init__(self, source: str, sure: bool, calls: bool) -> None:
        self.source = source
        self.sure = sure
        self.calls = calls


class Counting(ast.NodeTransformer):
    """Rewrites each assertion so that it is counted; the tests' own ``assert`` is gone from them."""

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self._sure = True
        self._top = True

    def visit(self, node: ast.AST) -> Any:
        """Visit a node, knowing whether it is reached for sure."""
        sure, top = self._sure, self._top
        if isinstance(node, ast.FunctionDef):
            self._sure, self._top = top and is_test(node.name), False
        elif isinstance(node, ast.stmt) and not isinstance(node, ast.Assert):
            self._sure = self._top = False
        try:
            return super().visit(node)
        finally:
            self._sure, self._top = sure, top

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        """``with __veriloop__.at(n): if not …: raise``, both sides of a comparison noted."""
        test = node.test
        calls = isinstance(test, ast.Compare) and isinstance(test.left, ast.Call) and isinstance(test.ops[0], ast.Eq)
        self.sites.append(Site(ast.unparse(ast.Assert(test)), self._sure, calls))
        number = len(self.sites) - 1
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            sides = (_do("see", test.left), _do("see", test.comparators[0]))
            test = ast.Compare(sides[0], test.ops, [sides[1]])
        fails = ast.If(ast.UnaryOp(ast.Not(), test), [ast.Raise(_do("Failed"))], [])
        counted = ast.With([ast.withitem(_do("at", ast.Constant(number)))], [fails])
        return ast.fix_missing_locations(ast.copy_location(counted, node))


def _do(what: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(ast.Name(NAME, ast.Load()), what, ast.Load()), list(args), [])


def is_test(name: str) -> bool:
    return name == "check" or name.startswith("test_")


def bound(tree: ast.AST) -> set[str]:
    """The names that a program gives a meaning to."""
    return set(_bound(tree))


def _bound(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def asked_of(tests: ast.Module, setup: ast.Module) -> set[str]:
    """The names that the tests ask of the code: those that nothing else gives, else what each assertion calls (a
    function may have the name of a built-in one)."""
    used = {n.id for n in ast.walk(tests) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    free = used - bound(tests) - bound(setup) - vars(builtins).keys()
    if free:
        return free
    calls = [
        {n.func.id for n in ast.walk(each) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        for each in ast.walk(tests)
        if isinstance(each, ast.Assert)
    ]
    return set[str].intersection(*calls) - bound(tests) if calls else set()

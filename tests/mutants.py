"""Solutions with something changed: their answers, or one small thing in them."""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Iterator

CHANGED = '''
def __changed(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float, complex)):
        return value + 1
    if isinstance(value, str):
        return value + "~"
    if isinstance(value, list):
        return value + [0]
    if isinstance(value, tuple):
        return value + (0,)
    if isinstance(value, (set, frozenset)):
        return value ^ {"~"}
    if isinstance(value, dict):
        return {**value, "~": 0}
    return 0 if value is None else None
'''


def parsed(code: str) -> ast.Module:
    """A tree of code that may hold what Python warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


class _Answers(ast.NodeTransformer):
    """Every ``return`` of one function gives a changed value; those of functions in it stay."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # type: ignore[assignment]

    def visit_Return(self, node: ast.Return) -> ast.AST:
        value = node.value or ast.Constant(None)
        return ast.Return(ast.Call(ast.Name("__changed", ast.Load()), [value], []))


def answer_changed(code: str, entry: str) -> str:
    """The solution with every answer of ``entry`` changed."""
    tree = parsed(code)
    (function,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == entry)
    function.body = [_Answers().visit(node) for node in function.body]
    function.body.append(ast.parse("def f():\n return __changed(None)").body[0].body[0])  # type: ignore[attr-defined]
    return CHANGED + ast.unparse(ast.fix_missing_locations(tree))


SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def small_changes(code: str) -> Iterator[str]:
    """The solution with one operator, comparison or whole number changed, each in turn."""
    tree = parsed(code)
    places = [place for place, node in enumerate(ast.walk(tree)) if _changeable(node)]
    for place in places:
        mutant = copy.deepcopy(tree)
        node = list(ast.walk(mutant))[place]
        if isinstance(node, ast.Compare):
            node.ops[0] = SWAPS[type(node.ops[0])]()
        elif isinstance(node, ast.BinOp | ast.BoolOp):
            node.op = SWAPS[type(node.op)]()
        elif isinstance(node, ast.Constant):
            node.value += 1  # type: ignore[operator]
        yield ast.unparse(mutant)


def _changeable(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in SWAPS
    if isinstance(node, ast.BinOp | ast.BoolOp):
        return type(node.op) in SWAPS
    return isinstance(node, ast.Constant) and type(node.value) is int

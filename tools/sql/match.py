"""When two query results are the same: Spider's rule (the default), BIRD's, and Spider's treatment of DISTINCT."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

Rows = Sequence[Sequence[object]]
Column = tuple[object, ...]

TOLERANCE = 1e-9
MAX_CHECKS = 2_000


def same_result(gold_rows: Rows, rows: Rows, *, ordered: bool) -> bool:
    """Whether two results are the same by the rule of Spider's test suites.

    The multisets of rows (the sequences, if ``ordered``) must be equal under some permutation of the columns. Numbers
    that differ by less than 1e-9 of their size are equal, text and numbers never are. Finding the permutation is as
    hard as graph isomorphism; after 2,000 partial permutations, which only contrived tables reach, the answer is no.
    """
    if len(gold_rows) != len(rows):
        return False
    if not rows:
        return True
    if len({len(row) for row in (*gold_rows, *rows)}) != 1:
        return False
    gold, given = _canonical(gold_rows, rows)
    gold_columns, columns = list(zip(*gold, strict=True)), list(zip(*given, strict=True))
    if ordered:
        return Counter(gold_columns) == Counter(columns)
    return _permutable(gold_columns, columns)


def set_match(gold_rows: Rows, rows: Rows) -> bool:
    """Whether two results are the same by BIRD's rule: equal sets of rows; column order matters."""
    return {tuple(row) for row in gold_rows} == {tuple(row) for row in rows}


def drop_distinct(sql: str) -> str:
    """``sql`` without the word DISTINCT, in counts too, as Spider's evaluation compares it.

    Strings, quoted names, comments and ``IS DISTINCT FROM`` stay as they are.
    """
    return _DISTINCT.sub(lambda found: "" if found["distinct"] else found[0], sql)


_DISTINCT = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\] | --[^\n]* | /\*.*?\*/ | \bis\s+(?:not\s+)?distinct\s+from\b
    | (?P<distinct>\bdistinct\b\s*)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def _canonical(*tables: Rows) -> list[list[Column]]:
    """The tables with every number replaced by one that stands for all numbers near it, in all the tables."""
    numbers = sorted({cell for rows in tables for row in rows for cell in row if isinstance(cell, (int, float))})
    stands: dict[object, object] = {}
    for before, number in zip([None, *numbers], numbers, strict=False):
        stands[number] = stands[before] if before is not None and _near(before, number) else number
    return [[tuple(stands[c] if isinstance(c, (int, float)) else c for c in row) for row in rows] for rows in tables]


def _near(one: float, other: float) -> bool:
    exact = isinstance(one, int) and isinstance(other, int)
    return not exact and math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)


def _permutable(gold: list[Column], columns: list[Column]) -> bool:
    """Whether some order of ``columns`` gives the same multiset of rows as ``gold``."""
    counts = [frozenset(Counter(column).items()) for column in columns]
    options: list[list[int]] = []
    for column in gold:
        wanted = frozenset(Counter(column).items())
        options.append([index for index, count in enumerate(counts) if count == wanted])
    if not all(options):
        return False
    order = sorted(range(len(gold)), key=lambda index: len(options[index]))
    checks = iter(range(MAX_CHECKS))
    return _extend([gold[index] for index in order], columns, [options[index] for index in order], [], checks)


def _extend(
    gold: list[Column], columns: list[Column], options: list[list[int]], chosen: list[int], checks: Iterator[int]
) -> bool:
    """Backtracking: a partial order goes on only if the rows cut to its columns are the same multiset."""
    depth = len(chosen)
    if depth == len(gold):
        return True
    wanted = Counter(zip(*gold[: depth + 1], strict=True))
    tried: set[Column] = set()
    for index in options[depth]:
        if index in chosen or columns[index] in tried:
            continue
        if next(checks, None) is None:
            return False
        tried.add(columns[index])
        cut = Counter(zip(*(columns[i] for i in [*chosen, index]), strict=True))
        if cut == wanted and _extend(gold, columns, options, [*chosen, index], checks):
            return True
    return False

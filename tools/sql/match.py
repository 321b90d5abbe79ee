"""When two query results are the same: Spider's rule (the default), BIRD's, and Spider's treatment of DISTINCT."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

Rows = Sequence[Sequence[object]]
Column = tuple[object, ...]

TOLERANCE = 1e-9
MAX_CHECKS = 2_000
MAX_COLUMNS = 200


def same_result(gold_rows: Rows, rows: Rows, *, ordered: bool) -> bool:
    """Whether two results are the same by the rule of Spider's test suites.

    The multisets of rows (the sequences, if ``ordered``) must be equal under some permutation of the columns. Numbers
    that differ by less than 1e-9 of their size are equal; a number and a text never are. Finding the permutation is as
    hard as graph isomorphism: after 2,000 steps, and beyond 200 columns, which only contrived results reach, the
    columns count as they stand.
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
    return Counter(gold) == Counter(given) or (len(columns) <= MAX_COLUMNS and _permutable(gold_columns, columns))


def set_match(gold_rows: Rows, rows: Rows) -> bool:
    """Whether two results are the same by BIRD's rule: equal sets of rows; column order matters."""
    return {tuple(row) for row in gold_rows} == {tuple(row) for row in rows}


def drop_distinct(sql: str) -> str:
    """``sql`` without the word DISTINCT, in counts too, as Spider's evaluation compares it.

    Strings, quoted names, comments and ``IS DISTINCT FROM`` stay as they are.
    """
    return _DISTINCT.sub(lambda found: "" if found["distinct"] else found[0], sql)


_DISTINCT = re.compile(
    r"""'(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^\]]*(?:\]|\Z) | --[^\n]* | /\*.*?(?:\*/|\Z)
    | \bis\s+(?:not\s+)?distinct\s+from\b | (?P<distinct>\bdistinct\b\s*)""",
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
    counts = [Counter(column) for column in columns]
    options = [[index for index, count in enumerate(counts) if count == wanted] for wanted in map(Counter, gold)]
    order = sorted(range(len(gold)), key=lambda index: len(options[index]))
    return all(options) and _Matching(columns, [options[i] for i in order], [gold[i] for i in order]).exists()


class _Matching:
    """Backtracking over the orders of columns: one goes on only while the rows, cut to it, are the same multiset.

    Rows cut to the columns so far are held as labels, so that a step looks at one column.
    """

    def __init__(self, columns: list[Column], options: list[list[int]], gold: list[Column]) -> None:
        self._columns = columns
        self._options = options
        self._checks = iter(range(MAX_CHECKS))
        self._steps: list[tuple[dict[tuple[int, object], int], Counter[int]]] = []
        labels = [0] * len(gold[0])
        for column in gold:
            names: dict[tuple[int, object], int] = {}
            labels = [names.setdefault(key, len(names)) for key in zip(labels, column, strict=True)]
            self._steps.append((names, Counter(labels)))

    def exists(self, chosen: tuple[int, ...] = (), labels: list[int] | None = None) -> bool:
        depth = len(chosen)
        if depth == len(self._steps):
            return True
        names, wanted = self._steps[depth]
        tried: set[Column] = set()
        for index in self._options[depth]:
            column = self._columns[index]
            if index in chosen or column in tried:
                continue
            if next(self._checks, None) is None:
                return False
            tried.add(column)
            cut = [names.get(key, -1) for key in zip(labels or [0] * len(column), column, strict=True)]
            if Counter(cut) == wanted and self.exists((*chosen, index), cut):
                return True
        return False

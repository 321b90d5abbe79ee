"""What can be said against a SQL query without knowing the right one: each check gives one ``Finding``.

A finding's score is the score that the query gets if nothing worse is found: 1.0, with no message, when all is well.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from sqlglot import Expr, TokenType, exp, parse_one, tokenize
from sqlglot.errors import SqlglotError

from ..core.search import Finding
from ..tools.sql.schema import Schema, Values, bare, show

UNUSABLE, FAILING, EMPTY, UNKNOWN_VALUE, IMPLAUSIBLE = 0.0, 0.1, 0.3, 0.5, 0.7

MAX_SQL = 20_000
MAX_NAME = 60
MAX_LITERALS = 8
MAX_HOLDERS = 3
MAX_PREVIEW = 300
MANY = 10

FIRST_WORDS = (TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN)
NO_SELECT = "The SQL is not a SELECT: only one statement that reads may run."

_SYNTAX = re.compile(r"syntax error|incomplete input|unrecognized token|no SQL statement|NUL character|valid Unicode")
_UNKNOWN = re.compile(r"(no such column|no such table|ambiguous column name): \"?([^\"]+?)\"?(?: - should.*)?$")

_GROUPED = re.compile(r"\b(?:each|every|per|by|respective(?:ly)?|different|all|top|first|last|\d+)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"^\W*how many\b[^.?!;]*[.?!;]?\W*$", re.IGNORECASE)
_SUPERLATIVE = re.compile(
    r"\b(?<!than )the (?:single )?(?:most|least|fewest|largest|biggest|greatest|smallest|highest|lowest|longest"
    r"|shortest|oldest|youngest|newest|latest|earliest|best|worst|tallest|maximum|minimum|cheapest)\b",
    re.IGNORECASE,
)
_EVERYTHING = re.compile(
    r"\b(?:all|everything|details?|information|info|records?|rows?|columns?|attributes?|fields?|data)\b", re.IGNORECASE
)
_DISTINCT = re.compile(r"\b(?:different|distinct|unique|without (?:duplicates|repetition))\b", re.IGNORECASE)


def parses(sql: str) -> tuple[exp.Query | None, Finding | None]:
    """The query as a tree, or what rules it out unrun; neither where sqlglot cannot tell and SQLite has the word."""
    try:
        # commands are told by their first word: parsing them would log warnings
        words = tokenize(sql, read="sqlite") if len(sql) <= MAX_SQL else []
        fault = _not_one_select([word.token_type for word in words])
        tree = parse_one(sql, dialect="sqlite") if words and not fault else None
    except (SqlglotError, RecursionError):
        return None, None
    if tree is not None and not isinstance(tree, (exp.Query, exp.Values)):
        fault = NO_SELECT
    return tree if isinstance(tree, exp.Query) else None, Finding("select", UNUSABLE, fault) if fault else None


def _not_one_select(words: list[TokenType]) -> str:
    end = words.index(TokenType.SEMICOLON) if TokenType.SEMICOLON in words else len(words)
    if set(words[end:]) - {TokenType.SEMICOLON}:
        return "There is more than one SQL statement: give exactly one SELECT."
    return NO_SELECT if words and words[0] not in FIRST_WORDS else ""


def runs(error: str, schema: Schema | None) -> Finding:
    """SQLite's word on the query, and for an unknown name the names that come nearest to it."""
    if not error:
        return Finding("runs", 1.0, "")
    if _SYNTAX.search(error):
        return Finding("parses", UNUSABLE, f"The SQL does not parse: {error}.")
    if error.startswith(("not allowed: ", "there is more than one")):
        return Finding("select", UNUSABLE, f"The SQL cannot be run: {error}.")
    hint = _nearest_names(error, schema) if schema else ""
    if "ran longer" in error:
        hint = " Look for a join without a condition, or a recursion without an end."
    return Finding("runs", FAILING, f"The query fails: {error}.{hint}")


def _nearest_names(error: str, schema: Schema) -> str:
    found = _UNKNOWN.search(error)
    if not found:
        return ""
    kind, name = found[1], found[2].rpartition(".")[2][:MAX_NAME]
    if kind == "no such table":
        known = {table.name.lower(): table.name for table in schema.tables}
        if not known:
            return " The database has no tables."
        near = get_close_matches(name.lower(), known, 3) or sorted(known)[:10]
        return f" The tables are called: {', '.join(bare(known[key]) for key in near)}."
    if holders := schema.holders(name):
        verb = "Say which one is meant" if kind.startswith("ambiguous") else "It is a column of"
        return f" {verb}: {', '.join(f'{bare(table)}.{bare(name)}' for table in holders[:6])}."
    columns = {column.name.lower(): column.name for table in schema.tables for column in table.columns}
    keys = get_close_matches(name.lower(), columns, 3)
    near = [f"{bare(table)}.{bare(columns[key])}" for key in keys for table in schema.holders(key)]
    return f" The nearest columns: {', '.join(near[:6])}." if near else ""


def non_empty(output: Mapping[str, Any]) -> Finding:
    """Whether any cell holds anything (a count of 0 does)."""
    rows = output["rows"]
    if not rows:
        return Finding("non_empty", EMPTY, "The query gives no rows: check its conditions and joins.")
    if all(cell is None for row in rows for cell in row):
        return Finding("non_empty", EMPTY, "The query gives nothing but NULL: check its conditions and columns.")
    return Finding("non_empty", 1.0, "")


def known_values(tree: exp.Query, schema: Schema, values: Values) -> Finding:
    """Whether each text that the query looks for (``=``, ``IN``) occurs in its column, and if not, what does."""
    wrong: list[str] = []
    try:
        for table, column, text in list(dict.fromkeys(_wanted(tree, schema)))[:MAX_LITERALS]:
            if not values.has(table, column, text):
                wrong.append(_instead(schema, values, table, column, text))
    except sqlite3.OperationalError:
        # the bound on work is spent: what was found so far counts
        pass
    if not wrong:
        return Finding("values", 1.0, "")
    return Finding("values", UNKNOWN_VALUE, "; ".join(wrong) + ".")


def _instead(schema: Schema, values: Values, table: str, column: str, text: str) -> str:
    said = f"{show(text)} is not a {bare(table)}.{bare(column)}"
    near = values.nearest(table, column, text)
    if near and near.strip().lower() == text.strip().lower():
        return f"{said}; it is written {show(near)}"
    if holders := _holders(schema, values, text):
        return f"{said}; it is a {' and a '.join(holders)}"
    return f"{said}; the nearest there is {show(near)}" if near else said


def _holders(schema: Schema, values: Values, text: str) -> list[str]:
    names = ((table.name, column.name) for table in schema.tables for column in table.columns)
    found: list[str] = []
    for table, column in names:
        if len(found) < MAX_HOLDERS and values.has(table, column, text):
            found.append(f"{bare(table)}.{bare(column)}")
    return found


def _wanted(tree: exp.Query, schema: Schema) -> Iterator[tuple[str, str, str]]:
    """(table, column, text) of every comparison that asks for a text in a column of the database."""
    for node in tree.find_all(exp.EQ, exp.In):
        if isinstance(node.find_ancestor(exp.Not, exp.Query, exp.Case), (exp.Not, exp.Case)):
            continue
        sides: list[Expr | None] = [node.this, *(node.expressions or [node.args.get("expression")])]
        columns = [found for side in sides if (found := _column(side, schema))]
        for text in (_text(side, schema) for side in sides):
            if columns and text and not text.isspace():
                yield (*columns[0], text)


def _text(node: Expr | None, schema: Schema) -> str | None:
    """The text of a string; SQLite takes a name in double quotes for one when no column has that name."""
    if isinstance(node, exp.Literal) and node.is_string:
        return node.name
    if isinstance(node, exp.Column) and not node.table and node.this.args.get("quoted"):
        return None if schema.holders(node.name) else node.name
    return None


def _column(node: Expr | None, schema: Schema) -> tuple[str, str] | None:
    """The table and column that a name means where it stands, if that is a table of the database."""
    select = node.parent_select if isinstance(node, exp.Column) else None
    while node is not None and select is not None:
        for table in _tables(select):
            found = schema.column(table.name, node.name)
            if found and node.text("table").lower() in ("", table.alias_or_name.lower()):
                return table.name, found.name
        select = select.parent_select
    return None


def _tables(select: Expr) -> list[exp.Table]:
    sources: list[Expr | None] = [select.args.get("from_"), *(select.args.get("joins") or [])]
    return [source.this for source in sources if source is not None and isinstance(source.this, exp.Table)]


def plausible(question: str, tree: exp.Query | None, output: Mapping[str, Any]) -> Finding:
    """Whether the result has the shape the question asks for: a few light rules, each documented where it stands."""
    rows = output["rows"]
    checks = (
        _cut_short(output),
        _one_number(question, rows),
        _one_thing(question, rows),
        _repeated(question, rows),
        _star(question, tree),
    )
    said = " ".join(text for text in checks if text)
    return Finding("plausible", IMPLAUSIBLE if said else 1.0, said)


def _cut_short(output: Mapping[str, Any]) -> str:
    """More rows than the tool's limit answer no question of a person."""
    said = f"The query gives more than {output['row_count']} rows: look for a missing condition or join."
    return said if output["truncated"] else ""


def _one_number(question: str, rows: list[list[Any]]) -> str:
    """A question of one sentence that begins with "how many", and for no groups, is answered by a row with a number."""
    if not rows or not _HOW_MANY.search(question) or _GROUPED.search(question):
        return ""
    if len(rows) == 1 and any(isinstance(cell, (int, float)) for cell in rows[0]):
        return ""
    shape = f"{len(rows)} rows" if len(rows) > 1 else "no number"
    return f'The question asks "how many", so one number is expected, but the query gives {shape}.'


def _one_thing(question: str, rows: list[list[Any]]) -> str:
    """A superlative ("the largest") asks for one thing, or for a few that tie, unless it is asked for groups."""
    if len(rows) <= MANY or not _SUPERLATIVE.search(question) or _GROUPED.search(question):
        return ""
    said = f"The question asks for an extreme, but the query gives {len(rows)} rows"
    return f"{said}: order and limit, or compare with the MAX or MIN."


def _repeated(question: str, rows: list[list[Any]]) -> str:
    """Rows may repeat, but not where the question says "different", "distinct" or "unique"."""
    if not _DISTINCT.search(question) or len({tuple(row) for row in rows}) == len(rows):
        return ""
    return "The question asks for different things, but some rows are repeated: use DISTINCT."


def _star(question: str, tree: exp.Query | None) -> str:
    """``SELECT *`` from a table is an answer only to a question for everything about something."""
    if not isinstance(tree, exp.Select) or tree.ctes or not _tables(tree) or _EVERYTHING.search(question):
        return ""
    star = any(isinstance(column, exp.Star) for column in tree.expressions)
    return "SELECT * gives every column: name the ones the question asks for." if star else ""


def preview(output: Mapping[str, Any]) -> Finding:
    """The columns and first rows, on one line of at most 300 characters."""
    count = f"{output['row_count']}{' or more' if output['truncated'] else ''}"
    columns = ", ".join(show(name)[1:-1] for name in output["columns"][:20])
    rows = "; ".join(f"({', '.join(map(show, row[:20]))})" for row in output["rows"][:5])
    text = f"Rows: {count}. Columns: {columns}. First: {rows or 'none'}"
    return Finding("preview", None, text if len(text) <= MAX_PREVIEW else f"{text[: MAX_PREVIEW - 1]}…")

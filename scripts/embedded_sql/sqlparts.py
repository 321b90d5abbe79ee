"""Canonical SQL: one way of writing each meaning, so that the target is easy to learn."""

from __future__ import annotations

from dataclasses import dataclass, replace

TABLE = {"state": "state", "city": "city", "river": "river", "mountain": "mountain", "lake": "lake", "road": "road"}
KEY = {kind: f"{kind}_name" for kind in TABLE}
PLACE = {
    "river": "traverse",
    "city": "state_name",
    "mountain": "state_name",
    "lake": "state_name",
    "road": "state_name",
    "state": "state_name",
}
MAJOR = {"city": "population > 150000", "river": "length > 750"}
REPEATED = ("river", "road")


@dataclass(frozen=True)
class Rows:
    """Rows of one table: the conditions, the column that names them, and a grouping tail if any."""

    table: str
    key: str
    where: tuple[str, ...] = ()
    tail: str = ""

    def select(self, what: str = "", outer: bool = False) -> str:
        """The query that gives a column (the key by default); `outer` drops repeated rows."""
        what = what or self.key
        clause = f" WHERE {' AND '.join(self.where)}" if self.where else ""
        plain = what.replace("_", "").isalpha()
        distinct = "DISTINCT " if outer and not self.tail and plain and self.repeated else ""
        return f"SELECT {distinct}{what} FROM {self.table}{clause}{self.tail}"

    def count(self) -> str:
        """The query that counts the rows."""
        if self.tail:
            return f"SELECT COUNT(*) FROM ({self.select()})"
        return self.select(f"COUNT(DISTINCT {self.key})" if self.repeated else f"COUNT({self.key})")

    @property
    def repeated(self) -> bool:
        """Whether the same key can come in several rows."""
        if self.table == "border_info":
            return " = '" not in "".join(self.where)[:14]
        return self.table in REPEATED or (self.table != "highlow" and self.key != f"{self.table}_name")

    def member(self, column: str, negated: bool = False) -> str:
        """The condition that a column is among the keys of these rows."""
        return f"{column} {'NOT ' if negated else ''}IN ({self.select()})"

    def extended(self, *conditions: str) -> Rows:
        """The rows that meet more conditions."""
        return replace(self, where=self.where + conditions)


def quoted(column: str, name: str) -> str:
    """The condition that a column holds one name."""
    return f"{column} = '{name}'"


def extreme(column: str, best: str, rows: Rows) -> Rows:
    """The rows with the largest (`MAX`) or smallest (`MIN`) value of a column, with all ties."""
    inner = replace(rows, tail="").select(f"{best}({column})")
    return replace(rows, where=(f"{column} = ({inner})", *rows.where))


def most(group: str, table: str, order: str, where: tuple[str, ...] = (), counted: str = "*", limit: int = 1) -> Rows:
    """The group with most (`DESC`) or fewest (`ASC`) rows."""
    return Rows(table, group, where, f" GROUP BY {group} ORDER BY COUNT({counted}) {order} LIMIT {limit}")

"""Noun phrases: sets of things, each with the rows it stands for."""

# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from entities import STATES, Names
from phrases import say
from sqlparts import KEY, Rows, quoted

NAMES = Names()
PLURAL = {
    "state": "[states|states|states|states|states|us states|states of the us|states in the us|american states]",
    "city": "[cities|cities|cities|cities|cities|cities|towns|urban areas|us cities|cities and towns]",
    "river": "[rivers|rivers|rivers|rivers|rivers|rivers|waterways|streams]",
    "mountain": "[mountains|mountains|mountains|mountains|peaks|summits|mountain peaks]",
    "lake": "[lakes|lakes|lakes|lakes|bodies of water]",
    "road": "[roads|roads|highways|highways|interstates|routes]",
}
SINGULAR = {
    "state": "[state|state|state|state|state|us state]",
    "city": "[city|city|city|city|city|town]",
    "river": "[river|river|river|river|river|stream|waterway]",
    "mountain": "[mountain|mountain|mountain|peak|summit|mountain peak]",
    "lake": "[lake|lake|lake|lake|body of water]",
    "road": "[road|highway|interstate|route]",
}
COUNTRY = (
    "[the us|the usa|the united states|us|usa|america|the country|the united states of america|this country"
    "|the entire us|the whole country|the nation|the states|united states|the american union|this database|the database]"
)


@dataclass(frozen=True)
class Set:
    """A noun phrase and the rows it stands for; `name` is the literal name of a named thing."""

    kind: str
    text: str
    many: bool
    rows: Rows
    name: str = ""
    tag: str = ""

    def match(self, column: str, negated: bool = False) -> str:
        """The condition that a column refers to this set."""
        if self.name:
            return f"{column} {'!=' if negated else '='} '{self.name}'"
        return self.rows.member(column, negated)

    def over(self, table: str, key: str = "") -> Rows:
        """These things as rows of a table."""
        key = key or ("state_name" if table == "highlow" else KEY[self.kind])
        if self.rows.table == table and not self.rows.tail and self.rows.key == key:
            return self.rows
        if self.name:
            return Rows(table, key, (quoted(key, self.name),))
        return Rows(table, key, (self.rows.member(key),))


@dataclass(frozen=True)
class Mod:
    """A modifier of a kind of thing: its wordings, its condition, and the rows it stands for alone."""

    tag: str
    cond: str
    post: str
    vp: str = ""
    invert: str = ""
    owner: str = ""
    pre: str = ""
    heads: str = ""
    via: Rows | None = None
    x: str = ""

    def word(self, rng: Random, pattern: str, many: bool = True) -> str:
        """One wording of one of the patterns."""
        forms = (
            (("{s}", ""), ("{es}", ""), ("{has}", "have"), ("{is}", "are"), ("{do}", "do"))
            if many
            else (("{s}", "s"), ("{es}", "es"), ("{has}", "has"), ("{is}", "is"), ("{do}", "does"))
        )
        for form, value in forms:
            pattern = pattern.replace(form, value)
        return say(rng, pattern, x=self.x)


def code_of(state: str) -> str:
    """The two letters of a state."""
    return STATES[state][1]


def named(rng: Random, kind: str, plain: bool = False) -> Set:
    """A named thing; `plain` leaves out wordings that only fit where the kind is clear already."""
    if kind == "state":
        name = NAMES.state(rng)
        wordings = "{x}" if rng.random() < 0.86 else "[the state of {x}|state of {x}|the state {x}|{x} state]"
        return Set(
            kind, say(rng, wordings, x=name), False, Rows(kind, KEY[kind], (quoted(KEY[kind], name),)), name, "n"
        )
    if kind == "city":
        return _city(rng, plain)
    name = NAMES.other(rng, kind)
    explicit = {
        "river": "[the {x} river|the {x} river|{x} river|the river {x}|the {x} river|river {x}]",
        "mountain": "[mount {x}|mount {x}|mount {x}|{x} mountain|the mountain {x}|the mountain called {x}]",
        "lake": "[lake {x}|lake {x}|lake {x}|{x} lake|the lake {x}|the lake called {x}]",
        "road": "[interstate {x}|highway {x}|road {x}|route {x}|the {x}|{x}|the road {x}]",
    }[kind]
    loose = {"river": "[the {x}|the {x}|{x}]", "mountain": "{x}", "lake": "{x}", "road": "{x}"}[kind]
    if name.startswith(("lake ", "mount ", "i ", "us ", "route ")) or name.endswith(
        (" peak", " mountain", " lake", " needle")
    ):
        explicit = loose = "{x}"
    text = say(rng, explicit if plain or rng.random() < 0.55 else loose, x=name)
    return Set(kind, text, False, Rows(kind, KEY[kind], (quoted(KEY[kind], name),)), name, "n")


def _city(rng: Random, plain: bool) -> Set:
    draw = rng.random()
    if draw > 0.99:
        where = (quoted("city_name", "washington"), quoted("state_name", "district of columbia"))
        return Set(
            "city",
            say(rng, "[washington dc|washington d.c.|washington , dc]"),
            False,
            Rows("city", "city_name", where),
            "",
            "n",
        )
    name = NAMES.capital(rng) if draw < 0.15 else NAMES.other(rng, "city")
    where: tuple[str, ...] = (quoted("city_name", name),)
    wordings = "{x}"
    if (plain and rng.random() < 0.6) or rng.random() < 0.1 or (name in STATES and rng.random() < 0.9):
        wordings = "[the city of {x}|city of {x}|the city {x}|{x} city|the town of {x}]"
        if name.endswith("city"):
            wordings = "[the city of {x}|{x}]"
        elif name.split()[0] in ("new", "los") and rng.random() < 0.5:
            wordings = "{x} city"
    elif name in STATES:
        name = "boston"
        where = (quoted("city_name", name),)
    literal = name
    if rng.random() < 0.18:
        state = NAMES.state(rng)
        where += (quoted("state_name", state),)
        near = code_of(state) if rng.random() < 0.3 else state
        wordings = say(rng, "[{w} {y}|{w} {y}|{w} in {y}|{w} , {y}|{w} in the state of {y}]", w=wordings, y=near)
        literal = ""
    return Set("city", say(rng, wordings, x=name), False, Rows("city", "city_name", where), literal, "n")

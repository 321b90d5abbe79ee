"""Questions for averages, sums, largest values, and numbers for each state."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

import modifiers as m
import sets
from nouns import COUNTRY, PLURAL, Mod, Set, named
from phrases import fill, say, wording
from sqlparts import KEY, PLACE

AGGREGATES = (
    # tag, function, kind, column, wordings over the plural set {x}
    (
        "avgpop",
        "AVG",
        ("state", "city"),
        "population",
        "[what is the average population of {x}|average population of {x}|how many people live on average in {x}|what is the mean population of {x}"
        "|on average how many people live in {x}|give me the average population of {x}|what is the average number of [people|residents|inhabitants] in {x}"
        "|what population do {x} have on average|find the average population for {x}|how many people on average live in {x}|the mean population of {x}]",
    ),
    (
        "sumpop",
        "SUM",
        ("state", "city"),
        "population",
        "[what is the total population of {x}|what is the combined population of {x}|how many people live in {x} combined|how many people live in {x} together"
        "|what is the sum of the populations of {x}|total population of {x}|how many people live in {x} in total|give me the total population of {x}"
        "|how many people in total live in {x}|what is the total number of people in {x}|add up the population of {x}|combined population of {x}"
        "|how many people altogether live in {x}|how many people live in {x} altogether|how many people live in {x}|how many people are in {x}|how many residents do {x} have|what is the population of {x} combined|what is the sum of the population of {x}|how many people live in all {x}]",
    ),
    (
        "avgarea",
        "AVG",
        ("state", "lake"),
        "area",
        "[what is the average area of {x}|average area of {x}|what is the mean area of {x}|how big are {x} on average|on average how large are {x}"
        "|what is the average size of {x}|give me the average area of {x}|how large are {x} on average]",
    ),
    (
        "sumarea",
        "SUM",
        ("state", "lake"),
        "area",
        "[what is the total area of {x}|what is the combined area of {x}|what is the sum of the areas of {x}|total area of {x}|how big are {x} combined"
        "|how large are {x} together|give me the combined area of {x}|how much area do {x} cover in total|what is the sum of the area of {x}]",
    ),
    (
        "avgdens",
        "AVG",
        ("state",),
        "density",
        "[what is the average [population density|density] of {x}|average density of {x}|how dense are {x} on average]",
    ),
    (
        "avglen",
        "AVG",
        ("river",),
        "length",
        "[what is the average length of {x}|average length of {x}|how long are {x} on average|on average how long are {x}|what is the mean length of {x}]",
    ),
    (
        "sumlen",
        "SUM",
        ("river",),
        "length",
        "[what is the total length of {x}|what is the combined length of {x}|total length of {x}|how long are {x} combined|how long are {x} in total"
        "|what is the sum of the lengths of {x}]",
    ),
    (
        "avgalt",
        "AVG",
        ("mountain",),
        "mountain_altitude",
        "[what is the average [height|altitude|elevation] of {x}|average height of {x}|how high are {x} on average|how tall are {x} on average]",
    ),
)


def aggregate(rng: Random, depth: int) -> tuple[str, str, str]:
    """An average or a sum over a set."""
    tag, function, kinds, column, patterns = rng.choice(AGGREGATES)
    kind = rng.choice(kinds)
    draw = rng.random()
    if kind == "state" and draw < 0.35:
        text = say(
            rng,
            "[us states|all states|the states|all us states|the us states|states in the us|the states in the usa|every state|states|each state]",
        )
        mods: list[Mod] = []
        if function == "SUM":
            text = say(rng, f"[{COUNTRY}|{COUNTRY}|all states|all the states|all us states|the 50 states|every state]")
    else:
        mods = sets.modifiers(rng, kind, depth)[:1] if kind == "state" else [m.located(kind, sets.place(rng, depth))]
        if kind != "state" and draw > 0.9:
            mods = [m.country(rng, kind)]
        if kind == "city" and rng.random() < 0.2:
            mods.append(m.major(kind))
        text = say(rng, "[the|the|all|all the|]") + " " + sets.described(rng, kind, mods, True)
    rows = sets.rows_of(kind, mods)
    x = Set(kind, text.strip(), True, rows)
    if function == "AVG" and kind == "state" and not mods and rng.random() < 0.4:
        x = Set(
            kind,
            say(rng, "[{c}|{c} [by|per] state|a state|a us state|one state|a typical state]", c=say(rng, COUNTRY)),
            True,
            rows,
        )
    frame = wording(rng, patterns)
    if function == "SUM" and column == "area" and not mods and rng.random() < 0.15:
        frame = "how many square miles are there in {x}"
    elif function == "SUM" and not mods and rng.random() < 0.5:
        frame = wording(
            rng,
            {
                "population": "[what is the population of {x}|how many people live in {x}|population of {x}|how many people are there in {x}"
                "|how many inhabitants does {x} have|how many citizens in {x}|how many residents live in {x}]",
                "area": "[what is the area of {x}|how big is {x}|how large is {x}|area of {x}|what is the size of {x}]",
            }[column],
        )
    rows = x.over(kind)
    return (
        fill(frame, x=x.text),
        rows.select(f"{function}({column})"),
        f"agg:{tag}:{kind}:{'+'.join(mod.tag for mod in mods)}:{frame}",
    )


def extreme_value(rng: Random, depth: int) -> tuple[str, str, str]:
    """The largest or smallest value of a property over a set."""
    kind, column, word = rng.choice(
        (
            ("state", "population", "population"),
            ("state", "area", "area"),
            ("state", "density", "population density"),
            ("city", "population", "population"),
            ("river", "length", "length"),
            ("mountain", "mountain_altitude", "altitude"),
        )
    )
    best = rng.choice(("MAX", "MAX", "MIN"))
    mods = (
        ([] if rng.random() < 0.5 else [m.border(named(rng, "state"))])
        if kind == "state"
        else [m.located(kind, sets.place(rng, min(depth, 1)))]
    )
    text = sets.described(rng, kind, mods, rng.random() < 0.4)
    frame = wording(
        rng,
        "[what is the {b} {a} [of|among|for] [any|a|the|] {d}|{b} {a} of [any|a|] {d}|give me the {b} {a} of [any|a] {d}]",
    )
    big = say(rng, "[largest|highest|maximum|greatest|biggest]" if best == "MAX" else "[smallest|lowest|minimum|least]")
    rows = Set(kind, "", True, sets.rows_of(kind, mods)).over(kind)
    return fill(frame, b=big, a=word, d=text), rows.select(f"{best}({column})"), f"extval:{column}:{frame}"


def per_group(rng: Random, depth: int) -> tuple[str, str, str]:
    """A number for each state."""
    each = say(rng, "[for each state|per state|in each state|for every state|in every state|by state|of each state]")
    kind = rng.choice(("city", "river", "mountain", "lake", "road"))
    key = PLACE[kind]
    if rng.random() < 0.6:
        what = f"COUNT(DISTINCT {KEY[kind]})" if kind in ("river", "road") else f"COUNT({KEY[kind]})"
        major = kind in ("city", "river") and rng.random() < 0.15
        frame = wording(
            rng,
            "[how many {n} are there {e}|number of {n} {e}|how many {n} {e}|count the {n} {e}|give me the number of {n} {e}"
            "|{e} how many {n} are there|what is the number of {n} {e}|{e} give the number of {n}|how many {n} does each state have"
            "|how many {n} does every state have]",
        )
        noun = ("major " if major else "") + say(rng, PLURAL[kind])
        clause = f" WHERE {m.MAJOR[kind]}" if major else ""
        return (
            fill(frame, n=noun, e=each),
            f"SELECT {key}, {what} FROM {kind}{clause} GROUP BY {key}",
            f"per:{kind}:{frame}",
        )
    column, noun = {
        "city": ("population", "city population"),
        "river": ("length", "river length"),
        "lake": ("area", "lake area"),
        "mountain": ("mountain_altitude", "mountain [height|altitude]"),
        "road": ("", ""),
    }[kind]
    if not column:
        return per_group(rng, depth)
    function, words = rng.choice(
        (
            ("AVG", "[average|mean]"),
            ("MAX", "[largest|maximum|highest]"),
            ("SUM", "[total|combined]"),
            ("MIN", "[smallest|minimum]"),
        )
    )
    frame = wording(
        rng,
        "[what is the {f} {n} {e}|{f} {n} {e}|give me the {f} {n} {e}|{e} what is the {f} {n}|show the {f} {n} {e}]",
    )
    if kind == "city" and function == "MAX" and rng.random() < 0.6:
        frame = wording(
            rng,
            "[{e} what is the population of [its|the] [largest|biggest] city|population of the [largest|biggest] city {e}"
            "|how many people live in the [largest|biggest] city of each state]",
        )
    return (
        fill(frame, f=say(rng, words), n=say(rng, noun), e=each),
        f"SELECT {key}, {function}({column}) FROM {kind} GROUP BY {key}",
        f"pernum:{kind}:{frame}",
    )

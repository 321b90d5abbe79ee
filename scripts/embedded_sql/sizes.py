"""Modifiers that compare: with a number, with another thing, with the average."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

from nouns import Mod, Set
from phrases import number, say

PEOPLE = "[people|people|people|inhabitants|residents|citizens|persons]"

SIZES: dict[str, tuple[str, float, float, str, str, str, str, str]] = {
    # column, low, high, wordings with {c} after a noun and as a verb, the same with {adj}, and the adjectives
    "people": (
        "population",
        2e4,
        3e7,
        f"[with {{c}} {{n}} {PEOPLE}|with a population of {{c}} {{n}}|with a population {{c}} {{n}}|having {{c}} {{n}} {PEOPLE}"
        f"|that have {{c}} {{n}} {PEOPLE}|whose population is {{c}} {{n}}|with population {{c}} {{n}}|with populations {{c}} {{n}}"
        f"|where {{c}} {{n}} {PEOPLE} live|which have a population {{c}} {{n}}|of {{c}} {{n}} {PEOPLE}|with populations of {{c}} {{n}}"
        "|that have a population of {c} {n}|having a population {c} {n}|where the population is {c} {n}]",
        f"[{{has}} {{c}} {{n}} {PEOPLE}|{{has}} a population of {{c}} {{n}}|{{has}} a population {{c}} {{n}}"
        f"|{{has}} populations of {{c}} {{n}}|{{is}} home to {{c}} {{n}} {PEOPLE}|{{has}} population {{c}} {{n}}]",
        "",
        "",
        "",
    ),
    "area": (
        "area",
        1e3,
        6e5,
        "[with an area of {c} {n} [square miles|sq miles|]|with an area {c} {n}|with {c} {n} square miles|covering {c} {n} square miles"
        "|whose area is {c} {n} [square miles|]|with areas {c} {n}|that cover {c} {n} square miles|having an area {c} {n}]",
        "[{has} an area of {c} {n} [square miles|]|{has} an area {c} {n}|{has} {c} {n} square miles|cover{s} {c} {n} square miles]",
        "[{adj} than {n} [square miles|sq mi]|that are {adj} than {n} square miles]",
        "{is} {adj} than {n} [square miles|]",
        "[larger|bigger]/smaller",
    ),
    "density": (
        "density",
        1,
        1500,
        "[with a [population density|density] of {c} {n}|whose [population density|density] is {c} {n}|where the density is {c} {n}"
        "|with a [population density|density] {c} {n}|with {c} {n} people per square mile|having a density {c} {n}]",
        "[{has} a [population density|density] of {c} {n}|{has} a density {c} {n}|{has} {c} {n} people per square mile]",
        "",
        "",
        "",
    ),
    "length": (
        "length",
        50,
        5000,
        "[with a length of {c} {n} [kilometers|km|]|with a length {c} {n}|whose length is {c} {n} [km|]|of {c} {n} kilometers"
        "|{c} {n} [km|kilometers] long|that are {c} {n} [km|kilometers|] long|which are {c} {n} long]",
        "[{has} a length of {c} {n} [km|]|{is} {c} {n} [kilometers|km|] long|measure{s} {c} {n} km|{has} a length {c} {n}]",
        "[{adj} than {n} [kilometers|km|]|that are {adj} than {n} [km|kilometers|]]",
        "{is} {adj} than {n} [kilometers|km|]",
        "longer/shorter",
    ),
    "height": (
        "mountain_altitude",
        1000,
        7000,
        "[with an altitude of {c} {n} [meters|]|{c} {n} meters [high|tall]|with a height {c} {n}|whose [height|altitude] is {c} {n}"
        "|with an elevation {c} {n} [meters|]|that rise {c} {n} meters|with an altitude {c} {n}]",
        "[{is} {c} {n} [meters|m|] [tall|high]|{has} an altitude of {c} {n} [meters|]|{has} a height {c} {n}|rise{s} {c} {n} meters]",
        "[{adj} than {n} [meters|m|]|that are {adj} than {n} [meters|]]",
        "{is} {adj} than {n} [meters|m|]",
        "[higher|taller]/[lower|smaller|shorter]",
    ),
    "lake": (
        "area",
        100,
        90000,
        "[with an area of {c} {n} [square kilometers|]|with an area {c} {n}|covering {c} {n} square kilometers|whose area is {c} {n}]",
        "[{has} an area of {c} {n}|{has} an area {c} {n} [square km|]|cover{s} {c} {n} [square km|square kilometers|]]",
        "[{adj} than {n} [square kilometers|]|that are {adj} than {n}]",
        "{is} {adj} than {n} [square kilometers|]",
        "[larger|bigger]/smaller",
    ),
}

UNITS = {
    "state": ("people", "people", "area", "density"),
    "city": ("people",),
    "river": ("length",),
    "mountain": ("height",),
    "lake": ("lake",),
}


def compared(rng: Random, column: str, low: float, high: float) -> tuple[str, str, str, str]:
    """A comparison with a number: direction, wording, number as written, condition."""
    written, value = number(rng, low, high)
    more = rng.random() < 0.68
    words = say(
        rng,
        "[more than|more than|over|above|greater than|exceeding|in excess of]"
        if more
        else "[less than|less than|under|below|fewer than]",
    )
    sign = ">" if more else "<"
    if rng.random() < 0.08:
        words, sign = ("at least", ">=") if more else ("at most", "<=")
    return ("more" if more else "less"), words, written, f"{column} {sign} {value}"


def sized(rng: Random, kind: str) -> Mod:
    """Things whose size compares with a number."""
    column, low, high, post, vp, adj_post, adj_vp, adjectives = SIZES[rng.choice(UNITS[kind])]
    way, words, written, cond = compared(rng, column, low, high)
    if rng.random() < 0.07:
        return between(rng, column, low, high)
    if adjectives and "=" not in cond and rng.random() < 0.4:
        post, vp = adj_post, adj_vp
        words = say(rng, adjectives.split("/")[way == "less"])
    post, vp = (text.replace("{c}", words).replace("{adj}", words).replace("{n}", written) for text in (post, vp))
    return Mod(f"{column}{cond.split()[1]}", cond, post, vp)


def versus(rng: Random, kind: str, other: Set, flipped: bool = False) -> Mod:
    """Things that compare with another thing of their kind."""
    columns = {
        "state": ("area", "area", "population", "population", "density"),
        "city": ("population",),
        "river": ("length",),
        "mountain": ("mountain_altitude",),
        "lake": ("area",),
    }[kind]
    column = rng.choice(columns)
    more = rng.random() < 0.65
    inner = other.over(kind).select(column)
    worded = {
        (
            "state",
            "area",
        ): "[larger than|bigger than|with a larger area than|with more area than|that are larger than|that are bigger than|greater than|larger in area than|with an area larger than that of|with an area bigger than]",
        (
            "state",
            "population",
        ): "[with more people than|with a larger population than|with a higher population than|more populous than|with more inhabitants than|with more residents than|that have more people than|that have a larger population than|with a population larger than that of|with a population greater than|with a bigger population than|whose population is greater than that of|more populated than]",
        (
            "state",
            "density",
        ): "[denser than|with a higher density than|with a higher population density than|more densely populated than|with a greater population density than|more crowded than]",
        (
            "city",
            "population",
        ): "[larger than|bigger than|with more people than|with a larger population than|with a higher population than|more populous than|with more inhabitants than|that are larger than|that are bigger than|that have more people than|with a population greater than|with a population larger than that of|with more residents than|more populated than]",
        (
            "river",
            "length",
        ): "[longer than|that are longer than|with a greater length than|bigger than|with a length greater than that of|which are longer than|larger than]",
        (
            "mountain",
            "mountain_altitude",
        ): "[higher than|taller than|that are higher than|that are taller than|with a greater altitude than|with a height greater than|bigger than]",
        (
            "lake",
            "area",
        ): "[larger than|bigger than|that are larger than|with a larger area than|with a greater area than|that are bigger than]",
    }[kind, column]
    if not more:
        for high, low in (
            ("larger", "smaller"),
            ("bigger", "smaller"),
            ("higher", "lower"),
            ("longer", "shorter"),
            ("taller", "lower"),
            ("greater", "smaller"),
            ("more people", "fewer people"),
            ("more inhabitants", "fewer inhabitants"),
            ("more residents", "fewer residents"),
            ("more populous", "less populous"),
            ("more densely", "less densely"),
            ("denser", "less dense"),
            ("more area", "less area"),
            ("more populated", "less populated"),
            ("more crowded", "less crowded"),
        ):
            worded = worded.replace(high, low)
    phrase = say(rng, worded)
    verb = phrase.removeprefix("that are ").removeprefix("which are ")
    if verb.startswith("with "):
        verb = "{has} " + verb[5:]
    elif verb.startswith("that have "):
        verb = "{has} " + verb[10:]
    elif verb.startswith("whose"):
        verb = "{has} a population greater than that of" if more else "{has} a population smaller than that of"
    else:
        verb = "{is} " + verb
    return Mod(
        f"vs{column}{other.tag}",
        f"{column} {'>' if more else '<'} ({inner})",
        phrase + " {x}",
        verb + " {x}",
        x=other.text,
    )


def between(rng: Random, column: str, low: float, high: float) -> Mod:
    """Things whose size lies between two numbers."""
    (one, first), (two, second) = sorted(
        (number(rng, low, high), number(rng, low, high)), key=lambda pair: int(pair[1])
    )
    noun, unit = {
        "population": ("population", "people"),
        "area": ("area", "square miles"),
        "density": ("density", "people per square mile"),
        "length": ("length", "km"),
        "mountain_altitude": ("height", "meters"),
    }[column]
    post = say(
        rng,
        f"[with between {{a}} and {{b}} {unit}|with a {noun} between {{a}} and {{b}} [{unit}|]|with a {noun} from {{a}} to {{b}}"
        f"|whose {noun} is between {{a}} and {{b}} [{unit}|]|between {{a}} and {{b}} {unit}|having between {{a}} and {{b}} {unit}]",
        a=one,
        b=two,
    )
    vp = say(rng, f"[{{has}} between {{a}} and {{b}} {unit}|{{has}} a {noun} between {{a}} and {{b}}]", a=one, b=two)
    return Mod("between" + column, f"{column} BETWEEN {first} AND {second}", post, vp)


def average(rng: Random, kind: str) -> Mod:
    """Things above or below the average of their kind."""
    column, noun, more, less = {
        "state": rng.choice(
            (
                ("population", "population", "more populous", "less populous"),
                ("area", "area", "[larger|bigger]", "smaller"),
                ("density", "[population density|density]", "denser", "less dense"),
            )
        ),
        "city": ("population", "population", "[larger|bigger]", "smaller"),
        "river": ("length", "length", "longer", "shorter"),
        "mountain": ("mountain_altitude", "[height|altitude]", "[higher|taller]", "lower"),
        "lake": ("area", "area", "[larger|bigger]", "smaller"),
    }[kind]
    above = rng.random() < 0.65
    adj, side = (
        (more, "[above|higher than|greater than|larger than|over]")
        if above
        else (less, "[below|lower than|less than|smaller than|under]")
    )
    post = (
        f"[{adj} than [the average|average|the average {kind}|the mean]|with a {noun} {side} [the average|average|the mean]"
        f"|whose {noun} is {side} [the average|average]|with [an above|a higher than] average {noun}]"
    )
    if not above:
        post = post.replace("[an above|a higher than] average", "[a below|a lower than] average")
    vp = f"[{{is}} {adj} than [the average|average|the average {kind}]|{{has}} a {noun} {side} [the average|average]]"
    return Mod("average" + column, f"{column} {'>' if above else '<'} (SELECT AVG({column}) FROM {kind})", post, vp)

"""Ways of being first or last: adjectives, modifiers and verbs for each measure."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Measure:
    """A way of being first or last: adjectives, noun modifiers and verbs, and the rows that are."""

    tag: str
    best: str
    table: str
    column: str
    adj: str
    post: str
    vp: str


MEASURES: dict[str, tuple[tuple[float, Measure], ...]] = {
    "state": (
        (
            3,
            Measure(
                "area",
                "MAX",
                "state",
                "area",
                "[largest|biggest|largest|biggest|largest by area|greatest|hugest]",
                "with the [largest|biggest|greatest|most] [area|area|land area|size|land]",
                "[{is} the largest|{is} the biggest|{is} largest|{is} biggest|{has} the [largest|biggest|greatest|most] [area|land area]"
                "|{is} the largest in area|cover{s} the most area|{has} the most land|{is} the largest in size]",
            ),
        ),
        (
            3,
            Measure(
                "area",
                "MIN",
                "state",
                "area",
                "[smallest|smallest|tiniest|smallest by area|littlest]",
                "with the [smallest|least|lowest] [area|area|land area|size|land]",
                "[{is} the smallest|{is} smallest|{is} the tiniest|{has} the [smallest|least] [area|land area]"
                "|{is} the smallest in area|cover{s} the least area|{has} the least land]",
            ),
        ),
        (
            3,
            Measure(
                "population",
                "MAX",
                "state",
                "population",
                "[most populous|most populated|most populous|largest by population|most peopled|highest population]",
                "[with the [largest|highest|greatest|biggest|most] population|with the most [people|inhabitants|residents|citizens]"
                "|with most people|having the [largest|highest|greatest] population|that has the [largest|highest|most] population"
                "|where the most people live|with the largest number of [people|residents]|that has the most people]",
                "[{has} the [largest|highest|greatest|biggest|most] population|{has} the most [people|inhabitants|residents|citizens]"
                "|{has} most people|{is} the most populous|{is} the most populated|{has} the largest number of [people|inhabitants]"
                "|{has} the highest number of [people|residents]|{has} the greatest number of people|{is} most populated]",
            ),
        ),
        (
            2.5,
            Measure(
                "population",
                "MIN",
                "state",
                "population",
                "[least populous|least populated|smallest by population|lowest population]",
                "[with the [smallest|lowest|least] population|with the [fewest|least] [people|inhabitants|residents|citizens]"
                "|having the [smallest|lowest] population|that has the [fewest|least] people|where the fewest people live"
                "|with the smallest number of people]",
                "[{has} the [smallest|lowest|least] population|{has} the [fewest|least] [people|inhabitants|residents|citizens]"
                "|{is} the least populous|{is} the least populated|{has} the smallest number of [people|residents]]",
            ),
        ),
        (
            2,
            Measure(
                "density",
                "MAX",
                "state",
                "density",
                "[most densely populated|densest|most dense|most thickly populated|most crowded]",
                "with the [highest|greatest|largest|most] [population density|density]",
                "[{has} the [highest|greatest|largest] [population density|density]|{is} the most densely populated|{is} the densest"
                "|{is} most dense|{is} the most dense|{has} the most people per [square mile|area]|{has} the densest population]",
            ),
        ),
        (
            1.6,
            Measure(
                "density",
                "MIN",
                "state",
                "density",
                "[least densely populated|least dense|most sparsely populated|sparsest|least crowded]",
                "with the [lowest|smallest|least|sparsest] [population density|density|population density]",
                "[{has} the [fewest|least] people per square mile|{has} the [lowest|smallest|least|sparsest] [population density|density]|{is} the least dense"
                "|{is} the least densely populated|{is} the most sparsely populated|{has} the sparsest population]",
            ),
        ),
        (
            1.8,
            Measure(
                "highest",
                "MAX",
                "highlow",
                "highest_elevation",
                "[highest|highest elevation]",
                "[with the highest [point|elevation|elevation|peak]|that has the highest [point|elevation]"
                "|containing the highest point|with the greatest elevation|that contains the highest point]",
                "[{has} the highest [point|elevation|elevation|peak]|contain{s} the highest point|{has} the greatest elevation"
                "|{is} the highest|{is} home to the highest point|{has} the highest maximum elevation]",
            ),
        ),
        (
            1.4,
            Measure(
                "lowest",
                "MIN",
                "highlow",
                "lowest_elevation",
                "[lowest|lowest elevation]",
                "[with the lowest [point|elevation|elevation]|that has the lowest [point|elevation]|containing the lowest point"
                "|that contains the lowest point]",
                "[{has} the lowest [point|elevation|elevation]|contain{s} the lowest point|{is} the lowest"
                "|{is} home to the lowest point]",
            ),
        ),
        (
            0.3,
            Measure(
                "lowhigh",
                "MIN",
                "highlow",
                "highest_elevation",
                "",
                "[with the lowest highest [point|elevation]|with the smallest highest elevation|whose highest point is the lowest]",
                "{has} the [lowest|smallest] highest [point|elevation]",
            ),
        ),
    ),
    "city": (
        (
            4,
            Measure(
                "pop",
                "MAX",
                "city",
                "population",
                "[largest|biggest|largest|biggest|most populous|most populated|largest|biggest|greatest|largest by population]",
                "[with the [largest|highest|greatest|biggest|most] population|with the most [people|inhabitants|residents|citizens]"
                "|with most people|where the most people live|that has the most people|having the largest population"
                "|with the largest number of people]",
                "[{is} the largest|{is} the biggest|{has} the [largest|highest|greatest|biggest|most] population|{is} largest"
                "|{has} the most [people|inhabitants|residents|citizens]|{is} the most populous|{is} the most populated|{is} biggest"
                "|{has} most people|{has} the highest number of people]",
            ),
        ),
        (
            2.5,
            Measure(
                "pop",
                "MIN",
                "city",
                "population",
                "[smallest|smallest|least populous|least populated|tiniest|smallest by population]",
                "[with the [smallest|lowest|least] population|with the [fewest|least] [people|inhabitants|residents|citizens]"
                "|that has the fewest people|having the smallest population|with the smallest number of people]",
                "[{is} the smallest|{is} smallest|{has} the [smallest|lowest|least] population|{is} the least populated"
                "|{has} the [fewest|least] [people|inhabitants|residents|citizens]|{is} the least populous]",
            ),
        ),
    ),
    "river": (
        (
            4,
            Measure(
                "length",
                "MAX",
                "river",
                "length",
                "[longest|longest|longest|longest|largest|biggest|greatest]",
                "[with the [greatest|longest|largest|most|maximum] length|that is the longest]",
                "[{is} the longest|{is} longest|{has} the [greatest|longest|largest] length|{is} the biggest|{is} the largest]",
            ),
        ),
        (
            2,
            Measure(
                "length",
                "MIN",
                "river",
                "length",
                "[shortest|shortest|shortest|shortest|smallest]",
                "[with the [shortest|least|smallest] length|that is the shortest]",
                "[{is} the shortest|{is} shortest|{has} the [shortest|least|smallest] length|{is} the smallest]",
            ),
        ),
    ),
    "mountain": (
        (
            4,
            Measure(
                "alt",
                "MAX",
                "mountain",
                "mountain_altitude",
                "[highest|tallest|highest|tallest|biggest|largest]",
                "with the [highest|greatest] [altitude|elevation|height]",
                "[{is} the highest|{is} the tallest|{has} the [highest|greatest] [altitude|elevation|height]|{is} highest"
                "|{is} tallest|rise{s} the highest]",
            ),
        ),
        (
            2,
            Measure(
                "alt",
                "MIN",
                "mountain",
                "mountain_altitude",
                "[lowest|smallest|shortest|lowest|least tall]",
                "with the [lowest|smallest|least] [altitude|elevation|height]",
                "[{is} the lowest|{is} the smallest|{is} the shortest|{has} the [lowest|smallest] [altitude|elevation|height]]",
            ),
        ),
    ),
    "lake": (
        (
            4,
            Measure(
                "area",
                "MAX",
                "lake",
                "area",
                "[largest|biggest|largest|biggest|greatest]",
                "with the [largest|biggest|greatest|most] [area|size|surface area]",
                "[{is} the largest|{is} the biggest|{has} the [largest|biggest|greatest] [area|surface area]]",
            ),
        ),
        (
            2,
            Measure(
                "area",
                "MIN",
                "lake",
                "area",
                "[smallest|tiniest|smallest]",
                "with the [smallest|least] [area|size|surface area]",
                "[{is} the smallest|{has} the [smallest|least] [area|surface area]]",
            ),
        ),
    ),
}

GROUPS = {
    # what is counted: table, grouping column, conditions, plural wording
    "rivers": ("river", "traverse", (), "[rivers|rivers|waterways]", "[running|flowing] through [it|them]"),
    "majorrivers": ("river", "traverse", ("length > 750",), "major rivers", "[running|flowing] through [it|them]"),
    "cities": ("city", "state_name", (), "[cities|cities|towns]", ""),
    "majorcities": ("city", "state_name", ("population > 150000",), "major cities", ""),
    "mountains": ("mountain", "state_name", (), "[mountains|mountains|peaks]", ""),
    "lakes": ("lake", "state_name", (), "lakes", ""),
    "roads": ("road", "state_name", (), "[roads|highways]", ""),
}

MOST = "[more OTHERS|the most|most|the largest number of|the greatest number of|the highest number of|the maximum number of|the most number of]"

FEWEST = "[fewer OTHERS|the fewest|the least|fewest|the smallest number of|the lowest number of|the least number of|the minimum number of]"

VERBS = {
    "{border}": ("border", "borders"),
    "{neighbor}": ("neighbor", "neighbors"),
    "{touch}": ("touch", "touches"),
    "{share}": ("share a border with", "shares a border with"),
    "{has}": ("have", "has"),
}


def measure(rng: Random, kind: str) -> Measure:
    """A way of being first or last of a kind."""
    weights, options = zip(*MEASURES[kind], strict=True)
    return rng.choices(options, weights)[0]


def than(amount: str, noun: str) -> str:
    """`most X`, or `more X than any other`."""
    if "OTHERS" in amount:
        return (
            f"{amount.split()[0]} {noun} than [any other state|any other|all other states|the others|every other state]"
        )
    return f"{amount} {noun}"

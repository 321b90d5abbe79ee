"""Properties of things: where they are kept, and the questions that ask for them."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import modifiers as m
import sets
from frames import GIVE, LIST, weighted
from nouns import Set, named
from phrases import fill, say, wording
from sqlparts import Rows


@dataclass(frozen=True)
class Attr:
    """A property: where it is kept, how it is called, and questions that ask for it."""

    tag: str
    table: str
    column: str
    noun: str
    ask: str = ""
    ask_many: str = ""


FOLK = "[people|people|people|people|inhabitants|residents|citizens|persons|folks]"

LIVE = "[live|live|live|reside|are living|are there|are|dwell|lives|are residing|living]"

POP = Attr(
    "population",
    "",
    "population",
    "[population|population|population|population|population|number of people|number of inhabitants|number of residents"
    "|number of citizens|total population|population size|pop|headcount|people count|number of people living|inhabitant count]",
    f"[how many {FOLK} {LIVE} in {{x}}|how many {FOLK} {LIVE} in {{x}}|how many {FOLK} does {{x}} have|how populous is {{x}}"
    f"|how many {FOLK} in {{x}}|how many {FOLK} are in {{x}}|{{x}} has how many {FOLK}|how populated is {{x}}"
    f"|how many {FOLK} call {{x}} home|what population does {{x}} have|how many live in {{x}}|how large is the population of {{x}}"
    f"|how big is the population of {{x}}|how many {FOLK} live there in {{x}}|how many {FOLK} stay in {{x}}|how high is the population of {{x}}"
    f"|what is the number of {FOLK} [in|living in|who live in] {{x}}|how many {FOLK} inhabit {{x}}|how many {FOLK} has {{x}}]",
)

CITYPOP = Attr(
    "size",
    "city",
    "population",
    "[size|population|population|number of people|number of inhabitants]",
    "[how big is {x}|how large is {x}|how big is {x}|how large is {x}|what size is {x}|how big of a city is {x}]",
)

AREA = Attr(
    "area",
    "state",
    "area",
    "[area|area|area|size|land area|total area|surface area|area in square miles|square mileage|number of square miles|total land area]",
    "[how big is {x}|how large is {x}|how big is {x}|how large is {x}|how many square miles is {x}|how many square miles does {x} have"
    "|what area does {x} cover|how much land does {x} have|how much area does {x} cover|how many square miles does {x} cover"
    "|what size is {x}|how much space does {x} take up|how much land does {x} cover|how many square miles are in {x}]",
)

ATTRS: dict[str, tuple[tuple[float, Attr], ...]] = {
    "state": (
        (4, POP),
        (3, AREA),
        (
            2,
            Attr(
                "density",
                "state",
                "density",
                "[population density|density|population density|number of people per square mile|people per square mile|pop density"
                "|average number of people per square mile|average population per square mile|average population per square km|average density]",
                "[how dense is {x}|how densely populated is {x}|how many people per square mile [live in {x}|are there in {x}|does {x} have]"
                "|how crowded is {x}|how dense is the population of {x}|how many people are there per square mile in {x}]",
            ),
        ),
        (
            4,
            Attr(
                "capital",
                "state",
                "capital",
                "[capital|capital|capital|capital|capital city|seat of government|state capital|capital name|name of the capital]",
                "[what city is the capital of {x}|which city is the capital of {x}|where is the capital of {x}|what is {x} 's capital"
                "|what capital does {x} have|which city serves as the capital of {x}|what city is {x} 's capital|where is the government of {x}"
                "|what is the capital city of {x}|which is the capital of {x}|what does {x} have as its capital|who is the capital of {x}"
                "|what is the name of the capital of {x}|what city serves as capital of {x}|the capital of {x} is what|{x} has what capital]",
            ),
        ),
        (
            2.6,
            Attr(
                "hpoint",
                "highlow",
                "highest_point",
                "[highest point|highest point|high point|highest spot|highest place|name of the highest point|highest location]",
                "[what is the highest point in {x}|what is the highest spot in {x}|where is the highest point in {x}|which point is the highest in {x}"
                "|what is the highest place in {x}|what point is highest in {x}|which place in {x} is the highest|where is the highest point of {x}"
                "|what is the high point of {x}|where is the highest elevation in {x}|which point in {x} is highest|where in {x} is the highest point]",
            ),
        ),
        (
            2.2,
            Attr(
                "lpoint",
                "highlow",
                "lowest_point",
                "[lowest point|lowest point|low point|lowest spot|lowest place|name of the lowest point|lowest location]",
                "[what is the lowest point in {x}|what is the lowest spot in {x}|where is the lowest point in {x}|which point is the lowest in {x}"
                "|what is the lowest place in {x}|what point is lowest in {x}|which place in {x} is the lowest|where is the lowest point of {x}"
                "|what is the low point of {x}|where is the lowest elevation in {x}|where is the lowest spot in {x}|where in {x} is the lowest point]",
            ),
        ),
        (
            1.7,
            Attr(
                "helev",
                "highlow",
                "highest_elevation",
                "[highest elevation|highest elevation|elevation of the highest point|height of the highest point|maximum elevation|max elevation"
                "|altitude of the highest point|highest altitude|elevation of the highest spot|height of the high point|top elevation]",
                "[how high is the highest point in {x}|how high is the highest point of {x}|how tall is the highest point in {x}"
                "|how high is {x} at its highest point|how high does {x} go|what is the elevation of the highest point in {x}"
                "|what elevation is the highest point in {x}|how high are the highest points of {x}|how high is the high point of {x}"
                "|how many meters high is the highest point of {x}|how high up is the highest point in {x}]",
            ),
        ),
        (
            1.3,
            Attr(
                "lelev",
                "highlow",
                "lowest_elevation",
                "[lowest elevation|lowest elevation|elevation of the lowest point|height of the lowest point|minimum elevation|min elevation"
                "|altitude of the lowest point|lowest altitude]",
                "[how low is the lowest point in {x}|how high is the lowest point in {x}|how low is the lowest point of {x}|how low does {x} go"
                "|what is the elevation of the lowest point in {x}|what elevation is the lowest point of {x}|how low is {x} at its lowest point]",
            ),
        ),
    ),
    "city": (
        (5, Attr("population", "city", "population", POP.noun, POP.ask)),
        (2.4, CITYPOP),
        (
            2.6,
            Attr(
                "where",
                "city",
                "state_name",
                "[state|location|state name|home state]",
                "[where is {x}|where is {x}|where is {x} located|where is {x} at|in which state is situated {x}|what state is {x} in|which state is {x} in|in what state is {x}"
                "|in which state is {x} located|what state is {x} located in|which state contains {x}|what state has {x}|where 's {x}"
                "|in which state can i find {x}|where can i find {x}|what state does {x} belong to|which state does {x} lie in"
                "|{x} is in what state|{x} is in which state|where can {x} be found|which state has {x}|which us state is {x} in"
                "|where is {x} situated|what state is home to {x}|where does {x} lie|in what state can you find {x}|{x} is located where]",
            ),
        ),
    ),
    "river": (
        (
            3,
            Attr(
                "length",
                "river",
                "length",
                "[length|length|length|total length|length in kilometers|length in km|distance]",
                "[how long is {x}|how long is {x}|how long is {x}|how long does {x} run|how many kilometers long is {x}|how far does {x} flow"
                "|how many km is {x}|how lengthy is {x}|how many kilometers is {x}|how big is {x}|how far does {x} run|what length is {x}"
                "|how many kilometers does {x} run|what length does {x} have|how large is {x}]",
            ),
        ),
        (
            1,
            Attr(
                "where",
                "river",
                "traverse",
                "[states|location|course|route]",
                "[where is {x}|where does {x} run|where does {x} flow|where is {x} located|where does {x} go|where can i find {x}|what states is {x} in"
                "|where can {x} be found|which states have {x}|in which states is {x}|where does {x} pass|in what states can {x} be found]",
            ),
        ),
    ),
    "mountain": (
        (
            3,
            Attr(
                "altitude",
                "mountain",
                "mountain_altitude",
                "[height|height|altitude|altitude|elevation|elevation|height in meters]",
                "[how high is {x}|how high is {x}|how tall is {x}|how tall is {x}|how many meters high is {x}|how many meters tall is {x}"
                "|how big is {x}|what altitude does {x} have|how many meters is {x}|what height is {x}|how high does {x} rise]",
            ),
        ),
        (
            2,
            Attr(
                "where",
                "mountain",
                "state_name",
                "[state|location]",
                "[where is {x}|where is {x}|where is {x} located|what state is {x} in|which state is {x} in|in what state is {x}|where can i find {x}"
                "|in which state is {x} located|what state is {x} located in|which state contains {x}|what state has {x}|where 's {x}"
                "|which state has {x}|in which state can i find {x}|where can {x} be found|where does {x} stand|what state is home to {x}]",
            ),
        ),
    ),
    "lake": (
        (
            3,
            Attr(
                "area",
                "lake",
                "area",
                "[area|area|size|surface area|total area]",
                "[how big is {x}|how large is {x}|how big is {x}|what size is {x}|how many square kilometers is {x}|what area does {x} cover"
                "|how much area does {x} cover]",
            ),
        ),
        (
            2,
            Attr(
                "where",
                "lake",
                "state_name",
                "[state|location]",
                "[where is {x}|where is {x}|where is {x} located|what state is {x} in|which state is {x} in|in what state is {x}|which states have {x}"
                "|in which state is {x} located|what state has {x}|which state contains {x}|where can i find {x}|what states is {x} in]",
            ),
        ),
    ),
}

NOUN_FRAMES = (
    (10, GIVE + " the {a} [of|of|of|for|in] {x}"),
    (2, "[what about|how about|and|]  the {a} [of|for] {x}"),
    (2, "{x} 's {a}"),
    (3, GIVE + " {x} 's {a}"),
    (1.5, "{x} {a}"),
    (2, "{a} of {x}"),
    (1, "what {a} does {x} have"),
    (1, "what is {x} {a}"),
    (0.5, "{x} has what {a}"),
    (0.5, "[for|as for|] {x} what is its {a}"),
    (0.7, "what can you tell me about the {a} of {x}"),
    (1.5, "[do you know|tell me|i want to know|i wonder|can you tell me] what the {a} of {x} is"),
    (0.5, "for {x} [what is|give|show] the {a}"),
    (0.7, "[what|which] is the {a} of {x}"),
    (0.4, "the {a} of {x} is what"),
)

MANY_FRAMES = (
    (6, LIST + " the {a} [of|of|for|in] {x}"),
    (2, "what is the {a} [of|for|in] {x}"),
    (1, "{a} of {x}"),
    (1, "for {x} [what is|give|show] the {a}"),
    (1, GIVE + " the {a} [of|for] each of {x}"),
    (1, "what {a} do {x} have"),
)


def about(rng: Random, attr: Attr, x: Set) -> tuple[str, str]:
    """A question for a property of a thing or a set: its wording and the question."""
    if x.many:
        noun = wording(rng, attr.noun).replace("total ", "")
        plural = (
            noun + "s"
            if noun
            in (
                "population",
                "area",
                "capital",
                "length",
                "height",
                "size",
                "altitude",
                "elevation",
                "highest point",
                "lowest point",
                "highest elevation",
            )
            and rng.random() < 0.6
            else noun
        )
        plural = plural.replace("citys", "cities").replace("pointss", "points")
        frame = fill(wording(rng, weighted(rng, MANY_FRAMES)), a=plural)
    elif attr.ask and rng.random() < 0.5:
        frame = wording(rng, attr.ask)
        if rng.random() < 0.06:
            frame = "{x} " + frame.replace("{x} 's", "its").replace("{x}", "it")
    else:
        frame = fill(wording(rng, weighted(rng, NOUN_FRAMES)), a=wording(rng, attr.noun))
    return frame, fill(frame, x=x.text)


def value(attr: Attr, x: Set) -> str:
    """The query for a property of a thing or a set."""
    table = attr.table or x.kind
    rows = x.over(table)
    if attr.column == rows.key and not x.name:
        return rows.select(outer=True)
    return rows.select(attr.column, outer=True)


def attribute(rng: Random, depth: int) -> tuple[str, str, str]:
    """A property of one named thing."""
    kind = rng.choices(("state", "city", "river", "mountain", "lake"), (10, 6, 2.5, 2, 0.8))[0]
    attr = weighted(rng, ATTRS[kind])
    x = named(rng, kind, plain=kind != "state" and (attr.tag in ("where", "population", "area") and kind != "city"))
    frame, question = about(rng, attr, x)
    return question, value(attr, x), f"attr:{attr.tag}:{frame}"


def attribute_of_set(rng: Random, depth: int) -> tuple[str, str, str]:
    """A property of the first thing of a kind, or of each thing of a set."""
    kind = rng.choices(("state", "city", "river", "mountain", "lake"), (10, 6, 4, 3, 0.8))[0]
    attr = weighted(rng, ATTRS[kind])
    if rng.random() < 0.68:
        x = sets.first(rng, kind, depth)
    elif kind == "state" and rng.random() < 0.35:
        mod = (
            m.capital(rng)
            if rng.random() < 0.6
            else m.contains(named(rng, rng.choice(("city", "mountain", "lake")), plain=True))
        )
        x = sets.some(rng, kind, depth, mods=[mod], many=False)
    else:
        if attr.tag == "where":
            attr = ATTRS[kind][0][1]
        x = sets.some(rng, kind, depth)
    if x.many and attr.tag == "where":
        attr = ATTRS[kind][0][1]
    frame, question = about(rng, attr, x)
    return question, value(attr, x), f"attrof:{attr.tag}:{x.tag}:{frame}"


def capital_city(rng: Random, depth: int) -> tuple[str, str, str]:
    """A property of the capital of a state."""
    x = sets.place(rng, depth)
    text = x.text
    rows = Rows("city", "city_name", (f"city_name IN ({x.over('state').select('capital')})", x.match("state_name")))
    noun = say(
        rng,
        "[the capital of {x}|the capital of {x}|the capital city of {x}|{x} 's capital|the capital in {x}]"
        if not x.many
        else "[the capitals of {x}|the capital cities of {x}|the capital of {x}]",
        x=text,
    )
    city = Set("city", noun, x.many, rows, tag="cap" + x.tag)
    frame, question = about(rng, weighted(rng, ATTRS["city"][:2]), city)
    return question, rows.select("population"), f"capital:{x.tag}:{frame}"

"""Modifiers: what can be said of states, cities, rivers, mountains, lakes and roads."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

from nouns import COUNTRY, NAMES, Mod, Set
from phrases import say
from sizes import compared
from sqlparts import KEY, MAJOR, PLACE, Rows, quoted

BORDERS = (
    "[border{s}|border{s}|border{s}|border{s}|touch{es}|neighbor{s}|adjoin{s}|surround{s}|abut{s}|{has} a border with"
    "|share{s} a border with|share{s} borders with|{is} adjacent to|{is} next to|{is} bordering|{is} neighboring"
    "|{is} beside|lie{s} next to|{is} contiguous to|{is} right next to|share{s} a boundary with|border{s} on"
    "|{is} neighbors of|{is} bordered by|sit{s} next to|{is} around|{is} connected to|{is} adjoining] {x}"
)

BORDERING = (
    "[bordering|bordering|adjacent to|next to|neighboring|surrounding|adjoining|touching|around|near|on the border of"
    "|which border|that border|that border|that are adjacent to|that are next to|that touch|that neighbor"
    "|which are adjacent to|sharing a border with|that share a border with|with a border with|beside|that surround"
    "|bordered by|that are bordered by|contiguous with|that lie next to|which neighbor|whose neighbor is] {x}"
)

FLOW = (
    "[run{s} through|flow{s} through|run{s} through|flow{s} through|traverse{s}|cross{es}|pass{es} through|go{es} through"
    "|{is} in|{is} located in|run{s} in|run{s} across|flow{s} across|flow{s} in|{is} found in|cut{s} through"
    "|wind{s} through|can be found in|lie{s} in|run{s} thru|travel{s} through|stream{s} through|flow{s} into] {x}"
)

FLOWING = (
    "[in|in|in|in|through|of|running through|flowing through|that run through|that flow through|that traverse|which cross"
    "|that cross|traversing|crossing|passing through|that pass through|going through|that are in|which run through"
    "|which flow through|located in|found in|that go through|within|across|running in|that flow across] {x}"
)

LOCATED = "[in|in|in|in|in|of|located in|within|inside|found in|that are in|which are in|situated in|throughout|from|that lie in] {x}"

LIES = (
    "[{is} in|{is} in|{is} located in|can be found in|lie{s} in|{is} found in|{is} situated in|exist{s} in|{is} inside|{is} within"
    "|belong{s} to|stand{s} in|{is} there in] {x}"
)

COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def border(place: Set, negated: bool = False) -> Mod:
    """States that (do not) border a state."""
    via = Rows("border_info", "border", (place.match("state_name"),))
    if negated:
        return Mod(
            "-border" + place.tag,
            f"state_name NOT IN ({via.select()})",
            "[that do not border|not bordering|that don't border|which do not border|not adjacent to|that are not next to"
            "|that have no border with|that are not adjacent to|without a border with|that do not touch] {x}",
            "[{do} not border|{do} not touch|{is} not adjacent to|{do} not share a border with|{do}n't border"
            "|{is} not next to|{has} no border with|{do} not neighbor|{is} not bordering] {x}",
            x=place.text,
        )
    return Mod(
        "border" + place.tag,
        via.select().join(("state_name IN (", ")")),
        BORDERING,
        BORDERS,
        invert="[{do} {x} border|{do} {x} touch|{do} {x} share a border with|{is} {x} adjacent to|{is} {x} next to"
        "|{do} {x} neighbor|border {x}|{is} bordered by {x}]",
        heads="[neighbors of {x}|{x} 's neighbors|{x} neighbors|neighboring states of {x}|states neighboring {x}"
        "|{x} 's neighboring states|bordering states of {x}|{x} 's bordering states|adjacent states of {x}"
        "|neighbouring states to {x}|border states of {x}|{x} 's border states|states on the border of {x}]",
        via=via,
        x=place.text,
    )


def crossed(river: Set, negated: bool = False) -> Mod:
    """States that a river runs through."""
    via = (
        Rows("river", "traverse", river.rows.where)
        if not river.rows.tail
        else Rows("river", "traverse", (river.rows.member("river_name"),))
    )
    if negated:
        return Mod(
            "-crossed" + river.tag,
            f"state_name NOT IN ({via.select()})",
            "[that {x} does not run through|not crossed by {x}|not traversed by {x}|through which {x} does not flow"
            "|that {x} does not cross|that do not have {x}]",
            "[{is} not crossed by|{is} not traversed by|{do} not have|{do} not contain|{has} no part of] {x}",
            invert="[does {x} not [run|flow|pass|go] through|{x} does not [run|flow|pass|go] through|does {x} not [cross|traverse]"
            "|{x} does not [cross|traverse]|is {x} not in|isn't {x} in|is not crossed by {x}]",
            x=river.text,
        )
    banks = "|bordering {x}|that border {x}|next to {x}" if "river" in river.text else ""
    run = "[run through|flow through|traverse|cross|pass through|go through|run|flow|run across|flow in|run thru]"
    return Mod(
        "crossed" + river.tag,
        f"state_name IN ({via.select()})",
        "[{x} runs through|that {x} runs through|through which {x} flows|through which {x} runs|that {x} traverses"
        "|which {x} crosses|crossed by {x}|traversed by {x}|that {x} flows through|along {x}|with {x}|on {x}|containing {x}"
        "|that have {x}|{x} flows through|where {x} flows|that {x} passes through|in which {x} runs|where {x} is"
        "|on the path of {x}|that contain {x}|that {x} goes through|touched by {x}|{x} passes through|{x} crosses"
        + banks
        + "]",
        "[{has}|contain{s}|{is} crossed by|{is} traversed by|include{s}|{is} on|lie{s} on|{is} on the course of|{is} touched by|{is} intersected by] {x}",
        invert=f"[does {{x}} {run}|does {{x}} {run}|{{x}} runs through|is {{x}} in|{{x}} {run}|is {{x}} located in"
        "|can {x} be found in|{x} flows through|is crossed by {x}|is traversed by {x}|{x} traverses]",
        via=via,
        x=river.text,
    )


def contains(thing: Set, negated: bool = False) -> Mod:
    """States that hold a city, mountain or lake."""
    table = thing.kind
    where = (
        thing.rows.where if thing.rows.table == table and not thing.rows.tail else (thing.rows.member(f"{table}_name"),)
    )
    via = Rows(table, PLACE[table], where)
    if negated:
        return Mod(
            f"-has{table}{thing.tag}",
            f"state_name NOT IN ({via.select()})",
            "[that do not have|with no|without|not having|that have no|which have no|lacking|that do not contain] {x}",
            "[{do} not have|{has} no|{do} not contain|lack{s}|{do} not have any|{do}n't have|{has} not any] {x}",
            x=thing.text,
        )
    nouns = {"city": "[city|town]", "mountain": "[mountain|peak]", "lake": "lake", "road": "[road|highway]"}[table]
    called = (
        f"|with a {nouns} [named|called] {thing.name}|that have a {nouns} [named|called] {thing.name}"
        if thing.name
        else ""
    )
    has = f"|{{has}} a {nouns} [named|called] {thing.name}" if thing.name else ""
    if table == "lake":
        has += "|{is} on {x}|touch{es} {x}|border{s} {x}|share{s} {x}"
    return Mod(
        f"has{table}{thing.tag}",
        f"state_name IN ({via.select()})",
        "[with|with|containing|that have|that contain|which have|having|that has|where you find|that include|where {x} is"
        "|home to|in which {x} is located] {x}".replace(" is] {x}", " is] {x}")
        .replace("|where {x} is", "")
        .replace("|in which {x} is located", "")
        if not called
        else f"[with {{x}}|containing {{x}}|that contain {{x}}|where {{x}} is|in which {{x}} is located|that have {{x}}{called}]",
        f"[{{has}} {{x}}|{{has}} {{x}}|contain{{s}} {{x}}|include{{s}} {{x}}|{{is}} home to {{x}}{has}]",
        invert="[is {x} in|is {x} located in|can {x} be found in|contains {x}|is {x} situated in|do i find {x} in]",
        via=via,
        x=thing.text,
    )


def capital(rng: Random) -> Mod:
    """The state with a capital."""
    name = NAMES.capital(rng) if rng.random() < 0.6 else NAMES.other(rng, "city")
    return Mod(
        "capital",
        quoted("capital", name),
        "[whose capital is|with capital|with the capital|with the capital city|whose capital city is|that has the capital"
        "|having the capital|where the capital is|with the capital of|whose seat of government is|whose capital is called"
        "|with its capital in|that have as capital|having as its capital|whose capital is named] {x}",
        "[{has} {x} as its capital|{has} the capital {x}|{has} capital {x}|{has} {x} as capital|{has} its capital in {x}"
        "|{has} the capital city of {x}|{has} the capital city named {x}|{has} a capital called {x}|{is} governed from {x}]",
        invert="[is {x} the capital of|does {x} serve as capital of|{x} is the capital of|is {x} the capital city of]",
        x=name,
    )


def located(kind: str, place: Set) -> Mod:
    """Things in a place."""
    column = PLACE[kind]
    flows = kind in ("river", "road")
    pre = place.text if place.name and place.text == place.name else ""
    return Mod(
        "in" + place.tag,
        place.match(column),
        FLOWING if flows else LOCATED,
        FLOW if flows else LIES,
        owner=place.text,
        pre=pre,
        x=place.text,
    )


def outside(kind: str, place: Set) -> Mod:
    """Things that are not in a place."""
    if kind in ("river", "road"):
        key = f"{kind}_name"
        cond = f"{key} NOT IN (SELECT {key} FROM {kind} WHERE {place.match('traverse' if kind == 'river' else 'state_name')})"
        return Mod(
            "out" + place.tag,
            cond,
            "[not in|that do not run through|not running through|that do not flow through|which do not traverse"
            "|that don't cross|not flowing through|that do not pass through|outside|that are not in] {x}",
            "[{do} not run through|{do} not flow through|{do} not traverse|{do}n't cross|{is} not in|{do} not pass through"
            "|{do} not cross|never enter{s}] {x}",
            x=place.text,
        )
    return Mod(
        "out" + place.tag,
        place.match("state_name", negated=True),
        "[not in|outside|outside of|that are not in|which are not in|not located in] {x}",
        "[{is} not in|{is} not located in|{is} outside|lie{s} outside|{is} outside of|{do} not lie in] {x}",
        x=place.text,
    )


def country(rng: Random, kind: str) -> Mod:
    """Things in the country: no condition at all."""
    flows = kind == "river"
    return Mod(
        "us", "", FLOWING if flows else LOCATED, FLOW if flows else LIES, owner=say(rng, COUNTRY), x=say(rng, COUNTRY)
    )


def major(kind: str) -> Mod:
    """Cities and rivers that count as major."""
    return Mod("major", MAJOR[kind], "[that are major|considered major|which are major]", "{is} major", pre="major")


def counted(rng: Random, what: str) -> Mod:
    """States with more or fewer than so many things."""
    table, key = {"river": ("river", "traverse"), "border": ("border_info", "state_name")}.get(
        what, (what, "state_name")
    )
    amount = rng.randint(1, 9)
    more = rng.random() < 0.7
    words = COUNTED[amount - 1] if rng.random() < 0.5 else str(amount)
    sign, said = (">", "[more than|over]") if more else ("<", "[less than|fewer than]")
    draw = rng.random()
    if draw < 0.25:
        sign, said = "=", "[exactly|only|just]"
        words = rng.choice((words, words, words, "a single")) if amount == 1 else words
    elif draw < 0.5:
        sign, said = (">=", "at least") if more else ("<=", "at most")
    where: tuple[str, ...] = ()
    if what in ("river", "city") and rng.random() < 0.25:
        where, said = (MAJOR[what],), said
        words += " major"
    via = Rows(table, key, where, f" GROUP BY {key} HAVING COUNT(*) {sign} {amount}")
    noun = {"river": "rivers", "city": "cities", "mountain": "mountains", "lake": "lakes", "border": "states"}[what]
    if what == "border":
        return Mod(
            "countborder",
            via.member("state_name"),
            f"[that border|bordering|which border|with|neighboring] {said} {words} [states|other states]",
            f"[border{{s}}|{{has}}|touch{{es}}|{{is}} bordered by] {said} {words} [states|other states|neighbors]",
            via=via,
        )
    return Mod(
        "count" + what,
        via.member("state_name"),
        f"[with|having|that have|which have] {said} {words} {noun}",
        f"[{{has}}|contain{{s}}] {said} {words} {noun}",
        via=via,
    )


def crossing(rng: Random, kind: str) -> Mod:
    """Rivers, roads, lakes or city names that are in more or fewer than so many states."""
    amount = rng.randint(1, 9)
    words = COUNTED[amount - 1] if rng.random() < 0.5 else str(amount)
    sign, said = rng.choice(
        ((">", "[more than|over]"), ("<", "[less than|fewer than]"), ("=", "[exactly|only|just]"), (">=", "at least"))
    )
    rows = Rows(kind, KEY[kind], (), f" GROUP BY {KEY[kind]} HAVING COUNT(*) {sign} {amount}")
    states = f"{said} {words} [states|states|different states]"
    post, vp = {
        "lake": (
            f"[in|that are in|shared by|that belong to|that lie in] {states}",
            f"[{{is}} in|{{is}} shared by|belong{{s}} to|lie{{s}} in] {states}",
        ),
        "city": (
            f"[that exist in|found in|in|that are found in] {states}",
            f"[exist{{s}} in|{{is}} found in|appear{{s}} in|occur{{s}} in] {states}",
        ),
    }.get(
        kind,
        (
            f"[that run through|running through|that traverse|crossing|that flow through|in|that cross] {states}",
            f"[run{{s}} through|flow{{s}} through|cross{{es}}|traverse{{s}}|{{is}} in|pass{{es}} through] {states}",
        ),
    )
    return Mod("countstates", rows.member(KEY[kind]), post, vp, via=rows)


def elevated(rng: Random, other: Set) -> Mod:
    """States whose highest or lowest point compares with a number or another state's."""
    if rng.random() < 0.5:
        inner = f"(SELECT highest_elevation FROM highlow WHERE {other.match('state_name')})"
        if rng.random() < 0.25:
            cond = f"highest_elevation < {inner}"
            low = "[with|having|{HAS}] [a highest point|a highest elevation] [lower than|below|smaller than] [the highest point of|that of|] {x}"
            via = Rows("highlow", "state_name", (cond,))
            return Mod(
                "elev<",
                via.member("state_name"),
                low.replace("{HAS}", "that have"),
                "{has} " + low.split("] ", 1)[1],
                via=via,
                x=other.text,
            )
        cond = f"highest_elevation > {inner}"
        post = (
            "[with|that have|having] [points|a point|elevations|a highest point|an elevation|a top|a peak|a summit|a point that is|points that are] [higher than|above|greater than] "
            "[the highest point of|the highest point in|the highest elevation of|that of|] {x}"
        )
        vp = (
            "{has} [points|a point|elevations|a highest point|a high point] [higher than|above] "
            "[the highest point of|the highest point in|the highest elevation of|that of] {x}"
        )
        return Mod(
            "elev",
            "state_name IN (" + Rows("highlow", "state_name", (cond,)).select() + ")",
            post,
            vp,
            via=Rows("highlow", "state_name", (cond,)),
            x=other.text,
        )
    if rng.random() < 0.12:
        below = rng.random() < 0.8
        via = Rows("highlow", "state_name", ("lowest_elevation < 0" if below else "lowest_elevation > 0",))
        words = "below" if below else "above"
        return Mod(
            "sealevel",
            via.member("state_name"),
            f"[with a [low|lowest] point {words} sea level|whose lowest point is {words} sea level|with land {words} sea level]",
            f"[{{has}} a [low|lowest] point {words} sea level|{{is}} partly {words} sea level|{{has}} land {words} sea level|{{has}} points {words} sea level]",
            via=via,
        )
    _, words, written, cond = compared(
        rng, rng.choice(("highest_elevation", "highest_elevation", "lowest_elevation")), 10, 6000
    )
    side = "highest" if cond.startswith("highest") else "lowest"
    via = Rows("highlow", "state_name", (cond,))
    return Mod(
        "elev",
        via.member("state_name"),
        f"[with a {side} [point|elevation] [of|] {words} {written} [meters|]|whose {side} [point|elevation] is {words} {written} [meters|]"
        f"|where the {side} [point|elevation] is {words} {written}]",
        f"{{has}} a {side} [point|elevation] [of|] {words} {written} [meters|m|]",
        via=via,
    )


def pointed(rng: Random) -> Mod:
    """States by the name of their highest or lowest point."""
    side = rng.choice(("high", "low"))
    name = NAMES.other(rng, side)
    if rng.random() < 0.1:
        name = NAMES.other(rng, "river") + " river" if side == "low" else "mount " + NAMES.other(rng, "mountain")
    elif rng.random() < 0.08:
        name = NAMES.other(rng, "city")
    via = Rows("highlow", "state_name", (quoted(f"{side}est_point", name),))
    noun = f"[{side}est point|{side}est point|{side} point|{side}est elevation]"
    return Mod(
        "point",
        via.member("state_name"),
        f"[whose {noun} is {{x}}|with {{x}} as [its|the|their] {noun}|with the {noun} {{x}}|where the {noun} is {{x}}|with [its|the|their] {noun} at {{x}}]",
        f"[{{has}} {{x}} as [its|their|the] {noun}|{{has}} [its|their] {noun} at {{x}}]",
        invert=f"is {{x}} the {noun} [in|of]",
        via=via,
        x=name,
    )


def governing(rng: Random) -> Mod:
    """Cities that are, or are not, the capital of a state."""
    no = rng.random() < 0.6
    nouns = "[a capital|a state capital|the capital of a state|a capital city|the capital of its state]"
    if no:
        return Mod(
            "-capital",
            "city_name NOT IN (SELECT capital FROM state)",
            f"[that is not {nouns}|which is not {nouns}|that isn't {nouns}|not being {nouns}|that are not capitals|which are not state capitals"
            "|other than capitals]",
            f"[{{is}} not {nouns}|{{is}} not capitals]",
        )
    return Mod(
        "+capital",
        "city_name IN (SELECT capital FROM state)",
        f"[that is {nouns}|which is {nouns}|that is also {nouns}|that are capitals|that are state capitals]",
        f"[{{is}} {nouns}|{{is}} capitals]",
    )


def namesake() -> Mod:
    """Cities that are called like a state."""
    return Mod(
        "namesake",
        "city_name IN (SELECT state_name FROM state)",
        "[with the same name as a state|that share a name with a state|named like a state|that have the name of a state|named after a state]",
        "[share{s} a name with a state|{has} the same name as a state|{is} named like a state|{has} the name of a state|share{s} their name with a state]",
    )

"""Modifiers: what can be said of states, cities, rivers, mountains, lakes and roads."""

from __future__ import annotations

from random import Random

try:
    from nouns import COUNTRY, NAMES, Mod, Set, named
    from phrases import number, say
    from sqlparts import KEY, MAJOR, PLACE, Rows, quoted
except ImportError:  # imported as a package
    from veriloop.scripts.embedded_sql.nouns import COUNTRY, NAMES, Mod, Set, named
    from veriloop.scripts.embedded_sql.phrases import number, say
    from veriloop.scripts.embedded_sql.sqlparts import KEY, MAJOR, PLACE, Rows, quoted

BORDERS = ("[border{s}|border{s}|border{s}|border{s}|touch{es}|neighbor{s}|adjoin{s}|surround{s}|abut{s}|{has} a border with"
           "|share{s} a border with|share{s} borders with|{is} adjacent to|{is} next to|{is} bordering|{is} neighboring"
           "|{is} beside|lie{s} next to|{is} contiguous to|{is} right next to|share{s} a boundary with|border{s} on"
           "|{is} neighbors of|{is} bordered by|sit{s} next to|{is} around|{is} connected to|{is} adjoining] {x}")
BORDERING = ("[bordering|bordering|adjacent to|next to|neighboring|surrounding|adjoining|touching|around|near|on the border of"
             "|which border|that border|that border|that are adjacent to|that are next to|that touch|that neighbor"
             "|which are adjacent to|sharing a border with|that share a border with|with a border with|beside|that surround"
             "|bordered by|that are bordered by|contiguous with|that lie next to|which neighbor|whose neighbor is] {x}")
FLOW = ("[run{s} through|flow{s} through|run{s} through|flow{s} through|traverse{s}|cross{es}|pass{es} through|go{es} through"
        "|{is} in|{is} located in|run{s} in|run{s} across|flow{s} across|flow{s} in|{is} found in|cut{s} through"
        "|wind{s} through|can be found in|lie{s} in|run{s} thru|travel{s} through|stream{s} through|flow{s} into] {x}")
FLOWING = ("[in|in|in|in|through|of|running through|flowing through|that run through|that flow through|that traverse|which cross"
           "|that cross|traversing|crossing|passing through|that pass through|going through|that are in|which run through"
           "|which flow through|located in|found in|that go through|within|across|running in|that flow across] {x}")
LOCATED = "[in|in|in|in|in|of|located in|within|inside|found in|that are in|which are in|situated in|throughout|from|that lie in] {x}"
LIES = ("[{is} in|{is} in|{is} located in|can be found in|lie{s} in|{is} found in|{is} situated in|exist{s} in|{is} inside|{is} within"
        "|belong{s} to|stand{s} in|{is} there in] {x}")
MORE = "[more than|over|above|greater than|exceeding|at least|upwards of|in excess of]"
LESS = "[less than|under|below|fewer than|smaller than|no more than]"
PEOPLE = "[people|people|people|inhabitants|residents|citizens|persons]"


def compared(rng: Random, column: str, low: float, high: float) -> tuple[str, str, str, str]:
    """A comparison with a number: direction, wording, number as written, condition."""
    written, value = number(rng, low, high)
    more = rng.random() < 0.68
    words = say(rng, "[more than|more than|over|above|greater than|exceeding|in excess of]" if more
                else "[less than|less than|under|below|fewer than]")
    sign = ">" if more else "<"
    if rng.random() < 0.08:
        words, sign = ("at least", ">=") if more else ("at most", "<=")
    return ("more" if more else "less"), words, written, f"{column} {sign} {value}"


def border(place: Set, negated: bool = False) -> Mod:
    """States that (do not) border a state."""
    via = Rows("border_info", "border", (place.match("state_name"),))
    if negated:
        return Mod("-border" + place.tag, f"state_name NOT IN ({via.select()})",
                   "[that do not border|not bordering|that don't border|which do not border|not adjacent to|that are not next to"
                   "|that have no border with|that are not adjacent to|without a border with|that do not touch] {x}",
                   "[{do} not border|{do} not touch|{is} not adjacent to|{do} not share a border with|{do}n't border"
                   "|{is} not next to|{has} no border with|{do} not neighbor|{is} not bordering] {x}", x=place.text)
    return Mod("border" + place.tag, via.select().join(("state_name IN (", ")")), BORDERING, BORDERS,
               invert="[{do} {x} border|{do} {x} touch|{do} {x} share a border with|{is} {x} adjacent to|{is} {x} next to"
               "|{do} {x} neighbor|border {x}|{is} bordered by {x}]",
               heads="[neighbors of {x}|{x} 's neighbors|{x} neighbors|neighboring states of {x}|states neighboring {x}"
               "|{x} 's neighboring states|bordering states of {x}|{x} 's bordering states|adjacent states of {x}"
               "|neighbouring states to {x}|border states of {x}|{x} 's border states|states on the border of {x}]",
               via=via, x=place.text)


def crossed(river: Set, negated: bool = False) -> Mod:
    """States that a river runs through."""
    via = Rows("river", "traverse", river.rows.where) if not river.rows.tail else Rows(
        "river", "traverse", (river.rows.member("river_name"),))
    if negated:
        return Mod("-crossed" + river.tag, f"state_name NOT IN ({via.select()})",
                   "[that {x} does not run through|not crossed by {x}|not traversed by {x}|through which {x} does not flow"
                   "|that {x} does not cross|that do not have {x}]",
                   "[{is} not crossed by|{is} not traversed by|{do} not have|{do} not contain|{has} no part of] {x}",
                   invert="[does {x} not [run|flow|pass|go] through|{x} does not [run|flow|pass|go] through|does {x} not [cross|traverse]"
                   "|{x} does not [cross|traverse]|is {x} not in|isn't {x} in|is not crossed by {x}]", x=river.text)
    banks = "|bordering {x}|that border {x}|next to {x}" if "river" in river.text else ""
    run = "[run through|flow through|traverse|cross|pass through|go through|run|flow|run across|flow in|run thru]"
    return Mod("crossed" + river.tag, f"state_name IN ({via.select()})",
               "[{x} runs through|that {x} runs through|through which {x} flows|through which {x} runs|that {x} traverses"
               "|which {x} crosses|crossed by {x}|traversed by {x}|that {x} flows through|along {x}|with {x}|on {x}|containing {x}"
               "|that have {x}|{x} flows through|where {x} flows|that {x} passes through|in which {x} runs|where {x} is"
               "|on the path of {x}|that contain {x}|that {x} goes through|touched by {x}|{x} passes through|{x} crosses" + banks + "]",
               "[{has}|contain{s}|{is} crossed by|{is} traversed by|include{s}|{is} on|lie{s} on|{is} on the course of|{is} touched by|{is} intersected by] {x}",
               invert=f"[does {{x}} {run}|does {{x}} {run}|{{x}} runs through|is {{x}} in|{{x}} {run}|is {{x}} located in"
               "|can {x} be found in|{x} flows through|is crossed by {x}|is traversed by {x}|{x} traverses]",
               via=via, x=river.text)


def contains(thing: Set, negated: bool = False) -> Mod:
    """States that hold a city, mountain or lake."""
    table = thing.kind
    where = thing.rows.where if thing.rows.table == table and not thing.rows.tail else (
        thing.rows.member(f"{table}_name"),)
    via = Rows(table, PLACE[table], where)
    if negated:
        return Mod(f"-has{table}{thing.tag}", f"state_name NOT IN ({via.select()})",
                   "[that do not have|with no|without|not having|that have no|which have no|lacking|that do not contain] {x}",
                   "[{do} not have|{has} no|{do} not contain|lack{s}|{do} not have any|{do}n't have|{has} not any] {x}",
                   x=thing.text)
    nouns = {"city": "[city|town]", "mountain": "[mountain|peak]", "lake": "lake", "road": "[road|highway]"}[table]
    called = f"|with a {nouns} [named|called] {thing.name}|that have a {nouns} [named|called] {thing.name}" if thing.name else ""
    has = f"|{{has}} a {nouns} [named|called] {thing.name}" if thing.name else ""
    return Mod(f"has{table}{thing.tag}", f"state_name IN ({via.select()})",
               "[with|with|containing|that have|that contain|which have|having|that has|where you find|that include|where {x} is"
               "|home to|in which {x} is located] {x}".replace(" is] {x}", " is] {x}").replace("|where {x} is", "")
               .replace("|in which {x} is located", "") if not called else
               f"[with {{x}}|containing {{x}}|that contain {{x}}|where {{x}} is|in which {{x}} is located|that have {{x}}{called}]",
               f"[{{has}} {{x}}|{{has}} {{x}}|contain{{s}} {{x}}|include{{s}} {{x}}|{{is}} home to {{x}}{has}]",
               invert="[is {x} in|is {x} located in|can {x} be found in|contains {x}|is {x} situated in|do i find {x} in]",
               via=via, x=thing.text)


def capital(rng: Random) -> Mod:
    """The state with a capital."""
    name = NAMES.capital(rng) if rng.random() < 0.6 else NAMES.other(rng, "city")
    return Mod("capital", quoted("capital", name),
               "[whose capital is|with capital|with the capital|with the capital city|whose capital city is|that has the capital"
               "|having the capital|where the capital is|with the capital of|whose seat of government is|whose capital is called"
               "|with its capital in|that have as capital|having as its capital|whose capital is named] {x}",
               "[{has} {x} as its capital|{has} the capital {x}|{has} capital {x}|{has} {x} as capital|{has} its capital in {x}"
               "|{has} the capital city of {x}|{has} the capital city named {x}|{has} a capital called {x}|{is} governed from {x}]",
               invert="[is {x} the capital of|does {x} serve as capital of|{x} is the capital of|is {x} the capital city of]",
               x=name)


SIZES: dict[str, tuple[str, float, float, str, str, str, str, str]] = {
    # column, low, high, wordings with {c} after a noun and as a verb, the same with {adj}, and the adjectives
    "people": ("population", 2e4, 3e7,
               f"[with {{c}} {{n}} {PEOPLE}|with a population of {{c}} {{n}}|with a population {{c}} {{n}}|having {{c}} {{n}} {PEOPLE}"
               f"|that have {{c}} {{n}} {PEOPLE}|whose population is {{c}} {{n}}|with population {{c}} {{n}}|with populations {{c}} {{n}}"
               f"|where {{c}} {{n}} {PEOPLE} live|which have a population {{c}} {{n}}|of {{c}} {{n}} {PEOPLE}|with populations of {{c}} {{n}}"
               "|that have a population of {c} {n}|having a population {c} {n}|where the population is {c} {n}]",
               f"[{{has}} {{c}} {{n}} {PEOPLE}|{{has}} a population of {{c}} {{n}}|{{has}} a population {{c}} {{n}}"
               f"|{{has}} populations of {{c}} {{n}}|{{is}} home to {{c}} {{n}} {PEOPLE}|{{has}} population {{c}} {{n}}]", "", "", ""),
    "area": ("area", 1e3, 6e5,
             "[with an area of {c} {n} [square miles|sq miles|]|with an area {c} {n}|with {c} {n} square miles|covering {c} {n} square miles"
             "|whose area is {c} {n} [square miles|]|with areas {c} {n}|that cover {c} {n} square miles|having an area {c} {n}]",
             "[{has} an area of {c} {n} [square miles|]|{has} an area {c} {n}|{has} {c} {n} square miles|cover{s} {c} {n} square miles]",
             "[{adj} than {n} [square miles|sq mi]|that are {adj} than {n} square miles]", "{is} {adj} than {n} [square miles|]",
             "[larger|bigger]/smaller"),
    "density": ("density", 1, 1500,
                "[with a [population density|density] of {c} {n}|whose [population density|density] is {c} {n}|where the density is {c} {n}"
                "|with a [population density|density] {c} {n}|with {c} {n} people per square mile|having a density {c} {n}]",
                "[{has} a [population density|density] of {c} {n}|{has} a density {c} {n}|{has} {c} {n} people per square mile]", "", "", ""),
    "length": ("length", 50, 5000,
               "[with a length of {c} {n} [kilometers|km|]|with a length {c} {n}|whose length is {c} {n} [km|]|of {c} {n} kilometers"
               "|{c} {n} [km|kilometers] long|that are {c} {n} [km|kilometers|] long|which are {c} {n} long]",
               "[{has} a length of {c} {n} [km|]|{is} {c} {n} [kilometers|km|] long|measure{s} {c} {n} km|{has} a length {c} {n}]",
               "[{adj} than {n} [kilometers|km|]|that are {adj} than {n} [km|kilometers|]]", "{is} {adj} than {n} [kilometers|km|]",
               "longer/shorter"),
    "height": ("mountain_altitude", 1000, 7000,
               "[with an altitude of {c} {n} [meters|]|{c} {n} meters [high|tall]|with a height {c} {n}|whose [height|altitude] is {c} {n}"
               "|with an elevation {c} {n} [meters|]|that rise {c} {n} meters|with an altitude {c} {n}]",
               "[{is} {c} {n} [meters|m|] [tall|high]|{has} an altitude of {c} {n} [meters|]|{has} a height {c} {n}|rise{s} {c} {n} meters]",
               "[{adj} than {n} [meters|m|]|that are {adj} than {n} [meters|]]", "{is} {adj} than {n} [meters|m|]",
               "[higher|taller]/[lower|smaller|shorter]"),
    "lake": ("area", 100, 90000,
             "[with an area of {c} {n} [square kilometers|]|with an area {c} {n}|covering {c} {n} square kilometers|whose area is {c} {n}]",
             "[{has} an area of {c} {n}|{has} an area {c} {n} [square km|]|cover{s} {c} {n} [square km|square kilometers|]]",
             "[{adj} than {n} [square kilometers|]|that are {adj} than {n}]", "{is} {adj} than {n} [square kilometers|]",
             "[larger|bigger]/smaller"),
}
UNITS = {"state": ("people", "people", "area", "density"), "city": ("people",), "river": ("length",), "mountain": ("height",),
         "lake": ("lake",)}


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
    columns = {"state": ("area", "area", "population", "population", "density"), "city": ("population",), "river": ("length",),
               "mountain": ("mountain_altitude",), "lake": ("area",)}[kind]
    column = rng.choice(columns)
    more = rng.random() < 0.65
    inner = other.over(kind).select(column)
    worded = {
        ("state", "area"): "[larger than|bigger than|with a larger area than|with more area than|that are larger than|that are bigger than|greater than|larger in area than|with an area larger than that of|with an area bigger than]",
        ("state", "population"): "[with more people than|with a larger population than|with a higher population than|more populous than|with more inhabitants than|with more residents than|that have more people than|that have a larger population than|with a population larger than that of|with a population greater than|with a bigger population than|whose population is greater than that of|more populated than]",
        ("state", "density"): "[denser than|with a higher density than|with a higher population density than|more densely populated than|with a greater population density than|more crowded than]",
        ("city", "population"): "[larger than|bigger than|with more people than|with a larger population than|with a higher population than|more populous than|with more inhabitants than|that are larger than|that are bigger than|that have more people than|with a population greater than|with a population larger than that of|with more residents than|more populated than]",
        ("river", "length"): "[longer than|that are longer than|with a greater length than|bigger than|with a length greater than that of|which are longer than|larger than]",
        ("mountain", "mountain_altitude"): "[higher than|taller than|that are higher than|that are taller than|with a greater altitude than|with a height greater than|bigger than]",
        ("lake", "area"): "[larger than|bigger than|that are larger than|with a larger area than|with a greater area than|that are bigger than]",
    }[kind, column]
    if not more:
        for high, low in (("larger", "smaller"), ("bigger", "smaller"), ("higher", "lower"), ("longer", "shorter"),
                          ("taller", "lower"), ("greater", "smaller"), ("more people", "fewer people"),
                          ("more inhabitants", "fewer inhabitants"), ("more residents", "fewer residents"),
                          ("more populous", "less populous"), ("more densely", "less densely"), ("denser", "less dense"),
                          ("more area", "less area"), ("more populated", "less populated"), ("more crowded", "less crowded")):
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
    return Mod(f"vs{column}{other.tag}", f"{column} {'>' if more else '<'} ({inner})", phrase + " {x}", verb + " {x}", x=other.text)


def located(kind: str, place: Set) -> Mod:
    """Things in a place."""
    column = PLACE[kind]
    flows = kind in ("river", "road")
    pre = place.text if place.name and place.text == place.name else ""
    return Mod("in" + place.tag, place.match(column), FLOWING if flows else LOCATED, FLOW if flows else LIES,
               owner=place.text, pre=pre, x=place.text)


def outside(kind: str, place: Set) -> Mod:
    """Things that are not in a place."""
    if kind in ("river", "road"):
        key = f"{kind}_name"
        cond = f"{key} NOT IN (SELECT {key} FROM {kind} WHERE {place.match('traverse' if kind == 'river' else 'state_name')})"
        return Mod("out" + place.tag, cond,
                   "[not in|that do not run through|not running through|that do not flow through|which do not traverse"
                   "|that don't cross|not flowing through|that do not pass through|outside|that are not in] {x}",
                   "[{do} not run through|{do} not flow through|{do} not traverse|{do}n't cross|{is} not in|{do} not pass through"
                   "|{do} not cross|never enter{s}] {x}", x=place.text)
    return Mod("out" + place.tag, place.match("state_name", negated=True),
               "[not in|outside|outside of|that are not in|which are not in|not located in] {x}",
               "[{is} not in|{is} not located in|{is} outside|lie{s} outside|{is} outside of|{do} not lie in] {x}", x=place.text)


def country(rng: Random, kind: str) -> Mod:
    """Things in the country: no condition at all."""
    flows = kind == "river"
    return Mod("us", "", FLOWING if flows else LOCATED, FLOW if flows else LIES, owner=say(rng, COUNTRY), x=say(rng, COUNTRY))


def major(kind: str) -> Mod:
    """Cities and rivers that count as major."""
    return Mod("major", MAJOR[kind], "[that are major|considered major|which are major]", "{is} major", pre="major")


COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def counted(rng: Random, what: str) -> Mod:
    """States with more or fewer than so many things."""
    table, key = {"river": ("river", "traverse"), "border": ("border_info", "state_name")}.get(what, (what, "state_name"))
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
        return Mod("countborder", via.member("state_name"), f"[that border|bordering|which border|with|neighboring] {said} {words} [states|other states]",
                   f"[border{{s}}|{{has}}|touch{{es}}|{{is}} bordered by] {said} {words} [states|other states|neighbors]", via=via)
    return Mod("count" + what, via.member("state_name"), f"[with|having|that have|which have] {said} {words} {noun}",
               f"[{{has}}|contain{{s}}] {said} {words} {noun}", via=via)


def crossing(rng: Random, kind: str) -> Mod:
    """Rivers, roads, lakes or city names that are in more or fewer than so many states."""
    amount = rng.randint(1, 9)
    words = COUNTED[amount - 1] if rng.random() < 0.5 else str(amount)
    sign, said = rng.choice(((">", "[more than|over]"), ("<", "[less than|fewer than]"), ("=", "[exactly|only|just]"), (">=", "at least")))
    rows = Rows(kind, KEY[kind], (), f" GROUP BY {KEY[kind]} HAVING COUNT(*) {sign} {amount}")
    states = f"{said} {words} [states|states|different states]"
    post, vp = {
        "lake": (f"[in|that are in|shared by|that belong to|that lie in] {states}", f"[{{is}} in|{{is}} shared by|belong{{s}} to|lie{{s}} in] {states}"),
        "city": (f"[that exist in|found in|in|that are found in] {states}", f"[exist{{s}} in|{{is}} found in|appear{{s}} in|occur{{s}} in] {states}"),
    }.get(kind, (f"[that run through|running through|that traverse|crossing|that flow through|in|that cross] {states}",
                 f"[run{{s}} through|flow{{s}} through|cross{{es}}|traverse{{s}}|{{is}} in|pass{{es}} through] {states}"))
    return Mod("countstates", rows.member(KEY[kind]), post, vp, via=rows)


def elevated(rng: Random, other: Set) -> Mod:
    """States whose highest or lowest point compares with a number or another state's."""
    if rng.random() < 0.5:
        inner = f"(SELECT highest_elevation FROM highlow WHERE {other.match('state_name')})"
        if rng.random() < 0.25:
            cond = f"highest_elevation < {inner}"
            low = "[with|having|{HAS}] [a highest point|a highest elevation] [lower than|below|smaller than] [the highest point of|that of|] {x}"
            via = Rows("highlow", "state_name", (cond,))
            return Mod("elev<", via.member("state_name"), low.replace("{HAS}", "that have"), "{has} " + low.split("] ", 1)[1], via=via, x=other.text)
        cond = f"highest_elevation > {inner}"
        post = ("[with|that have|having] [points|a point|elevations|a highest point|an elevation|a top|a peak|a summit|a point that is|points that are] [higher than|above|greater than] "
                "[the highest point of|the highest point in|the highest elevation of|that of|] {x}")
        vp = ("{has} [points|a point|elevations|a highest point|a high point] [higher than|above] "
              "[the highest point of|the highest point in|the highest elevation of|that of] {x}")
        return Mod("elev", "state_name IN (" + Rows("highlow", "state_name", (cond,)).select() + ")", post, vp,
                   via=Rows("highlow", "state_name", (cond,)), x=other.text)
    if rng.random() < 0.12:
        below = rng.random() < 0.8
        via = Rows("highlow", "state_name", ("lowest_elevation < 0" if below else "lowest_elevation > 0",))
        words = "below" if below else "above"
        return Mod("sealevel", via.member("state_name"), f"[with a [low|lowest] point {words} sea level|whose lowest point is {words} sea level|with land {words} sea level]",
                   f"[{{has}} a [low|lowest] point {words} sea level|{{is}} partly {words} sea level|{{has}} land {words} sea level|{{has}} points {words} sea level]", via=via)
    _, words, written, cond = compared(rng, rng.choice(("highest_elevation", "highest_elevation", "lowest_elevation")), 10, 6000)
    side = "highest" if cond.startswith("highest") else "lowest"
    via = Rows("highlow", "state_name", (cond,))
    return Mod("elev", via.member("state_name"),
               f"[with a {side} [point|elevation] [of|] {words} {written} [meters|]|whose {side} [point|elevation] is {words} {written} [meters|]"
               f"|where the {side} [point|elevation] is {words} {written}]",
               f"{{has}} a {side} [point|elevation] [of|] {words} {written} [meters|m|]", via=via)


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
    return Mod("point", via.member("state_name"),
               f"[whose {noun} is {{x}}|with {{x}} as [its|the|their] {noun}|with the {noun} {{x}}|where the {noun} is {{x}}]",
               f"{{has}} {{x}} as [its|their|the] {noun}", invert=f"is {{x}} the {noun} [in|of]", via=via, x=name)


def between(rng: Random, column: str, low: float, high: float) -> Mod:
    """Things whose size lies between two numbers."""
    (one, first), (two, second) = sorted((number(rng, low, high), number(rng, low, high)), key=lambda pair: int(pair[1]))
    noun, unit = {"population": ("population", "people"), "area": ("area", "square miles"), "density": ("density", "people per square mile"),
                  "length": ("length", "km"), "mountain_altitude": ("height", "meters")}[column]
    post = say(rng, f"[with between {{a}} and {{b}} {unit}|with a {noun} between {{a}} and {{b}} [{unit}|]|with a {noun} from {{a}} to {{b}}"
               f"|whose {noun} is between {{a}} and {{b}} [{unit}|]|between {{a}} and {{b}} {unit}|having between {{a}} and {{b}} {unit}]", a=one, b=two)
    vp = say(rng, f"[{{has}} between {{a}} and {{b}} {unit}|{{has}} a {noun} between {{a}} and {{b}}]", a=one, b=two)
    return Mod("between" + column, f"{column} BETWEEN {first} AND {second}", post, vp)


def average(rng: Random, kind: str) -> Mod:
    """Things above or below the average of their kind."""
    column, noun, more, less = {
        "state": rng.choice((("population", "population", "more populous", "less populous"), ("area", "area", "[larger|bigger]", "smaller"),
                             ("density", "[population density|density]", "denser", "less dense"))),
        "city": ("population", "population", "[larger|bigger]", "smaller"), "river": ("length", "length", "longer", "shorter"),
        "mountain": ("mountain_altitude", "[height|altitude]", "[higher|taller]", "lower"), "lake": ("area", "area", "[larger|bigger]", "smaller"),
    }[kind]
    above = rng.random() < 0.65
    adj, side = (more, "[above|higher than|greater than|larger than|over]") if above else (less, "[below|lower than|less than|smaller than|under]")
    post = (f"[{adj} than [the average|average|the average {kind}|the mean]|with a {noun} {side} [the average|average|the mean]"
            f"|whose {noun} is {side} [the average|average]|with [an above|a higher than] average {noun}]")
    if not above:
        post = post.replace("[an above|a higher than] average", "[a below|a lower than] average")
    vp = f"[{{is}} {adj} than [the average|average|the average {kind}]|{{has}} a {noun} {side} [the average|average]]"
    return Mod("average" + column, f"{column} {'>' if above else '<'} (SELECT AVG({column}) FROM {kind})", post, vp)


def governing(rng: Random) -> Mod:
    """Cities that are, or are not, the capital of a state."""
    no = rng.random() < 0.6
    nouns = "[a capital|a state capital|the capital of a state|a capital city|the capital of its state]"
    if no:
        return Mod("-capital", "city_name NOT IN (SELECT capital FROM state)",
                   f"[that is not {nouns}|which is not {nouns}|that isn't {nouns}|not being {nouns}|that are not capitals|which are not state capitals"
                   "|other than capitals]", f"[{{is}} not {nouns}|{{is}} not capitals]")
    return Mod("+capital", "city_name IN (SELECT capital FROM state)",
               f"[that is {nouns}|which is {nouns}|that is also {nouns}|that are capitals|that are state capitals]", f"[{{is}} {nouns}|{{is}} capitals]")


def namesake() -> Mod:
    """Cities that are called like a state."""
    return Mod("namesake", "city_name IN (SELECT state_name FROM state)",
               "[with the same name as a state|that share a name with a state|named like a state|that have the name of a state|named after a state]",
               "[share{s} a name with a state|{has} the same name as a state|{is} named like a state|{has} the name of a state|share{s} their name with a state]")

"""What can be asked: attributes, lists, counts, superlatives, sums and averages."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

try:
    import modifiers as m
    import sets
    from nouns import COUNTRY, PLURAL, SINGULAR, Mod, Set, named
    from phrases import fill, say, wording
    from sqlparts import KEY, PLACE, Rows, extreme
except ImportError:  # imported as a package
    from veriloop.scripts.embedded_sql import modifiers as m
    from veriloop.scripts.embedded_sql import sets
    from veriloop.scripts.embedded_sql.nouns import COUNTRY, PLURAL, SINGULAR, Mod, Set, named
    from veriloop.scripts.embedded_sql.phrases import fill, say, wording
    from veriloop.scripts.embedded_sql.sqlparts import KEY, PLACE, Rows, extreme

GIVE = ("[what is|what is|what is|what's|whats|tell me|give me|show me|find|i want to know|can you tell me|could you tell me|please tell me"
        "|name|say|i need|i'd like to know|please give me|do you know|let me know|look up|get|get me|find me|could you give me|state|report|]")
LIST = ("[what are|what are|what are|name|name|list|list|give me|give me|show me|show|tell me|find|get|i want to know|can you list"
        "|could you give me|please name|please list|display|return|enumerate|i would like to see|identify|what are all|list all|name all"
        "|give me a list of|what are the names of|give me the names of|tell me the names of|list the names of|show me a list of|can you name"
        "|which are|give me every|show me every|list every|name every|find me|i need|let me see|give me all|show all|print|look up|do you know|can you tell me|could you tell me|please show me|]")
WHICH = "[which|what|which|what|which of the|what]"
WH = "[which|what]"
HOWMANY = "[how many|how many|how many|how many|how many|how many|tell me how many|what number of|do you know how many|can you tell me how many]"


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
POP = Attr("population", "", "population",
           "[population|population|population|population|population|number of people|number of inhabitants|number of residents"
           "|number of citizens|total population|population size|pop|headcount|people count|number of people living|inhabitant count]",
           f"[how many {FOLK} {LIVE} in {{x}}|how many {FOLK} {LIVE} in {{x}}|how many {FOLK} does {{x}} have|how populous is {{x}}"
           f"|how many {FOLK} in {{x}}|how many {FOLK} are in {{x}}|{{x}} has how many {FOLK}|how populated is {{x}}"
           f"|how many {FOLK} call {{x}} home|what population does {{x}} have|how many live in {{x}}|how large is the population of {{x}}"
           f"|how big is the population of {{x}}|how many {FOLK} live there in {{x}}|how many {FOLK} stay in {{x}}|how high is the population of {{x}}"
           f"|what is the number of {FOLK} [in|living in|who live in] {{x}}|how many {FOLK} inhabit {{x}}|how many {FOLK} has {{x}}]")
CITYPOP = Attr("size", "city", "population", "[size|population|population|number of people|number of inhabitants]",
               "[how big is {x}|how large is {x}|how big is {x}|how large is {x}|what size is {x}|how big of a city is {x}]")
AREA = Attr("area", "state", "area",
            "[area|area|area|size|land area|total area|surface area|area in square miles|square mileage|number of square miles|total land area]",
            "[how big is {x}|how large is {x}|how big is {x}|how large is {x}|how many square miles is {x}|how many square miles does {x} have"
            "|what area does {x} cover|how much land does {x} have|how much area does {x} cover|how many square miles does {x} cover"
            "|what size is {x}|how much space does {x} take up|how much land does {x} cover|how many square miles are in {x}]")
ATTRS: dict[str, tuple[tuple[float, Attr], ...]] = {
    "state": (
        (4, POP),
        (3, AREA),
        (2, Attr("density", "state", "density",
                 "[population density|density|population density|number of people per square mile|people per square mile|pop density"
                 "|average number of people per square mile|average population per square mile|average population per square km|average density]",
                 "[how dense is {x}|how densely populated is {x}|how many people per square mile [live in {x}|are there in {x}|does {x} have]"
                 "|how crowded is {x}|how dense is the population of {x}|how many people are there per square mile in {x}]")),
        (4, Attr("capital", "state", "capital",
                 "[capital|capital|capital|capital|capital city|seat of government|state capital|capital name|name of the capital]",
                 "[what city is the capital of {x}|which city is the capital of {x}|where is the capital of {x}|what is {x} 's capital"
                 "|what capital does {x} have|which city serves as the capital of {x}|what city is {x} 's capital|where is the government of {x}"
                 "|what is the capital city of {x}|which is the capital of {x}|what does {x} have as its capital|who is the capital of {x}"
                 "|what is the name of the capital of {x}|what city serves as capital of {x}|the capital of {x} is what|{x} has what capital]")),
        (2.6, Attr("hpoint", "highlow", "highest_point",
                   "[highest point|highest point|high point|highest spot|highest place|name of the highest point|highest location]",
                   "[what is the highest point in {x}|what is the highest spot in {x}|where is the highest point in {x}|which point is the highest in {x}"
                   "|what is the highest place in {x}|what point is highest in {x}|which place in {x} is the highest|where is the highest point of {x}"
                   "|what is the high point of {x}|where is the highest elevation in {x}|which point in {x} is highest|where in {x} is the highest point]")),
        (2.2, Attr("lpoint", "highlow", "lowest_point",
                   "[lowest point|lowest point|low point|lowest spot|lowest place|name of the lowest point|lowest location]",
                   "[what is the lowest point in {x}|what is the lowest spot in {x}|where is the lowest point in {x}|which point is the lowest in {x}"
                   "|what is the lowest place in {x}|what point is lowest in {x}|which place in {x} is the lowest|where is the lowest point of {x}"
                   "|what is the low point of {x}|where is the lowest elevation in {x}|where is the lowest spot in {x}|where in {x} is the lowest point]")),
        (1.7, Attr("helev", "highlow", "highest_elevation",
                   "[highest elevation|highest elevation|elevation of the highest point|height of the highest point|maximum elevation|max elevation"
                   "|altitude of the highest point|highest altitude|elevation of the highest spot|height of the high point|top elevation]",
                   "[how high is the highest point in {x}|how high is the highest point of {x}|how tall is the highest point in {x}"
                   "|how high is {x} at its highest point|how high does {x} go|what is the elevation of the highest point in {x}"
                   "|what elevation is the highest point in {x}|how high are the highest points of {x}|how high is the high point of {x}"
                   "|how many meters high is the highest point of {x}|how high up is the highest point in {x}]")),
        (1.3, Attr("lelev", "highlow", "lowest_elevation",
                   "[lowest elevation|lowest elevation|elevation of the lowest point|height of the lowest point|minimum elevation|min elevation"
                   "|altitude of the lowest point|lowest altitude]",
                   "[how low is the lowest point in {x}|how high is the lowest point in {x}|how low is the lowest point of {x}|how low does {x} go"
                   "|what is the elevation of the lowest point in {x}|what elevation is the lowest point of {x}|how low is {x} at its lowest point]")),
    ),
    "city": (
        (5, Attr("population", "city", "population", POP.noun, POP.ask)),
        (2.4, CITYPOP),
        (2.6, Attr("where", "city", "state_name",
                   "[state|location|state name|home state]",
                   "[where is {x}|where is {x}|where is {x} located|what state is {x} in|which state is {x} in|in what state is {x}"
                   "|in which state is {x} located|what state is {x} located in|which state contains {x}|what state has {x}|where 's {x}"
                   "|in which state can i find {x}|where can i find {x}|what state does {x} belong to|which state does {x} lie in"
                   "|{x} is in what state|{x} is in which state|where can {x} be found|which state has {x}|which us state is {x} in"
                   "|where is {x} situated|what state is home to {x}|where does {x} lie|in what state can you find {x}|{x} is located where]")),
    ),
    "river": (
        (3, Attr("length", "river", "length",
                 "[length|length|length|total length|length in kilometers|length in km|distance]",
                 "[how long is {x}|how long is {x}|how long is {x}|how long does {x} run|how many kilometers long is {x}|how far does {x} flow"
                 "|how many km is {x}|how lengthy is {x}|how many kilometers is {x}|how big is {x}|how far does {x} run|what length is {x}"
                 "|how many kilometers does {x} run|what length does {x} have|how large is {x}]")),
        (1, Attr("where", "river", "traverse", "[states|location|course|route]",
                 "[where is {x}|where does {x} run|where does {x} flow|where is {x} located|where does {x} go|where can i find {x}|what states is {x} in"
                 "|where can {x} be found|which states have {x}|in which states is {x}|where does {x} pass|in what states can {x} be found]")),
    ),
    "mountain": (
        (3, Attr("altitude", "mountain", "mountain_altitude",
                 "[height|height|altitude|altitude|elevation|elevation|height in meters]",
                 "[how high is {x}|how high is {x}|how tall is {x}|how tall is {x}|how many meters high is {x}|how many meters tall is {x}"
                 "|how big is {x}|what altitude does {x} have|how many meters is {x}|what height is {x}|how high does {x} rise]")),
        (2, Attr("where", "mountain", "state_name", "[state|location]",
                 "[where is {x}|where is {x}|where is {x} located|what state is {x} in|which state is {x} in|in what state is {x}|where can i find {x}"
                 "|in which state is {x} located|what state is {x} located in|which state contains {x}|what state has {x}|where 's {x}"
                 "|which state has {x}|in which state can i find {x}|where can {x} be found|where does {x} stand|what state is home to {x}]")),
    ),
    "lake": (
        (3, Attr("area", "lake", "area",
                 "[area|area|size|surface area|total area]",
                 "[how big is {x}|how large is {x}|how big is {x}|what size is {x}|how many square kilometers is {x}|what area does {x} cover"
                 "|how much area does {x} cover]")),
        (2, Attr("where", "lake", "state_name", "[state|location]",
                 "[where is {x}|where is {x}|where is {x} located|what state is {x} in|which state is {x} in|in what state is {x}|which states have {x}"
                 "|in which state is {x} located|what state has {x}|which state contains {x}|where can i find {x}|what states is {x} in]")),
    ),
}
NOUN_FRAMES = (
    (10, GIVE + " the {a} [of|of|of|for|in] {x}"), (2, "[what about|how about|and|]  the {a} [of|for] {x}"),
    (2, "{x} 's {a}"), (3, GIVE + " {x} 's {a}"), (1.5, "{x} {a}"), (2, "{a} of {x}"), (1, "what {a} does {x} have"),
    (1, "what is {x} {a}"), (0.5, "{x} has what {a}"), (0.7, "what can you tell me about the {a} of {x}"), (1.5, "[do you know|tell me|i want to know|i wonder|can you tell me] what the {a} of {x} is"),
    (0.5, "for {x} [what is|give|show] the {a}"), (0.7, "[what|which] is the {a} of {x}"), (0.4, "the {a} of {x} is what"),
)
MANY_FRAMES = (
    (6, LIST + " the {a} [of|of|for|in] {x}"), (2, "what is the {a} [of|for|in] {x}"), (1, "{a} of {x}"), (1, "for {x} [what is|give|show] the {a}"),
    (1, GIVE + " the {a} [of|for] each of {x}"), (1, "what {a} do {x} have"),
)
AGGREGATES = (
    # tag, function, kind, column, wordings over the plural set {x}
    ("avgpop", "AVG", ("state", "city"), "population",
     "[what is the average population of {x}|average population of {x}|how many people live on average in {x}|what is the mean population of {x}"
     "|on average how many people live in {x}|give me the average population of {x}|what is the average number of [people|residents|inhabitants] in {x}"
     "|what population do {x} have on average|find the average population for {x}|how many people on average live in {x}|the mean population of {x}]"),
    ("sumpop", "SUM", ("state", "city"), "population",
     "[what is the total population of {x}|what is the combined population of {x}|how many people live in {x} combined|how many people live in {x} together"
     "|what is the sum of the populations of {x}|total population of {x}|how many people live in {x} in total|give me the total population of {x}"
     "|how many people in total live in {x}|what is the total number of people in {x}|add up the population of {x}|combined population of {x}"
     "|how many people altogether live in {x}|how many people live in {x}|how many people are in {x}|how many residents do {x} have|what is the population of {x} combined|what is the sum of the population of {x}|how many people live in all {x}]"),
    ("avgarea", "AVG", ("state", "lake"), "area",
     "[what is the average area of {x}|average area of {x}|what is the mean area of {x}|how big are {x} on average|on average how large are {x}"
     "|what is the average size of {x}|give me the average area of {x}|how large are {x} on average]"),
    ("sumarea", "SUM", ("state", "lake"), "area",
     "[what is the total area of {x}|what is the combined area of {x}|what is the sum of the areas of {x}|total area of {x}|how big are {x} combined"
     "|how large are {x} together|give me the combined area of {x}|how much area do {x} cover in total|what is the sum of the area of {x}]"),
    ("avgdens", "AVG", ("state",), "density", "[what is the average [population density|density] of {x}|average density of {x}|how dense are {x} on average]"),
    ("avglen", "AVG", ("river",), "length",
     "[what is the average length of {x}|average length of {x}|how long are {x} on average|on average how long are {x}|what is the mean length of {x}]"),
    ("sumlen", "SUM", ("river",), "length",
     "[what is the total length of {x}|what is the combined length of {x}|total length of {x}|how long are {x} combined|how long are {x} in total"
     "|what is the sum of the lengths of {x}]"),
    ("avgalt", "AVG", ("mountain",), "mountain_altitude",
     "[what is the average [height|altitude|elevation] of {x}|average height of {x}|how high are {x} on average|how tall are {x} on average]"),
)


def weighted(rng: Random, pairs: tuple) -> object:
    """One of the options by weight."""
    weights, options = zip(*pairs, strict=True)
    return rng.choices(options, weights)[0]


def about(rng: Random, attr: Attr, x: Set) -> tuple[str, str]:
    """A question for a property of a thing or a set: its wording and the question."""
    if x.many:
        noun = wording(rng, attr.noun).replace("total ", "")
        plural = noun + "s" if noun in ("population", "area", "capital", "length", "height", "size", "altitude", "elevation", "highest point", "lowest point", "highest elevation") and rng.random() < 0.6 else noun
        plural = plural.replace("citys", "cities").replace("pointss", "points")
        frame = fill(wording(rng, weighted(rng, MANY_FRAMES)), a=plural)
    elif attr.ask and rng.random() < 0.5:
        frame = wording(rng, attr.ask)
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
        mod = m.capital(rng) if rng.random() < 0.6 else m.contains(named(rng, rng.choice(("city", "mountain", "lake")), plain=True))
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
    noun = say(rng, "[the capital of {x}|the capital of {x}|the capital city of {x}|{x} 's capital|the capital in {x}]" if not x.many
               else "[the capitals of {x}|the capital cities of {x}|the capital of {x}]", x=text)
    city = Set("city", noun, x.many, rows, tag="cap" + x.tag)
    frame, question = about(rng, weighted(rng, ATTRS["city"][:2]), city)
    return question, rows.select("population"), f"capital:{x.tag}:{frame}"


def fits(mods: list[Mod]) -> bool:
    """Whether the first modifier can be a verb phrase."""
    return bool(mods[0].vp)


def listing(rng: Random, depth: int, kind: str = "", mods: list[Mod] | None = None) -> tuple[str, str, str]:
    """The things of a set."""
    kind = kind or rng.choices(("state", "city", "river", "mountain", "lake", "road"), (10, 6, 6, 2.5, 1.2, 1.2))[0]
    mods = sets.modifiers(rng, kind, depth) if mods is None else mods
    rows = sets.rows_of(kind, mods)
    frame, question = list_words(rng, kind, mods)
    return question, rows.select(outer=True), f"list:{kind}:{'+'.join(mod.tag for mod in mods)}:{frame}"


def _tail(rng: Random, mods: list[Mod], many: bool = True) -> tuple[str, str]:
    """What stands before and after the noun for all modifiers but the first."""
    pre = " ".join(mod.pre for mod in mods[1:] if mod.pre == "major")
    post = " ".join(mod.word(rng, mod.post, many) for mod in mods[1:] if mod.pre != "major")
    return pre, post


def list_words(rng: Random, kind: str, mods: list[Mod]) -> tuple[str, str]:
    """A wording that asks for the things of a set."""
    many = rng.random() < 0.86
    noun = say(rng, PLURAL[kind] if many else SINGULAR[kind])
    lead, draw = mods[0], rng.random()
    pre, post = _tail(rng, mods, many)
    if lead.invert and draw < 0.30:
        frame = wording(rng, "[{w}|{w}|{w}|{w}|name the|tell me which] {p} {n}") if rng.random() < 0.85 else wording(rng, "[in|through] {w} {p} {n}")
        verb = lead.word(rng, lead.invert, many)
        return frame + lead.tag, fill(frame, w=say(rng, WH), p=pre, n=noun) + " " + verb + " " + post
    if lead.owner and draw < 0.16:
        frame = wording(rng, "[{w} {p} {n} does {x} have|{w} {p} {n} does {x} contain|{w} {p} {n} are there in {x}|{x} 's {p} {n}|{g} {x} 's {p} {n}"
                        "|{w} {p} {n} has {x}|{x} has {w} {p} {n}|{p} {n} of {x}|{w} {p} {n} {x} has|{w} are {x} 's {p} {n}|in {x} {w} {p} {n} are there"
                        "|{w} {p} {n} can you find in {x}|{w} {p} {n} could i visit in {x}|{w} {p} {n} exist in {x}|{w} {p} {n} can i find in {x}]")
        return frame, fill(frame, w=say(rng, WH), p=pre, n=noun, x=lead.owner, g=say(rng, LIST)) + " " + post
    if lead.vp and draw < 0.62:
        frame = wording(rng, WHICH if many else WH) + " {p} {n}"
        if frame.startswith("which of the") and rng.random() < 0.5:
            frame = "of all the {p} {n} which"
            post = ""
            return frame, fill(frame, p=pre, n=noun) + " " + lead.word(rng, lead.vp, True) if len(mods) == 1 else list_words(rng, kind, mods)[1]
        if rng.random() < 0.25 and post:
            return frame, fill(frame, p=pre, n=noun) + " " + post + " " + lead.word(rng, lead.vp, many)
        return frame, fill(frame, p=pre, n=noun) + " " + lead.word(rng, lead.vp, many) + " " + (rng.choice(("and ", "", "")) + post if post else "")
    if lead.heads and len(mods) == 1 and not many and rng.random() < 0.3:
        frame = wording(rng, "[what is|which is|name|] [the|an|a] [adjacent|neighboring|bordering] state [of|to]")
        return frame, frame + " " + lead.x
    if lead.heads and len(mods) == 1 and rng.random() < 0.18:
        frame = wording(rng, LIST + " [the|]")
        return frame + " {heads}", frame + " " + lead.word(rng, lead.heads)
    frame = wording(rng, LIST + " [the|the|all|all the|any|]" if many else GIVE + " the")
    if " every" in frame:
        return frame, frame.split(" every")[0] + " every " + sets.described(rng, kind, mods, False)
    return frame, frame + " " + sets.described(rng, kind, mods, many)


def counting(rng: Random, depth: int) -> tuple[str, str, str]:
    """How many things there are in a set."""
    kind = rng.choices(("state", "city", "river", "mountain", "lake", "road"), (10, 7, 7, 2, 1.2, 1.2))[0]
    mods = sets.modifiers(rng, kind, depth)
    rows = sets.rows_of(kind, mods)
    noun = say(rng, PLURAL[kind])
    lead, draw = mods[0], rng.random()
    pre, post = _tail(rng, mods)
    ask = wording(rng, HOWMANY)
    x = dict(p=pre, n=noun, x=lead.owner)
    if lead.invert and draw < 0.35:
        frame = ask + " {p} {n} "
        question = fill(frame, **x) + lead.word(rng, lead.invert, True) + " " + post
    elif lead.owner and draw < 0.35:
        frame = wording(rng, "[{h} {p} {n} does {x} have|{h} {p} {n} are there in {x}|{h} {p} {n} are in {x}|{h} {p} {n} in {x}|{x} has {h} {p} {n}"
                        "|the number of {x} {p} {n}|{h} {p} {n} does {x} contain|in {x} {h} {p} {n} are there|{h} {p} {n} has {x}"
                        "|{h} {p} {n} can be found in {x}|{h} {p} {n} exist in {x}|count {x} 's {p} {n}]")
        question = fill(frame, h=ask, **x) + " " + post
    elif lead.vp and draw < 0.68:
        frame = ask + " {p} {n} "
        question = fill(frame, **x) + lead.word(rng, lead.vp, True) + " " + post
    else:
        frame = wording(rng, "[{h} {d}|{h} {d} are there|{h} {d} exist|what is the number of {d}|number of {d}|count the {d}|give me the number of {d}"
                        "|tell me the number of {d}|what's the total number of {d}|the count of {d}|what is the count of {d}|{h} of the {d}"
                        "|the total number of {d}|count all the {d}|count {d}|i want to know the number of {d}|find the number of {d}]")
        question = fill(frame, h=ask, d=sets.described(rng, kind, mods, True))
        if rng.random() < 0.15 and len(mods) == 1:
            question = ask + f" {noun} are there " + lead.word(rng, lead.post, True)
    return question, rows.count(), f"count:{kind}:{'+'.join(mod.tag for mod in mods)}:{frame}"


def everything(rng: Random, depth: int) -> tuple[str, str, str]:
    """All things of a kind in the country, or their number."""
    kind = rng.choice(("state", "state", "city", "river", "mountain", "lake", "road"))
    mods = [m.country(rng, kind)] if rng.random() < 0.75 else []
    if kind in ("city", "river") and rng.random() < 0.35:
        mods.append(m.major(kind))
    many = sets.described(rng, kind, mods, True)
    rows = sets.rows_of(kind, mods)
    if rng.random() < 0.45:
        frame = wording(rng, "[how many {d} are there|how many {d}|number of {d}|what is the number of {d}|count the {d}|how many {d} exist"
                        "|what is the total number of {d}|give me the number of {d}|count {d}]")
        return fill(frame, d=many), rows.count(), f"allcount:{kind}:{frame}"
    if kind == "state" and rng.random() < 0.5:
        attr = weighted(rng, ATTRS["state"])
        noun = say(rng, attr.noun)
        frame = wording(rng, LIST + " [the|all the|] {a} of [all|the|each|every|] {d}")
        return fill(frame, a=noun, d=many), Rows(attr.table or kind, "state_name").select(attr.column), f"allattr:{attr.tag}:{frame}"
    frame = wording(rng, LIST + " [the|all|all the|]")
    return frame + " " + many, rows.select(outer=True), f"all:{kind}:{frame}"


def best(rng: Random, depth: int) -> tuple[str, str, str]:
    """The first or last thing of a set."""
    if rng.random() < 0.22:
        return grouped(rng)
    kind = rng.choices(("state", "city", "river", "mountain", "lake"), (8, 7, 6, 4, 1))[0]
    if kind == "river" and rng.random() < 0.15:
        x = sets.widest(rng, rng.choice(("river", "river", "river", "road")))
        words = x.text.removeprefix("the ").split(" ", 1)
        frame = wording(rng, "[what is|name|tell me|give me|] the {n} {v}") if rng.random() < 0.5 else wording(rng, WH + " {n} {v}")
        verb = words[1].removeprefix("that ").removeprefix("which ") if frame[:2] != "th" and " the " not in frame else words[1]
        return fill(frame, n=words[0], v=verb), x.rows.select(), f"widest:{frame}"
    mods: list[Mod] = []
    if rng.random() < (0.36 if kind == "state" else 0.85):
        mods = [sets.modifier(rng, kind, depth)] if kind == "state" or rng.random() < 0.17 else [m.located(kind, sets.place(rng, depth))]
    if not mods and rng.random() < 0.6:
        mods = [m.country(rng, kind)]
    if kind == "city" and rng.random() < 0.05:
        mods.append(m.major(kind))
    measure, rows = sets.ranked(rng, kind, mods)
    frame, question = best_words(rng, kind, measure, mods)
    return question, rows.select(outer=True), f"best:{kind}:{measure.tag}{measure.best}:{'+'.join(mod.tag for mod in mods)}:{frame}"


def best_words(rng: Random, kind: str, measure: sets.Measure, mods: list[Mod]) -> tuple[str, str]:
    """A wording that asks for the first or last of a set."""
    noun, draw = say(rng, SINGULAR[kind]), rng.random()
    bases = [mod.word(rng, mod.post, False) for mod in mods]
    base = " ".join(bases)
    if draw < 0.30:
        verb = Mod("", "", "").word(rng, measure.vp, False)
        frame = wording(rng, "[{w} {n} {b} {v}|{w} {n} {b} {v}|{w} {n} {v} {b}|{w} {n} {v} {b}|of [all|] the {ns} {b} which [one|] {v}|[in the us|] {w} {n} {b} {v}"
                        "|tell me {w} {n} {b} {v}|which of the {ns} {b} {v}|among the {ns} {b} {w} {v}|{w} is the {n} {b} that {v}|{w} one of the {ns} {b} {v}]")
        return frame, fill(frame, w=say(rng, WH), n=noun, ns=say(rng, PLURAL[kind]), b=base, v=verb)
    owner = next((mod.owner for mod in mods if mod.owner and mod.tag != "us"), "")
    if owner and len(mods) == 1 and measure.adj and draw < 0.42:
        frame = wording(rng, "[" + GIVE + " {x} 's {adj} {n}|{x} 's {adj} {n}|{w} is {x} 's {adj} {n}|{x} {adj} {n}|{w} is the {adj} {x} {n}"
                        "|in {x} {w} is the {adj} {n}|for {x} {w} {n} is the {adj}|{adj} {n} {x}|what does {x} have as its {adj} {n}]")
        return frame, fill(frame, x=owner, adj=say(rng, measure.adj).split(" by ")[0], n=noun, w=say(rng, WH))
    if draw < 0.5 and measure.adj and rng.random() < 0.25:
        frame = wording(rng, "[{w} is the name of the {adj} {n} {b}|give the name of the {adj} {n} {b}|the {adj} of the {ns} {b}|{w} is the {adj} of the {ns} {b}]")
        return frame, fill(frame, adj=say(rng, measure.adj), n=noun, b=base, w=say(rng, WH), ns=say(rng, PLURAL[kind]))
    frame = wording(rng, "[" + GIVE + " the|" + GIVE + " the|which is the|what is the name of the|name the|tell me the name of the|do you know the|]")
    return frame, frame + " " + sets.superlative(rng, kind, measure, mods)


def grouped(rng: Random) -> tuple[str, str, str]:
    """The state with most or fewest things."""
    tag, words, rows, verb = sets.grouped(rng)
    amount = wording(rng, words)
    single, many = sets.VERBS[verb][1], sets.VERBS[verb][0]
    link = "bordering" if verb != "{has}" else "with"
    frame = wording(rng, "[{w} {n} {s} {a}|{w} {n} {s} {a}|" + GIVE + " the {n} [that {s}|which {s}|{l}] {a}|which of the states {s} {a}"
                    "|in which state are there {a}|{w} {n} is the one {l} {a}|{n} {l} {a}|name the {n} {l} {a}|{w} is the {n} {l} {a}]")
    if "are there" in frame and verb != "{has}":
        frame = "{w} {n} {s} {a}"
    text = fill(frame, w=say(rng, WH), n=say(rng, "[state|state|us state]"), s=single, a=amount, l=link)
    del many
    if "rivers" in amount and rng.random() < 0.2:
        text += say(rng, " [running through it|flowing through it|running through them|in it]")
    if verb != "{has}" and rng.random() < 0.2:
        text = say(rng, "[which state|what state|state that] has {a}", a=amount.replace("states", "neighbors").replace("other ", ""))
    return text, rows.select(), f"grouped:{tag}:{frame}"


def ranked(rng: Random, depth: int) -> tuple[str, str, str]:
    """The first few, the second, or all in order."""
    kind = rng.choice(("state", "city", "river", "mountain"))
    mods = [] if kind == "state" or rng.random() < 0.4 else [m.located(kind, named(rng, "state"))]
    measure = sets.measure(rng, kind)
    if measure.table != kind:
        measure = sets.MEASURES[kind][0][1]
    rows = sets.rows_of(kind, mods)
    order = "DESC" if measure.best == "MAX" else "ASC"
    amount = rng.randint(2, 10)
    word = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")[amount]
    base = " ".join(mod.word(rng, mod.post) for mod in mods)
    adj = say(rng, measure.adj).split(" by ")[0]
    if rng.random() < 0.5:
        rank = rng.randint(2, 5)
        nth = say(rng, ("", "", "[second|2nd]", "[third|3rd]", "[fourth|4th]", "[fifth|5th]")[rank])
        frame = wording(rng, "[" + GIVE + " the {k} {adj} {n} {b}|{w} {n} {b} is the {k} {adj}|{k} {adj} {n} {b}]")
        question = fill(frame, w=say(rng, WH), k=nth, adj=adj, n=say(rng, SINGULAR[kind]), b=base)
        tail = f" ORDER BY {measure.column} {order} LIMIT 1 OFFSET {rank - 1}"
    else:
        frame = wording(rng, "[" + LIST + " the [top|] {k} {adj} {ns} {b}|the {k} {adj} {ns} {b}|{w} are the {k} {adj} {ns} {b}]")
        question = fill(frame, w=say(rng, WH), k=rng.choice((word, str(amount))), adj=adj, ns=say(rng, PLURAL[kind]), b=base)
        tail = f" ORDER BY {measure.column} {order} LIMIT {amount}"
    if kind == "river":
        return question, f"SELECT river_name FROM river{_where(rows)} GROUP BY river_name{tail}", f"ranked:{kind}:{frame}"
    return question, rows.select() + tail, f"ranked:{kind}:{frame}"


def _where(rows: Rows) -> str:
    return f" WHERE {' AND '.join(rows.where)}" if rows.where else ""


def aggregate(rng: Random, depth: int) -> tuple[str, str, str]:
    """An average or a sum over a set."""
    tag, function, kinds, column, patterns = rng.choice(AGGREGATES)
    kind = rng.choice(kinds)
    draw = rng.random()
    if kind == "state" and draw < 0.35:
        text = say(rng, "[us states|all states|the states|all us states|the us states|states in the us|the states in the usa|every state|states|each state]")
        mods: list[Mod] = []
        if function == "SUM":
            text = say(rng, COUNTRY + "|all states|all the states|all us states|the 50 states|every state".join(("[", "]")))
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
        x = Set(kind, say(rng, "[{c}|{c} [by|per] state|a state|a us state|one state|a typical state]", c=say(rng, COUNTRY)), True, rows)
    frame = wording(rng, patterns)
    if function == "SUM" and column == "area" and not mods and rng.random() < 0.15:
        frame = "how many square miles are there in {x}"
    elif function == "SUM" and not mods and rng.random() < 0.5:
        frame = wording(rng, {"population": "[what is the population of {x}|how many people live in {x}|population of {x}|how many people are there in {x}"
                              "|how many inhabitants does {x} have|how many citizens in {x}|how many residents live in {x}]",
                              "area": "[what is the area of {x}|how big is {x}|how large is {x}|area of {x}|what is the size of {x}]"}[column])
    rows = x.over(kind)
    return fill(frame, x=x.text), rows.select(f"{function}({column})"), f"agg:{tag}:{kind}:{'+'.join(mod.tag for mod in mods)}:{frame}"


def extreme_value(rng: Random, depth: int) -> tuple[str, str, str]:
    """The largest or smallest value of a property over a set."""
    kind, column, word = rng.choice((("state", "population", "population"), ("state", "area", "area"), ("state", "density", "population density"),
                                     ("city", "population", "population"), ("river", "length", "length"), ("mountain", "mountain_altitude", "altitude")))
    best = rng.choice(("MAX", "MAX", "MIN"))
    mods = ([] if rng.random() < 0.5 else [m.border(named(rng, "state"))]) if kind == "state" else [m.located(kind, sets.place(rng, min(depth, 1)))]
    text = sets.described(rng, kind, mods, rng.random() < 0.4)
    frame = wording(rng, "[what is the {b} {a} [of|among|for] [any|a|the|] {d}|{b} {a} of [any|a|] {d}|give me the {b} {a} of [any|a] {d}]")
    big = say(rng, "[largest|highest|maximum|greatest|biggest]" if best == "MAX" else "[smallest|lowest|minimum|least]")
    rows = Set(kind, "", True, sets.rows_of(kind, mods)).over(kind)
    return fill(frame, b=big, a=word, d=text), rows.select(f"{best}({column})"), f"extval:{column}:{frame}"


def country_point(rng: Random, depth: int) -> tuple[str, str, str]:
    """The highest or lowest point, or elevation, of the country or of a set of states, and the state that has it."""
    side = rng.choice(("highest", "highest", "lowest"))
    best = "MAX" if side == "highest" else "MIN"
    where, x = "", say(rng, COUNTRY)
    rows = Rows("highlow", "state_name")
    if rng.random() < 0.35:
        over = sets.some(rng, "state", depth)
        rows, x = over.over("highlow"), over.text
    rows = extreme(f"{side}_elevation", best, rows)
    column = rng.choice((f"{side}_point", f"{side}_point", f"{side}_elevation", "state_name"))
    prep = rng.choice(("in", "in", "of", "within"))
    tail = f" {prep} {x}" if x and rng.random() < 0.85 or where else ""
    if rows.where[1:]:
        tail = f" {prep} {x}"
    if column.endswith("_point"):
        frame = wording(rng, "[" + GIVE + " the {s} [point|point|point|spot|place|location]{t}|what point{t} is the {s}|where is the {s} [point|spot|place]{t}"
                        "|which is the {s} point{t}|{s} point{t}|which [place|spot] is the {s}{t}]")
    elif column.endswith("elevation"):
        frame = wording(rng, "[" + GIVE + " the {s} [elevation|altitude]{t}|how [high|tall|low] is the {s} point{t}|what is the elevation of the {s} point{t}"
                        "|what is the [height|altitude|elevation] of the {s} [point|spot]{t}|" + ("max" if best == "MAX" else "min") + "imum elevation{t}]")
    else:
        frame = wording(rng, "[what|which] state [contains|has|is home to|includes] the {s} [point|elevation|spot]{t}") if rng.random() < 0.6 else wording(
            rng, "[in [which|what] state is the {s} point{t}|name the state with the {s} [point|elevation]{t}|what state is the {s} point{t} in]")
    return fill(frame, s=side, t=tail), rows.select(column), f"point:{side}:{column}:{frame}"


def names_in(rng: Random, depth: int) -> tuple[str, str, str]:
    """Things with a name: how many there are, or in which states."""
    kind = rng.choice(("city", "city", "city", "river", "mountain", "lake"))
    x = named(rng, kind).name or "springfield"
    rows = Rows(kind, KEY[kind], (f"{KEY[kind]} = '{x}'",))
    nouns, called = say(rng, PLURAL[kind]), say(rng, "[named|called|with the name|by the name of|that are called|that are named]")
    inside = say(rng, "[in|in|within] " + COUNTRY) if rng.random() < 0.5 else ""
    if rng.random() < 0.5:
        frame = wording(rng, "[how many {k} {c} {x} are there {i}|how many {k} {i} are {c} {x}|how many {k} {c} {x} {i}|how many {k} {i} have the name {x}"
                        "|number of {k} {c} {x} {i}|how many times is {x} used as the name of a {o}|count the {k} {c} {x} {i}]")
        sql = rows.select(f"COUNT({KEY[kind]})") if kind != "river" else rows.select("COUNT(DISTINCT river_name)")
    else:
        frame = wording(rng, "[" + WH + " states have a {o} {c} {x}|which state has a {o} {c} {x}|in which states is there a {o} {c} {x}"
                        "|where is the {o} {c} {x}|states with a {o} {c} {x}|what states contain a {o} {c} {x}|name the states that have a {o} {c} {x}]")
        sql = rows.select(PLACE[kind], outer=True) if kind != "river" else f"SELECT DISTINCT traverse FROM river WHERE river_name = '{x}'"
    singular = say(rng, SINGULAR[kind])
    return fill(frame, k=nouns, c=called, x=x, i=inside, o=singular), sql, f"named:{kind}:{frame}"


def capitals(rng: Random, depth: int) -> tuple[str, str, str]:
    """Capitals as cities: the largest one, those that are (not) major, those of states in a set."""
    draw = rng.random()
    capital = "city_name IN (SELECT capital FROM state)"
    words = say(rng, "[capital|state capital|capital city]")
    if draw < 0.45:
        best, adj = rng.choice((("MAX", "[largest|biggest|most populous|most populated]"), ("MIN", "[smallest|least populous|tiniest]")))
        rows = extreme("population", best, Rows("city", "city_name", (capital,)))
        inside = say(rng, "[|in " + COUNTRY + "]")
        if rng.random() < 0.4:
            frame = wording(rng, "[what is the population of the {a} {k} {i}|how many people live in the {a} {k} {i}|how big is the {a} {k} {i}]")
            return fill(frame, a=say(rng, adj), k=words, i=inside), rows.select("population"), f"capbestpop:{frame}"
        frame = wording(rng, "[" + GIVE + " the {a} {k} {i}|which {k} is the {a} {i}|which {k} has the {p} population {i}|{a} {k} {i}]")
        big = "[largest|highest|biggest]" if best == "MAX" else "[smallest|lowest]"
        return fill(frame, a=say(rng, adj), k=words, i=inside, p=say(rng, big)), rows.select(), f"capbest:{frame}"
    if draw < 0.62:
        no = rng.random() < 0.5
        frame = wording(rng, "[which|what] {k} {v}" if rng.random() < 0.6 else LIST + " the {k} that {v}")
        verb = say(rng, "[are not major cities|are not major]" if no else "[are major cities|are major|are also major cities]")
        sql = f"SELECT capital FROM state WHERE capital {'NOT ' if no else ''}IN (SELECT city_name FROM city WHERE population > 150000)"
        return fill(frame, k=words.replace("city", "citie") + "s", v=verb), sql, f"capmajor:{no}:{frame}"
    if draw < 0.8:
        mod = m.sized(rng, "city")
        frame = wording(rng, "[which|what|name the|list the|how many] {k}")
        rows = Rows("city", "city_name", (mod.cond, capital))
        text = fill(frame, k=words.replace("city", "citie") + "s") + " " + mod.word(rng, mod.vp if frame in ("which {k}", "what {k}", "how many {k}") else mod.post)
        return text, rows.count() if frame.startswith("how") else rows.select(), f"capsized:{mod.tag}:{frame}"
    x = sets.some(rng, "state", depth)
    frame = wording(rng, LIST + " the [capitals|capital cities|capitals|capital] [of|of|in] {x}")
    return fill(frame, x=x.text), x.over("state").select("capital"), f"caps:{x.tag}:{frame}"


def chosen(rng: Random, depth: int) -> tuple[str, str, str]:
    """Which of two is more, and sets that meet two conditions of one sort."""
    if rng.random() < 0.45:
        kind = rng.choice(("state", "state", "city", "river", "mountain"))
        one, two = named(rng, kind), named(rng, kind)
        if not (one.name and two.name):
            return best(rng, depth)
        column, words, sort = rng.choice({
            "state": (("area", "[larger|bigger]", "MAX"), ("area", "smaller", "MIN"), ("population", "more populous", "MAX"), ("density", "denser", "MAX")),
            "city": (("population", "[larger|bigger|more populous]", "MAX"), ("population", "smaller", "MIN")),
            "river": (("length", "longer", "MAX"), ("length", "shorter", "MIN")), "mountain": (("mountain_altitude", "[higher|taller]", "MAX"),)}[kind])
        frame = wording(rng, "[which is {c} {x} or {y}|is {x} or {y} {c}|which [state|one|city|of the two|] is {c} {x} or {y}|what is {c} {x} or {y}]".replace(
            "[state|one|city|of the two|]", {"state": "state", "city": "city", "river": "river", "mountain": "mountain"}[kind]))
        rows = extreme(column, sort, Rows(kind, KEY[kind], (f"{KEY[kind]} IN ('{one.name}', '{two.name}')",)))
        return fill(frame, c=say(rng, words), x=one.text, y=two.text), rows.select(outer=True), f"two:{kind}:{column}:{frame}"
    one, two = named(rng, "state"), named(rng, "state")
    both = rng.random() < 0.55
    kind = rng.choice(("state", "state", "river", "river", "city"))
    x = say(rng, "[both|] {x} and {y}" if both else "[either|] {x} or {y}", x=one.text, y=two.text)
    if kind == "state":
        a, b = (f"state_name IN (SELECT border FROM border_info WHERE state_name = '{s.name}')" for s in (one, two))
        mod = m.border(Set("state", x, False, Rows("state", "state_name"), ""))
        sql = Rows(kind, KEY[kind], (a, b)).select() if both else f"SELECT DISTINCT border FROM border_info WHERE state_name IN ('{one.name}', '{two.name}')"
    elif kind == "river":
        a, b = (f"river_name IN (SELECT river_name FROM river WHERE traverse = '{s.name}')" for s in (one, two))
        mod = m.located(kind, Set("state", x, False, Rows("state", "state_name"), ""))
        sql = Rows(kind, KEY[kind], (a, b)).select(outer=True) if both else f"SELECT DISTINCT river_name FROM river WHERE traverse IN ('{one.name}', '{two.name}')"
    else:
        x = f"{one.text} {rng.choice(('and', 'or'))} {two.text}"
        mod = m.located(kind, Set("state", x, False, Rows("state", "state_name"), ""))
        sql = f"SELECT city_name FROM city WHERE state_name IN ('{one.name}', '{two.name}')"
    frame, question = list_words(rng, kind, [mod])
    return question, sql, f"both:{both}:{kind}:{frame}"


def relation(rng: Random, depth: int) -> tuple[str, str, str]:
    """Counts of what a thing has: states of a river, rivers or cities of a first state, neighbours."""
    if rng.random() < 0.5:
        river = sets.thing(rng, "river", max(depth, 1))
        mod = m.crossed(river)
        run = "[run through|flow through|traverse|cross|pass through|go through|touch|flow in|run in]"
        frame = wording(rng, f"[how many [different|] states does {{x}} {run}|through how many states does {{x}} [flow|run|pass]|how many states {{x}} {run}"
                        "|number of states [that|] {x} runs through|how many states have {x}|how many states is {x} in|{x} runs through how many states"
                        "|how many states are crossed by {x}]")
        return fill(frame, x=river.text), mod.via.count(), f"rel:states:{river.tag}:{frame}"
    place = sets.place(rng, max(depth, 1))
    kind = rng.choice(("river", "city", "mountain", "lake", "border"))
    if kind == "border":
        mod = m.border(place)
        frame = wording(rng, "[how many [neighbors|neighboring states|bordering states|adjacent states] does {x} have|how many states does {x} border"
                        "|how many states border {x}|how many other states touch {x}|with how many states does {x} share a border|number of states bordering {x}|[what is|give me|] the number of [neighboring|bordering|adjacent] states [for|of|to] {x}|the number of neighbors of {x}"
                        "|how many states are next to {x}|how many borders does {x} have|how many states surround {x}|{x} borders how many states]")
        return fill(frame, x=place.text), mod.via.count(), f"rel:border:{place.tag}:{frame}"
    mods = [m.located(kind, place)] + ([m.major(kind)] if kind in ("city", "river") and rng.random() < 0.35 else [])
    noun = " ".join(["major" if len(mods) > 1 else "", say(rng, PLURAL[kind])]).strip()
    frame = wording(rng, "[how many {n} does {x} have|how many {n} are in {x}|how many {n} are there in {x}|how many {n} in {x}|{x} has how many {n}|number of {n} in {x}"
                    "|what is the number of {n} in {x}]")
    return fill(frame, n=noun, x=place.text), sets.rows_of(kind, mods).count(), f"rel:{kind}:{place.tag}:{frame}"


def per_group(rng: Random, depth: int) -> tuple[str, str, str]:
    """A number for each state."""
    each = say(rng, "[for each state|per state|in each state|for every state|in every state|by state|of each state]")
    kind = rng.choice(("city", "river", "mountain", "lake", "road"))
    key = PLACE[kind]
    if rng.random() < 0.6:
        what = f"COUNT(DISTINCT {KEY[kind]})" if kind in ("river", "road") else f"COUNT({KEY[kind]})"
        major = kind in ("city", "river") and rng.random() < 0.15
        frame = wording(rng, "[how many {n} are there {e}|number of {n} {e}|how many {n} {e}|count the {n} {e}|give me the number of {n} {e}"
                        "|{e} how many {n} are there|what is the number of {n} {e}|{e} give the number of {n}|how many {n} does each state have"
                        "|how many {n} does every state have]")
        noun = ("major " if major else "") + say(rng, PLURAL[kind])
        clause = f" WHERE {m.MAJOR[kind]}" if major else ""
        return fill(frame, n=noun, e=each), f"SELECT {key}, {what} FROM {kind}{clause} GROUP BY {key}", f"per:{kind}:{frame}"
    column, noun = {"city": ("population", "city population"), "river": ("length", "river length"), "lake": ("area", "lake area"),
                    "mountain": ("mountain_altitude", "mountain [height|altitude]"), "road": ("", "")}[kind]
    if not column:
        return per_group(rng, depth)
    function, words = rng.choice((("AVG", "[average|mean]"), ("MAX", "[largest|maximum|highest]"), ("SUM", "[total|combined]"), ("MIN", "[smallest|minimum]")))
    frame = wording(rng, "[what is the {f} {n} {e}|{f} {n} {e}|give me the {f} {n} {e}|{e} what is the {f} {n}|show the {f} {n} {e}]")
    if kind == "city" and function == "MAX" and rng.random() < 0.6:
        frame = wording(rng, "[{e} what is the population of [its|the] [largest|biggest] city|population of the [largest|biggest] city {e}"
                        "|how many people live in the [largest|biggest] city of each state]")
    return fill(frame, f=say(rng, words), n=say(rng, noun), e=each), f"SELECT {key}, {function}({column}) FROM {kind} GROUP BY {key}", f"pernum:{kind}:{frame}"


def owner_of(rng: Random, depth: int) -> tuple[str, str, str]:
    """The state that a capital or a highest or lowest point belongs to."""
    if rng.random() < 0.5:
        mod, noun = m.capital(rng), "[capital|capital|capital city|seat of government]"
    else:
        mod = m.pointed(rng)
        side = "high" if "highest" in mod.via.where[0] else "low"
        noun = f"[{side}est point|{side}est point|{side} point]"
    frame = wording(rng, f"[{{x}} is the {noun} of [what|which] state|[what|which] state is {{x}} the {noun} of|[what|which] state has {{x}} as its {noun}"
                    f"|[what|which] state 's {noun} is {{x}}|whose {noun} is {{x}}|of [what|which] state is {{x}} the {noun}|{{x}} is {noun} of"
                    f"|in [what|which] state is {{x}} the {noun}|name the state whose {noun} is {{x}}|[what|which] state has the {noun} {{x}}"
                    f"|where is {{x}} the {noun}|state with {noun} {{x}}|[what|which] [state|states] {{has}} {{x}} as [its|their|the] {noun}]")
    frame = frame.replace("{has}", "have" if "states" in frame else "has")
    return fill(frame, x=mod.x), sets.rows_of("state", [mod]).select(outer=True), f"owner:{mod.tag}:{frame}"


def others(rng: Random, depth: int) -> tuple[str, str, str]:
    """The other things in the state of one."""
    kind = rng.choice(("city", "city", "mountain", "lake", "river"))
    x = named(rng, "city" if kind == "river" else kind, plain=kind in ("mountain", "lake"))
    place = Set("state", "", False, Rows(x.kind, "state_name", x.rows.where))
    rows = Rows(kind, KEY[kind], (place.match(PLACE[kind]),))
    other = kind != "river" and x.name and rng.random() < 0.6
    if other:
        rows = rows.extended(f"{KEY[kind]} != '{x.name}'")
    frame = wording(rng, "[" + LIST + " [the|] {o} {n} in the same state as {x}|what {o} {n} are in the same state as {x}|{o} {n} in the state of {x}"
                    "|which {o} {n} share a state with {x}|{o} {n} in the same state as {x}]")
    return fill(frame, o="other" if other else "", n=say(rng, PLURAL[kind]), x=x.text), rows.select(outer=True), f"others:{kind}:{frame}"


ASKS = (
    (20, attribute), (17, attribute_of_set), (3, capital_city), (21, listing), (12, counting), (2.5, everything), (18, best), (1.5, ranked),
    (5, aggregate), (1, extreme_value), (4, country_point), (2.5, names_in), (2.5, capitals), (2.5, chosen), (4, relation), (1.5, per_group),
    (2.5, owner_of), (0.7, others),
)

"""Questions for the things of a set, and for their number."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

import modifiers as m
import sets
from attributes import ATTRS
from firsts import best
from frames import GIVE, HOWMANY, LIST, WH, WHICH, weighted
from nouns import COUNTRY, PLURAL, SINGULAR, Mod, Set, named
from phrases import fill, say, wording
from sqlparts import KEY, PLACE, Rows, extreme


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
        frame = (
            wording(rng, "[{w}|{w}|{w}|{w}|name the|tell me which] {p} {n}")
            if rng.random() < 0.85
            else wording(rng, "[in|through] {w} {p} {n}")
        )
        verb = lead.word(rng, lead.invert, many)
        return frame + lead.tag, fill(frame, w=say(rng, WH), p=pre, n=noun) + " " + verb + " " + post
    if lead.owner and draw < 0.16:
        frame = wording(
            rng,
            "[{w} {p} {n} does {x} have|{w} {p} {n} does {x} contain|{w} {p} {n} are there in {x}|{x} 's {p} {n}|{g} {x} 's {p} {n}"
            "|{w} {p} {n} has {x}|{x} has {w} {p} {n}|{p} {n} of {x}|{w} {p} {n} {x} has|{w} are {x} 's {p} {n}|in {x} {w} {p} {n} are there"
            "|{w} {p} {n} can you find in {x}|{w} {p} {n} could i visit in {x}|{w} {p} {n} exist in {x}|{w} {p} {n} can i find in {x}]",
        )
        return frame, fill(frame, w=say(rng, WH), p=pre, n=noun, x=lead.owner, g=say(rng, LIST)) + " " + post
    if lead.vp and draw < 0.62:
        frame = wording(rng, WHICH if many else WH) + " {p} {n}"
        if frame.startswith("which of the") and rng.random() < 0.5:
            frame = "of all the {p} {n} which"
            post = ""
            return frame, fill(frame, p=pre, n=noun) + " " + lead.word(rng, lead.vp, True) if len(
                mods
            ) == 1 else list_words(rng, kind, mods)[1]
        if rng.random() < 0.25 and post:
            return frame, fill(frame, p=pre, n=noun) + " " + post + " " + lead.word(rng, lead.vp, many)
        return frame, fill(frame, p=pre, n=noun) + " " + lead.word(rng, lead.vp, many) + " " + (
            rng.choice(("and ", "", "")) + post if post else ""
        )
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
    x = {"p": pre, "n": noun, "x": lead.owner}
    if lead.invert and draw < 0.35:
        frame = ask + " {p} {n} "
        question = fill(frame, **x) + lead.word(rng, lead.invert, True) + " " + post
    elif lead.owner and draw < 0.35:
        frame = wording(
            rng,
            "[{h} {p} {n} does {x} have|{h} {p} {n} are there in {x}|{h} {p} {n} are in {x}|{h} {p} {n} in {x}|{x} has {h} {p} {n}"
            "|the number of {x} {p} {n}|{h} {p} {n} does {x} contain|in {x} {h} {p} {n} are there|{h} {p} {n} has {x}"
            "|{h} {p} {n} can be found in {x}|{h} {p} {n} exist in {x}|count {x} 's {p} {n}]",
        )
        question = fill(frame, h=ask, **x) + " " + post
    elif lead.vp and draw < 0.68:
        frame = ask + " {p} {n} "
        question = fill(frame, **x) + lead.word(rng, lead.vp, True) + " " + post
    else:
        frame = wording(
            rng,
            "[{h} {d}|{h} {d} are there|{h} {d} exist|what is the number of {d}|number of {d}|count the {d}|give me the number of {d}"
            "|tell me the number of {d}|what's the total number of {d}|the count of {d}|what is the count of {d}|{h} of the {d}"
            "|the total number of {d}|count all the {d}|count {d}|i want to know the number of {d}|find the number of {d}]",
        )
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
        frame = wording(
            rng,
            "[how many {d} are there|how many {d}|number of {d}|what is the number of {d}|count the {d}|how many {d} exist"
            "|what is the total number of {d}|give me the number of {d}|count {d}]",
        )
        return fill(frame, d=many), rows.count(), f"allcount:{kind}:{frame}"
    if kind == "state" and rng.random() < 0.5:
        attr = weighted(rng, ATTRS["state"])
        noun = say(rng, attr.noun)
        frame = wording(rng, LIST + " [the|all the|] {a} of [all|the|each|every|] {d}")
        return (
            fill(frame, a=noun, d=many),
            Rows(attr.table or kind, "state_name").select(attr.column),
            f"allattr:{attr.tag}:{frame}",
        )
    frame = wording(rng, LIST + " [the|all|all the|]")
    return frame + " " + many, rows.select(outer=True), f"all:{kind}:{frame}"


def names_in(rng: Random, depth: int) -> tuple[str, str, str]:
    """Things with a name: how many there are, or in which states."""
    kind = rng.choice(("city", "city", "city", "river", "mountain", "lake"))
    x = named(rng, kind).name or "springfield"
    rows = Rows(kind, KEY[kind], (f"{KEY[kind]} = '{x}'",))
    nouns, called = (
        say(rng, PLURAL[kind]),
        say(rng, "[named|called|with the name|by the name of|that are called|that are named]"),
    )
    inside = say(rng, "[in|in|within] " + COUNTRY) if rng.random() < 0.5 else ""
    if rng.random() < 0.12:
        frame = wording(
            rng,
            "[in how many states is there a {o} {c} {x}|how many states have a {o} {c} {x}|in how many states is {x}]",
        )
        sql = rows.select(f"COUNT({PLACE[kind]})")
    elif rng.random() < 0.5:
        frame = wording(
            rng,
            "[how many {k} {c} {x} are there {i}|how many {k} {i} are {c} {x}|how many {k} {c} {x} {i}|how many {k} {i} have the name {x}"
            "|number of {k} {c} {x} {i}|how many times is {x} used as the name of a {o}|count the {k} {c} {x} {i}]",
        )
        sql = rows.select(f"COUNT({KEY[kind]})") if kind != "river" else rows.select("COUNT(DISTINCT river_name)")
    else:
        frame = wording(
            rng,
            "[" + WH + " states have a {o} {c} {x}|which state has a {o} {c} {x}|in which states is there a {o} {c} {x}"
            "|where is the {o} {c} {x}|states with a {o} {c} {x}|what states contain a {o} {c} {x}|name the states that have a {o} {c} {x}]",
        )
        sql = (
            rows.select(PLACE[kind], outer=True)
            if kind != "river"
            else f"SELECT DISTINCT traverse FROM river WHERE river_name = '{x}'"
        )
    singular = say(rng, SINGULAR[kind])
    return fill(frame, k=nouns, c=called, x=x, i=inside, o=singular), sql, f"named:{kind}:{frame}"


def chosen(rng: Random, depth: int) -> tuple[str, str, str]:
    """Which of two is more, and sets that meet two conditions of one sort."""
    if rng.random() < 0.45:
        kind = rng.choice(("state", "state", "city", "river", "mountain"))
        one, two = named(rng, kind), named(rng, kind)
        if not (one.name and two.name):
            return best(rng, depth)
        column, words, sort = rng.choice(
            {
                "state": (
                    ("area", "[larger|bigger]", "MAX"),
                    ("area", "smaller", "MIN"),
                    ("population", "more populous", "MAX"),
                    ("density", "denser", "MAX"),
                ),
                "city": (("population", "[larger|bigger|more populous]", "MAX"), ("population", "smaller", "MIN")),
                "river": (("length", "longer", "MAX"), ("length", "shorter", "MIN")),
                "mountain": (("mountain_altitude", "[higher|taller]", "MAX"),),
            }[kind]
        )
        frame = wording(
            rng,
            "[which is {c} {x} or {y}|is {x} or {y} {c}|which [state|one|city|of the two|] is {c} {x} or {y}|what is {c} {x} or {y}]".replace(
                "[state|one|city|of the two|]",
                {"state": "state", "city": "city", "river": "river", "mountain": "mountain"}[kind],
            ),
        )
        rows = extreme(column, sort, Rows(kind, KEY[kind], (f"{KEY[kind]} IN ('{one.name}', '{two.name}')",)))
        return (
            fill(frame, c=say(rng, words), x=one.text, y=two.text),
            rows.select(outer=True),
            f"two:{kind}:{column}:{frame}",
        )
    one, two = named(rng, "state"), named(rng, "state")
    both = rng.random() < 0.55
    kind = rng.choice(("state", "state", "river", "river", "road", "city"))
    x = say(
        rng,
        "[both {x} and {y}|both {x} and {y}|{x} and {y}|{x} and also {y}|{x} as well as {y}]"
        if both
        else "[either|] {x} or {y}",
        x=one.text,
        y=two.text,
    )
    if kind == "state":
        mod = m.border(Set("state", x, False, Rows("state", "state_name"), ""))
        inner = f"SELECT border FROM border_info WHERE state_name = '{two.name}'"
        pair = (f"state_name = '{one.name}'", f"border IN ({inner})")
        sql = (
            Rows("border_info", "border", pair).select()
            if both
            else f"SELECT DISTINCT border FROM border_info WHERE state_name IN ('{one.name}', '{two.name}')"
        )
    elif kind in ("river", "road"):
        key, column = KEY[kind], PLACE[kind]
        pair = (f"{column} = '{one.name}'", f"{key} IN (SELECT {key} FROM {kind} WHERE {column} = '{two.name}')")
        mod = m.located(kind, Set("state", x, False, Rows("state", "state_name"), ""))
        either = f"SELECT DISTINCT {key} FROM {kind} WHERE {column} IN ('{one.name}', '{two.name}')"
        sql = Rows(kind, key, pair).select(outer=True) if both else either
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
        frame = wording(
            rng,
            f"[how many [different|] states does {{x}} {run}|through how many states does {{x}} [flow|run|pass]|how many states {{x}} {run}"
            "|number of states [that|] {x} runs through|how many states have {x}|how many states is {x} in|{x} runs through how many states"
            "|how many states are crossed by {x}]",
        )
        return fill(frame, x=river.text), mod.via.count(), f"rel:states:{river.tag}:{frame}"
    place = sets.place(rng, max(depth, 1))
    kind = rng.choice(("river", "city", "mountain", "lake", "border"))
    if kind == "border":
        mod = m.border(place)
        frame = wording(
            rng,
            "[how many [neighbors|neighboring states|bordering states|adjacent states] does {x} have|how many states does {x} border"
            "|how many states border {x}|how many other states touch {x}|with how many states does {x} share a border|number of states bordering {x}|[what is|give me|] the number of [neighboring|bordering|adjacent] states [for|of|to] {x}|the number of neighbors of {x}"
            "|how many states are next to {x}|how many borders does {x} have|how many states surround {x}|{x} borders how many states]",
        )
        return fill(frame, x=place.text), mod.via.count(), f"rel:border:{place.tag}:{frame}"
    mods = [m.located(kind, place)] + ([m.major(kind)] if kind in ("city", "river") and rng.random() < 0.35 else [])
    noun = " ".join(["major" if len(mods) > 1 else "", say(rng, PLURAL[kind])]).strip()
    frame = wording(
        rng,
        "[how many {n} does {x} have|how many {n} are in {x}|how many {n} are there in {x}|how many {n} in {x}|{x} has how many {n}|number of {n} in {x}"
        "|what is the number of {n} in {x}]",
    )
    return fill(frame, n=noun, x=place.text), sets.rows_of(kind, mods).count(), f"rel:{kind}:{place.tag}:{frame}"


def others(rng: Random, depth: int) -> tuple[str, str, str]:
    """The other things in the state of one."""
    kind = rng.choice(("city", "city", "mountain", "lake", "river"))
    x = named(rng, "city" if kind == "river" else kind, plain=kind in ("mountain", "lake"))
    place = Set("state", "", False, Rows(x.kind, "state_name", x.rows.where))
    rows = Rows(kind, KEY[kind], (place.match(PLACE[kind]),))
    other = kind != "river" and x.name and rng.random() < 0.6
    if other:
        rows = rows.extended(f"{KEY[kind]} != '{x.name}'")
    frame = wording(
        rng,
        "["
        + LIST
        + " [the|] {o} {n} in the same state as {x}|what {o} {n} are in the same state as {x}|{o} {n} in the state of {x}"
        "|which {o} {n} share a state with {x}|{o} {n} in the same state as {x}]",
    )
    return (
        fill(frame, o="other" if other else "", n=say(rng, PLURAL[kind]), x=x.text),
        rows.select(outer=True),
        f"others:{kind}:{frame}",
    )


def owner_of(rng: Random, depth: int) -> tuple[str, str, str]:
    """The state that a capital or a highest or lowest point belongs to."""
    if rng.random() < 0.5:
        mod, noun = m.capital(rng), "[capital|capital|capital city|seat of government]"
    else:
        mod = m.pointed(rng)
        side = "high" if "highest" in mod.via.where[0] else "low"
        noun = f"[{side}est point|{side}est point|{side} point]"
    frame = wording(
        rng,
        f"[{{x}} is the {noun} of [what|which] state|[what|which] state is {{x}} the {noun} of|[what|which] state has {{x}} as its {noun}"
        f"|[what|which] state 's {noun} is {{x}}|whose {noun} is {{x}}|of [what|which] state is {{x}} the {noun}|{{x}} is {noun} of"
        f"|in [what|which] state is {{x}} the {noun}|name the state whose {noun} is {{x}}|[what|which] state has the {noun} {{x}}"
        f"|where is {{x}} the {noun}|state with {noun} {{x}}|[what|which] [state|states] {{has}} {{x}} as [its|their|the] {noun}]",
    )
    frame = frame.replace("{has}", "have" if "states" in frame else "has")
    return fill(frame, x=mod.x), sets.rows_of("state", [mod]).select(outer=True), f"owner:{mod.tag}:{frame}"

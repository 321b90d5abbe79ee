"""Compound noun phrases: places, modified sets, superlatives."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

import modifiers as m
import sizes
from measures import FEWEST, GROUPS, MOST, VERBS, Measure, measure, than
from nouns import PLURAL, SINGULAR, Mod, Set, named
from phrases import say
from sqlparts import KEY, Rows, extreme, most


def place(rng: Random, depth: int) -> Set:
    """A state or set of states that things can be in."""
    if depth <= 0 or rng.random() < 0.6:
        return named(rng, "state")
    draw = rng.random()
    if draw < 0.07:
        return some(rng, "state", 0, mods=[m.capital(rng)], many=False)
    if draw < 0.45:
        return first(rng, "state", depth - 1)
    if draw < 0.75:
        return some(rng, "state", depth - 1, mods=[m.border(place(rng, depth - 1))], many=rng.random() < 0.75)
    if draw < 0.85:
        return beside(rng)
    return some(rng, "state", depth - 1, many=rng.random() < 0.6)


def beside(rng: Random) -> Set:
    """The state that a named city, mountain or lake is in."""
    x = named(rng, rng.choice(("city", "city", "mountain", "lake")), plain=rng.random() < 0.5)
    text = say(
        rng,
        "[the state [where|in which] {x} [is|lies|is located|is found]|the same state as {x}|the state of {x}|the state that {x} is in"
        "|the state {x} is in|the state with {x}|the state containing {x}|the state that [contains|has] {x}|{x} 's state]",
        x=x.text,
    )
    return Set("state", text, False, m.contains(x).via or x.rows, tag="beside")


def thing(rng: Random, kind: str, depth: int) -> Set:
    """One thing: named, or a superlative."""
    if depth <= 0 or kind == "road" or rng.random() < 0.7:
        return named(rng, kind, plain=kind != "state")
    return first(rng, kind, depth - 1)


def modifier(rng: Random, kind: str, depth: int) -> Mod:
    """A random modifier of a kind."""
    draw = rng.random()
    if kind == "state":
        if draw < 0.30:
            return m.border(place(rng, depth))
        if draw < 0.46:
            return m.crossed(thing(rng, "river", depth) if rng.random() < 0.85 else flowing(rng))
        if draw < 0.56:
            return m.contains(thing(rng, rng.choice(("city", "city", "mountain", "lake", "road")), depth))
        if draw < 0.60:
            return m.contains(
                Set(
                    "city",
                    say(rng, "[major cities|a major city|at least one major city|any major cities]"),
                    True,
                    Rows("city", "city_name", ("population > 150000",)),
                    tag="major",
                )
            )
        if draw < 0.66:
            return m.capital(rng)
        if draw < 0.76:
            return sizes.sized(rng, kind)
        if draw < 0.83:
            return sizes.versus(rng, kind, thing(rng, kind, depth))
        if draw < 0.87:
            return m.counted(rng, rng.choice(("river", "city", "mountain", "lake", "border")))
        if draw < 0.90:
            return m.elevated(rng, place(rng, min(depth, 1)))
        if draw < 0.93:
            return m.pointed(rng)
        if draw < 0.945:
            return sizes.average(rng, kind)
        return negative(rng, depth)
    if kind == "road":
        if draw < 0.08:
            return m.crossing(rng, kind)
        return m.located(kind, place(rng, depth)) if draw < 0.9 else m.country(rng, kind)
    if draw < 0.66:
        return m.located(kind, place(rng, depth))
    if draw < 0.72:
        return m.country(rng, kind)
    if draw < 0.82:
        return sizes.sized(rng, kind)
    if draw < 0.91:
        return sizes.versus(rng, kind, thing(rng, kind, depth))
    if draw < 0.925:
        return sizes.average(rng, kind)
    if (draw < 0.95 and kind in ("river", "lake")) or (draw < 0.93 and kind == "city"):
        return m.crossing(rng, kind)
    if draw < 0.96 and kind == "city":
        return m.governing(rng)
    if draw < 0.965 and kind == "city":
        return m.namesake()
    return m.outside(kind, place(rng, min(depth, 1)))


def flowing(rng: Random) -> Set:
    """Some river or other: a major one, or one of a length."""
    if rng.random() < 0.55:
        words = say(
            rng,
            "[major rivers|a major river|at least one major river|any major river|major river|one or more major rivers]",
        )
        return Set("river", words, True, Rows("river", "river_name", ("length > 750",)), tag="major")
    return some(rng, "river", 0, mods=[sizes.sized(rng, "river")], many=rng.random() < 0.6)


def negative(rng: Random, depth: int) -> Mod:
    """A negated modifier of states."""
    draw = rng.random()
    if draw < 0.06:
        every = "[other states|any other state|any states|another state|any state]"
        return Mod(
            "-neighbors",
            "state_name NOT IN (SELECT state_name FROM border_info)",
            f"[with no neighbors|without neighbors|that border no [other states|other state|states]|that do not border {every}|bordering no other state]",
            f"[border{{s}} no [other states|other state|states]|{{do}} not border {every}|{{has}} no neighbors|{{has}} no bordering states]",
        )
    if draw < 0.4:
        return m.border(place(rng, min(depth, 1)), negated=True)
    if draw < 0.6:
        return m.crossed(named(rng, "river", plain=True), negated=True)
    kind = rng.choice(("river", "city", "city", "mountain", "lake"))
    if kind == "river":
        word = say(rng, "[rivers|river|a river|any rivers]")
        every = Set("river", word, True, Rows("river", "river_name"), tag="any")
        if rng.random() < 0.4:
            every = Set("river", "major rivers", True, Rows("river", "river_name", ("length > 750",)), tag="major")
        via = Rows("river", "traverse", every.rows.where)
        return Mod(
            "-hasriver",
            f"state_name NOT IN ({via.select()})",
            "[with no|without|that have no|with no|which have no|that do not have|lacking|not crossed by|not traversed by"
            "|that are not traversed by] {x}",
            "[{has} no|{do} not have|lack{s}|{do}n't have|contain{s} no|{is} not traversed by|{is} not crossed by] {x}",
            x=every.text,
        )
    if kind == "city":
        return m.contains(
            Set(kind, "major cities", True, Rows(kind, "city_name", ("population > 150000",)), tag="major"),
            negated=True,
        )
    return m.contains(
        Set(
            kind,
            say(
                rng,
                {
                    "mountain": "[mountains|any mountains|any mountain|mountain]",
                    "lake": "[lakes|any lakes|any lake|lake]",
                }[kind],
            ),
            True,
            Rows(kind, KEY[kind]),
            tag="any",
        ),
        negated=True,
    )


def modifiers(rng: Random, kind: str, depth: int) -> list[Mod]:
    """One modifier or two."""
    found = [modifier(rng, kind, depth)]
    if rng.random() < 0.14:
        other = modifier(rng, kind, 0)
        if other.tag != found[0].tag:
            found.append(other)
    if (
        kind in ("city", "river")
        and rng.random() < 0.13
        and not any(x.tag.startswith(("pop", "len", "vs")) for x in found)
    ):
        found.append(m.major(kind))
    return found


def rows_of(kind: str, mods: list[Mod]) -> Rows:
    """The rows that all modifiers leave."""
    real = [mod for mod in mods if mod.cond]
    if len(real) == 1 and real[0].via is not None:
        return real[0].via
    return Rows(kind, KEY[kind], tuple(mod.cond for mod in real))


def described(rng: Random, kind: str, mods: list[Mod], many: bool) -> str:
    """A noun with its modifiers, without article."""
    noun = say(rng, PLURAL[kind] if many else SINGULAR[kind])
    pre, post = [], []
    for mod in mods:
        if mod.heads and len(mods) == 1 and many and rng.random() < 0.10:
            return mod.word(rng, mod.heads)
        if mod.pre == "major" or (mod.pre and rng.random() < 0.06):
            pre.append(mod.pre)
        elif mod.vp and rng.random() < 0.22:
            post.append(rng.choice(("that", "that", "which")) + " " + mod.word(rng, mod.vp, many))
        else:
            post.append(mod.word(rng, mod.post, many))
    joint = " and " if rng.random() < 0.4 else " "
    return " ".join([*pre, noun, joint.join(post)]).strip()


def some(rng: Random, kind: str, depth: int, mods: list[Mod] | None = None, many: bool = True) -> Set:
    """A set of things of a kind with modifiers."""
    mods = modifiers(rng, kind, depth) if mods is None else mods
    article = say(rng, "[the|the|the|all|all the|each of the|]" if many else "[the|the|the|a|every|each]")
    return Set(
        kind,
        f"{article} {described(rng, kind, mods, many)}".strip(),
        many,
        rows_of(kind, mods),
        tag="(" + "+".join(mod.tag for mod in mods) + ")",
    )


def ranked(rng: Random, kind: str, mods: list[Mod]) -> tuple[Measure, Rows]:
    """A measure and the rows that come first by it."""
    best = measure(rng, kind)
    base = rows_of(kind, mods)
    if best.table != base.table or base.tail or base.key != ("state_name" if best.table == "highlow" else KEY[kind]):
        key = "state_name" if best.table == "highlow" else KEY[kind]
        where = () if not base.where and not base.tail else (base.member(key),)
        if (
            best.table == "highlow"
            and len(base.where) == 1
            and base.where[0].startswith("state_name IN")
            and not base.tail
        ):
            where = base.where
        base = Rows(best.table, key, where)
    return best, extreme(best.column, best.best, base)


def grouped(rng: Random, order: str = "") -> tuple[str, str, Rows, str]:
    """States ranked by how many things they have: tag, wording, rows, and the verb."""
    order = order or ("DESC" if rng.random() < 0.7 else "ASC")
    amount = say(rng, MOST if order == "DESC" else FEWEST)
    if rng.random() < 0.3:
        verb = say(rng, "[{border}|{border}|{neighbor}|{touch}|{share}]")
        rows = most("state_name", "border_info", order, counted="border")
        noun = "states" if "OTHERS" in amount else "[states|states|other states]"
        return "border" + order, than(amount, noun), rows, verb
    what = rng.choice(
        ("rivers", "rivers", "cities", "cities", "majorcities", "majorrivers", "mountains", "lakes", "roads")
    )
    table, group, where, noun, _ = GROUPS[what]
    return what + order, than(amount, noun), most(group, table, order, where, f"{table}_name"), "{has}"


def first(rng: Random, kind: str, depth: int) -> Set:
    """The first or last thing of a kind by some measure."""
    if kind == "state" and rng.random() < 0.16:
        tag, wording, rows, verb = grouped(rng)
        wording = say(rng, wording)
        link = "with" if verb == "{has}" else "bordering"
        text = say(
            rng,
            f"the [state|state|us state] [{link} {wording}|that {VERBS[verb][1]} {wording}|which {VERBS[verb][1]} {wording}]",
        )
        return Set(kind, text, False, rows, tag="first" + tag)
    if kind == "state" and rng.random() < 0.12:
        inner = first(rng, rng.choice(("river", "mountain", "city", "lake")), 0)
        mod = m.crossed(inner) if inner.kind == "river" else m.contains(inner)
        return some(rng, kind, 0, mods=[mod], many=inner.kind == "river")
    if kind == "river" and rng.random() < 0.12:
        return widest(rng)
    mods: list[Mod] = []
    if kind != "state" or rng.random() < 0.22:
        if kind == "state":
            mods = [m.border(place(rng, depth))] if rng.random() < 0.6 else [modifier(rng, kind, depth)]
        else:
            mods = [m.located(kind, place(rng, depth))] if rng.random() < 0.72 else [m.country(rng, kind)]
            if rng.random() < 0.1:
                mods = [] if rng.random() < 0.6 else [modifier(rng, kind, 0)]
    elif rng.random() < 0.3:
        mods = [m.country(rng, kind)]
    best, rows = ranked(rng, kind, mods)
    return Set(
        kind,
        "the " + superlative(rng, kind, best, mods),
        False,
        rows,
        tag=f"first{best.tag}{best.best}({'+'.join(mod.tag for mod in mods)})",
    )


def widest(rng: Random, kind: str = "river") -> Set:
    """The river or road that runs through most or fewest states."""
    order = "DESC" if rng.random() < 0.75 else "ASC"
    amount = say(rng, MOST if order == "DESC" else FEWEST)
    amount = say(rng, amount)
    amount = (
        f"{amount.split()[0]} states than [any other|the others|all others|any other one]"
        if "OTHERS" in amount
        else amount + " states"
    )
    noun = "[river|river|waterway]" if kind == "river" else "[road|highway|interstate]"
    text = say(
        rng,
        f"the {noun} [that|which] [runs through|flows through|traverses|crosses|passes through|goes through|is in|visits|touches]"
        f" {amount}"
        if rng.random() < 0.6
        else f"the {noun} [running through|flowing through|traversing|crossing|passing through] {amount}",
    )
    counted = "traverse" if kind == "river" else "state_name"
    return Set(kind, text, False, most(KEY[kind], kind, order, counted=counted), tag="widest" + order)


def superlative(rng: Random, kind: str, best: Measure, mods: list[Mod]) -> str:
    """A superlative noun phrase without article."""
    noun = say(rng, SINGULAR[kind])
    bases = [mod.word(rng, mod.post if rng.random() < 0.85 or not mod.vp else "that " + mod.vp, False) for mod in mods]
    base = " ".join(bases)
    owner = next((mod.owner for mod in mods if mod.owner), "")
    if best.adj and rng.random() < 0.8:
        adj = say(rng, best.adj)
        if " by " in adj:
            adj, tail = adj.split(" by ")
            return f"{adj} {noun} {base} by {tail}" if rng.random() < 0.5 else f"{adj} {noun} by {tail} {base}".strip()
        if owner and len(mods) == 1 and rng.random() < 0.08:
            return f"{adj} {owner} {noun}"
        return f"{adj} {noun} {base}".strip()
    post = say(rng, best.post)
    return f"{noun} {base} {post}".strip() if rng.random() < 0.6 else f"{noun} {post} {base}".strip()

"""Questions for the first or last of a set."""


# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

from random import Random

import modifiers as m
import sets
import sizes
from frames import GIVE, LIST, WH
from measures import MEASURES, VERBS, Measure
from measures import measure as one_measure
from nouns import COUNTRY, PLURAL, SINGULAR, Mod, named
from phrases import fill, say, wording
from sqlparts import Rows, extreme


def best(rng: Random, depth: int) -> tuple[str, str, str]:
    """The first or last thing of a set."""
    if rng.random() < 0.22:
        return grouped(rng)
    kind = rng.choices(("state", "city", "river", "mountain", "lake"), (8, 7, 6, 4, 1))[0]
    if kind == "river" and rng.random() < 0.15:
        x = sets.widest(rng, rng.choice(("river", "river", "river", "road")))
        words = x.text.removeprefix("the ").split(" ", 1)
        frame = (
            wording(rng, "[what is|name|tell me|give me|] the {n} {v}")
            if rng.random() < 0.5
            else wording(rng, WH + " {n} {v}")
        )
        verb = (
            words[1].removeprefix("that ").removeprefix("which ")
            if frame[:2] != "th" and " the " not in frame
            else words[1]
        )
        return fill(frame, n=words[0], v=verb), x.rows.select(), f"widest:{frame}"
    mods: list[Mod] = []
    if rng.random() < (0.36 if kind == "state" else 0.85):
        mods = (
            [sets.modifier(rng, kind, depth)]
            if kind == "state" or rng.random() < 0.17
            else [m.located(kind, sets.place(rng, depth))]
        )
    if not mods and rng.random() < 0.6:
        mods = [m.country(rng, kind)]
    if kind == "city" and rng.random() < 0.05:
        mods.append(m.major(kind))
    measure, rows = sets.ranked(rng, kind, mods)
    frame, question = best_words(rng, kind, measure, mods)
    return (
        question,
        rows.select(outer=True),
        f"best:{kind}:{measure.tag}{measure.best}:{'+'.join(mod.tag for mod in mods)}:{frame}",
    )


def best_words(rng: Random, kind: str, measure: Measure, mods: list[Mod]) -> tuple[str, str]:
    """A wording that asks for the first or last of a set."""
    noun, draw = say(rng, SINGULAR[kind]), rng.random()
    bases = [mod.word(rng, mod.post, False) for mod in mods]
    base = " ".join(bases)
    if draw < 0.30:
        verb = Mod("", "", "").word(rng, measure.vp, False)
        frame = wording(
            rng,
            "[{w} {n} {b} {v}|{w} {n} {b} {v}|{w} {n} {v} {b}|{w} {n} {v} {b}|of [all|] the {ns} {b} which [one|] {v}|[in the us|] {w} {n} {b} {v}"
            "|tell me {w} {n} {b} {v}|which of the {ns} {b} {v}|among the {ns} {b} {w} {v}|{w} is the {n} {b} that {v}|{w} one of the {ns} {b} {v}]",
        )
        return frame, fill(frame, w=say(rng, WH), n=noun, ns=say(rng, PLURAL[kind]), b=base, v=verb)
    owner = next((mod.owner for mod in mods if mod.owner and mod.tag != "us"), "")
    if owner and len(mods) == 1 and measure.adj and draw < 0.42:
        frame = wording(
            rng,
            "["
            + GIVE
            + " {x} 's {adj} {n}|{x} 's {adj} {n}|{w} is {x} 's {adj} {n}|{x} {adj} {n}|{w} is the {adj} {x} {n}"
            "|in {x} {w} is the {adj} {n}|for {x} {w} {n} is the {adj}|{adj} {n} {x}|what does {x} have as its {adj} {n}]",
        )
        return frame, fill(frame, x=owner, adj=say(rng, measure.adj).split(" by ")[0], n=noun, w=say(rng, WH))
    if draw < 0.5 and measure.adj and rng.random() < 0.25:
        frame = wording(
            rng,
            "[{w} is the name of the {adj} {n} {b}|give the name of the {adj} {n} {b}|the {adj} of the {ns} {b}|{w} is the {adj} of the {ns} {b}]",
        )
        return frame, fill(frame, adj=say(rng, measure.adj), n=noun, b=base, w=say(rng, WH), ns=say(rng, PLURAL[kind]))
    frame = wording(
        rng,
        "["
        + GIVE
        + " the|"
        + GIVE
        + " the|which is the|what is the name of the|name the|tell me the name of the|do you know the|]",
    )
    return frame, frame + " " + sets.superlative(rng, kind, measure, mods)


def grouped(rng: Random) -> tuple[str, str, str]:
    """The state with most or fewest things."""
    tag, words, rows, verb = sets.grouped(rng)
    amount = wording(rng, words)
    single, many = VERBS[verb][1], VERBS[verb][0]
    link = "bordering" if verb != "{has}" else "with"
    frame = wording(
        rng,
        "[{w} {n} {s} {a}|{w} {n} {s} {a}|" + GIVE + " the {n} [that {s}|which {s}|{l}] {a}|which of the states {s} {a}"
        "|in which state are there {a}|{w} {n} is the one {l} {a}|{n} {l} {a}|name the {n} {l} {a}|{w} is the {n} {l} {a}]",
    )
    if "are there" in frame and verb != "{has}":
        frame = "{w} {n} {s} {a}"
    text = fill(frame, w=say(rng, WH), n=say(rng, "[state|state|us state]"), s=single, a=amount, l=link)
    del many
    if "rivers" in amount and rng.random() < 0.2:
        text += say(rng, " [running through it|flowing through it|running through them|in it]")
    if verb != "{has}" and rng.random() < 0.2:
        text = say(
            rng,
            "[which state|what state|state that] has {a}",
            a=amount.replace("states", "neighbors").replace("other ", ""),
        )
    return text, rows.select(), f"grouped:{tag}:{frame}"


def ranked(rng: Random, depth: int) -> tuple[str, str, str]:
    """The first few, the second, or all in order."""
    kind = rng.choice(("state", "city", "river", "mountain"))
    mods = [] if kind == "state" or rng.random() < 0.4 else [m.located(kind, named(rng, "state"))]
    measure = one_measure(rng, kind)
    if measure.table != kind:
        measure = MEASURES[kind][0][1]
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
        frame = wording(
            rng, "[" + LIST + " the [top|] {k} {adj} {ns} {b}|the {k} {adj} {ns} {b}|{w} are the {k} {adj} {ns} {b}]"
        )
        question = fill(
            frame, w=say(rng, WH), k=rng.choice((word, str(amount))), adj=adj, ns=say(rng, PLURAL[kind]), b=base
        )
        tail = f" ORDER BY {measure.column} {order} LIMIT {amount}"
    if kind == "river":
        return (
            question,
            f"SELECT river_name FROM river{_where(rows)} GROUP BY river_name{tail}",
            f"ranked:{kind}:{frame}",
        )
    return question, rows.select() + tail, f"ranked:{kind}:{frame}"


def _where(rows: Rows) -> str:
    return f" WHERE {' AND '.join(rows.where)}" if rows.where else ""


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
    tail = f" {prep} {x}" if (x and rng.random() < 0.85) or where else ""
    if rows.where[1:]:
        tail = f" {prep} {x}"
    if column.endswith("_point"):
        frame = wording(
            rng,
            "["
            + GIVE
            + " the {s} [point|point|point|spot|place|location]{t}|what point{t} is the {s}|where is the {s} [point|spot|place]{t}"
            "|which is the {s} point{t}|{s} point{t}|which [place|spot] is the {s}{t}]",
        )
    elif column.endswith("elevation"):
        frame = wording(
            rng,
            "["
            + GIVE
            + " the {s} [elevation|altitude]{t}|how [high|tall|low] is the {s} point{t}|what is the elevation of the {s} point{t}"
            "|what is the [height|altitude|elevation] of the {s} [point|spot]{t}|"
            + ("max" if best == "MAX" else "min")
            + "imum elevation{t}]",
        )
    else:
        frame = (
            wording(rng, "[what|which] state [contains|has|is home to|includes] the {s} [point|elevation|spot]{t}")
            if rng.random() < 0.6
            else wording(
                rng,
                "[in [which|what] state is the {s} point{t}|name the state with the {s} [point|elevation]{t}|what state is the {s} point{t} in]",
            )
        )
    return fill(frame, s=side, t=tail), rows.select(column), f"point:{side}:{column}:{frame}"


def capitals(rng: Random, depth: int) -> tuple[str, str, str]:
    """Capitals as cities: the largest one, those that are (not) major, those of states in a set."""
    draw = rng.random()
    capital = "city_name IN (SELECT capital FROM state)"
    words = say(rng, "[capital|state capital|capital city]")
    if draw < 0.45:
        best, adj = rng.choice(
            (("MAX", "[largest|biggest|most populous|most populated]"), ("MIN", "[smallest|least populous|tiniest]"))
        )
        rows = extreme("population", best, Rows("city", "city_name", (capital,)))
        inside = say(rng, "[|in " + COUNTRY + "]")
        if rng.random() < 0.4:
            frame = wording(
                rng,
                "[what is the population of the {a} {k} {i}|how many people live in the {a} {k} {i}|how big is the {a} {k} {i}]",
            )
            return fill(frame, a=say(rng, adj), k=words, i=inside), rows.select("population"), f"capbestpop:{frame}"
        frame = wording(
            rng,
            "[" + GIVE + " the {a} {k} {i}|which {k} is the {a} {i}|which {k} has the {p} population {i}|{a} {k} {i}]",
        )
        big = "[largest|highest|biggest]" if best == "MAX" else "[smallest|lowest]"
        return fill(frame, a=say(rng, adj), k=words, i=inside, p=say(rng, big)), rows.select(), f"capbest:{frame}"
    if draw < 0.62:
        no = rng.random() < 0.5
        frame = wording(rng, "[which|what] {k} {v}" if rng.random() < 0.6 else LIST + " the {k} that {v}")
        verb = say(
            rng, "[are not major cities|are not major]" if no else "[are major cities|are major|are also major cities]"
        )
        sql = f"SELECT capital FROM state WHERE capital {'NOT ' if no else ''}IN (SELECT city_name FROM city WHERE population > 150000)"
        return fill(frame, k=words.replace("city", "citie") + "s", v=verb), sql, f"capmajor:{no}:{frame}"
    if draw < 0.8:
        mod = sizes.sized(rng, "city")
        frame = wording(rng, "[which|what|name the|list the|how many] {k}")
        rows = Rows("city", "city_name", (mod.cond, capital))
        text = (
            fill(frame, k=words.replace("city", "citie") + "s")
            + " "
            + mod.word(rng, mod.vp if frame in ("which {k}", "what {k}", "how many {k}") else mod.post)
        )
        return text, rows.count() if frame.startswith("how") else rows.select(), f"capsized:{mod.tag}:{frame}"
    x = sets.some(rng, "state", depth)
    frame = wording(rng, LIST + " the [capitals|capital cities|capitals|capital] [of|of|in] {x}")
    return fill(frame, x=x.text), x.over("state").select("capital"), f"caps:{x.tag}:{frame}"

"""Stories about amounts: a beginning, one or two things that happen, and a question, each in several wordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from solving import Operand, Problem, Ref, Step, in_code, in_loops, in_one, values

NAMES = (
    "Mara", "Tom", "Lena", "Omar", "Ines", "Paul", "Nadia", "Felix", "Ruth", "Hugo", "Clara", "Ivan", "Sara", "Leo",
    "Mina", "Jonas", "Vera", "Emil", "Dora", "Karim", "Olga", "Nils", "Ada", "Bruno", "Edith", "Samir", "Tess",
    "Victor", "Wanda", "Yusuf", "Zoe", "Alma", "Boris", "Carla", "Dario", "Elsa", "Finn", "Greta", "Henry", "Iris",
)  # fmt: skip
THINGS = (
    "pencils", "apples", "marbles", "stickers", "cards", "books", "coins", "eggs", "buttons", "candles", "stamps",
    "tiles", "shells", "beads", "oranges", "cookies", "tickets", "flowers", "bottles", "nails", "cups", "plates",
    "balls", "lemons", "potatoes", "bricks",
)  # fmt: skip
HOLDERS = (
    "boxes", "bags", "crates", "baskets", "jars", "drawers", "shelves", "packs", "cases", "trays",
)  # fmt: skip
PACKED = (
    "sets", "bundles", "rows", "groups", "parcels", "piles",
)  # fmt: skip

BEGINNINGS: dict[str, tuple[str, ...]] = {
    "product": (
        "{n} has {a} {h} with {b} {t} in each.",
        "{n} buys {a} {h}. Each of them holds {b} {t}.",
        "There are {a} {h} in the cellar of {n}, and every one holds {b} {t}.",
        "{n} fills {a} {h} with {b} {t} each.",
        "For {a} days {n} makes {b} {t} a day.",
        "{a} {h} arrive at the shop of {n}. In each there are {b} {t}.",
        "{n} and {m} carry {a} {h} home, each with {b} {t} in it.",
    ),
    "sum": (
        "{n} has {a} red {t} and {b} blue {t}.",
        "On Monday {n} gets {a} {t}, and on Tuesday {b} more.",
        "{n} owns {a} {t}, {m} owns {b}, and they put them together.",
        "In one room there are {a} {t}, in the next {b}; all belong to {n}.",
        "{n} collects {a} {t} in spring and {b} in summer.",
    ),
    "plain": (
        "{n} has {a} {t}.",
        "At first there are {a} {t} in the house of {n}.",
        "{n} begins the year with {a} {t}.",
    ),
}
EVENTS: dict[str, tuple[str, ...]] = {
    "lose": (
        "{n} gives {c} of them to {m}.",
        "Then {c} of the {t} break.",
        "{n} sells {c} {t}.",
        "On the way {c} {t} get lost.",
        "{m} takes {c} of the {t} away.",
    ),
    "gain": (
        "Then {m} brings {c} more.",
        "Later {n} finds another {c} {t}.",
        "{n} buys {c} more {t}.",
        "After that {c} {t} are added.",
    ),
    "gain many": (
        "Then {n} buys {c} more {h} with {d} {t} in each.",
        "After that {c} friends bring {d} {t} each.",
        "For the next {c} days {d} {t} are added a day.",
    ),
    "lose many": (
        "{c} friends get {d} {t} each.",
        "For {c} days {n} uses {d} {t} a day.",
        "{n} sells {c} {p} of {d} {t}.",
    ),
    "times": (
        "By the end of the year {n} has {c} times as many.",
        "The number of {t} then grows to {c} times what it was.",
    ),
}
QUESTIONS: dict[str, tuple[str, ...]] = {
    "now": (
        "How many {t} are there now?",
        "How many {t} does {n} have in the end?",
        "What is the number of {t} after that?",
        "How many {t} are there at last?",
    ),
    "packs": (
        "The {t} are packed into {p} of {k}. How many full {p} are there?",
        "How many {p} of {k} {t} can be made from them?",
        "{n} makes {p} of {k} {t}. How many {p} are complete?",
    ),
    "rest": (
        "The {t} are packed into {p} of {k}. How many {t} are left over?",
        "{n} shares them equally among {k} children. How many {t} remain?",
        "How many {t} are left when {n} makes {p} of {k}?",
    ),
    "price": (
        "{n} sells them all for {k} dollars each. How many dollars does {n} get?",
        "Each of the {t} costs {k} dollars. How many dollars are they worth together?",
    ),
}
SAID: dict[str, tuple[str, ...]] = {
    "product": ("At first there are {} {t}.", "{n} starts with {} {t}.", "In all that is {} {t}."),
    "sum": ("Together that makes {} {t}.", "At first there are {} {t}."),
    "lose": ("Then {} {t} are left.", "After that, {} remain."),
    "gain": ("Then there are {} {t}.", "With the new ones it is {}."),
    "many": ("That makes {} {t}.", "These are {} {t}."),
    "times": ("That grows to {} {t}.", "Then there are {} {t}."),
    "packs": ("So there are {} full {p}.", "That gives {} {p}."),
    "rest": ("So {} {t} are left over.", "The rest is {}."),
    "price": ("So it is {} dollars.", "In dollars, {}."),
}


@dataclass(slots=True)
class Story:
    """A story while it is written."""

    rng: Random
    words: dict[str, str]
    sentences: list[str] = field(default_factory=list[str])
    keys: list[str] = field(default_factory=list[str])
    steps: list[Step] = field(default_factory=list[Step])
    amount: Operand = 0

    def tell(self, table: dict[str, tuple[str, ...]], kind: str, **numbers: int) -> None:
        """Writes a sentence of a kind."""
        at = self.rng.randrange(len(table[kind]))
        self.keys.append(f"{kind} {at}")
        self.sentences.append(table[kind][at].format(**self.words, **numbers))

    def think(self, kind: str, name: str, left: Operand, operation: str, right: Operand) -> Ref:
        """Takes a step, whose value is the amount now unless it is only a part."""
        said = self.rng.choice(SAID[kind]).replace("{}", "{{}}").format(**self.words)
        self.steps.append(Step(said, name, left, operation, right))
        return Ref(len(self.steps) - 1)

    @property
    def now(self) -> int:
        """The amount."""
        return values(self.steps)[self.amount.step] if isinstance(self.amount, Ref) else self.amount


def factors(rng: Random) -> tuple[int, int]:
    """Two numbers to multiply: some easy in the head, most not."""
    size = rng.random()
    if size < 0.45:
        return rng.randint(3, 60), rng.randint(3, 9)
    return (rng.randint(11, 60), rng.randint(11, 40)) if size < 0.9 else (rng.randint(101, 300), rng.randint(12, 50))


def term(rng: Random) -> int:
    """A number to add."""
    return rng.randint(12, 900) if rng.random() < 0.7 else rng.randint(900, 3000)


def begin(story: Story) -> None:
    """The beginning."""
    rng = story.rng
    kind = rng.choices(("product", "sum", "plain"), (60, 25, 15))[0]
    if kind == "product":
        a, b = factors(rng)
        story.tell(BEGINNINGS, kind, a=a, b=b)
        story.amount = story.think(kind, story.words["t"], a, "*", b)
    elif kind == "sum":
        a, b = term(rng), term(rng)
        story.tell(BEGINNINGS, kind, a=a, b=b)
        story.amount = story.think(kind, story.words["t"], a, "+", b)
    else:
        story.amount = term(rng) + 20
        story.tell(BEGINNINGS, kind, a=story.amount)


def happen(story: Story) -> None:
    """Something that happens to the amount."""
    rng, now = story.rng, story.now
    kind = rng.choices(tuple(EVENTS), (30, 20, 20, 20, 10))[0]
    if kind == "lose many" and now > 100:
        c = rng.randint(3, 19)
        d = rng.randint(2, max(2, min(60, (now - 1) // c)))
        if c * d < now:
            story.tell(EVENTS, kind, c=c, d=d)
            part = story.think("many", "gone", c, "*", d)
            story.amount = story.think("lose", "left", story.amount, "-", part)
    elif kind == "gain many":
        c, d = rng.randint(3, 25), rng.randint(6, 40)
        story.tell(EVENTS, kind, c=c, d=d)
        part = story.think("many", "more", c, "*", d)
        story.amount = story.think("gain", "total", story.amount, "+", part)
    elif kind == "times":
        c = rng.randint(2, 9)
        story.tell(EVENTS, kind, c=c)
        story.amount = story.think(kind, "grown", story.amount, "*", c)
    elif kind == "lose" and now > 10:
        c = rng.randint(2, now - 1)
        story.tell(EVENTS, kind, c=c)
        story.amount = story.think(kind, "left", story.amount, "-", c)
    else:
        c = term(rng)
        story.tell(EVENTS, "gain", c=c)
        story.amount = story.think("gain", "total", story.amount, "+", c)


def ask(story: Story) -> str:
    """The question, and the last step if it needs one; the closing sentence comes back."""
    rng = story.rng
    kind = rng.choices(tuple(QUESTIONS), (55, 15, 15, 15))[0]
    if not story.steps or story.now < 60:
        kind = "now"
    k = rng.randint(2, 12)
    story.tell(QUESTIONS, kind, k=k)
    steps = {"packs": (story.words["p"], "//"), "rest": ("rest", "%"), "price": ("dollars", "*")}
    if kind != "now":
        name, operation = steps[kind]
        story.amount = story.think(kind, name, story.amount, operation, k)
    closes = {"now": "So there are {{}} {t}.", "packs": "So there are {{}} {p}.", "price": "So it is {{}} dollars."}
    return closes.get(kind, "So {{}} {t} are left over.").format(**story.words)


def story(rng: Random) -> Problem:
    """A problem."""
    name, other = rng.sample(NAMES, 2)
    words = {"n": name, "m": other, "t": rng.choice(THINGS), "h": rng.choice(HOLDERS), "p": rng.choice(PACKED)}
    made = Story(rng, words)
    begin(made)
    for _ in range(rng.choices((1, 2), (65, 35))[0]):
        happen(made)
    close = ask(made)
    steps = tuple(made.steps)
    ways: tuple[Callable[[], str], ...] = (lambda: in_code(steps, ()), lambda: in_one(steps))
    code = rng.choices(ways, (80, 20))[0]()
    return Problem(" | ".join(made.keys), " ".join(made.sentences), steps, code, in_loops(steps), close)

"""Ablations of IAD (arXiv 2504.01931): each arm of it beside copies in which one thing is changed.

feedback    the prompt without a part: none, score, text, raw (a bare number), best or worst (one answer shown)
shuffled    the words of another task's feedback, the score its own
noise       N(0, (value x sd of the scores)^2) added to the score, @selection, @feedback or @both
flip        pass/fail labels flipped with a probability
sparse      the score becomes [score >= value]
tk          T rounds x K proposals at the same T x K, for one or more T x K (without values: --proposals)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import pstdev
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from veriloop.core.errors import UsageError, meant
from veriloop.core.search import Finding
from veriloop.verifiers.noise import Flipped, Noisy, On, Shuffled, Sparse, Text

if TYPE_CHECKING:
    from veriloop.apps.bench.arms import Arm
    from veriloop.core.protocols import Verifier
    from veriloop.graphs.strategies import Strategy

Row = Mapping[str, Any]
Kind = Literal["shuffled", "noise", "flip", "sparse"]

PARTS = {
    **{part: {"feedback": part} for part in ("none", "answers", "score", "text", "raw")},
    **{part: {"shown": part} for part in ("best", "worst")},
    "untried": {"tried": False},
}
VALUES: Mapping[str, tuple[str, ...]] = {
    "feedback": tuple(PARTS),
    "shuffled": (),
    "noise": ("0.05", "0.1", "0.2", "0.4"),
    "flip": ("0.1", "0.2", "0.3"),
    "sparse": ("0.5", "0.75", "1"),
    "tk": (),
}
"""What an ablation that is named without values tries."""


@dataclass(frozen=True)
class Seen:
    """What an arm learns of another one's finished records: the standard deviation ``sd`` of its scores, and the
    ``texts`` of its verifier by task. The same records, the same ``Seen``."""

    sd: float
    texts: tuple[Text, ...] = field(repr=False)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Seen:
        """From an arm's records. Replies that were no answer (``format``) no verifier saw: their text is left out."""
        rows = sorted(rows, key=lambda row: (row["task"], row["seed"]))
        every = [(row["task"], candidate) for row in rows for candidate in row["candidates"]]
        scores = [float(candidate["score"]) for _, candidate in every if candidate["score"] is not None]
        texts = [(task, _findings(candidate)) for task, candidate in every]
        return cls(pstdev(scores) if scores else 0.0, tuple((task, found) for task, found in texts if found))

    @property
    def plain(self) -> Mapping[str, Any]:
        """As a plan keeps it."""
        return {"sd": round(self.sd, 6), "texts": len(self.texts)}


def _findings(candidate: Row) -> tuple[Finding, ...]:
    said = [Finding(f["criterion"], f["score"], f["message"]) for f in candidate["findings"] if f["message"]]
    judged = candidate["outcome"] in ("passed", "failed") and all(f.criterion != "format" for f in said)
    return tuple(said) if judged else ()


@dataclass(frozen=True)
class Wrap:
    """What an arm does to its verifier: ``kind``, how much, and for noise on what."""

    kind: Kind
    value: float = 0.0
    on: On = "both"

    @property
    def change(self) -> str:
        """In words, as the verifier's name tells it."""
        if self.kind == "shuffled":
            return "shuffled"
        return f"{self.kind} {self.value:g}" + (f" on {self.on}" if self.kind == "noise" else "")

    @property
    def learns(self) -> bool:
        """Whether it needs the records of the arm without it."""
        return self.kind in ("shuffled", "noise")

    def around(self, inner: Verifier, task: str, seed: int, seen: Seen | None) -> Verifier:
        """The verifier that is used in its place, for one task and seed."""
        if self.kind == "flip":
            return Flipped(inner, self.value, seed=seed)
        if self.kind == "sparse":
            return Sparse(inner, self.value, seed=seed)
        if seen is None:
            raise ValueError(f"{self.change} needs the records of the arm without it")
        if self.kind == "noise":
            return Noisy(inner, self.value, self.on, seen.sd, seed=seed)
        return Shuffled(inner, seen.texts, task, seed=seed)


@dataclass(frozen=True)
class Ablation:
    """An ablation by name, the values that it tries, and what noise is on."""

    name: str
    values: tuple[str, ...]
    on: tuple[On, ...] = ()

    def arms(self, base: Arm) -> list[Arm]:
        """The changed copies of ``base``; one that would be ``base`` itself is left out."""
        if self.name == "feedback":
            return _parts(base, self.values)
        if self.name == "tk":
            return _shapes(base, [int(value) for value in self.values])
        places = self.on or (get_args(On) if self.name == "noise" else ("both",))
        kind, values = cast(Kind, self.name), [float(value) for value in self.values or ("0",)]
        return [_wrapped(base, Wrap(kind, value, on)) for on in places for value in values]


def ablated(arms: Sequence[Arm], text: str) -> list[Arm]:
    """The changed copies of the arms of iad among ``arms`` that ``--ablate text`` asks for.

    Raises ``UsageError`` for an ablation or a value that cannot be, and where there is no iad.
    """
    wanted = read(text)
    bases = [arm for arm in arms if arm.strategy.name == "iad"]
    if not bases:
        raise UsageError("--ablate changes iad, which is not among the strategies: add it (--strategies …,iad)")
    every = [arm for base in bases for each in wanted for arm in each.arms(base)]
    return list({arm.label: arm for arm in every}.values())


def read(text: str) -> list[Ablation]:
    """``NAME=VALUE,VALUE@PLACE,NAME,…``: what begins with no name is another value of the ablation before it."""
    found: list[tuple[str, list[str]]] = []
    for piece in (piece.strip() for piece in text.split(",")):
        said = re.fullmatch(r"([a-z]+)(?:[=:](.*)|(@.*))?", piece)
        if said and said[1] in VALUES:
            found.append((said[1], [value for value in (said[2] or said[3],) if value]))
        elif found and found[-1][1]:
            found[-1][1].append(piece)
        else:
            name = re.split("[=:@]", piece)[0]
            raise UsageError(
                f"--ablate {piece!r}: no ablation is called so{meant(name, VALUES)}; known: {', '.join(VALUES)}; "
                "values as in noise=0.1,0.4@feedback"
            )
    return [_ablation(name, values) for name, values in found]


def _ablation(name: str, values: list[str]) -> Ablation:
    places = [place for value in values for place in value.split("@")[1:]]
    numbers = tuple(value.partition("@")[0] for value in values)
    numbers = tuple(number for number in numbers if number) or VALUES[name]
    if (places and name != "noise") or not set(places) <= {*get_args(On)}:
        raise UsageError(f"--ablate {name}@{places[0]}: only noise is on something: selection, feedback or both")
    if wrong := next((number for number in numbers if not _CHECKS[name](number)), None):
        raise UsageError(f"--ablate {name}={wrong}: {_WANTED[name]}")
    return Ablation(name, numbers, tuple(cast("list[On]", places)))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "feedback": PARTS.__contains__,
    "shuffled": lambda text: False,
    "noise": lambda text: 0 <= _number(text) < float("inf"),
    "flip": lambda text: 0 <= _number(text) <= 1,
    "sparse": lambda text: 0 < _number(text) <= 1,
    "tk": lambda text: text.isdecimal() and 0 < int(text) <= 1000,
}
_WANTED = {
    "feedback": f"a part is one of {', '.join(PARTS)}",
    "shuffled": "it takes no values",
    "noise": "give shares of the scores' standard deviation, 0 or more, as in noise=0.1,0.4@feedback",
    "flip": "give probabilities from 0 to 1, as in flip=0.1,0.3",
    "sparse": "give scores above 0, up to 1, as in sparse=0.5,1",
    "tk": "give numbers of proposals (T x K) from 1 to 1000, as in tk=1,2,4,8",
}


def _parts(base: Arm, parts: Sequence[str]) -> list[Arm]:
    changed = [PARTS[part] for part in parts]
    return [
        _copy(base, f"{name}={str(value).lower()}", each)
        for each in changed
        for name, value in each.items()
        if base.parameters[name] != value
    ]


def _shapes(base: Arm, totals: Sequence[int]) -> list[Arm]:
    own = base.parameters["rounds"], base.parameters["width"]
    every = [(t, total // t) for total in totals or [own[0] * own[1]] for t in range(1, total + 1) if total % t == 0]
    return [_copy(base, f"T{t}xK{k}", {"rounds": t, "width": k}) for t, k in every if (t, k) != own]


def _wrapped(base: Arm, wrap: Wrap) -> Arm:
    return replace(_copy(base, wrap.change, {}), wrap=wrap)


def _copy(base: Arm, change: str, parameters: Mapping[str, Any]) -> Arm:
    head, dot, rest = base.label.partition(" · ")
    strategy = _with(base.strategy, parameters)
    return replace(base, label=f"{head} {change}{dot}{rest}", strategy=strategy, change=change, base=base.label)


def _with(strategy: Strategy, parameters: Mapping[str, Any]) -> Strategy:
    return replace(strategy, parameters={**strategy.parameters, **parameters}, policy=None)

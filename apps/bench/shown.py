"""How a report says things: numbers, colours, axes, the command, what a run was made with."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING, Any, cast

from veriloop.tools import MCP

if TYPE_CHECKING:
    from veriloop.apps.bench.measured import ArmCells, Measured

Data = Mapping[str, Any]

COLOURS = 10
FIXED = {"single": 0, "best_of_n": 1, "self_refine": 2, "iad": 3}
"""The colour of what is nearly always there: the same in every report."""


def percent(value: float | None) -> str:
    """A share in per cent, without the sign."""
    return "–" if value is None else f"{100 * value:.1f}".replace("-0.0", "0.0")


def points(value: float | None) -> str:
    """A difference of shares in points, with its sign."""
    return "–" if value is None else signed(100 * value, 1)


def signed(value: float, digits: int = 0) -> str:
    """A number with its sign, a true minus, none before 0."""
    text = f"{abs(value):.{digits}f}"
    return text if not float(text) else ("+" if value > 0 else "−") + text


def span(interval: Data, of_points: bool = False) -> str:
    """An interval: ``71.2–76.0`` of shares, ``−0.4 to +2.0`` of points."""
    say = points if of_points else percent
    between = " to " if of_points else "–"
    return "–" if interval["low"] is None else f"{say(interval['low'])}{between}{say(interval['high'])}"


def side(interval: Data) -> str:
    """Where an interval lies: ``above`` 0, ``below``, or on both sides (empty)."""
    if interval["low"] is None:
        return ""
    return "above" if interval["low"] > 0 else "below" if interval["high"] < 0 else ""


def chance(value: float | None, sign: bool = False) -> str:
    """A p-value; ``sign`` puts an equals sign before it."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{'= ' if sign else ''}{value:.3f}"


def plain(value: float | None) -> str:
    """A number with up to three digits behind the point."""
    return "–" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def amount(value: float | None) -> str:
    """A mean: few digits where it is large, none where it has none."""
    if value is None:
        return "–"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def money(value: float | None) -> str:
    """US dollars; none where a price is unknown."""
    return "unknown" if value is None else "0" if value == 0 else f"{value:.4f}"


def counted(number: int, noun: str) -> str:
    """``1 task``, ``2,000 tasks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def colours(arms: Iterable[ArmCells]) -> dict[str, int]:
    """A colour's number for each arm by label: one for each strategy with its parameters, whatever verifier it listens
    to, and for each changed copy."""
    arms = list(arms)
    free = [n for n in range(COLOURS) if n not in FIXED.values()]
    taken: dict[str, int] = {}
    for arm in arms:
        head = head_of(arm.label)
        own = FIXED.get(arm.strategy) if not arm.change else None
        if head not in taken and own is not None and own not in taken.values():
            taken[head] = own
        elif head not in taken:
            taken[head] = free.pop(0) if free else len(taken) % COLOURS
    return {arm.label: taken[head_of(arm.label)] for arm in arms}


def renamed(run: Measured) -> tuple[Measured, dict[str, str]]:
    """The run with short labels in arms, records and tuning, and what each short label leaves out: its parameters."""
    names = short(run.arms)
    plan = dict(run.plan)
    if tuning := plan.get("tuning"):
        arms = [{**arm, "label": names.get(arm["label"], arm["label"])} for arm in tuning.get("arms", [])]
        calibrators = {names.get(label, label): known for label, known in tuning.get("calibrators", {}).items()}
        plan["tuning"] = {**tuning, "arms": arms, "calibrators": calibrators}
    arms = tuple(replace(arm, label=names[arm.label]) for arm in run.arms)
    rows = tuple({**row, "arm": names[row["arm"]]} for row in run.rows)
    given = {names[arm.label]: " ".join(_parameters(_asked(arm))) for arm in run.arms}
    return replace(run, plan=plan, arms=arms, rows=rows), given


def short(arms: Sequence[ArmCells]) -> dict[str, str]:
    """What each arm is called in this run, by label: the strategy's name, with those parameters only by which it
    differs from others of that strategy. As they are where that would not tell all arms apart."""
    asked = {arm.label: _asked(arm) for arm in arms}
    names: dict[str, str] = {}
    for arm in arms:
        text = asked[arm.label]
        others = {other for other in asked.values() if _name(other) == _name(text)}
        differ = [p for p in _parameters(text) if any(p not in _parameters(other) for other in others)]
        rest = arm.label.removeprefix(text)
        names[arm.label] = " ".join([_name(text), *differ]) + rest
    return names if len(set(names.values())) == len(names) else {label: label for label in names}


def _asked(arm: ArmCells) -> str:
    """The strategy as it was asked for, ``iad:rounds=8``: a label without verifier and change."""
    head = head_of(arm.label)
    return head.removesuffix(f" {arm.change}") if arm.change else head


def _name(text: str) -> str:
    return ":".join(part for part in text.split(":") if "=" not in part)


def _parameters(text: str) -> list[str]:
    return [part for part in text.split(":") if "=" in part]


def head_of(label: str) -> str:
    """What an arm is called without its verifier."""
    return label.partition(" · ")[0]


@dataclass(frozen=True)
class Axis:
    """An axis of points that holds all intervals, with 0 in it."""

    low: float
    high: float
    ticks: Sequence[int]

    @classmethod
    def of(cls, intervals: Iterable[Data | None], also: Sequence[float] = ()) -> Axis:
        """The axis for these intervals (shares) and ``also`` these points."""
        known = [100 * i[end] for i in intervals if i and i["low"] is not None for end in ("low", "high")]
        low, high = min([-1.0, *known, *also]), max([1.0, *known, *also])
        step = next((s for s in (1, 2, 5, 10, 20, 50) if (high - low) / s <= 8), 100)
        first, last = floor(low / step), ceil(high / step)
        return cls(first * step, last * step, [i * step for i in range(first, last + 1)])

    def at(self, value: float) -> float:
        """Where a value lies, in per cent of the axis."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def command_of(plan: Any) -> str:
    """The command that made a run, as it is typed."""
    asked = plan.get("command")
    if not isinstance(asked, Mapping):
        return str(asked or "")
    given = cast("dict[str, Any]", asked)
    words: list[str] = ["veriloop", "bench", str(given.get("benchmark")), "--data", str(plan["data"]["path"])]
    for name in ("strategies", "verify", "ablate", "proposals", "seeds"):
        words += _option(name, given.get(name))
    tune = str(given.get("tune") or "")
    words += ["--tune-on", "DIR"] if tune.startswith("on ") else _option("tune", tune)
    for name in ("temperatures", "temperature", "abstain_below", "limit", "metric"):
        words += _option(name, given.get(name))
    models: dict[str, str] = dict(given.get("models") or {})
    proposer = models.pop("proposer", "")
    words += _option("model", proposer)
    for role, model in models.items():
        words += _option("model", f"{role}={model}") if model != proposer else []
    for tool in map(str, given.get("tools") or ()):
        words += _option("mcp", tool.removeprefix(MCP)) if tool.startswith(MCP) else _option("tools", tool)
    return " ".join(map(shlex.quote, [*words, "--out", "OUT"]))


def _option(name: str, value: Any) -> list[str]:
    if value in (None, "", [], ()):
        return []
    text = ",".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
    return [f"--{name.replace('_', '-')}", text]


def facts(plan: Data, tasks: int, seeds: Sequence[int]) -> list[tuple[str, str]]:
    """What a reader must know of a run, as names and values."""
    models: Mapping[str, str] = plan.get("models") or {}
    proposer = models.get("proposer", "")
    others = [f"{role}: {model}" for role, model in models.items() if role != "proposer" and model != proposer]
    verifiers = dict.fromkeys(arm["verify"] for arm in plan["arms"] if arm["verify"] != "none")
    data: Mapping[str, str] = plan.get("data") or {}
    warm = [f"{t:g}" for t in sorted({a["temperature"] for a in plan["arms"] if a.get("temperature") is not None})]
    tuned = " (chosen, see below)" if plan.get("tuning") else ""
    asked = plan.get("command")
    tools = cast("dict[str, Any]", asked).get("tools") if isinstance(asked, Mapping) else None
    found = [
        ("model", " · ".join([proposer, *others])),
        ("verifier", ", ".join(verifiers) or "none"),
        ("tools", ", ".join(tools or ())),
        ("tasks", f"{tasks:,}" + (f" (limit {plan['limit']})" if plan.get("limit") else "")),
        ("seeds", ", ".join(map(str, seeds))),
        ("proposals", str(plan.get("proposals") or "each strategy's own")),
        ("temperature", ", ".join(warm) + tuned),
        ("metrics", ", ".join(plan["metrics"]) + " (the first decides)" * (len(plan["metrics"]) > 1)),
        ("data", " · ".join(filter(None, [data.get("path"), data.get("hash")]))),
        ("begun", str(plan.get("created", "")).replace("T", " ").replace("+00:00", " UTC")),
        ("veriloop", " · ".join(filter(None, [str(plan.get("veriloop", "")), plan.get("commit")]))),
    ]
    if plan.get("abstain_below") is not None:
        found.append(("abstains", f"where P(right) is below {plan['abstain_below']}"))
    return [(name, value) for name, value in found if value]

"""The report of a benchmark run: one static HTML file that needs no server and no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from veriloop.apps.bench import plots, shown, stats
from veriloop.apps.bench.abstain import Calibrator, coverage
from veriloop.apps.bench.measured import Measured, measured
from veriloop.apps.bench.packed import packed
from veriloop.apps.bench.plan import read_gold
from veriloop.apps.bench.worth import SHOWN, Rates, worth, worth_of

Data = dict[str, Any]
BARS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""P(right) below which answers are held back, in the table."""
FEW = 0.05
"""Where fewer tasks are answered no point is drawn: it would tell of a handful of answers."""
BOOT = (
    "const cut = new ResizeObserver((seen) => seen.forEach(({ target: inside }) => { const box = inside.parentElement;"
    ' box.classList.toggle("cut", box.scrollWidth > box.clientWidth + 1); }));'
    'document.querySelectorAll(".scroll > table").forEach((table) => cut.observe(table));'
    'VeriloopViewer.open(document.getElementById("viewer"), document.getElementById("viewer-data").textContent)'
    '.catch((error) => { document.getElementById("viewer").textContent = "The data cannot be unpacked: " + error; });'
)


def write(out: Path | Measured, cost: float = 1.0) -> Path:
    """Writes report.html into the folder of a run, from what it left, and returns its path. ``cost`` is what a wrong
    answer costs, where a right one gains 1 (see ``worth``). Without matplotlib the page says how to get its plots.

    Raises ``UsageError`` when no run is there.
    """
    run = measured(out)
    text = page(run, cost)
    path, partial = run.out / "report.html", run.out / ".report.html.part"
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)


def page(run: Measured, cost: float = 1.0) -> str:
    """The page's text: the same for the same data."""
    draws = plots.installed()
    run, given = shown.renamed(run)
    look = _Look(run, draws)
    style, viewer = _own("viewer.css") + _own("report.css"), _own("viewer.js")
    values: Data = {
        "plan": run.plan,
        "metrics": run.metrics,
        "main": run.metrics[0],
        "style": _ours(style),
        "viewer": _ours(viewer),
        "boot": _ours(BOOT),
        "script_hashes": _ours(" ".join(_hash(text) for text in (viewer, BOOT))),
        "data": packed(run, look.colours, read_gold(run.out)),
        "plots": draws,
        **_head(run),
        **_results(run, look, given),
        **_differences(run),
        **_curves(run, look),
        "verifiers": _verifiers(run, draws),
        "worths": [_worth(entry, draws) for entry in worth(run, cost)],
        "abstaining": _abstaining(run, look),
        "tuning": _tuning(run.plan),
    }
    return _template().render(**values, sections=_sections(values))


def _ours(text: str) -> Any:
    """Text that enters the page as it is: our own style, scripts and plots, never what users or models wrote."""
    from markupsafe import Markup

    return Markup(text)


def _own(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def _hash(script: str) -> str:
    """A script as the page's content policy names it: only these run, whatever else got in."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    made: Any = Environment
    environment = made(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    names = ("percent", "points", "signed", "span", "side", "chance", "plain", "amount", "money", "counted")
    environment.filters |= {name: getattr(shown, name) for name in names}
    return environment.from_string(_own("report.jinja"))


class _Look:
    """Each arm's colour and kind."""

    def __init__(self, run: Measured, draws: bool) -> None:
        self.draws = draws
        self.colours = shown.colours(run.arms)

    def line(self, curve: Data, points: Sequence[Data], label: str = "", dashed: bool = False) -> Data:
        """A line of a plot, with what its key says."""
        name = label or curve["label"]
        return {"label": name, "points": points, "colour": self.colours[curve["label"]], "dashed": dashed}


def _head(run: Measured) -> Data:
    plan = run.plan
    count = plan["tasks"] if isinstance(plan.get("tasks"), int) else len(run.tasks)
    seeds = plan["seeds"] if isinstance(plan.get("seeds"), list) else list(run.seeds)
    made = " · ".join(filter(None, [f"veriloop {plan.get('veriloop', '')}".strip(), plan.get("commit")]))
    return {
        "facts": shown.facts(plan, count, seeds),
        "command": shown.command_of(plan),
        "task_count": count,
        "seed_count": len(seeds),
        "cells": len(run.rows),
        "expected": len(plan["arms"]) * count * len(seeds),
        "provenance": f"Made by {made}.",
    }


def _results(run: Measured, look: _Look, given: Mapping[str, str]) -> Data:
    arms = stats.summary(run)
    said: set[str] = set()
    for arm in arms:
        warm = "" if arm["temperature"] is None else f"temperature {arm['temperature']:g}"
        verify = "no verifier" if arm["verify"] == "none" else arm["verify"]
        arm["colour"], arm["head"] = look.colours[arm["label"]], shown.head_of(arm["label"])
        parameters = "" if arm["change"] or arm["head"] in said else given[arm["label"]]
        arm["sub"] = " · ".join(filter(None, [parameters, verify, warm]))
        said.add(arm["head"])
    most = max((int(k) for arm in arms for k in arm["pass_at"]), default=0)
    groups = [
        ("", [arm for arm in arms if not arm["oracle"] and not arm["change"]]),
        ("Ablations", [arm for arm in arms if arm["change"] and not arm["oracle"]]),
        ("Told by an oracle: ceilings, no methods", [arm for arm in arms if arm["oracle"]]),
    ]
    return {
        "arms": arms,
        "arm_groups": [(name, rows) for name, rows in groups if rows],
        "ks": [str(k) for k in sorted({1, most}) if most],
        "any_error": any(arm["errors"] for arm in arms),
        "any_abstained": any(arm["abstained"] for arm in arms),
    }


def _differences(run: Measured) -> Data:
    pairs = stats.comparisons(run)
    strategies = {arm.label: arm.strategy for arm in run.arms}
    for pair in pairs:
        pair["main"] = pair["metrics"][run.metrics[0]]
        pair |= _named(pair, run.arm(pair["base"]).verify)
        pair["steps"] = pair["main"]["proposals"] is None
        pair["claimed"] = strategies[pair["arm"]] == "iad" and strategies[pair["base"]] == "best_of_n"
    pairs.sort(key=lambda pair: (pair["oracle"], not pair["claimed"]))
    methods = [pair for pair in pairs if pair["kind"] == "strategy"]
    claimed = any(pair["claimed"] for pair in methods)
    both = [pair["main"][kind] for pair in pairs for kind in ("proposals", "tokens")]
    cards = [pair for pair in methods if pair["claimed"]][:4] or methods[:2]
    return {
        "strategy_pairs": methods,
        "ablations": [pair for pair in pairs if pair["kind"] == "ablation"],
        "cards": cards,
        **_means(run, cards),
        "claimed": claimed,
        "axis": shown.Axis.of(both, (3, 10) if claimed else ()),
    }


def _named(pair: Data, base_verify: str) -> Data:
    """What a difference is called: the verifier that both listen to stands once, ``under`` their names."""
    if pair["verify"] != base_verify or base_verify == "none":
        return {"one": pair["arm"], "other": pair["base"], "under": ""}
    return {"one": shown.head_of(pair["arm"]), "other": shown.head_of(pair["base"]), "under": base_verify}


def _means(run: Measured, cards: Sequence[Data]) -> Data:
    """For the words on what the two comparisons mean: to which arm's tokens the others are cut, and which spend less
    on average all the same, or more."""
    cut = [card for card in cards if card["main"]["tokens"]]
    if not cut:
        return {"cut_at": "", "cheaper": [], "dearer": []}
    spent = {arm["label"]: arm["tokens"] or 0.0 for arm in stats.summary(run)}
    cheaper = [card for card in cut if spent[card["arm"]] < spent[card["base"]] and run.arm(card["arm"]).early]
    return {
        "cut_at": " or ".join(dict.fromkeys(card["other"] for card in cut)),
        "cheaper": list(dict.fromkeys(card["one"] for card in cheaper)),
        "dearer": list(dict.fromkeys(card["one"] for card in cut if spent[card["arm"]] > spent[card["base"]])),
    }


def _curves(run: Measured, look: _Look) -> Data:
    main = run.metrics[0]
    found = [{**curve, **curve["metrics"][main]} for curve in stats.curves(run) if not curve["change"]]
    for curve in found:
        if curve["by_steps"]:  # one proposal is a step of an answer, not an answer
            curve |= {"proposals": [], "ceiling": []}
    methods = [curve for curve in found if not curve["oracle"]]
    oracles = [curve for curve in found if curve["oracle"]]
    groups = [_group("", "", methods, look, main)] if methods else []
    told = {shown.head_of(curve["label"]) for curve in oracles}
    judged = [curve for curve in methods if curve["verify"] != "none" and len(curve["ceiling"]) > 1]
    ceilings = [curve for curve in judged if shown.head_of(curve["label"]) not in told]
    if oracles or ceilings:
        about = "What could be had if somebody who knows the right answer chose. No method can be compared with these."
        groups.append(_group("Ceilings, with an oracle", about, oracles, look, main, ceilings))
    return {
        "curve_plots": groups,
        "curve_rows": [{**curve, "points": curve["proposals"]} for curve in found if not curve["by_steps"]],
        "step_curves": any(curve["by_steps"] for curve in found),
        "most": max((len(curve["proposals"]) for curve in found), default=1),
    }


def _group(title: str, about: str, curves: list[Data], look: _Look, main: str, ceilings: Sequence[Data] = ()) -> Data:
    """Two plots that share their lines: over proposals and over total tokens."""
    oracle = bool(title)
    lines = {
        over: [look.line(curve, curve[over], dashed=oracle) for curve in curves] for over in ("proposals", "tokens")
    }
    any_right = [
        look.line(c, c["ceiling"], f"oracle over {c['label']}: any of the first k right", True) for c in ceilings
    ]
    lines["proposals"] += any_right
    figures: list[tuple[str, Any]] = []
    for over, words in (("proposals", "proposals"), ("tokens", "total tokens")):
        there = [line for line in lines[over] if line["points"]]
        if look.draws and any(plots.drawn(line["points"]) for line in there):
            name = f"{main} accuracy over {words}" + (" (oracle)" if oracle else "")
            figures.append((name, _ours(plots.curves(there, over, name))))
    return {"title": title, "about": about, "lines": lines["proposals"], "figures": figures}


def _verifiers(run: Measured, draws: bool) -> list[Data]:
    entries = stats.calibration(run)
    verdicts = {entry["verify"]: entry["bins"] for entry in entries if not entry["criterion"]}
    return [_verifier(e, draws, bool(e["criterion"]) and e["bins"] == verdicts[e["verify"]]) for e in entries]


def _verifier(entry: Data, draws: bool, again: bool) -> Data:
    """``again``: its scores are those of the verdict, drawn already."""
    name = entry["verify"] + (f": {entry['criterion']}" if entry["criterion"] else "")
    label = f"Reliability of {name}: share right by score"
    graded = len(entry["bins"]) > 2
    drawn = plots.reliability(entry, label) if draws and graded and not entry["oracle"] and not again else ""
    return {**entry, "name": name, "svg": _ours(drawn), "check": bool(entry["criterion"]) and not graded}


def _worth(entry: Data, draws: bool) -> Data:
    rates = {name: entry["rates"][name] for name in ("a", "b", "true_positive", "false_positive")}
    at = worth_of(Rates(**rates), entry["cost"], SHOWN)
    lists = {name: getattr(at, name).tolist() for name in ("right", "wrong", "abstained", "gain")}
    label = f"Expected right, wrong and abstained answers by number of samples, verifier {entry['verify']}"
    drawn = plots.worth(entry, {"samples": list(range(1, SHOWN + 1)), **lists}, label) if draws else ""
    withheld = 1.0 - entry["ceiling"]["value"] - entry["wrong_at_ceiling"]
    return {**entry, "svg": _ours(drawn), "withheld": abs(withheld), **_said(entry)}


def _said(entry: Data) -> Data:
    """What the formulas come to, in words."""
    best, rates, ceiling = entry["best"], entry["rates"], entry["ceiling"]
    if best == 0:
        headline = "No sample is worth its risk: abstain."
    elif best == 1:
        headline = "More than one sample does not help."
    elif best is None:
        headline = "More samples keep helping, beyond any budget tabled here."
    else:
        low, high = entry["best_low"], entry["best_high"] or "ever more"
        inside = "" if low == high else f" (95 %: {low} to {high})"
        headline = f"More samples help up to {best}{inside}."
    wrong, right, alone, end = (
        shown.percent(value)
        for value in (rates["false_positive"], rates["true_positive"], rates["accuracy"], ceiling["value"])
    )
    reason = (
        f"It passes {wrong} % of wrong answers and {right} % of right ones; a sample is right {alone} % of the time. "
        f"However many are drawn, at most {end} % ({shown.span(ceiling)}) of the tasks end right."
    )
    if best and best > 1:
        reason += f" What passes only after sample {entry['sure_until']} is not worth its risk: abstain there."
    return {"headline": headline, "reason": reason}


def _abstaining(run: Measured, look: _Look) -> Data | None:
    """Coverage against accuracy of each arm that has learnt P(right): none where no arm has."""
    tuning: Data = run.plan.get("tuning") or {}
    known: Data = tuning.get("calibrators", {})
    arms = [a for a in run.arms if a.label in known and a.verify != "none" and not a.oracle and not a.change]
    if not arms:
        return None
    lines: list[Data] = []
    for arm in arms:
        rows = [row for row in run.rows if row["arm"] == arm.label]
        found = coverage(rows, Calibrator.read(known[arm.label]), run.metrics[0])
        points = [point._asdict() for point in found]
        bars = [next((point for point in points if point["below"] >= bar), None) for bar in BARS]
        drawn = [point for point in points if point["coverage"] >= FEW]
        lines.append({**look.line({"label": arm.label}, drawn), "bars": bars})
    label = f"{run.metrics[0]} accuracy of the answers given over tasks answered"
    svg = plots.coverage(lines, label) if look.draws and any(line["points"] for line in lines) else ""
    return {"lines": lines, "bars": BARS, "label": label, "svg": _ours(svg)}


def _tuning(plan: Mapping[str, Any]) -> Data | None:
    found = plan.get("tuning")
    if not found or not found.get("arms"):
        return None
    edges = {min(found["temperatures"]), max(found["temperatures"])}
    at_edge = [arm["label"] for arm in found["arms"] if len(edges) > 1 and arm["chosen"] in edges]
    return {**found, "at_edge": ["all arms"] if len(at_edge) == len(found["arms"]) > 1 else at_edge}


def _sections(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    every = [
        ("short", "In short", "cards"),
        ("results", "Results", ""),
        ("differences", "Differences", "strategy_pairs"),
        ("curves", "Accuracy against cost", ""),
        ("verifier", "Verifier", "verifiers"),
        ("worth", "How many samples", "worths"),
        ("abstain", "When to abstain", "abstaining"),
        ("ablations", "Ablations", "ablations"),
        ("temperatures", "Temperatures", "tuning"),
        ("tasks", "Task by task", ""),
    ]
    return [(name, title) for name, title, needs in every if not needs or values[needs]]

"""Plots as SVG to inline in a page: text stays text, colours are the page's own, the same data gives the same bytes.

Sizes are CSS pixels: a plot is drawn ``WIDTH`` wide and scales with its column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

Data = Mapping[str, Any]

WIDTH, HEIGHT = 460, 300
INK, MUTED, LINE, SURFACE, ACCENT, GOOD, BAD = ("#01010" + digit for digit in "1234567")
"""Stand-ins for the page's colours; matplotlib wants some."""
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", SURFACE: "surface", ACCENT: "accent", GOOD: "good", BAD: "bad"}
ARM = "#0202{:02x}"
"""The stand-in for the colour of an arm by number (``--arm-N`` in the page)."""
ANSWERED = 0.9
"""A curve over tokens begins where so many cells have an answer: before, it tells of prompts, not of methods."""
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)


def installed() -> bool:
    """Whether matplotlib is there to draw with."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def curves(lines: Sequence[Data], over: str, label: str) -> str:
    """Accuracy over ``proposals`` or total ``tokens``, with 95 % bands.

    Each of ``lines`` has ``points`` ({at, value, low, high}), ``colour`` (an arm's number) and ``dashed``.
    """
    figure, axes = _figure(f"{label} {over}")
    values: list[float] = []
    at: list[float] = []
    for line in lines:
        points = drawn(line["points"])
        if not points:
            continue
        x, low, high = ([p[name] for p in points] for name in ("at", "low", "high"))
        y, colour = [p["value"] for p in points], ARM.format(line["colour"])
        style: dict[str, Any] = {"ls": (0, (5, 2.5)) if line["dashed"] else "-", "lw": 2.2, "color": colour}
        dots = len(x) == 1 or (over == "proposals" and len(x) <= 16)
        axes.plot(x, y, marker="o" if dots else "", ms=6, mec=SURFACE, mew=1, zorder=3, **style)
        axes.fill_between(x, low, high, color=colour, alpha=0.13, lw=0, zorder=2)
        if len(x) == 1:
            axes.plot([*x, *x], [*low, *high], color=colour, lw=1.6, zorder=2)
        values += [*low, *high]
        at += x
    _shares(axes, values)
    _budgets(axes, over, at)
    return _svg(figure, label)


def drawn(points: Sequence[Data]) -> list[Data]:
    """The points of a curve that ``curves`` draws."""
    return [p for p in points if p["value"] is not None and p.get("answered", 1.0) >= ANSWERED]


def _budgets(axes: Any, over: str, at: Sequence[float]) -> None:
    first, last = (min(at), max(at)) if at else (1, 1)
    if over == "proposals":
        ticks = list(range(1, int(last) + 1)) if last <= 10 else [2**i for i in range(12) if 2**i <= last]
        axes.set_xticks(ticks, [str(k) for k in ticks])
        pad = max(0.35, (last - first) * 0.04)
        axes.set_xlim(first - pad, last + pad)
        axes.set_xlabel("proposals")
        return
    axes.set_xscale("log")
    axes.set_xlim(first / 1.08, last * 1.08)
    every = [n * 10**e for e in range(9) for n in (1, 2, 5)]
    ticks = [n for n in every if first / 1.08 <= n <= last * 1.08]
    axes.set_xticks(ticks, [f"{n // 1000}k" if n >= 1000 else str(n) for n in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("total tokens per task (log scale)")


def coverage(lines: Sequence[Data], label: str) -> str:
    """Accuracy of the answers that are given over the share of tasks that get one. Each of ``lines`` has ``points``
    ({coverage, accuracy}) and ``colour``."""
    figure, axes = _figure(label)
    for line in lines:
        x, y = ([p[name] for p in line["points"]] for name in ("coverage", "accuracy"))
        dots: dict[str, Any] = {"marker": "o" if len(x) <= 16 else "", "ms": 6, "mec": SURFACE, "mew": 1}
        axes.plot(x, y, color=ARM.format(line["colour"]), lw=2.2, zorder=3, **dots)
    _shares(axes, [p["accuracy"] for line in lines for p in line["points"]])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    axes.set_xlabel("tasks answered, %")
    return _svg(figure, label)


def reliability(entry: Data, label: str) -> str:
    """How often candidates are right, by the score they got: bins with Wilson intervals, counts below."""
    figure, axes = _figure(f"reliability {entry['verify']} {entry['criterion']}", size=(360, 350))
    axes.set_position((0.155, 0.36, 0.81, 0.62))
    below = figure.add_axes((0.155, 0.135, 0.81, 0.15))
    _plain(below)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (2, 3)), zorder=1)
    bins = entry["bins"]
    x, y = [b["score"] for b in bins], [b["right"]["value"] for b in bins]
    errors = [[v - b["right"]["low"] for v, b in zip(y, bins, strict=True)]]
    errors.append([b["right"]["high"] - v for v, b in zip(y, bins, strict=True)])
    axes.errorbar(
        x, y, yerr=[[max(0.0, e) for e in side] for side in errors], fmt="none", ecolor=ACCENT, elinewidth=1.4
    )
    axes.plot(x, y, color=ACCENT, lw=2, marker="o", ms=6, mec=SURFACE, mew=1, zorder=3)
    _whole(axes, x_labels=False)
    middle = [(b["low"] + b["high"]) / 2 for b in bins]
    below.bar(middle, [b["count"] for b in bins], width=0.088, color=ACCENT, alpha=0.55, lw=0)
    most = max((b["count"] for b in bins), default=1)
    below.set_yticks([most], [_count(most)])
    below.set_xlim(-0.02, 1.02)
    below.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    below.set_xlabel("score")
    return _svg(figure, label)


def worth(entry: Data, shown: Data, label: str) -> str:
    """Expected right, wrong and withheld answers over the number of samples; ``shown`` has a list for each and
    ``samples``."""
    figure, axes = _figure(f"worth {entry['verify']}")
    k = shown["samples"]
    for name, colour, style in (("right", GOOD, "-"), ("wrong", BAD, "-"), ("abstained", MUTED, (0, (2, 2)))):
        axes.plot(k, shown[name], color=colour, lw=2.2, ls=style, zorder=3)
    axes.plot(k, shown["gain"], color=INK, lw=1.6, zorder=3)
    ceiling = entry["ceiling"]["value"]
    axes.axhline(ceiling, color=GOOD, lw=1.2, ls=(0, (5, 2.5)), zorder=1)
    if entry["best"] and entry["best"] <= k[-1]:
        axes.axvline(entry["best"], color=INK, lw=1, ls=(0, (1, 2)), zorder=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks([n for n in k if n & (n - 1) == 0], [str(n) for n in k if n & (n - 1) == 0])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.93, k[-1] * 1.07)
    _whole(axes, x_labels=None, low=min(0.0, *shown["gain"]))
    axes.set_xlabel("at most so many samples (log scale)")
    axes.set_ylabel("")
    return _svg(figure, label)


def _figure(salt: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    made: Any = Figure
    figure = made(figsize=(size[0] / 72, size[1] / 72), frameon=False)
    figure.set_label(salt)
    axes = figure.add_axes((0.125, 0.15, 0.86, 0.82))
    _plain(axes)
    return figure, axes


def _plain(axes: Any) -> None:
    """No box, a quiet grid."""
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(length=0, pad=6, labelsize=12.5, labelcolor=MUTED)
    axes.xaxis.label.set(color=INK, size=13)
    axes.yaxis.label.set(color=INK, size=13)
    axes.grid(axis="y", color=LINE, lw=1, zorder=0)
    axes.set_axisbelow(True)


def _shares(axes: Any, values: Sequence[float]) -> None:
    """An axis of shares that holds ``values``, in per cent."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    step = next((s for s in STEPS if (high - low) / s <= 5.5), 0.25)
    first, last = int(low / step + 1e-9), int(-(-high // step))
    ticks = [i * step for i in range(max(0, first), max(first + 1, min(last, round(1 / step))) + 1)]
    axes.set_yticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    axes.set_ylim(min(ticks[0], low) - step * 0.08, max(ticks[-1], high) + step * 0.08)


def _whole(axes: Any, x_labels: bool | None, low: float = 0.0) -> None:
    """0 to 100 %, and below where ``low`` lies."""
    ticks = [t for t in (-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1) if t >= low - 0.25 and (t >= 0 or low < 0)]
    axes.set_yticks(ticks, [f"{100 * t:.0f} %" for t in ticks])
    axes.set_ylim(min(ticks[0], low) - 0.02, 1.02)
    if x_labels is not None:
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], [""] * 5)


def _count(number: int) -> str:
    return f"{number / 1000:.1f}k" if number >= 1000 else str(number)


def _svg(figure: Any, label: str) -> str:
    from html import escape
    from importlib import import_module

    matplotlib: Any = import_module("matplotlib")  # what its stubs say of rc_context is only partly known
    made = StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": figure.get_label()}):
        figure.savefig(made, format="svg", metadata=none)
    text = made.getvalue()[made.getvalue().index("<svg") :]
    box = re.search(r'viewBox="([^"]+)"', text)
    body = text[text.index(">") + 1 :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", body)
    body = re.sub(r"font-family: [^;\"]+;?", "", body)
    body = re.sub(r"#0101[0-9a-f]{2}", lambda found: f"var(--{VARIABLES[found[0]]})", body)
    body = re.sub(r"#0202([0-9a-f]{2})", lambda found: f"var(--arm-{int(found[1], 16)})", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    head = f'<svg viewBox="{box[1] if box else ""}" role="img" aria-label="{escape(label)}" '
    return f'{head}xmlns:xlink="http://www.w3.org/1999/xlink">{body}'

"""Two benchmark runs side by side: what they have in common, paired, and what their plans differ in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from veriloop.apps.bench.estimates import draws, number
from veriloop.apps.bench.measured import ArmCells, Floats, Measured, measured
from veriloop.apps.bench.stats import difference, over_seeds
from veriloop.core.errors import UsageError

APART = ("created", "command")
"""What two plans differ in without deciding anything."""


def compare(a: Path | Measured, b: Path | Measured) -> dict[str, Any]:
    """For each arm of both runs: accuracy in each and the paired difference B - A, by metric, over the tasks of both
    (means over whatever seeds each has), with a 95 % interval (bootstrap over tasks) and a sign-flip p-value.

    ``plans`` lists what differs between the plans as {name, a, b}; ``only_a`` and ``only_b`` the arms of one run alone.
    Raises ``UsageError`` where the runs have no arm, task or metric in common.
    """
    one, other = measured(a), measured(b)
    tasks = [task for task in one.tasks if task in set(other.tasks)]
    metrics = [metric for metric in one.metrics if metric in other.metrics]
    labels = [arm.label for arm in one.arms if arm.label in {each.label for each in other.arms}]
    for what, found in (("task", tasks), ("metric", metrics), ("arm", labels)):
        if not found:
            raise UsageError(f"the two runs have no {what} in common: compare runs of one benchmark and its data")
    weights = draws(len(tasks))
    return {
        "tasks": len(tasks),
        "tasks_a": len(one.tasks),
        "tasks_b": len(other.tasks),
        "metrics": metrics,
        "arms": [_arm(label, (one, other), tasks, metrics, weights) for label in labels],
        "only_a": [arm.label for arm in one.arms if arm.label not in labels],
        "only_b": [arm.label for arm in other.arms if arm.label not in labels],
        "plans": plans_differ(one.plan, other.plan),
    }


def _arm(
    label: str, runs: tuple[Measured, Measured], tasks: list[str], metrics: list[str], weights: Floats
) -> dict[str, Any]:
    arms = [run.arm(label) for run in runs]
    found: dict[str, Any] = {"label": label, "verify": arms[0].verify, "oracle": arms[0].oracle, "metrics": {}}
    for metric in metrics:
        a, b = (_by_task(run, arm, metric, tasks) for run, arm in zip(runs, arms, strict=True))
        both = ~np.isnan(a - b)
        shares = {name: number(x[both].mean()) if both.any() else None for name, x in (("a", a), ("b", b))}
        found["metrics"][metric] = {**shares, **difference(b[:, None], a[:, None], weights)}
    found["tokens"] = {name: number(_tokens(arm)) for name, arm in zip("ab", arms, strict=True)}
    return found


def _by_task(run: Measured, arm: ArmCells, metric: str, tasks: list[str]) -> Floats:
    where = {task: i for i, task in enumerate(run.tasks)}
    return over_seeds(arm.right[run.metrics.index(metric)])[[where[task] for task in tasks]]


def _tokens(arm: ArmCells) -> float:
    return float(np.nanmean(arm.spent["tokens_in"] + arm.spent["tokens_out"]))


def plans_differ(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What two plans differ in, by dotted name; arms are told apart by label."""
    flat = [dict(_flat("", {name: value for name, value in plan.items() if name not in APART})) for plan in (a, b)]
    names = dict.fromkeys([*flat[0], *flat[1]])
    return [
        {"name": name, "a": flat[0].get(name), "b": flat[1].get(name)}
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    """Every leaf of nested data with its dotted name. What one plan has and the other lacks is a leaf too: none."""
    if name == "arms" and isinstance(value, list):
        value = {str(arm.get("label", "")): arm for arm in cast("list[dict[str, Any]]", value)}
    if not isinstance(value, Mapping):
        return [(name, value)]
    inner = cast("Mapping[str, Any]", value)
    return [leaf for key, each in inner.items() for leaf in _flat(f"{name}.{key}" if name else str(key), each)]

"""Every strategy at its own best temperature, chosen on tasks that are not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from veriloop.apps.bench.abstain import Calibrator, Row, calibrate
from veriloop.apps.bench.arms import Arm
from veriloop.apps.bench.benchmark import Item
from veriloop.core.errors import UsageError
from veriloop.core.seeds import derive

TEMPERATURES = (0.3, 0.7, 1.0)
"""What is tried where nothing else is asked for, besides each strategy's own default (that of ``single`` is 0)."""


def set_aside(items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """The ``share`` of the tasks to tune on, and the others, which are measured.

    Which ones depends on their ids alone, so whatever else a command asks for, it is the same. Raises ``UsageError``
    where either would be empty.
    """
    if not 0 < share < 1:
        raise UsageError(f"--tune {share:g}: give the share of the tasks to tune on, above 0 and below 1 (0.1)")
    by_hash = sorted(items, key=lambda item: derive("tuning", item.id))
    count = max(1, round(share * len(items)))
    if count >= len(items):
        raise UsageError(f"--tune {share:g} leaves none of {len(items)} tasks to measure: give a smaller share")
    aside = {item.id for item in by_hash[:count]}
    return [item for item in items if item.id in aside], [item for item in items if item.id not in aside]


def unmeasured(others: Sequence[Item], measured: Sequence[Item]) -> list[Item]:
    """Those of ``others``, tasks of another folder, that are not measured: no question about the same database twice.

    Raises ``UsageError`` when none is left.
    """
    known = {_asked(item) for item in measured}
    found = [item for item in others if _asked(item) not in known]
    if not found:
        raise UsageError(
            f"--tune-on: its {len(others)} tasks are all measured too: give a folder of other tasks, or --tune SHARE"
        )
    return found


def _asked(item: Item) -> tuple[str, str]:
    return item.group, " ".join(item.task.question.lower().split())


def trials(arms: Sequence[Arm], temperatures: Sequence[float]) -> list[Arm]:
    """Each arm at each temperature (none given: see ``TEMPERATURES``); once where it has none, or its own was given
    with the strategy."""
    found = [_trial(arm, t) for arm in arms for t in _tried(arm, temperatures)]
    return list({trial.label: trial for trial in found}.values())


def _tried(arm: Arm, temperatures: Sequence[float]) -> list[float]:
    own = () if temperatures or arm.temperature is None else (arm.temperature,)
    return sorted({*(temperatures or TEMPERATURES), *own})


def _trial(arm: Arm, temperature: float) -> Arm:
    warm = arm.at(temperature)
    label = arm.label if warm.temperature is None else f"{arm.label} @ {warm.temperature:g}"
    return replace(warm, label=label)


@dataclass(frozen=True)
class Tuned:
    """What tuning found: ``rows`` are its records, of the ``trials`` of ``arms`` at ``temperatures``."""

    arms: Sequence[Arm]
    temperatures: Sequence[float]
    metric: str
    rows: Sequence[Row] = field(repr=False)

    @cached_property
    def _by_trial(self) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row["arm"], []).append(row)
        return found

    def share(self, trial: Arm) -> float:
        """The share right of a trial, by the main metric after all proposals. A task that broke counts as wrong."""
        rows = self._by_trial[trial.label]
        return sum(float(row["right"][self.metric]) for row in rows) / len(rows)

    def best(self, arm: Arm) -> Arm:
        """The trial of ``arm`` with the greatest share right; of equal ones that of the lower temperature."""
        return max(trials([arm], self.temperatures), key=lambda trial: round(self.share(trial), 12))

    def chosen(self, arm: Arm) -> Arm:
        """``arm`` at the temperature that was best for it."""
        warm = self.best(arm).temperature
        return arm if warm is None else arm.at(warm)

    def calibrator(self, arm: Arm) -> Calibrator:
        """P(right) of the answers of ``arm`` as chosen; a changed arm has that of the one it is a copy of."""
        base = next(each for each in self.arms if each.label == (arm.base or arm.label))
        return calibrate(self._by_trial[self.best(base).label], self.metric)

    @property
    def plain(self) -> Mapping[str, Any]:
        """The table for plan and report: each arm's temperatures with their share right, and the one chosen."""
        arms = [
            {
                "label": arm.label,
                "tried": [
                    {"temperature": trial.temperature, "right": round(self.share(trial), 6)}
                    for trial in trials([arm], self.temperatures)
                ],
                "chosen": self.best(arm).temperature,
            }
            for arm in self.arms
        ]
        tasks = len({row["task"] for row in self.rows})
        tried = sorted({t for arm in self.arms if not arm.pinned for t in _tried(arm, self.temperatures)})
        return {"tasks": tasks, "metric": self.metric, "temperatures": tried, "arms": arms}

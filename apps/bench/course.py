"""The course of a benchmark command: what is asked becomes a plan, strategies are tuned on tasks that are not measured,
then all arms run, those that learn from others last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from veriloop.apps.bench import plan as plans
from veriloop.apps.bench.ablate import ablated
from veriloop.apps.bench.abstain import Calibrator, withheld
from veriloop.apps.bench.arms import Arm, Wanted, arms_of
from veriloop.apps.bench.benchmark import Benchmark, Item, make, name_of
from veriloop.apps.bench.plan import Asked, Plan
from veriloop.apps.bench.records import Row, key_of, unfinished
from veriloop.apps.bench.runner import Keep, Lot, Quiet, Runner, Watch
from veriloop.apps.bench.tune import Tuned, set_aside, trials, unmeasured
from veriloop.core.errors import UsageError, meant
from veriloop.graphs.record import close_journal

TUNING = "tuning"
"""The folder in a run's own that holds what tuning recorded."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command: see ``veriloop bench --help``. ``benchmark`` is a name or an object, ``tools`` are names, ``tune``
    is a share of the tasks, ``tune_on`` another data folder, ``keep`` takes in what each measured cell gave."""

    benchmark: str | Benchmark
    data: Path
    out: Path
    strategies: Sequence[str]
    models: Mapping[str, str]
    verify: Sequence[str] = ()
    tools: Sequence[str] = ()
    ablate: str = ""
    proposals: int | None = None
    temperature: float | None = None
    tune: float | None = None
    tune_on: Path | None = None
    temperatures: Sequence[float] = ()
    abstain_below: float | None = None
    seeds: int = 1
    limit: int | None = None
    metric: str = ""
    concurrency: int = 16
    max_money: float | None = None
    keep: Keep | None = None


class Course:
    """An order with everything that can be known before it begins. Raises ``UsageError`` for what cannot be."""

    def __init__(self, order: Order) -> None:
        self.order = order
        _refuse(order)
        self.benchmark: Benchmark = make(order.benchmark)
        self.metric = _metric(self.benchmark, order.metric)
        everything = self.benchmark.load(order.data)
        if not everything:
            raise UsageError(f"{order.data} has no tasks")
        chosen = plans.limited(everything, order.limit)
        self.tuning, self.items = _split(order, self.benchmark, chosen)
        self.tuned: Tuned | None = None
        verify = tuple(order.verify) or (self.benchmark.verify,)
        self._bases = arms_of(Wanted(order.strategies, verify, order.proposals, order.temperature))
        self.plan: Plan = plans.plan_of(self._asked(verify), order.data, self.arms, self.items, self.benchmark.metrics)

    @property
    def arms(self) -> list[Arm]:
        """All arms: the strategies as they are tuned, and their changed copies."""
        bases = [self.tuned.chosen(arm) for arm in self._bases] if self.tuned else self._bases
        return [*bases, *(ablated(bases, self.order.ablate) if self.order.ablate else ())]

    async def run(self, watch: Watch | None = None) -> Plan:
        """From where it stands to the end; returns the plan as it is then. Raises ``UsageError``: another command was
        begun in the folder, or it cannot go on now."""
        order, watch = self.order, watch or Quiet()
        plans.refuse_foreign(order.out)
        with plans.claimed(order.out):
            self.plan = plans.agreed(order.out, self.plan)
            plans.write_gold(order.out, self.items)
            try:
                spent = await self._tune(watch) if self.tuning else 0.0
                await self._measure(watch, spent)
            finally:
                if close := getattr(self.benchmark, "close", None):
                    await close()
                for folder in (order.out, order.out / TUNING):
                    close_journal(folder)
        return self.plan

    async def _tune(self, watch: Watch) -> float:
        temperatures = self.order.temperatures
        folder = self.order.out / TUNING
        folder.mkdir(exist_ok=True)
        runner = Runner(self._lot(watch, folder))
        tried = trials(self._bases, temperatures)
        await runner.run("tuning", tried, self.tuning, [0])
        rows = _last(runner.results.rows())
        _whole(rows)
        self.tuned = Tuned(self._bases, temperatures, self.metric, rows)
        calibrators = {label: each.plain for label, each in self._calibrators.items()}
        self._note(tuning={"on": [item.id for item in self.tuning], **self.tuned.plain, "calibrators": calibrators})
        return runner.spent

    async def _measure(self, watch: Watch, spent: float) -> None:
        runner = Runner(self._lot(watch, self.order.out, spent))
        seeds, arms = range(self.order.seeds), self.arms
        first, later = [arm for arm in arms if not arm.waits], [arm for arm in arms if arm.waits]
        await runner.run("arms", first, self.items, seeds, self._finish)
        if later:
            bases = {arm.base for arm in later}
            rows = _last(row for row in runner.results.rows() if row["arm"] in bases)
            _whole(rows)
            learnt = [arm.learn([row for row in rows if row["arm"] == arm.base]) for arm in later]
            self._note(learnt={arm.label: arm.seen.plain for arm in learnt if arm.seen})
            await runner.run("changed arms", learnt, self.items, seeds, self._finish)

    def _lot(self, watch: Watch, folder: Path, spent: float = 0.0) -> Lot:
        return Lot(
            benchmark=self.benchmark,
            models=self.order.models,
            tools=self.order.tools,
            folder=folder,
            watch=watch,
            concurrency=self.order.concurrency,
            max_money=self.order.max_money,
            spent=spent,
            keep=self.order.keep if folder == self.order.out else None,
        )

    def _note(self, **more: Any) -> None:
        """Write down what was learnt on the way."""
        arms = [dict(plans.plain_arm(arm)) for arm in self.arms]
        if {**self.plan, "arms": arms, **more} != self.plan:
            self.plan = {**self.plan, "arms": arms, **more}
            plans.write(self.order.out, self.plan)

    @cached_property
    def _calibrators(self) -> Mapping[str, Calibrator]:
        assert self.tuned is not None
        return {arm.label: self.tuned.calibrator(arm) for arm in self.arms}

    @property
    def _finish(self) -> Callable[[Row], Row] | None:
        """Takes back answers that are too unlikely to be right."""
        below = self.order.abstain_below
        if below is None:
            return None

        def finish(row: Row) -> Row:
            return row if row["error"] else withheld(row, self._calibrators[row["arm"]], below)

        return finish

    def _asked(self, verify: Sequence[str]) -> Asked:
        order = self.order
        tune = "" if order.tune is None else f"{order.tune:g}"
        return Asked(
            benchmark=name_of(self.benchmark, order.benchmark),
            data=plans.content(self.items),
            strategies=list(order.strategies),
            verify=list(verify),
            tools=list(order.tools),
            ablate=order.ablate,
            proposals=order.proposals,
            temperature=order.temperature,
            tune=f"on {plans.content(self.tuning)}" if order.tune_on else tune,
            temperatures=list(order.temperatures),
            abstain_below=order.abstain_below,
            seeds=order.seeds,
            limit=order.limit,
            models=order.models,
            metric=self.metric,
            veriloop=plans.release(),
        )


def _refuse(order: Order) -> None:
    """Options that cannot be together."""
    tuned = order.tune is not None or order.tune_on is not None
    if order.tune is not None and order.tune_on is not None:
        raise UsageError("--tune takes some of these tasks, --tune-on those of another folder: leave one out")
    if tuned and order.temperature is not None:
        raise UsageError("--temperature fixes what tuning chooses: leave one out, or give --temperatures")
    if order.temperatures and not tuned:
        raise UsageError("--temperatures are tried on tasks that are not measured: add --tune 0.1 or --tune-on DIR")
    if order.abstain_below is not None and not tuned:
        raise UsageError(
            "--abstain-below learns P(right) on tasks that are not measured: add --tune 0.1 or --tune-on DIR"
        )
    if not order.strategies:
        raise UsageError("name the strategies to compare: --strategies single,best_of_n,iad")


def _metric(benchmark: Benchmark, wanted: str) -> str:
    known = benchmark.metrics
    if wanted and wanted not in known:
        raise UsageError(f"unknown metric {wanted!r}{meant(wanted, known)}; there are {', '.join(known)}")
    return wanted or known[0]


def _split(order: Order, benchmark: Benchmark, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The tasks to tune on, and those that are measured."""
    if order.tune is not None:
        return set_aside(items, order.tune)
    if order.tune_on is not None:
        return unmeasured(benchmark.load(order.tune_on), items), list(items)
    return [], list(items)


def _last(rows: Any) -> list[Row]:
    """The last row of each cell, in an order that does not depend on who ended first."""
    found = {key_of(row): row for row in rows}
    return [found[key] for key in sorted(found)]


def _whole(rows: Sequence[Row]) -> None:
    """Raise ``UsageError`` where cells that others depend on have met trouble."""
    trouble = [row for row in rows if unfinished(row)]
    if trouble:
        raise UsageError(
            f"{len(trouble)} cells met trouble that others depend on, the first: {trouble[0]['error']}; "
            "the same command goes on"
        )

"""Runs cells (arm x seed x task) side by side: each a run of its own in a journal of the folder, so that whatever ends
the process, the next one goes on and pays for nothing twice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from veriloop.apps.bench.arms import Arm
from veriloop.apps.bench.benchmark import Benchmark, Item, Scores
from veriloop.apps.bench.learning import Job, Learned, again, ordered
from veriloop.apps.bench.purse import Purse
from veriloop.apps.bench.records import Cell, Key, Results, Row, best_so_far, key_of, said, shown, unfinished
from veriloop.core.errors import JournalMismatch, RunFailed, ToolError, UsageError, VeriloopError, told
from veriloop.core.events import Emitter, Event, Noticed
from veriloop.core.journal import RunLog
from veriloop.core.search import Candidate, Proposal, Result, Search
from veriloop.core.seeds import fingerprint
from veriloop.core.settings import load
from veriloop.graphs.prepare import Plan, prepare
from veriloop.graphs.solve import asolve
from veriloop.graphs.strategies import Strategy

TRIED_FIRST = 4
"""Tasks on which an arm is tried before anything is paid: it is refused when it can run on none of them."""


class Watch(Protocol):
    """Who is told how it goes."""

    def began(self, stage: str, total: int, arms: Sequence[Arm]) -> None:
        """A stage of so many cells begins."""
        ...

    def ended(self, row: Row, fresh: bool) -> None:
        """A cell has ended, now (``fresh``) or in an earlier sitting."""
        ...

    def notice(self, text: str) -> None:
        """Something that a user should know."""
        ...


Keep = Callable[[Item, Cell, Result], Awaitable[None]]
"""Who takes in what a cell gave, before its row is written: after a kill, some cells are told again."""


class Quiet:
    """Nobody is told."""

    def began(self, stage: str, total: int, arms: Sequence[Arm]) -> None:
        """Nothing."""

    def ended(self, row: Row, fresh: bool) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Whole:
    """A policy whose rounds always end as a whole. A round that is closed early counts whoever was the fastest, so the
    same seed would not give the same result."""

    policy: Any

    unjudged = True  # not a parameter: a task of which the verifier can say nothing is answered like the others

    def __getattr__(self, name: str) -> Any:
        if name in ("enough", "policy") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.policy, name)

    def propose(self, search: Search) -> list[Proposal]:
        """What the policy proposes."""
        return self.policy.propose(search)

    def select(self, search: Search) -> Candidate | None:
        """What the policy selects."""
        return self.policy.select(search)


@dataclass(frozen=True, kw_only=True)
class Lot:
    """What all cells of a folder share. ``tools`` are the names of those that a model may call. ``max_money`` is in US
    dollars, for all sittings (see ``Purse``); ``spent`` of it are spent elsewhere. ``keep`` is told of each cell that
    could be run."""

    benchmark: Benchmark
    models: Mapping[str, str]
    folder: Path
    watch: Watch
    tools: Sequence[str] = ()
    concurrency: int = 16
    max_money: float | None = None
    spent: float = 0.0
    keep: Keep | None = None


class Runner:
    """Brings all cells of a folder to their end."""

    def __init__(self, lot: Lot) -> None:
        self.lot = lot
        self.results = Results(lot.folder)
        self._purse = Purse(lot.max_money, lot.spent)
        self._learned = Learned()
        self._in_a_row = 0
        self._halt = ""
        self._heard: set[str] = set()

    @property
    def spent(self) -> float:
        """US dollars that all ended cells took, as far as prices are known."""
        return self._purse.spent

    async def run(
        self,
        stage: str,
        arms: Sequence[Arm],
        items: Sequence[Item],
        seeds: Sequence[int],
        finish: Callable[[Row], Row] | None = None,
    ) -> None:
        """All cells that have not ended; those that trouble stopped are tried again. ``finish`` has the last word on
        each row.

        Raises ``UsageError`` when an arm can run on no task, when trouble does not pass, and when the money is spent.
        """
        jobs = list(ordered(items, seeds, arms))
        keys = set(map(_key, jobs))
        ended = self._ended(keys)
        done = {key: row for key, row in ended.items() if not unfinished(row)}
        left = deque(again([(job, _key(job) in done) for job in jobs]))
        once_more = set(map(_key, left))
        done = {key: row for key, row in done.items() if key not in once_more}
        await self._check([arm for arm in arms if any(job[2] is arm for job in left)], items)
        self.lot.watch.began(stage, len(keys), arms)
        for key, row in ended.items():
            self._purse.note(key, row["spend"]["money"])
        for row in done.values():
            self.lot.watch.ended(row, False)
        if not left:
            return
        await self._all(left, finish)
        if left and not self._halt:
            self._halt = (
                f"${self.spent:.4f} of --max-money {self.lot.max_money:g} are spent, and the rest is too little"
            )
        if self._halt:
            raise UsageError(f"{self._halt}; the same command goes on")

    def _ended(self, keys: set[Key]) -> dict[Key, Row]:
        """The last row of each of these cells, without what was said in it: there may be thousands."""
        short = ("arm", "task", "seed", "stopped", "error", "right", "spend")
        rows = (row for row in self.results.rows() if key_of(row) in keys)
        return {key_of(row): {name: row[name] for name in short} for row in rows}

    async def _all(self, left: deque[Job], finish: Callable[[Row], Row] | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.lot.concurrency, len(left))):
                    group.create_task(self._work(left, finish))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            self.results.close()

    async def _work(self, left: deque[Job], finish: Callable[[Row], Row] | None) -> None:
        while left and not self._halt and await self._purse.begin():
            try:
                if not left:
                    return
                item, seed, arm = left.popleft()
                row: Row = (await self._cell(arm, item, seed)).row()
                row = finish(row) if finish else row
                self.results.append(row)
                self._take(row)
            finally:
                self._purse.end()

    def _take(self, row: Row) -> None:
        """Count a cell that has ended now. What meets trouble again and again is left."""
        self._purse.note(key_of(row), row["spend"]["money"])
        self.lot.watch.ended(row, True)
        self._in_a_row = self._in_a_row + 1 if unfinished(row) else 0
        if self._in_a_row >= max(8, self.lot.concurrency):
            self._halt = f"{self._in_a_row} cells in a row met trouble, the last: {row['error']}"

    async def _cell(self, arm: Arm, item: Item, seed: int) -> Cell:
        cell = self._blank(arm, item, seed)
        try:
            if ready := getattr(self.lot.benchmark, "ready", None):
                await ready(item)
            result = await self._solve(arm, item, seed, cell.run)
            cell = replace(cell, seconds=round(result.spend.seconds, 4), spend=result.spend)  # paid, scored or not
            scores = await self.lot.benchmark.score(item, result.candidates)
            cell = self._filled(cell, arm, item, result, scores)
        except JournalMismatch as error:
            said = f"{_line(error).partition(';')[0]}, code or settings changed since: give another --out"
            return replace(cell, stopped=f"error: {said}", error=said, right=self._none)
        except (RunFailed, ToolError) as error:
            said = _line(getattr(error, "reason", error))
            return replace(cell, stopped=f"error: {said}", error=said, right=self._none)
        except Exception as error:
            return replace(cell, stopped="broken", error=_line(error), right=self._none)
        if self.lot.keep is not None:
            await self.lot.keep(item, cell, result)  # what it raises ends the run: no row says that the cell has ended
        return cell

    async def _solve(self, arm: Arm, item: Item, seed: int, run: str) -> Result:
        async with self._learned.turn(arm, seed) as memory:
            return await asolve(
                item.task,
                strategy=_whole(arm),
                model=self.lot.models,
                tools=self.lot.tools,
                memory=memory,
                seed=seed,
                run_id=run,
                folder=self.lot.folder,
                on_event=self._listen if arm.label not in self._heard else (),
                **arm.options(self.lot.benchmark, item, seed),
            )

    def _listen(self, event: Event) -> None:
        if isinstance(event, Noticed) and event.text not in self._heard:
            self._heard.add(event.text)
            self.lot.watch.notice(event.text)

    @property
    def _none(self) -> Scores:
        return dict.fromkeys(self.lot.benchmark.metrics, False)

    def _blank(self, arm: Arm, item: Item, seed: int) -> Cell:
        return Cell(
            task=item.id,
            group=item.group,
            question=item.task.question,
            arm=arm.label,
            strategy=arm.strategy.name,
            parameters=arm.parameters,
            verify=arm.verify,
            change=arm.change,
            temperature=arm.temperature,
            seed=seed,
            run=run_id(arm, item, seed),
        )

    def _filled(self, cell: Cell, arm: Arm, item: Item, result: Result, scores: Sequence[Scores]) -> Cell:
        self._heard.add(arm.label)
        right = {c.id: dict(each) for c, each in zip(result.candidates, scores, strict=True)}
        policy = arm.strategy.make()
        picks, tokens = best_so_far(policy, Search(task=item.task, seed=cell.seed), result)
        trouble = result.stopped.removeprefix("error: ") if result.stopped.startswith("error: ") else ""
        return replace(
            cell,
            stopped=result.stopped,
            error=_line(trouble) if trouble else "",
            abstained=result.best is None,
            best=result.best.id if result.best else None,
            right=right[result.best.id] if result.best else self._none,
            picks=picks,
            tokens=tokens,
            candidates=[shown(c, right[c.id]) for c in result.candidates],
            opinions=[said(opinion) for opinion in result.opinions],
        )

    async def _check(self, arms: Sequence[Arm], items: Sequence[Item]) -> None:
        """Refuse an arm that can run on none of some tasks of different kinds: a missing key, a model that cannot."""
        by_group = list({item.group: item for item in reversed(items)}.values())[::-1]
        first = list({item.id: item for item in (*by_group, *items)}.values())[:TRIED_FIRST]
        for arm in arms:
            faults = [fault for item in first if (fault := await self._fault(arm, item)) is not None]
            if len(faults) == len(first):
                raise UsageError(f"{arm.label}: {faults[-1]}") from faults[-1]

    async def _fault(self, arm: Arm, item: Item) -> VeriloopError | None:
        # With a limit of money a model without a price is refused; what a run may cost depends on no other.
        limits = replace(item.task.limits, money=self.lot.max_money) if self.lot.max_money else item.task.limits
        plan = Plan(
            task=replace(item.task, limits=limits),
            strategy=_whole(arm),
            models=self.lot.models,
            tools=self.lot.tools,
            **arm.options(self.lot.benchmark, item, 0),
        )
        try:
            await prepare(plan, RunLog("check"), load(), Emitter("check"))
        except VeriloopError as error:
            return error
        return None


def _key(job: Job) -> Key:
    item, seed, arm = job
    return arm.label, item.id, seed


def run_id(arm: Arm, item: Item, seed: int) -> str:
    """The id of a cell's run in its folder."""
    return fingerprint(f"{arm.label}\x1f{item.id}\x1f{seed}".encode()).hex()


def _whole(arm: Arm) -> Strategy:
    return Strategy(arm.strategy.name, arm.strategy.parameters, Whole(arm.strategy.make()))


def _line(error: object) -> str:
    text = told(error) if isinstance(error, BaseException) else str(error)
    return " ".join(text.split())[:500]

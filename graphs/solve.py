"""From a call to a run: ``asolve`` and ``aresume``."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import UsageError, VeriloopError
from ..core.events import Emitter, RunEnded, RunStarted, Subscribers
from ..core.journal import RunLog
from ..core.protocols import Memory, Model, Policy, Tool, Toolbox
from ..core.search import Result
from ..core.settings import Settings, load
from ..core.task import Limits, Task
from ..core.wire import decode, encode
from .output import Output
from .prepare import Plan, name_fallbacks, prepare
from .record import header, objects_of, open_log, open_own, open_store, refuse_namesake, refuse_other
from .run import Run
from .strategies import Strategy


async def asolve(
    task: Task | str,
    *,
    strategy: str | Strategy | Policy | None = None,
    model: str | Model | Mapping[str, str | Model] | None = None,
    verify: Any = "auto",
    output: Any = None,
    limits: Limits | None = None,
    seed: int = 0,
    gold: Any = None,
    tools: Sequence[str | Tool | Toolbox] = (),
    memory: Memory | None = None,
    on_event: Subscribers = (),
    stream: bool = False,
    batch: bool = False,
    journal: bool = True,
    run_id: str | None = None,
    folder: Path | None = None,
    record: str | Path | None = None,
    replay: str | Path | None = None,
) -> Result:
    """Solve a task: propose, run, verify, refine and select, within limits.

    ``model`` is a name, a model object, or a mapping of roles to them (``{"proposer": …, "judge": …}``). ``verify`` is
    a verifier's name, a function of the answer, a verifier, several of them in order, or none; ``auto`` takes the
    task's own (SQL for a database). ``tools`` are names (``python``, ``mcp:SERVER``) or tools that the model may
    call. ``output`` is the wanted type of the answer (anything pydantic validates). ``gold`` is for the verifier
    ``oracle`` alone.
    ``on_event`` gets the run's events; with ``stream`` also ``Wrote``, for each piece of text that a model writes. With
    ``batch``, requests go through the providers' batch interfaces: half the price, and up to a day for each round.
    ``record`` writes the run to a new file, ``replay`` takes all model replies from one.

    ``run_id`` is an id of your own. A run that has this id already is gone on with, what it paid for is not paid again,
    and one that has ended is only told again. ``folder`` is where its journal lies instead of your data folder; such a
    run is in none of your lists.

    Raises ``UsageError`` before any call when something cannot be, ``RunFailed`` when no attempt could be made at all.
    """
    settings = load()
    task = Task(task) if isinstance(task, str) else task
    if limits is not None:
        task = replace(task, limits=limits)
    _refuse(task, output, tools)
    if folder is not None and not journal:
        raise UsageError("folder is where the journal lies: leave out journal=False")
    if journal and folder is None and settings.store:
        open_store(settings.store)
    plan = Plan(
        task=_anywhere(task),
        strategy=Strategy.of(strategy or settings.strategy or default_strategy(task, verify)),
        models=_by_role(model or settings.model),
        verify=verify,
        gold=gold,
        output=output,
        seed=seed,
        tools=tools,
        memory=memory,
        batch=batch,
    )
    log = _log(run_id, folder, settings.folder if journal else None, record, replay)
    try:
        if replay is not None:
            refuse_other(log, plan, Path(replay))
        elif log.records:
            refuse_namesake(log, plan)
        return await _run(plan, log, settings, Emitter(log.run, on_event, stream), record)
    finally:
        log.close()


async def aresume(
    run_id: str,
    *,
    strategy: Policy | None = None,
    model: Model | Mapping[str, str | Model] | None = None,
    verify: Any = None,
    output: Any = None,
    tools: Sequence[str | Tool | Toolbox] | None = None,
    memory: Memory | None = None,
    gold: Any = None,
    on_event: Subscribers = (),
    stream: bool = False,
) -> Result:
    """Go on with a run that was cut off; recorded calls are not paid again.

    What a file cannot hold is given again: strategy, model and so on where they were objects. Raises ``UsageError``
    naming those that are missing.
    """
    again = {"strategy": strategy, "model": model, "verify": verify, "output": output, "tools": tools}
    objects = {name: each for name, each in {**again, "memory": memory, "gold": gold}.items() if each is not None}
    settings = load()
    log = open_log(run_id, settings.folder, resume=True)
    try:
        said = log.get("run", "")
        if said is None:
            raise UsageError(f"the beginning of run {run_id} is lost, so it cannot be resumed")
        given = objects_of(said, objects, run_id)
        models = given.pop("models")
        plan = Plan(
            task=decode(Task, said["task"]),
            strategy=given.pop("strategy"),
            models=_by_role(models),
            seed=said["seed"],
            **given,
        )
        return await _run(plan, log, settings, Emitter(log.run, on_event, stream), None)
    finally:
        log.close()


def _log(
    run_id: str | None, folder: Path | None, home: Path | None, record: str | Path | None, replay: str | Path | None
) -> RunLog:
    """The log of a run in ``folder``, else below the data folder ``home``, where it is not none."""
    kept = folder.expanduser().absolute() if folder is not None else home
    if run_id is not None and kept is not None and replay is None:
        return open_own(run_id, kept, folder is None, record)
    return open_log(run_id or new_id(), kept, record=record, replay=replay)


def _refuse(task: object, output: Any, tools: Sequence[object]) -> None:
    """Raise ``UsageError`` for arguments that cannot be, before anything is made of them."""
    if not isinstance(task, Task) or not isinstance(task.limits, Limits):  # type: ignore[reportUnnecessaryIsInstance]
        raise UsageError("give a Task or a question, and Limits as limits")
    if task.database is not None and output is not None:
        raise UsageError("the answer to a question about a database is its rows: leave output out")
    if isinstance(tools, str):
        raise UsageError(f"give tools as a list, as in tools=[{tools!r}]")
    for tool in tools:
        if not isinstance(tool, (str, Tool, Toolbox)):
            raise UsageError(f"{tool!r} is not a tool: it needs a spec and an async open(actions)")


def _anywhere(task: Task) -> Task:
    """The task with an absolute path, so that it can be resumed from another folder."""
    if task.database is None:
        return task
    return replace(task, database=str(Path(task.database).expanduser().absolute()))


def default_strategy(task: Task, verify: Any) -> str:
    """``iad`` where there is a verifier, ``single`` where there is none."""
    return "single" if verify in (None, "none") or (verify == "auto" and task.database is None) else "iad"


def new_id() -> str:
    """A fresh run id, short enough to type."""
    return uuid.uuid4().hex[:10]


def _by_role(model: str | Model | Mapping[str, str | Model]) -> Mapping[str, str | Model]:
    models = model if isinstance(model, Mapping) else {"proposer": model}
    if "proposer" not in models:
        raise UsageError("no model for the proposer: give model=… or model={'proposer': …}")
    return models


async def _run(plan: Plan, log: RunLog, settings: Settings, emit: Emitter, record: str | Path | None) -> Result:
    from .apart import apart
    from .graph import build

    run = await prepare(plan, log, settings, emit)
    resumed = bool(log.records) and not log.replaying
    if log.active and not log.records:
        log.put("run", "", header(plan))
    emit(RunStarted, "run", task=run.task, strategy=plan.strategy.name, resumed=resumed)
    name_fallbacks(run)
    try:
        with apart():
            result: Result = await build(plan.memory is not None).ainvoke({}, context=run, output_keys="result")
        _end(run, result)
    except asyncio.CancelledError:
        _trouble(run, "interrupted", run.gateway.flying)
        raise
    except VeriloopError as error:
        _trouble(run, f"error: {getattr(error, 'reason', error)}")
        raise _bare(error) from error.__cause__
    finally:
        if record is not None:
            log.export(Path(record))
    emit(RunEnded, "end", result=result)
    return Output(plan.output).typed(result)


def _end(run: Run, result: Result) -> None:
    """Record the end, save where trouble stopped the run: that one can still be resumed."""
    if not run.log.active or ("end", "") in run.log.records:
        return
    if run.trouble:
        _trouble(run, f"error: {run.trouble}")
        return
    value = {
        "stopped": result.stopped,
        "answer": encode(result.answer),
        "best": result.best.id if result.best else None,
        "outcome": result.verdict.outcome,
        "spend": encode(result.spend),
        **({"numbers": result.numbers} if result.numbers else {}),
    }
    run.log.put("end", "", value, t=result.spend.seconds)


def _trouble(run: Run, why: str, flying: int = 0) -> None:
    """Record what this sitting met, so that a list of runs can say it, and the replies that nobody waits for now."""
    unsettled = run.budget.spend.unsettled + flying
    run.log.put("trouble", "", {"why": why, "unsettled": unsettled}, t=run.budget.seconds)


def _bare(error: VeriloopError) -> VeriloopError:
    """An error for people without what the graph's frames say and the notes it adds."""
    error.__notes__ = []
    return error.with_traceback(None)

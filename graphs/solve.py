"""From a call to a run: names become objects, everything is checked before the first call, then the graph runs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ..agents.proposer import Proposer
from ..agents.roles import OUTPUTS
from ..core.budget import Budget
from ..core.errors import CapabilityError, UsageError
from ..core.events import Emitter, Noticed, RunEnded, RunStarted, Subscriber
from ..core.journal import RunLog
from ..core.messages import Reply
from ..core.protocols import Memory, Model, Policy, Tool, Verifier
from ..core.search import Result
from ..core.settings import Settings, load
from ..core.task import Limits, Task
from ..core.wire import decode, encode
from ..models import named
from ..models.gateway import Gateway
from ..models.prices import Price
from ..verifiers import make
from .output import Output
from .record import header, objects_of, open_log
from .run import Run
from .strategies import UNVERIFIED, VERIFIED, Strategy

Subscribers = Subscriber | Sequence[Subscriber]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A call of ``solve``, before names become objects."""

    task: Task
    strategy: Strategy
    models: Mapping[str, str | Model]
    verify: Any = "auto"
    gold: Any = None
    output: Any = None
    seed: int = 0
    tools: Sequence[Tool] = ()
    memory: Memory | None = None


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
    tools: Sequence[Tool] = (),
    memory: Memory | None = None,
    on_event: Subscribers = (),
    journal: bool = True,
    record: str | Path | None = None,
    replay: str | Path | None = None,
) -> Result:
    """Solve a task: propose, run, verify, refine and select, within limits.

    ``model`` is a name, a model object, or a mapping of roles to them (``{"proposer": …, "judge": …}``). ``verify`` is
    a verifier's name, a function of the answer, a verifier, several of them in order, or none; ``auto`` takes the
    task's own (SQL for a database). ``output`` is the wanted type of the answer (anything pydantic validates). ``gold``
    is for the verifier ``oracle`` alone. ``record`` writes the run to a file, ``replay`` takes all model replies from
    one.

    Raises ``UsageError`` before any call when something cannot be, ``RunFailed`` when no attempt could be made at all.
    """
    settings = load()
    task = Task(task) if isinstance(task, str) else task
    if limits is not None:
        task = replace(task, limits=limits)
    _refuse(task, output, tools, record)
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
    )
    log = open_log(new_id(), settings.folder if journal else None, record=record, replay=replay)
    try:
        return await _run(plan, log, settings, on_event, record)
    finally:
        log.close()


async def aresume(run_id: str, *, on_event: Subscribers = (), **objects: Any) -> Result:
    """Go on with a run that was cut off; recorded calls are not paid again.

    ``objects`` give again what a file cannot hold: ``strategy``, ``model``, ``verify``, ``output``, ``tools``,
    ``memory`` or ``gold`` where they were objects. Raises ``UsageError`` naming those that are missing.
    """
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
        return await _run(plan, log, settings, on_event, None)
    finally:
        log.close()


def _refuse(task: object, output: Any, tools: Sequence[object], record: str | Path | None) -> None:
    """Raise ``UsageError`` for arguments that cannot be, before anything is made of them."""
    if not isinstance(task, Task) or not isinstance(task.limits, Limits):  # type: ignore[reportUnnecessaryIsInstance]
        raise UsageError("give a Task or a question, and Limits as limits")
    if task.database is not None and output is not None:
        raise UsageError("the answer to a question about a database is its rows: leave output out")
    for tool in tools:
        if not isinstance(tool, Tool):
            raise UsageError(f"{tool!r} is no tool: it needs a spec and an async open(actions)")
    if record is not None and Path(record).is_dir():
        raise UsageError(f"cannot record to {record}: it is a folder; name a file")


def _anywhere(task: Task) -> Task:
    """The task with an absolute path, so that it can be resumed from another folder."""
    if task.database is None:
        return task
    return replace(task, database=str(Path(task.database).expanduser().absolute()))


def default_strategy(task: Task, verify: Any) -> str:
    """``iad`` where there is a verifier, ``single`` where there is none."""
    return "single" if verify is None or (verify == "auto" and task.database is None) else "iad"


def new_id() -> str:
    """A fresh run id, short enough to type."""
    return uuid.uuid4().hex[:10]


def _by_role(model: str | Model | Mapping[str, str | Model]) -> Mapping[str, str | Model]:
    models = model if isinstance(model, Mapping) else {"proposer": model}
    if "proposer" not in models:
        raise UsageError("no model for the proposer: give model=… or model={'proposer': …}")
    return models


async def _run(plan: Plan, log: RunLog, settings: Settings, on_event: Subscribers, record: str | Path | None) -> Result:
    from .graph import build

    subscribers = (on_event,) if callable(on_event) else on_event
    emit = Emitter(log.run, tuple(cast("Sequence[Subscriber]", subscribers)))
    run = await prepare(plan, log, settings, emit)
    resumed = bool(log.records) and not log.replaying
    if log.active and not log.records:
        log.put("run", "", header(plan))
    emit(RunStarted, "run", task=run.task, strategy=plan.strategy.name, resumed=resumed)
    try:
        with _untraced():
            result: Result = await build(plan.memory is not None).ainvoke({}, context=run, output_keys="result")
        _end(run, result)
    finally:
        if record is not None:
            log.export(Path(record))
    emit(RunEnded, "end", result=result)
    return Output(plan.output).typed(result)


def _end(run: Run, result: Result) -> None:
    """Record the end, save where trouble stopped the run: that one can still be resumed."""
    if not result.stopped.startswith("error") and run.log.active:
        value = {
            "stopped": result.stopped,
            "answer": encode(result.answer),
            "best": result.best.id if result.best else None,
            "outcome": result.verdict.outcome,
            "spend": encode(result.spend),
        }
        run.log.put("end", "", value, t=result.spend.seconds)


def _untraced() -> AbstractContextManager[Any]:
    """Tracing to third parties stays off whatever the environment says: what runs here is the user's."""
    from langsmith.run_helpers import tracing_context  # type: ignore[reportUnknownVariableType]
    from langsmith.utils import tracing_is_enabled  # type: ignore[reportUnknownVariableType]

    return tracing_context(enabled=False) if tracing_is_enabled() else nullcontext()


def _refuse_old_tracing() -> None:
    """LangChain's first tracer is gone, and its leftover variables make LangGraph refuse to run."""
    for name in ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER"):
        if os.environ.get(name, "") not in ("", "0", "false", "False"):
            raise UsageError(f"unset {name}: LangGraph does not run with it, and veriloop traces to nobody")


async def prepare(plan: Plan, log: RunLog, settings: Settings, emit: Emitter) -> Run:
    """Everything a run needs, made and checked before the first call."""
    _refuse_old_tracing()
    policy = plan.strategy.make()
    verifier = _verifier(plan)
    models = {role: _model(m) for role, m in plan.models.items()}
    output = Output(plan.output)
    task = plan.task if output.schema is None else replace(plan.task, output_schema=output.schema)
    tools, about = await _tools(task, plan.tools)
    proposer = Proposer.of(task, about, output.check)
    _check(proposer, policy, verifier, models)
    if plan.tools and not models["proposer"].capabilities.tools:
        raise CapabilityError(f"{models['proposer'].name} calls no tools: give another model, or no tools")
    if not log.replaying:
        for model in models.values():
            getattr(model, "ready", int)()

    def notice(text: str) -> None:
        emit(Noticed, f"notice/{text}", text=text)

    budget = Budget(task.limits, log.elapsed)
    prices = {name: Price(p.input, p.output, p.cached) for name, p in settings.prices.items()}
    gateway = Gateway(models, log, budget, notice, prices)
    _count_spent(gateway, log, verifier is not None)
    return Run(
        id=log.run,
        task=task,
        strategy=plan.strategy.name,
        policy=policy,
        proposer=proposer,
        gateway=gateway,
        verifier=verifier,
        tools=tools,
        offered=tuple(tool.spec.name for tool in plan.tools),
        log=log,
        budget=budget,
        emit=emit,
        seed=plan.seed,
        memory=plan.memory,
    )


def _model(wanted: object) -> Model:
    if isinstance(wanted, str):
        return named(wanted)
    if isinstance(wanted, type) or not all(hasattr(wanted, part) for part in ("name", "capabilities", "generate")):
        raise UsageError(f"{wanted!r} is no model: it needs name, capabilities and an async generate(request)")
    return cast(Model, wanted)


def _verifier(plan: Plan) -> Verifier | None:
    wanted, name = plan.verify, plan.strategy.name
    if isinstance(wanted, str) and wanted == "auto":
        wanted = "sql" if plan.task.database is not None and name not in UNVERIFIED else None
    if wanted is None and name in VERIFIED:
        raise UsageError(f"strategy {name} needs a verifier: give verify= a function, a name or a command (--verify)")
    return None if wanted is None else make(wanted, plan.gold)


async def _tools(task: Task, extra: Sequence[Tool]) -> tuple[dict[str, Tool], str]:
    tools = {tool.spec.name: tool for tool in extra}
    if task.database is None:
        return tools, ""
    sql = _sql_tool(task.database)
    return {"sql": sql, **tools}, await sql.describe()


@lru_cache(maxsize=32)
def _sql_tool(path: str) -> Any:
    """One tool a database, so that concurrent runs share its warm processes."""
    from ..tools.sql import SqlTool

    return SqlTool(path)


def _check(proposer: Proposer, policy: Policy, verifier: Verifier | None, models: Mapping[str, Model]) -> None:
    """Refuse before any call what a model cannot do."""
    main = models["proposer"]
    if main.capabilities.only not in ("", proposer.format.name):
        raise CapabilityError(
            f"{main.name} writes only {main.capabilities.only}: give a database (--db) or another model"
        )
    pictures = any(m.images for m in proposer.task.turns)
    needs = ("proposer", *getattr(policy, "roles", ()), *getattr(verifier, "roles", ()))
    if strange := set(models) - {*needs, *OUTPUTS}:
        raise UsageError(f"no agent plays the role {min(strange)!r}; roles: {', '.join(sorted({*needs, *OUTPUTS}))}")
    for need in needs:
        plays = models.get(need, main)
        if pictures and not plays.capabilities.images:
            raise CapabilityError(f"{plays.name} reads no pictures, and the task has one; the {need} must")
        if plays.capabilities.only and need != "proposer":
            raise CapabilityError(
                f"{plays.name} writes only {plays.capabilities.only} and cannot be the {need}; "
                f"name a model for that role: --model {need}=openai:MODEL, or model={{'{need}': …}}"
            )


def _count_spent(gateway: Gateway, log: RunLog, verified: bool) -> None:
    """Count what the journal says was spent in earlier sittings (a recording's replies count as spent, too)."""
    for record in log.of_kind("model"):
        gateway.count(record.key.split("/")[-2], decode(Reply, record.value))
    if closed := log.of_kind("closed"):
        gateway.budget.count_unsettled(max(record.value["spend"]["unsettled"] for record in closed))
    if not log.replaying:
        for _ in log.of_kind("tool"):
            gateway.budget.take_tool_run(replayed=True)
        for record in log.of_kind("attempt"):
            if verified and record.value.get("complete"):
                gateway.budget.count_verdict()

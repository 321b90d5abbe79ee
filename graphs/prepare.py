"""From a plan to a run: names become objects, and what cannot be is refused before the first call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ..agents.proposer import Proposer
from ..agents.roles import OUTPUTS
from ..core.budget import Budget
from ..core.errors import CapabilityError, Unjudgeable, UsageError
from ..core.events import Emitter
from ..core.journal import Record, RunLog
from ..core.messages import Reply
from ..core.protocols import Memory, Model, Policy, Tool, Toolbox, Verifier
from ..core.provider import Timeouts
from ..core.settings import Settings
from ..core.task import Task
from ..core.wire import decode
from ..models import named
from ..models.cache import Cache
from ..models.gateway import Gateway
from ..models.langchain import wrapped
from ..tools import made as made_tools
from ..verifiers import make
from ..verifiers.steps import by_steps
from .output import Output
from .run import Run
from .strategies import UNVERIFIED, VERIFIED, Strategy


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
    tools: Sequence[str | Tool | Toolbox] = ()
    memory: Memory | None = None
    batch: bool = False


def _refuse_old_tracing() -> None:
    """LangChain's first tracer is gone, and its leftover variables make LangGraph refuse to run."""
    for name in ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER"):
        if os.environ.get(name, "") not in ("", "0", "false", "False"):
            raise UsageError(f"unset {name}: LangGraph does not run with it, and veriloop traces to nobody")


async def prepare(plan: Plan, log: RunLog, settings: Settings, emit: Emitter) -> Run:
    """Everything a run needs, made and checked before the first call."""
    _refuse_old_tracing()
    policy = plan.strategy.make()
    verifier = _verifier(plan, policy)
    models = {role: _model(m, settings.timeouts) for role, m in plan.models.items()}
    if plan.batch:
        models = _in_batches(models, settings.folder / "batches", emit)
    output = Output(plan.output)
    task = plan.task if output.schema is None else replace(plan.task, output_schema=output.schema)
    given = await made_tools(plan.tools)
    tools, about = await _tools(task, given)
    proposer = Proposer.of(task, about, output.check)
    _check(proposer, policy, verifier, models)
    _check_tables(models["proposer"], task)
    await _ask_ready(verifier, task, policy)
    _check_tools(models["proposer"], given)
    for tool in given:
        if ready := getattr(tool, "ready", None):
            await ready()
    if not log.replaying:
        for model in models.values():
            getattr(model, "ready", int)()

    budget = Budget(task.limits, log.elapsed)
    gateway = _gateway(models, log, budget, emit, settings)
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
        offered=tuple(tool.spec.name for tool in given),
        log=log,
        budget=budget,
        emit=emit,
        seed=plan.seed,
        memory=plan.memory,
    )


def _gateway(models: Mapping[str, Model], log: RunLog, budget: Budget, emit: Emitter, settings: Settings) -> Gateway:
    return Gateway(
        models,
        log,
        budget,
        emit,
        prices=settings.prices,
        timeouts=settings.timeouts,
        rates=settings.limits,
        cache=_cache(settings.folder / "replies.sqlite") if settings.cache else None,
    )


def name_fallbacks(run: Run) -> None:
    """Say before the first call what will be done instead of what the model lacks."""
    gateway, model = run.gateway, run.gateway.model("proposer")
    can, name = model.capabilities, model.name
    if not can.n and getattr(run.policy, "at_most", None) != 1:
        gateway.notice(f"{name} gives one sample a request: each is asked for alone")
    if run.task.output_schema is not None and not can.schema:
        gateway.notice(f"{name} takes no schema: JSON is asked for in words, and checked")
    for tool in getattr(run.policy, "tools", ()):
        if tool not in run.offered:
            gateway.notice(f"{run.strategy} is made for the tool {tool}, which is not given")
    if run.offered and getattr(run.policy, "by_steps", False):
        gateway.notice("steps call no tools: only a whole answer does that is asked for at once")
    if run.offered and not can.tools:
        gateway.notice(f"{name} calls no tools itself: it calls them by fenced blocks in its text")
    if not can.temperature:
        gateway.notice(f"{name} sets its own temperature: the strategy's has no effect")


@lru_cache(maxsize=4)
def _cache(path: Path) -> Cache:
    return Cache(path)


def _model(wanted: object, timeouts: Timeouts) -> Model:
    if isinstance(wanted, str):
        return named(wanted, timeouts)
    if isinstance(wanted, type) or not all(hasattr(wanted, part) for part in ("name", "capabilities", "generate")):
        if (model := wrapped(wanted)) is not None:
            return model
        raise UsageError(f"{wanted!r} is not a model: it needs name, capabilities and an async generate(request)")
    return cast(Model, wanted)


def _in_batches(models: Mapping[str, Model], folder: Path, emit: Emitter) -> dict[str, Model]:
    """The models by way of their providers' batch interfaces; one that runs here stays as it is beside others."""
    from ..models.batch import batchable, batched

    if not any(map(batchable, models.values())):
        raise UsageError(f"{models['proposer'].name} has no batch interface: leave out batch (--batch)")

    return {role: batched(model, folder, emit.notice) if batchable(model) else model for role, model in models.items()}


def _verifier(plan: Plan, policy: Policy) -> Verifier | None:
    """The verifier that is asked for; with ``auto`` the policy's own, or the task's. A policy may make its own of it,
    and those by steps have theirs around it."""
    asked = _asked_for(plan, policy)
    if verifying := getattr(policy, "verifying", None):
        asked = verifying(asked)
    return by_steps(asked) if getattr(policy, "by_steps", False) else asked


def _asked_for(plan: Plan, policy: Policy) -> Verifier | None:
    wanted, name = plan.verify, plan.strategy.name
    if isinstance(wanted, str) and wanted == "auto":
        usual = "sql" if plan.task.database is not None and name not in UNVERIFIED else None
        wanted = plan.strategy.verifier or getattr(policy, "verifier", usual)
    if wanted not in (None, "none"):
        return make(wanted, plan.gold)
    if name in VERIFIED:
        raise UsageError(f"strategy {name} needs a verifier: give verify= a function, a name or a command (--verify)")
    if plan.gold is not None:
        raise UsageError("gold is only for the verifier oracle: add verify='oracle' (--verify oracle), or leave it out")
    return None


async def _ask_ready(verifier: Verifier | None, task: Task, policy: Policy) -> None:
    """Have the verifier refuse what it cannot judge; a policy may take a question that it says nothing of."""
    if ready := getattr(verifier, "ready", None):
        try:
            await ready(task)
        except Unjudgeable:
            if not getattr(policy, "unjudged", False):
                raise


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
        raise CapabilityError(_misfit(main, proposer.format.name))
    pictures = any(m.images for m in proposer.task.turns)
    needs = ("proposer", *getattr(policy, "roles", ()), *getattr(verifier, "roles", ()))
    if strange := set(models) - {*needs, *OUTPUTS}:
        raise UsageError(f"no agent plays the role {min(strange)!r}; roles: {', '.join(sorted({*needs, *OUTPUTS}))}")
    for need in needs:
        plays = models.get(need, main)
        if pictures and not plays.capabilities.images:
            role = "" if need == "proposer" else f"{need}="
            raise CapabilityError(
                f"{plays.name} reads no pictures, and the task has one: give a model that does (--model {role}NAME)"
            )
        if plays.capabilities.only and need not in ("proposer", *plays.capabilities.roles):
            without = (
                ", or verify without it: --verify none (or oracle)" if need in getattr(verifier, "roles", ()) else ""
            )
            raise CapabilityError(
                f"{plays.name} writes only {plays.capabilities.only} and cannot be the {need}; "
                f"name a model for that role: --model {need}=openai:MODEL, or model={{'{need}': …}}{without}"
            )


def _misfit(model: Model, wanted: str) -> str:
    """Why a model that writes one format alone does not suit a task, and what does."""
    only = model.capabilities.only
    about = ", for a question about a database (solve --db, Task(database=…))" if only == "sql" else ""
    return f"{model.name} writes only {only}{about}, and this task asks for {wanted}: give another model (--model)"


def _check_tools(model: Model, tools: Sequence[object]) -> None:
    """A model that writes anything can call tools by blocks in its text, one that writes queries alone cannot."""
    if tools and model.capabilities.only not in ("", "text") and not model.capabilities.tools:
        raise CapabilityError(f"{model.name} calls no tools: give another model, or no tools")


def _check_tables(model: Model, task: Task) -> None:
    """A model that knows one database schema is refused where less than half of its tables are there."""
    known: Sequence[str] = getattr(model, "tables", ())
    if not known or task.database is None:
        return
    from ..tools.sql.schema import read_schema

    there = {table.name.lower() for table in read_schema(task.database).tables}
    if 2 * len(there.intersection(known)) < len(known):
        raise CapabilityError(
            f"{model.name} knows only databases with the tables {', '.join(known)}: "
            "give another model, as in --model openai:MODEL"
        )


def _unsettled(record: Record) -> int:
    """What a record says of the replies that never came, up to then."""
    if record.kind == "closed":
        return record.value["spend"]["unsettled"]
    return record.trouble[1] if record.kind == "trouble" else 0


def _count_spent(gateway: Gateway, log: RunLog, verified: bool) -> None:
    """Count what the journal says was spent in earlier sittings (a recording's replies count as spent, too)."""
    for record in log.of_kind("model"):
        gateway.count(record.key.split("/")[-2], decode(Reply, record.value))
    gateway.budget.count_unsettled(max(map(_unsettled, log.records.values()), default=0))
    if not log.replaying:
        for _ in log.of_kind("tool"):
            gateway.budget.take_tool_run(replayed=True)
        for record in log.of_kind("attempt"):
            if verified and _was_judged(record.value):
                gateway.budget.count_verdict()


def _was_judged(attempt: Mapping[str, Any]) -> bool:
    """Whether a verifier was asked about a recorded attempt: all candidates but misfits."""
    return "complete" in attempt and (attempt["complete"] or attempt["verdict"]["verifier"] != "format")

"""Strategies: named presets of a policy with its parameters, recorded in full with every run."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin

from ..core.errors import UsageError, meant
from ..core.protocols import Policy
from ..core.registry import resolve

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_HERE = f"{__package__}.policies"
KNOWN = {
    "single": f"{_HERE}.single:Single",
    "best_of_n": f"{_HERE}.best_of_n:BestOfN",
    "self_refine": f"{_HERE}.self_refine:SelfRefine",
    "iad": f"{_HERE}.iad:IAD",
    "start": f"{_HERE}.start:Start",
    "tree_of_thought": f"{_HERE}.tree_of_thought:TreeOfThought",
    "rebase": f"{_HERE}.rebase:Rebase",
    "particle_filter": f"{_HERE}.particle_filter:ParticleFilter",
    "a_star": f"{_HERE}.a_star:AStar",
    "mcts": f"{_HERE}.mcts:MCTS",
    "beam": f"{_HERE}.beam:Beam",
    "mixture": f"{_HERE}.mixture:Mixture",
    "plan_execute": f"{_HERE}.plan_execute:PlanExecute",
    "plangen-best-of-n": f"{_HERE}.best_of_n:BestOfN",
    "plangen-tot": f"{_HERE}.tree_of_thought:TreeOfThought",
    "plangen-rebase": f"{_HERE}.rebase:Rebase",
    "plangen-mixture": f"{_HERE}.mixture:Mixture",
}


@dataclass(frozen=True)
class Preset:
    """A known policy under another name: what it stands for, its parameters, and the verifier that it has where the
    user names none."""

    summary: str
    parameters: Mapping[str, Any]
    verifier: str = "plangen"


PRESETS = {
    "plangen-best-of-n": Preset(
        "PlanGEN's best of N (arXiv 2502.16111): five whole plans, each verified against the task's constraints.",
        {"n": 5, "temperature": 0.7, "max_tokens": 2048, "early_stop": False},
    ),
    "plangen-tot": Preset(
        "PlanGEN's tree of thought (arXiv 2502.16111): each step scored against the task's constraints.",
        {"children": 3, "budget": 20, "temperature": 0.7},
    ),
    "plangen-rebase": Preset(
        "PlanGEN's REBASE (arXiv 2502.16111): ten steps scored against the task's constraints, the better go on.",
        {"width": 4, "temperature": 0.7},
    ),
    "plangen-mixture": Preset(
        "PlanGEN's mixture (arXiv 2502.16111): a draft, then whatever algorithm a UCB with a model's priors picks.",
        {},
    ),
}
UNVERIFIED = ("self_refine",)
"""Strategies that by definition work without a verifier, unless the user asks for one."""
VERIFIED = ("best_of_n", "iad")
"""Strategies that are nothing without a verifier."""


@dataclass(frozen=True)
class Strategy:
    """A policy by name with the parameters that differ from its defaults, or a ready policy object."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    policy: Policy | None = None

    @classmethod
    def of(cls, wanted: str | Strategy | Policy, **parameters: Any) -> Strategy:
        """The strategy that a name (also ``iad:rounds=8``), a strategy or a policy object stands for."""
        if isinstance(wanted, Strategy):
            return wanted
        if isinstance(wanted, str):
            name, given = parsed(wanted)
            return cls(name, {**given, **parameters})
        if isinstance(wanted, type) or not (hasattr(wanted, "propose") and hasattr(wanted, "select")):
            raise UsageError(f"{wanted!r} is not a strategy: give a name, or an object with propose and select")
        values: dict[str, Any] = {}
        if dataclasses.is_dataclass(wanted):
            values = {f.name: getattr(wanted, f.name) for f in dataclasses.fields(cast(Any, wanted))}
        return cls(_name(wanted), values, wanted)

    def make(self) -> Policy:
        """The policy. Raises ``UsageError`` for an unknown name or a parameter that is unknown or of a wrong kind."""
        if self.policy is not None:
            return self.policy
        made = resolve("strategy", self.name, KNOWN)
        if not hasattr(made, "propose") or not hasattr(made, "select"):
            raise UsageError(f"{self.name!r} is not a strategy: it needs propose and select")
        if not isinstance(made, type):
            return made
        known = _fields(made)
        for name in self.parameters:
            if name not in known:
                has = ", ".join(known) or "none"
                raise UsageError(f"strategy {self.name} has no parameter {name!r}{meant(name, known)}; it has {has}")
        return _validated(self.name, made, {**_preset(self.name), **self.parameters})

    @property
    def verifier(self) -> str | None:
        """The verifier that a preset has where the user names none."""
        return PRESETS[self.name].verifier if self.name in PRESETS else None


def parsed(text: str) -> tuple[str, dict[str, Any]]:
    """``name`` or ``package.module:Name``, and the parameters behind it; a value may have a colon itself
    (``position=after:Wait``). Raises ``UsageError`` for a parameter without a name."""
    parts = re.split(r":(?=[^:=]*=)", text.strip())
    head = parts.pop(0) if "=" not in parts[0] else ""
    given: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if not key.strip():
            raise UsageError(f"strategy {text!r}: write NAME:PARAMETER=VALUE, as in iad:rounds=8:width=1")
        given[key.strip()] = value.strip()
    return head, given


def _preset(name: str) -> Mapping[str, Any]:
    return PRESETS[name].parameters if name in PRESETS else {}


def _fields(made: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(made)] if dataclasses.is_dataclass(made) else []


def _name(policy: Policy) -> str:
    kind = type(policy)
    path = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, known in KNOWN.items() if known == path), path)


def _validated(name: str, made: Any, parameters: Mapping[str, Any]) -> Any:
    if not parameters:
        return made()
    from pydantic import ValidationError

    try:
        return _adapter(made).validate_python(dict(parameters))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"strategy {name}: {where} = {first['input']!r}: {first['msg']}") from error


@lru_cache(maxsize=64)
def _adapter(made: Any) -> TypeAdapter[Any]:
    """What checks parameters: making one takes as long as all else that a small run needs."""
    from pydantic import TypeAdapter

    return TypeAdapter(made)


def proposals(name: str, total: int) -> dict[str, int]:
    """The parameters that give a known strategy ``total`` proposals in all (IAD: rounds of its default width; one
    that has ``sized(total)``, as those have that grow a tree, says so itself)."""
    if name in ("best_of_n", "self_refine", "plangen-best-of-n"):
        return {"n": total}
    if name == "iad":
        width = 2 if total % 2 == 0 else 1
        return {"rounds": total // width, "width": width}
    if name == "start":
        return {"rounds": total - 1}
    if name == "single" and total == 1:
        return {}
    if sized := getattr(Strategy(name).make(), "sized", None):
        return sized(total)
    raise UsageError(f"strategy {name} takes no number of proposals; see: veriloop strategies show {name}")


def describe(name: str) -> dict[str, Any]:
    """A strategy in plain data: name, summary (a line), about (all its text), parameters with default and kind."""
    made = resolve("strategy", name, KNOWN)
    module, about = (_words(each) for each in (inspect.getmodule(made), made))
    module = PRESETS[name].summary if name in PRESETS else module
    preset = _preset(name)
    parameters = [
        {"name": f.name, "default": preset.get(f.name, f.default), "kind": _kind(made, f.type)}
        for f in (dataclasses.fields(made) if dataclasses.is_dataclass(made) else ())
        if f.name != "roles"
    ]
    return {
        "name": name,
        "summary": " ".join(module.split()),
        "about": "\n\n".join(filter(None, (" ".join(module.split()), about))),
        "parameters": parameters,
    }


def _kind(made: Any, written: Any) -> str:
    """The kind of a parameter; the values it can have, where it or its module names them."""
    named = getattr(inspect.getmodule(made), written, None) if isinstance(written, str) else written
    if get_origin(named) is Literal:
        return " | ".join(map(str, get_args(named)))
    return written if isinstance(written, str) else inspect.formatannotation(written)


def _words(documented: object) -> str:
    """What its docstring says, without the marks of code; the line that a dataclass writes itself says nothing."""
    said = inspect.getdoc(documented) or ""
    made = dataclasses.is_dataclass(documented) and said.startswith(f"{getattr(documented, '__name__', '')}(")
    return "" if made else said.replace("``", "")


def describe_all() -> list[dict[str, Any]]:
    """All known strategies, and those of installed packages, in plain data."""
    names = [*KNOWN, *(e.name for e in entry_points(group="veriloop.strategy"))]
    return [describe(name) for name in names]

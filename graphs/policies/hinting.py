"""Which hint a proposal gets: one function that is named, or the one that fits the task's domain, the place and the
round."""

from __future__ import annotations

import re
from typing import Literal

from ...core.errors import UsageError, meant
from ...core.search import Search
from ...core.task import Task
from ...tools.hints import Hint, hints

Domain = Literal["auto", "math", "code", "any"]
MATCH, WAIT = "match", "wait"


def known(hint: str, *more: str) -> None:
    """Raise ``UsageError`` where no hint has this name."""
    names = (*more, *(each.name for each in hints()))
    if hint not in names:
        raise UsageError(f"there is no hint {hint!r}{meant(hint, names)}; hints: {', '.join(names)}")


def wording(search: Search, hint: str, domain: Domain, at: str, turn: int) -> str:
    """A wording of the hint for round ``turn`` (from 1): by name, or with ``match`` the functions of the domain that
    fit the place, one a round; with ``wait`` nothing."""
    if hint == WAIT:
        return ""
    chosen = _matched(search.task, domain, at, turn) if hint == MATCH else _named(hint)
    said = search.rng("hint").choice(chosen.paraphrases)
    return f"{said}\n{chosen.template}"


def _named(name: str) -> Hint:
    return next(each for each in hints() if each.name == name)


def _matched(task: Task, domain: Domain, at: str, turn: int) -> Hint:
    wanted = domain_of(task) if domain == "auto" else domain
    mine = [each for each in hints() if each.domain == wanted]
    fitting = [each for each in mine if at in each.at or at == "random"] or mine
    return fitting[(turn - 1) % len(fitting)]


def domain_of(task: Task) -> Domain:
    """What a task is about, as far as its shape tells: a program is code, a question with numbers is maths."""
    if task.language is not None:
        return "code"
    return "math" if re.search(r"\d", task.question) else "any"

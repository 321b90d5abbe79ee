"""Filtering: of all trajectories only those stay that teach something, and each rule says how many it dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from veriloop.apps.bench import plan as plans
from veriloop.apps.bench.records import Results, key_of, unfinished
from veriloop.apps.train.records import FILTERED, Record, collected, write
from veriloop.core.errors import UsageError
from veriloop.core.wire import encode

RULES = {
    "plain": "no hint in it",
    "right before": "right without the hint",
    "wrong after": "wrong with the hint",
    "cut": "cut at max_tokens",
    "no code": "no tool was called after the hint",
    "failed": "a block failed",
    "repeated": "it repeats itself",
    "duplicate": "the same text on the same problem",
}
"""The rules in the order in which they are asked; a record is dropped by the first one that holds."""


def filter_(out: Path, sampled: bool = False, no_code: bool = False) -> dict[str, Any]:
    """Mark the records of ``out``, write them and return how many each rule dropped.

    ``sampled``: right plain texts that called a tool stay, too (what a model that learned it writes by itself).
    ``no_code``: hinted texts that called none stay, too. Raises ``UsageError`` when nothing is left.
    """
    marked = mark(collected(out), sampled, no_code)
    write(out / FILTERED, [encode(record) for record in marked])
    dropped = Counter(record.dropped for record in marked)
    kept = [record for record in marked if record.accepted]
    if not kept:
        plain = dropped.pop("plain", 0)
        dropped = dropped or Counter({"plain": plain})  # those are dropped on purpose: they say nothing of the others
        most = max(RULES, key=lambda rule: dropped[rule])
        raise UsageError(
            f"nothing is left of {dropped.total()} texts: most ({dropped[most]}) fall under {most!r} ({RULES[most]}); "
            "collect more problems, or with other hints"
        )
    return {
        "texts": len(marked),
        "dropped": {rule: dropped[rule] for rule in RULES},
        "kept": len(kept),
        "problems": len({record.problem for record in kept}),
        "by_hint": dict(sorted(Counter(record.hint or "none" for record in kept).items())),
    }


def reached(out: Path) -> tuple[int, int]:
    """How many of how many problems ``collect`` has come to the end of, each as often as it has seeds; 0 of 0 where
    there is no plan."""
    plan = plans.read(out) or {"tasks": 0, "seeds": ()}
    done = {key_of(row) for row in Results(out).rows() if not unfinished(row)}
    whole = plan["tasks"] * len(plan["seeds"])
    return min(len(done), whole), whole


def mark(records: Sequence[Record], sampled: bool = False, no_code: bool = False) -> list[Record]:
    """Each record with whether it is accepted, or the rule that dropped it."""
    seen: set[tuple[str, str]] = set()
    found: list[Record] = []
    for record in records:
        rule = _rule(record, sampled, no_code)
        if not rule:
            key = record.problem, " ".join("".join(segment.text for segment in record.tail).split())
            rule = "duplicate" if key in seen else ""
            seen.add(key)
        found.append(replace(record, accepted=not rule, dropped=rule))
    return found


def _rule(record: Record, sampled: bool, no_code: bool) -> str:
    """The first rule that drops a record for itself; empty where none does."""
    holds = {
        "plain": not record.hinted and not sampled,
        "right before": record.hinted and (record.before_right or record.plain_right),
        "wrong after": not record.after_right,
        "cut": not record.complete,
        "no code": not record.code and not (no_code and record.hinted),
        "failed": not record.execution_ok,
        "repeated": record.repeated,
    }
    return next((rule for rule, it_does in holds.items() if it_does), "")

"""All cells of a run as text that a page can hold and unpack: what ``viewer.js`` shows.

The text is one JSON value a line. The first line is the index: ``metrics`` (main first), ``arms`` ({label, oracle,
change, colour}), ``seeds``, and ``tasks``, each {id, group, question, gold, right: the mean worth over seeds by the
main metric for each arm, none where it was not run; errors}. Line i + 1 holds the cells of the i-th task: records of
``results.jsonl`` without what the index says, their arm by its place. In a page it is compressed by gzip, in base64.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from veriloop.apps.bench.measured import Measured, Row

CELL = ("seed", "run", "stopped", "error", "abstained", "best", "right", "seconds")
SPEND = ("calls", "tokens_in", "tokens_out", "money", "tool_runs", "verdicts")
CANDIDATE = ("id", "round", "parents", "answer", "outcome", "right", "tokens_in", "tokens_out", "verifying", "partial")


def packed(run: Measured, colours: Mapping[str, int], gold: Mapping[str, Sequence[str]]) -> str:
    """Every cell of ``run``, ready to embed; ``colours`` gives each arm's number by label, ``gold`` the right answers
    by task."""
    return b64encode(gzip.compress("\n".join(lines(run, colours, gold)).encode(), 9, mtime=0)).decode()


def lines(run: Measured, colours: Mapping[str, int], gold: Mapping[str, Sequence[str]]) -> list[str]:
    """The index, then a line for each task."""
    place = {arm.label: i for i, arm in enumerate(run.arms)}
    by_task: dict[str, list[Row]] = {task: [] for task in run.tasks}
    for row in run.rows:
        by_task[row["task"]].append(row)
    index = {
        "metrics": run.metrics,
        "arms": [
            {"label": a.label, "oracle": a.oracle, "change": a.change, "colour": colours[a.label]} for a in run.arms
        ],
        "seeds": run.seeds,
        "tasks": [{**_task(run, task, rows, place), "gold": gold.get(task, [])} for task, rows in by_task.items()],
    }
    cells = [[_cell(row, place) for row in _ordered(rows, place)] for rows in by_task.values()]
    return [_line(value) for value in (index, *cells)]


def _ordered(rows: Sequence[Row], place: Mapping[str, int]) -> list[Row]:
    return sorted(rows, key=lambda row: (place[row["arm"]], row["seed"]))


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _task(run: Measured, task: str, rows: Sequence[Row], place: Mapping[str, int]) -> dict[str, Any]:
    worth: list[list[float]] = [[] for _ in place]
    for row in rows:
        worth[place[row["arm"]]].append(float(row["right"].get(run.metrics[0], 0.0)))
    return {
        "id": task,
        "group": rows[0].get("group", ""),
        "question": rows[0].get("question", ""),
        "right": [round(sum(each) / len(each), 3) if each else None for each in worth],
        "errors": sum(bool(row["error"]) for row in rows),
    }


def _cell(row: Row, place: Mapping[str, int]) -> dict[str, Any]:
    return {
        "arm": place[row["arm"]],
        **{name: row.get(name) for name in CELL},
        "spend": {name: row["spend"].get(name) for name in SPEND},
        "candidates": [_candidate(c) for c in row["candidates"]],
        "opinions": row.get("opinions", []),
    }


def _candidate(candidate: Mapping[str, Any]) -> dict[str, Any]:
    findings = [{**finding, "score": _round(finding.get("score"))} for finding in candidate["findings"]]
    kept = {name: candidate.get(name) for name in CANDIDATE}
    return {**kept, "score": _round(candidate["score"]), "findings": findings}


def _round(score: float | None) -> float | None:
    return None if score is None else round(score, 4)

"""A benchmark run as a pandas data frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veriloop.apps.bench.measured import Measured, Row, measured
from veriloop.core.errors import UsageError

if TYPE_CHECKING:
    import pandas

CELL = ("task", "group", "arm", "strategy", "verify", "change", "temperature", "seed")
CANDIDATE = ("id", "round", "answer", "outcome", "score", "tokens_in", "tokens_out", "verifying")


def frame(out: Path | Measured, candidates: bool = False) -> pandas.DataFrame:
    """One row a cell (arm x seed x task), or with ``candidates`` one a candidate.

    A cell has what tells it from others, ``question``, ``run``, ``stopped``, ``error``, ``abstained``, ``answer``, its
    spend (``tokens`` in all, ``money`` in US dollars) and ``right_METRIC``. A candidate has its cell's names, ``order``
    (0 = proposed first), ``best`` (whether it was chosen), its own tokens, ``score_CRITERION`` of its findings, and
    ``right_METRIC``. Raises ``UsageError`` where pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise UsageError("a data frame needs pandas: pip install 'veriloop[bench]'") from None
    run = measured(out)
    rows = [each for row in run.rows for each in (_candidates(row) if candidates else [_cell(row)])]
    return pandas.DataFrame(rows)


def _cell(row: Row) -> dict[str, Any]:
    spend = row["spend"]
    best = next((c["answer"] for c in row["candidates"] if c["id"] == row["best"]), None)
    return {
        **{name: row.get(name) for name in (*CELL, "question", "run", "stopped", "error", "abstained")},
        "answer": best,
        "candidates": len(row["candidates"]),
        "tokens": spend["tokens_in"] + spend["tokens_out"],
        **spend,
        **_right(row["right"]),
    }


def _candidates(row: Row) -> Iterator[dict[str, Any]]:
    for order, candidate in enumerate(row["candidates"]):
        scores = {f"score_{f['criterion']}": f["score"] for f in candidate["findings"] if f.get("score") is not None}
        yield {
            **{name: row.get(name) for name in CELL},
            "order": order,
            "best": candidate["id"] == row["best"],
            **{name: candidate.get(name) for name in CANDIDATE},
            "parents": ",".join(candidate["parents"]),
            **scores,
            **_right(candidate["right"]),
        }


def _right(right: Mapping[str, Any]) -> dict[str, Any]:
    return {f"right_{metric}": value for metric, value in right.items()}

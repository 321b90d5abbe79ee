"""Weighs what the judge sees in an attempt, and measures what comes out.

    python scripts/embedded_sql/judging.py --model FOLDER --attempts ATTEMPTS.jsonl --held HELD.jsonl

ATTEMPTS are attempts at ``judge_questions.jsonl``, questions that no grammar wrote (``mistakes.py --questions``), with
what was found of them on the full database and on two thinned copies. They fit the weights, which are written to
FOLDER/judge/config.json, and measure them (each fifth by weights fitted on the rest): AUC, Brier score, calibration
error, and how often the attempt with the highest chance is right. HELD are attempts at held-out templates, which fit
nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from mistakes import COPIES

from veriloop.apps.bench.estimates import auc
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.judging import FEATURES, JudgeNetwork
from veriloop.models.embedded.reading import Attempt, ordered


def logistic(x: Any, y: Any, ridge: float = 1.0) -> tuple[list[float], float]:
    """Weights and bias of a logistic regression, by Newton's method on standardised features."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.c_[(x - mean) / spread, np.ones(len(x))]
    w = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ w))
        bend = (z * (p * (1 - p))[:, None]).T @ z + ridge * np.eye(len(w))
        w -= np.linalg.solve(bend, z.T @ (p - y) + ridge * w)
    plain = w[:-1] / spread
    return [round(float(each), 5) for each in plain], round(float(w[-1] - plain @ mean), 5)


def figures(p: Any, y: Any) -> dict[str, float]:
    """How well probabilities tell right from wrong, and whether they mean what they say."""
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist()))
    found = {"n": len(y), "right": y.mean(), "auc": auc(p, y > 0), "brier": ((p - y) ** 2).mean(), "ece": error}
    return {name: round(float(value), 4) for name, value in found.items()}


@dataclass(frozen=True)
class Table:
    """Attempts: their features, whether they are right, how often each was written, and whose question they answer."""

    x: Any
    right: Any
    count: Any
    question: Any

    @classmethod
    def of(cls, network: JudgeNetwork, path: Path, copy: str = "") -> Table:
        """Reads a file of attempts, and what was found of them on the full database or on a copy.

        Those that do not run are left out, as no judge is asked about them."""
        rows: list[tuple[list[float], bool, int, int]] = []
        for place, line in enumerate(map(json.loads, path.read_text(encoding="utf-8").splitlines())):
            for each in line["tries"]:
                known = each[copy] if copy else each
                if "error" not in known["ran"]:
                    attempt = Attempt(each["sql"], ordered([*known["ran"], *known["sql_says"]]))
                    values = network.features(line["question"], attempt)[0]
                    rows.append((values, each["right"], each["count"], place))
        x, right, count, question = (np.array(column) for column in zip(*rows, strict=True))
        return cls(x, right.astype(float), count, question)


def chosen(table: Table, p: Any) -> dict[str, float]:
    """How often the first attempt is right, the one with the highest chance, and any of them."""
    places = [np.flatnonzero(table.question == q) for q in np.unique(table.question)]
    best = [rows[np.argmax(p[rows])] for rows in places]
    found = {"first": [r[0] for r in places], "chosen": best}
    shares = {name: float(table.right[rows].mean()) for name, rows in found.items()}
    return {**shares, "any": float(np.mean([table.right[rows].max() for rows in places]))}


def main() -> None:
    """Fit, write and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--attempts", type=Path, required=True)
    parser.add_argument("--held", type=Path, required=True)
    args = parser.parse_args()
    network = Engine.load(args.model).network
    assert network is not None, "the model has no judge"
    tables = {name or "full": Table.of(network, args.attempts, name) for name in ("", *COPIES)}
    found = {name: measured(table, list(tables.values())) for name, table in tables.items()}
    weights, bias = fitted(list(tables.values()))
    file = args.model / "judge" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config |= {"features": dict(zip(FEATURES, weights, strict=True)), "bias": bias}
    file.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    held = Table.of(network, args.held)
    p = chance(held.x, weights, bias)
    often = np.repeat(np.arange(len(p)), held.count)
    found |= {"held, distinct": figures(p, held.right), "held, as written": figures(p[often], held.right[often])}
    print(json.dumps(found, indent=1))


def fitted(tables: list[Table], without: int = -1) -> tuple[list[float], float]:
    """Weights and bias, from all questions but one fifth of them."""
    kept = [table.question % 5 != without for table in tables]
    x = np.concatenate([table.x[rows] for table, rows in zip(tables, kept, strict=True)])
    return logistic(x, np.concatenate([table.right[rows] for table, rows in zip(tables, kept, strict=True)]))


def measured(table: Table, tables: list[Table]) -> dict[str, float]:
    """The figures of a table, each fifth of the questions by weights fitted on the rest."""
    p = np.zeros(len(table.right))
    for fold in range(5):
        mine = table.question % 5 == fold
        p[mine] = chance(table.x[mine], *fitted(tables, fold))
    return figures(p, table.right) | chosen(table, p)


def chance(x: Any, weights: list[float], bias: float) -> Any:
    """The probabilities of a logistic regression."""
    return 1 / (1 + np.exp(-(x @ np.array(weights) + bias)))


if __name__ == "__main__":
    main()

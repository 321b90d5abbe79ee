"""Weighs the judge's features on attempts at held-out templates, and measures it on other held-out templates.

    python scripts/embedded_sql/judging.py --model FOLDER --held HELD.jsonl

Half of the held-out templates (by hash) fit the weights, which are written to FOLDER/config.json. The other half
measure
AUC, Brier score and calibration error, of attempts as often as they were written and of each distinct attempt once.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from veriloop.apps.bench.estimates import auc
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.judging import features
from veriloop.models.embedded.reading import Attempt, ordered


def fits(template: str) -> bool:
    """Whether a held-out template fits the weights, rather than measure them."""
    return crc32(template.encode()) // 1009 % 2 == 0


def logistic(x: Any, y: Any, ridge: float = 1e-2) -> tuple[list[float], float]:
    """Weights and bias of a logistic regression, by Newton's method on standardised features."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.c_[(x - mean) / spread, np.ones(len(x))]
    w = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ w))
        bend = (z * (p * (1 - p))[:, None]).T @ z + ridge * np.eye(len(w))
        w -= np.linalg.solve(bend, z.T @ (p - y) + ridge * w)
    plain = w[:-1] / spread
    return [round(float(each), 6) for each in plain], round(float(w[-1] - plain @ mean), 6)


def figures(p: Any, y: Any) -> dict[str, float]:
    """How well probabilities tell right from wrong, and whether they mean what they say."""
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist()))
    found = {"n": len(y), "right": y.mean(), "auc": auc(p, y > 0), "brier": ((p - y) ** 2).mean(), "ece": error}
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    """Fit, write and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--held", type=Path, required=True)
    args = parser.parse_args()
    engine = Engine.load(args.model)
    x, y, counts, fitting = list[list[float]](), list[bool](), list[int](), list[bool]()
    for line in map(json.loads, args.held.read_text(encoding="utf-8").splitlines()):
        for each in line["tries"]:
            attempt = Attempt(each["sql"], ordered(each["ran"]))
            x.append(features(engine.decoder, engine.vocabulary, line["question"], attempt)[0])
            y.append(each["right"])
            counts.append(each["count"])
            fitting.append(fits(line["template"]))
    table, right, times, fit = np.array(x), np.array(y, float), np.array(counts), np.array(fitting)
    weights, bias = logistic(table[fit], right[fit])
    config = json.loads((args.model / "config.json").read_text(encoding="utf-8"))
    config["judge"] = {"features": weights, "bias": bias}
    (args.model / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    chances, measured = 1 / (1 + np.exp(-(table @ np.array(weights) + bias))), np.flatnonzero(~fit)
    rows = {"distinct": measured, "written": np.repeat(measured, times[measured])}
    print(json.dumps({name: figures(chances[each], right[each]) for name, each in rows.items()}))


if __name__ == "__main__":
    main()

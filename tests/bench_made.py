"""Made-up benchmark runs with known truths: seeded records in the form that ``veriloop bench`` writes."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

METRICS = ("spider", "bird")
CITIES = ["austin", "boston", "chicago", "denver", "houston", "miami", "portland", "reno"]
STATES = ["texas", "ohio", "utah", "iowa", "maine", "kansas", "nevada", "oregon"]
SHAPES = [
    ("what is the capital of {0}?", "SELECT capital FROM state WHERE state_name = '{0}'"),
    ("how many people live in {1}?", "SELECT population FROM city WHERE city_name = '{1}'"),
    ("which rivers run through {0}?", "SELECT river_name FROM river WHERE traverse = '{0}'"),
    (
        "what states border {0} and have a major city?",
        "SELECT DISTINCT border FROM border_info AS b JOIN city AS c ON c.state_name = b.border "
        "WHERE b.state_name = '{0}' AND c.population > 150000",
    ),
    (
        "what is the highest point in the state with the most people?",
        "SELECT highest_point FROM highlow WHERE state_name = "
        "(SELECT state_name FROM state ORDER BY population DESC LIMIT 1)",
    ),
]
SLIPS = [("SELECT ", "SELECT count(*), "), (" = ", " <> "), ("DESC", "ASC"), ("'", '"'), ("_name", "s"), (" > ", " < ")]


@dataclass(frozen=True)
class Arm:
    """An arm whose truth is known.

    ``logit`` shifts every task's chance of a right sample, ``gain`` is added for each candidate seen before (refining).
    The verifier's score is the calibrated chance that a candidate is right, sharp to ``sharp``; ``skew`` > 1 makes it
    overconfident. ``stops`` when a candidate passes.
    """

    label: str
    strategy: str = "best_of_n"
    verify: str = "sql+judge"
    change: str = ""
    proposals: int = 8
    logit: float = 0.0
    gain: float = 0.0
    sharp: float = 1.6
    skew: float = 1.0
    stops: bool = False
    temperature: float | None = 0.7
    opinions: bool = False


ARMS = (
    Arm("single", "single", "none", proposals=1),
    Arm("best_of_n · sql+judge"),
    Arm("best_of_n · oracle", verify="oracle"),
    Arm("self_refine", "self_refine", "none", gain=0.05, opinions=True),
    Arm("iad · sql+judge", "iad", gain=0.25, stops=True),
    Arm("iad · oracle", "iad", verify="oracle", gain=0.25, stops=True),
)
ABLATED = (
    Arm("iad feedback none · sql+judge", "iad", change="feedback none", gain=0.02, stops=True),
    Arm("iad shuffled · sql+judge", "iad", change="shuffled", gain=0.0, stops=True),
    Arm("iad noise 0.4 on both · sql+judge", "iad", change="noise 0.4 on both", gain=0.12, sharp=0.5, stops=True),
)


@dataclass
class Made:
    """The recipe of a run. ``spread`` is the sd of the tasks' difficulty on the logit scale."""

    arms: Sequence[Arm] = ARMS
    tasks: int = 40
    seeds: int = 3
    proposals: int = 8
    spread: float = 2.0
    seed: int = 0
    broken: int = 1
    questions: dict[int, str] = field(default_factory=dict[int, str])
    plan: dict[str, Any] = field(default_factory=dict[str, Any])

    def write(self, out: Path) -> Path:
        """Writes the run's folder."""
        out.mkdir(parents=True, exist_ok=True)
        (out / "plan.json").write_text(json.dumps(self._plan(), indent=1))
        with (out / "results.jsonl").open("w") as file:
            for task in range(self.tasks):
                hard = random.Random(f"{self.seed} {task}").gauss(0.0, self.spread)
                for arm in self.arms:
                    for seed in range(self.seeds):
                        file.write(json.dumps(self._cell(arm, task, seed, hard)) + "\n")
        return out

    def _plan(self) -> dict[str, Any]:
        arms = [
            {"label": a.label, "strategy": a.strategy, "parameters": {"n": a.proposals}, "verify": a.verify}
            | {"change": a.change, "temperature": a.temperature}
            for a in self.arms
        ]
        return {
            "version": 1,
            "benchmark": "text2sql",
            "data": {"path": "data/text2sql_made_up", "hash": "5f" * 8},
            "arms": arms,
            "proposals": self.proposals,
            "seeds": list(range(self.seeds)),
            "models": {"proposer": "embedded:sql", "judge": "embedded:sql"},
            "veriloop": "0.1.0",
            "commit": "0123456789abcdef",
            "metrics": list(METRICS),
            "created": "2026-01-02T03:04:05+00:00",
            "tasks": self.tasks,
            "limit": None,
            "mechanism_check": True,
            "tuning": None,
            "abstain_below": None,
            "command": {
                "benchmark": "text2sql",
                "data": "5f" * 8,
                "strategies": ["single", "best_of_n", "self_refine", "iad"],
                "verify": ["sql+judge", "oracle"],
                "ablate": "",
                "proposals": self.proposals,
                "temperature": None,
                "tune": "",
                "temperatures": [],
                "abstain_below": None,
                "seeds": self.seeds,
                "limit": None,
                "models": {"proposer": "embedded:sql"},
                "metric": "spider",
                "veriloop": "0.1.0",
            },
        } | self.plan

    def _cell(self, arm: Arm, task: int, seed: int, hard: float) -> dict[str, Any]:
        rng = random.Random(f"{self.seed} {arm.label} {task} {seed}")
        shape, sql = SHAPES[task % len(SHAPES)]
        words = STATES[task % len(STATES)], CITIES[task % len(CITIES)]
        question = self.questions.get(task, shape.format(*words))
        head = {
            "version": 1, "task": f"made_{task:04}", "group": ("geography", "travel")[task % 2], "question": question,
            "arm": arm.label, "strategy": arm.strategy, "parameters": {"n": arm.proposals}, "verify": arm.verify,
            "change": arm.change, "temperature": arm.temperature, "seed": seed,
            "run": f"{rng.getrandbits(64):016x}",
        }  # fmt: skip
        if task >= self.tasks - self.broken:
            return head | _nothing()
        candidates: list[dict[str, Any]] = []
        picks: list[str] = []
        tokens: list[int] = []
        opinions: list[dict[str, Any]] = []
        for k in range(arm.proposals):
            candidate = self._candidate(arm, rng, k, hard, sql.format(*words), candidates)
            candidates.append(candidate)
            if arm.opinions:
                opinions.append({"id": f"{k}.c", "role": "critic", "value": {"critique": "look again"}, "tokens": 30})
            best = max(candidates, key=lambda c: c["score"]) if arm.verify != "none" else candidate
            picks.append(best["id"])
            spent = candidate["tokens_in"] + candidate["tokens_out"] + candidate["verifying"] + 30 * arm.opinions
            tokens.append((tokens[-1] if tokens else 0) + spent)
            if arm.stops and candidate["outcome"] == "passed":
                break
        chosen = next(c for c in candidates if c["id"] == picks[-1])
        spend = {
            "calls": len(candidates) * 2, "tokens_in": tokens[-1] // 2, "tokens_out": tokens[-1] - tokens[-1] // 2,
            "cached": 0, "money": 0.0, "seconds": round(0.02 * len(candidates) + rng.random() / 50, 4),
            "tool_runs": len(candidates), "verdicts": len(candidates), "unsettled": 0,
        }  # fmt: skip
        return head | {
            "stopped": "passed" if chosen["outcome"] == "passed" else "spent", "error": "", "abstained": False,
            "best": chosen["id"], "right": chosen["right"], "picks": picks, "tokens": tokens,
            "seconds": spend["seconds"], "spend": spend, "candidates": candidates, "opinions": opinions,
        }  # fmt: skip

    def _candidate(
        self, arm: Arm, rng: random.Random, k: int, hard: float, sql: str, before: list[dict[str, Any]]
    ) -> dict[str, Any]:
        logit = hard + arm.logit + arm.gain * k
        right = rng.random() < sigmoid(logit)
        strict = right and rng.random() < 0.95
        evidence = rng.gauss((0.5 if right else -0.5) * arm.sharp**2, arm.sharp)
        score = sigmoid(arm.skew * (logit + evidence))
        refines = bool(before) and (arm.gain > 0 or bool(arm.change))
        findings = [{"criterion": "sql", "score": None, "message": f"it runs: {rng.randint(1, 9)} rows"}]
        if arm.verify == "oracle":
            score = float(right)
            findings = [{"criterion": "oracle", "score": score, "message": "It is right." if right else "It is not."}]
        elif "judge" in arm.verify:
            findings.append({"criterion": "judge", "score": score, "message": f"{score:.0%} sure that this answers it"})
        outcome = "unscored" if arm.verify == "none" else "passed" if score >= 0.5 else "failed"
        text = sql if right else _slipped(sql, rng)
        return {
            "id": f"{k if refines or arm.gain else 0}.{0 if refines or arm.gain else k}",
            "round": k if arm.gain or arm.change else 0,
            "parents": [before[-1]["id"]] if refines else [],
            "answer": text, "outcome": outcome, "score": None if arm.verify == "none" else score, "findings": findings,
            "right": {"spider": right, "bird": strict}, "tokens_in": 40 + (40 if refines else 0),
            "tokens_out": max(5, len(text) // 4), "verifying": 60 if "judge" in arm.verify else 0,
        }  # fmt: skip


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _slipped(sql: str, rng: random.Random) -> str:
    """``sql`` with something wrong in it."""
    slips = [s for s in SLIPS if s[0] in sql]
    old, new = rng.choice(slips)
    return sql.replace(old, new, 1)


def _nothing() -> dict[str, Any]:
    """What a task that broke leaves."""
    spend = dict.fromkeys(["calls", "tokens_in", "tokens_out", "cached", "tool_runs", "verdicts", "unsettled"], 0)
    return {
        "stopped": "broken", "error": "database geo.sqlite cannot be opened", "abstained": False, "best": None,
        "right": dict.fromkeys(METRICS, False), "picks": [], "tokens": [], "seconds": 0.0,
        "spend": spend | {"money": None, "seconds": 0.0}, "candidates": [], "opinions": [],
    }  # fmt: skip

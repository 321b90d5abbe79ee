"""How embedded:game24 writes and judges on held-out sets: a quick look; `veriloop bench` measures policies.

    python scripts/embedded_game24/measure.py --weights DIR

Says how many whole texts solve their puzzle, how many steps are legal, and how well the judge tells states from which
24 is in reach from others, after each number of steps, on states that the model itself has come to.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from held_out import held_out
from solver import solvable

from veriloop import Task
from veriloop.apps.bench.estimates import auc
from veriloop.apps.bench.game24 import GAME
from veriloop.models.embedded import HERE
from veriloop.models.embedded.engine import Engine
from veriloop.models.embedded.jobs import Job
from veriloop.models.embedded.reading import Attempt
from veriloop.verifiers.conformance import Everyone, reply
from veriloop.verifiers.game24 import Game24, solves


async def measure(arguments: argparse.Namespace) -> None:
    """Whole texts on each set, and what the judge says after each of their lines."""
    engine = Engine.load(arguments.weights)
    questions = [GAME.format(numbers=" ".join(map(str, state))) for state in held_out()]
    jobs = [
        Job(question, temperature=arguments.temperature, top_p=0.99, seed=seed)
        for question in questions
        for seed in range(arguments.samples)
    ]
    texts = await engine.generate(jobs)
    solved = [solves(job.prompt, text.text) for job, text in zip(jobs, texts, strict=True)]
    tokens = [text.completion_tokens for text in texts]
    print(f"{len(questions)} sets, {len(texts)} texts at temperature {arguments.temperature}")
    print(f"solved: {np.mean(solved):.3f} of the texts, {np.mean(tokens):.1f} tokens each")
    states = [row for job, text in zip(jobs, texts, strict=True) for row in await judged(engine, job.prompt, text.text)]
    for depth in (1, 2, 3):
        report(f"after {depth} steps", [each for each in states if each[0] == depth])
    report("all", states)


async def judged(engine: Engine, question: str, text: str) -> list[tuple[int, bool, bool, float]]:
    """After each step of a text: how many there are, whether all are legal, whether 24 is in reach, and what the judge
    says."""
    steps, rows = text.split("\n")[:3], list[tuple[int, bool, bool, float]]()
    for depth in range(1, len(steps) + 1):
        said = "\n".join(steps[:depth])
        legal = await lawful(question, said)
        left = said.rsplit("left: ", 1)[-1].split()
        reach = legal and solvable(tuple(sorted(map(Fraction, left))))
        chance, _ = await engine.judge(question, Attempt(said))
        rows.append((depth, legal, reach, chance))
    return rows


async def lawful(question: str, text: str) -> bool:
    """Whether every line is a legal step."""
    task = Task(question)
    return (await Game24().step(task, reply(task, text), Everyone())).outcome == "unscored"


def report(name: str, rows: list[tuple[int, bool, bool, float]]) -> None:
    """One line on some states."""
    legal, reach, chance = (np.array([row[at] for row in rows], dtype=float) for at in (1, 2, 3))
    found: dict[str, Any] = {"legal": legal.mean(), "in reach": reach.mean(), "judge's mean": chance.mean()}
    found["AUC"] = auc(chance, reach > 0)
    print(f"{name}: {len(rows)} states, " + ", ".join(f"{key} {value:.3f}" for key, value in found.items()))


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=HERE / "game24")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--temperature", type=float, default=0.7)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()

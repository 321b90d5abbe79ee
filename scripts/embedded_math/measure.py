"""How weights do on held-out problems, plain and with hints: a quick look while training; `veriloop bench` measures.

    python scripts/embedded_math/measure.py --weights DIR --number 100

Each arm says how many last answers are right, how many turned right and wrong after the first text, calls of Python
(all in the sandbox), tokens written for a problem, and texts that were cut.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from problems import different

import veriloop as vl
from veriloop.apps.bench.answers import GSM8K, Gsm8k
from veriloop.graphs.policies.start import Start
from veriloop.models.embedded import HERE, Embedded

ARMS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 0},
    "match": {"hint": "match"},
    "wait": {"hint": "wait"},
    "random": {"hint": "match", "position": "random"},
    "general": {"hint": "general"},
    "self-reflection": {"hint": "self-reflection"},
    "logic-check": {"hint": "logic-check"},
}


async def measure(arguments: argparse.Namespace) -> None:
    """Every arm in turn, several problems at a time."""
    model = Embedded("math", arguments.weights)
    problems = list(islice(different(arguments.seed, True), arguments.number))
    room = asyncio.Semaphore(arguments.at_once)

    async def solved(at: int, policy: Start) -> Any:
        async with room:
            question = vl.Task(GSM8K.format(question=problems[at].question))
            return await vl.asolve(
                question, strategy=policy, model=model, tools=["python"], verify=None, seed=at, journal=False
            )

    for name in arguments.arms:
        options = {"rounds": arguments.rounds, "max_tokens": arguments.tokens, "temperature": arguments.temperature}
        policy = Start(**{**options, **ARMS[name]})
        began = time.time()
        results = await asyncio.gather(*(solved(at, policy) for at in range(len(problems))))
        said = row(results, [str(each.answer) for each in problems])
        print(f"{name:16} {said}, {time.time() - began:.0f} s", flush=True)
        for problem, result in list(zip(problems, results, strict=True))[: arguments.show]:
            print(f"--- {problem.question} ({problem.answer})\n{result.candidates[-1].text}")


def row(results: list[Any], golds: list[str]) -> str:
    """What an arm did."""
    pairs = list(zip(results, golds, strict=True))
    first = [Gsm8k().final(str(result.candidates[0].artifact or "")) == gold for result, gold in pairs]
    last = [Gsm8k().final(str(result.candidates[-1].artifact or "")) == gold for result, gold in pairs]
    up = sum(b and not a for a, b in zip(first, last, strict=True))
    down = sum(a and not b for a, b in zip(first, last, strict=True))
    every = [c for r in results for c in r.candidates]
    runs = [run for r in results for run in r.candidates[-1].tool_runs]
    written = sum(c.usage.tokens_out for c in every) / len(results)
    failed, cut = sum(bool(run.error) for run in runs), sum(not c.complete for c in every)
    return (
        f"right {sum(last) / len(last):.3f} (+{up} -{down}), {len(runs)} calls "
        f"({failed} failed), {written:.0f} tokens, {cut} cut"
    )


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=HERE / "math")
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=77, help="of the problems; not that of the 500 that count")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--show", type=int, default=0, help="print so many texts of each arm")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()

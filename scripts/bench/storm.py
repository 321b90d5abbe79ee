"""Many tasks against a server that takes 50 calls at once, refuses every fifth, breaks and stalls.

    python scripts/bench/storm.py [--json] [--tasks 500] [--proposals 4] [--latency 1] [--seed 0]

All tasks must end with all their proposals; calls and tokens that were settled must be what the server's log says; what
was asked for and never came must be listed; and the wall time is held to 1.5 times the ideal, in which 50 calls are
always under way and none is refused, broken or stalled. The server is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

IN_FLIGHT, BAR = 50, 1.5
FAULTS = {"429": 0.2, "500": 0.02, "stall": 0.01}
IDLE = 5.0


def serve(folder: Path, latency: float, seed: int) -> tuple[subprocess.Popen[bytes], str]:
    """The server's process and its base url."""
    script, port = Path(__file__).parents[2] / "tests" / "loopback.py", folder / "port"
    options = {"--port-file": port, "--log": folder / "log.jsonl", "--latency": latency, "--in-flight": IN_FLIGHT}
    words = [str(word) for pair in {**options, "--faults": json.dumps(FAULTS), "--seed": seed}.items() for word in pair]
    process = subprocess.Popen([sys.executable, str(script), *words])
    while not port.exists():
        time.sleep(0.02)
    return process, f"http://127.0.0.1:{port.read_text().strip()}/v1"


async def run(url: str, tasks: int, proposals: int, journal: bool) -> tuple[list[Any], float]:
    """The results of all tasks at once, and the seconds they took."""
    from dataclasses import replace

    import aiohttp  # noqa: F401, the client library and what it needs, which are imported by the first call, take seconds
    import openai  # noqa: F401

    import veriloop as vl
    from veriloop.models.openai import OpenAI

    model = OpenAI("any", base_url=url, capabilities=replace(OpenAI("any").capabilities, n=False))
    strategy = vl.Strategy.of("best_of_n", n=proposals, early_stop=False)
    await vl.asolve("Warm?", strategy="single", model="veriloop.models.scripted:Scripted", verify=None, journal=False)

    async def verify(answer: str) -> bool:
        return bool(answer)

    started = time.perf_counter()
    work = (
        vl.asolve(f"Question {i}?", strategy=strategy, model=model, verify=verify, seed=i, journal=journal)
        for i in range(tasks)
    )
    return await asyncio.gather(*work, return_exceptions=True), time.perf_counter() - started


def figures(results: list[Any], wall: float, log: list[dict[str, Any]], args: argparse.Namespace) -> dict[str, Any]:
    """What came of it, beside what the server says."""
    ended = [r for r in results if not isinstance(r, BaseException)]
    whole = [r for r in ended if len([c for c in r.candidates if c.complete]) == args.proposals]
    ideal = args.tasks * args.proposals * args.latency / IN_FLIGHT
    return {
        "tasks": args.tasks,
        "ended": len(ended),
        "whole": len(whole),
        "failures": sorted({str(r) for r in results if isinstance(r, BaseException)})[:3],
        "calls": sum(r.spend.calls for r in ended),
        "server_calls": len(log),
        "tokens": sum(r.spend.tokens for r in ended),
        "server_tokens": sum(line["usage"]["total_tokens"] for line in log),
        "unsettled": sum(r.spend.unsettled for r in ended),
        "wall_s": round(wall, 2),
        "ideal_s": round(ideal, 2),
        "ratio": round(wall / ideal, 2),
        "bar": BAR,
        "met": wall <= BAR * ideal,
    }


def storm(args: argparse.Namespace) -> dict[str, Any]:
    """One storm, from an empty data folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"VERILOOP_HOME": name, "VERILOOP_TIMEOUTS": json.dumps({"first_token": IDLE, "idle": IDLE})}
        process, url = serve(folder, args.latency, args.seed)
        try:
            results, wall = asyncio.run(run(url, args.tasks, args.proposals, journal=True))
        finally:
            process.terminate()
            process.wait()
        log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        return figures(results, wall, log, args)


def main() -> None:
    """Measure and print; the exit status is 1 when the books do not balance (--strict: when the bar is missed)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--proposals", type=int, default=4)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    found = storm(args)
    print(json.dumps(found) if args.json else "\n".join(f"{name:14} {value}" for name, value in found.items()))
    balanced = (found["calls"], found["tokens"]) == (found["server_calls"], found["server_tokens"])
    sys.exit(int(not balanced or found["whole"] < found["tasks"] or (args.strict and not found["met"])))


if __name__ == "__main__":
    main()

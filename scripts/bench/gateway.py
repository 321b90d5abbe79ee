"""What the gateway costs: 256 calls at once to a server that takes 200 ms, next to the same calls by bare aiohttp.

    python scripts/bench/gateway.py [--json] [--rounds 7] [--calls 256] [--strict]

Ours goes the whole way of a call: journal, budget, the line with its limits and time-outs, the SDK of OpenAI. Bare is
one session of aiohttp that posts the same body and reads the JSON. Medians over interleaved rounds, after one to
warm up; the server is a process of its own. With --strict the exit status is 1 when the bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from overhead import interleaved, server

BAR = 2.0


async def measure(url: str, home: Path, calls: int, rounds: int) -> dict[str, Any]:
    """The one line."""
    import aiohttp

    from veriloop.core.budget import Budget
    from veriloop.core.events import Emitter
    from veriloop.core.messages import Message, Request
    from veriloop.core.task import Limits
    from veriloop.graphs.record import journal_in
    from veriloop.models.desk import Desk
    from veriloop.models.gateway import Gateway
    from veriloop.models.openai import OpenAI

    model = OpenAI("any", base_url=url)
    body = {"model": "any", "messages": [{"role": "user", "content": "Which?"}], "max_tokens": 64}
    asked = Request(messages=(Message("user", "Which?"),), max_tokens=64)

    async def ours() -> None:
        log = journal_in(home).start(os.urandom(5).hex())
        gateway = Gateway({"proposer": model}, log, Budget(Limits(calls=10 * calls)), Emitter(log.run))
        await asyncio.gather(*(Desk(gateway, str(i)).model("proposer").generate(asked) for i in range(calls)))
        log.close()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post() -> Any:
            async with session.post(f"{url}/chat/completions", json=body) as answer:
                return await answer.json()

        async def bare() -> None:
            await asyncio.gather(*(post() for _ in range(calls)))

        times = await interleaved({"bare": bare, "ours": ours}, rounds, 1)
    await model.aclose()
    return {
        "what": f"{calls} calls at once, server at 200 ms",
        "aiohttp_ms": round(times["bare"] * 1e3, 1),
        "ours_ms": round(times["ours"] * 1e3, 1),
        "ratio": round(times["ours"] / times["bare"], 2),
        "bar": f"<= {BAR:g} x",
        "met": times["ours"] <= BAR * times["bare"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as url:
        found = asyncio.run(measure(url, Path(folder) / "home", args.calls, args.rounds))
    print(json.dumps(found) if args.json else "  ".join(f"{key} {value}" for key, value in found.items()))
    sys.exit(int(args.strict and not found["met"]))


if __name__ == "__main__":
    main()

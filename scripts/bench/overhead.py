"""What veriloop costs on top of bare LangGraph: the same shape of graph, the same client, interleaved in one run.

    python scripts/bench/overhead.py [--json] [--rounds 15]

Each line gives medians over interleaved rounds (bare, ours, bare, ours, …), their ratio, and the bar it is held to.
The instant model answers at once; the loopback server, a process of its own, answers after 200 ms. With --strict the
exit status is 1 when a bar is missed (a busy machine can miss one by noise).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from bare import bare

Work = Callable[[], Awaitable[Any]]
LATENCY = 0.2


class Instant:
    """A model that answers at once."""

    name = "scripted"

    def __init__(self) -> None:
        from veriloop.core.messages import Capabilities

        self.capabilities = Capabilities(n=True)

    async def generate(self, request: Any) -> Any:
        """One word a sample."""
        from veriloop.core.messages import Reply, Sample, Usage

        return Reply(tuple(Sample("yes") for _ in request.seeds), Usage(10, request.n))


async def interleaved(works: dict[str, Work], rounds: int, repeat: int) -> dict[str, float]:
    """Median seconds of each work; every round times each of them ``repeat`` times, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            gc.collect()  # or the collections that one work causes fall, round by round, into another one's time
            started = time.perf_counter()
            for _ in range(repeat):
                await work()
            if number:
                times[name].append((time.perf_counter() - started) / repeat)
    return {name: statistics.median(each) for name, each in times.items()}


def solving(model: Any, width: int, journal: bool) -> Work:
    """A veriloop run with ``width`` proposals."""
    import veriloop as vl

    policy = vl.Strategy.of("best_of_n", n=width, early_stop=False) if width > 1 else vl.Strategy.of("single")

    async def verify(answer: str) -> bool:
        return True

    check = verify if width > 1 else None  # a single run has nothing to choose from, so by default no verifier
    return lambda: vl.asolve("yes?", strategy=policy, model=model, verify=check, journal=journal)


def together(work: Work, count: int) -> Work:
    """``count`` runs at once."""

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(count)))

    return all_of_them


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The loopback server in its own process; gives its base url."""
    port = folder / "port"
    script = Path(__file__).parents[2] / "tests" / "loopback.py"
    command = [sys.executable, str(script), "--port-file", str(port), "--latency", str(LATENCY)]
    process = subprocess.Popen(command)
    try:
        while not port.exists() or not port.read_text().strip():
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port.read_text().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


async def measure(url: str, rounds: int) -> list[dict[str, Any]]:
    """All lines of the table."""
    from veriloop.models.openai import OpenAI

    instant, remote = Instant(), OpenAI("any", base_url=url)
    lines: list[dict[str, Any]] = []
    for width in (1, 8):
        works = {
            "bare": bare(instant, width),
            "ours": solving(instant, width, journal=False),
            "journal": solving(instant, width, journal=True),
        }
        found = await interleaved(works, rounds, 20)
        name = f"{width} proposal{'s' * (width > 1)}, instant model"
        lines.append(line(f"{name}, journal off", found["bare"], found["ours"], ratio=1.3))
        lines.append(line(f"{name}, journal on", found["ours"], found["journal"], extra=0.003))
    for name, count, width in (("128 single runs at once", 128, 1), ("8 proposals", 1, 8)):
        works = {
            "bare": together(bare(remote, width), count),
            "ours": together(solving(remote, width, journal=True), count),
        }
        found = await interleaved(works, max(3, rounds // 3), 4)
        lines.append(line(f"{name}, server at 200 ms, journal on", found["bare"], found["ours"], ratio=1.3))
    await remote.aclose()
    return lines


def line(name: str, base: float, ours: float, ratio: float | None = None, extra: float | None = None) -> dict[str, Any]:
    """One line: medians in ms, ratio or extra ms, and whether the bar is met."""
    met = ours <= ratio * base if ratio is not None else ours - base <= (extra or 0)
    return {
        "what": name,
        "base_ms": round(base * 1e3, 2),
        "ours_ms": round(ours * 1e3, 2),
        "ratio": round(ours / base, 2),
        "extra_ms": round((ours - base) * 1e3, 2),
        "bar": f"<= {ratio} x" if ratio is not None else f"<= + {(extra or 0) * 1e3:g} ms",
        "met": met,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VERILOOP_HOME"] = folder
        with server(Path(folder)) as url:
            lines = asyncio.run(measure(url, args.rounds))
    if args.json:
        print(json.dumps(lines, indent=1))
    else:
        print(f"{'what':54} {'base ms':>9} {'ours ms':>9} {'ratio':>6} {'extra ms':>9}  bar")
        for each in lines:
            figures = f"{each['base_ms']:9.2f} {each['ours_ms']:9.2f} {each['ratio']:6.2f} {each['extra_ms']:9.2f}"
            print(f"{each['what']:54} {figures}  {each['bar']} {'met' if each['met'] else 'MISSED'}")
    sys.exit(int(args.strict and not all(each["met"] for each in lines)))


if __name__ == "__main__":
    main()

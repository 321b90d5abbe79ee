"""Runs in processes of their own, so that a test can kill them for real and count what the model server saw.

    python tests/sittings.py serve --port-file F --log LOG.jsonl --latency 0.03
    python tests/sittings.py work SEED:KIND:[RUN_ID] ...        # with an id, that run is resumed

The client's environment says where the server and the data folder are. ``DIE_AFTER=n`` makes it kill itself right after
its n-th journal write, ``DIE_BEFORE=n`` right before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from aiohttp import web
from loopback import ChatServer, last_user_text, pick

from veriloop.core.journal import Journal, Record, read
from veriloop.core.seeds import derive

FRUIT = ["apple", "bergamot", "cherry", "damson", "elderberry", "fig", "grape", "honeydew", "imbe", "jujube"]
HERE = Path(__file__).parent


def score(answer: str) -> tuple[float, str]:
    """A verifier that both sides can import: always the same for the same answer, never the full score."""
    value = blake2b(answer.encode(), digest_size=1).digest()[0] / 256
    return value, f"{answer} is worth {value:.2f}"


def reply(body: dict[str, Any], _index: int) -> list[Any]:
    """A fruit by seed and prompt, a query that gives one where SQL is wanted, a critique where JSON is."""
    if "response_format" in body:
        critique = {"problems": ["It is dull."], "advice": "Name another fruit.", "good_enough": False}
        return [json.dumps(critique)]
    seed, text = body.get("seed") or 0, json.dumps(body["messages"])
    fruits = [pick(FRUIT, seed + i, last_user_text(body)) for i in range(body.get("n") or 1)]
    return [f"SELECT name FROM fruit WHERE name < '{f}'" if "SQLite" in text else f for f in fruits]


@dataclass(frozen=True)
class Asked:
    """What ``asolve`` is asked for, and how many requests it takes when nothing goes wrong."""

    strategy: str
    parameters: Mapping[str, Any]
    verify: Any
    requests: int
    database: bool = False


RUNS = {
    "iad": Asked("iad", {"rounds": 4, "width": 2}, score, requests=4),
    "self_refine": Asked("self_refine", {"n": 4}, None, requests=7),
    "sql": Asked("iad", {"rounds": 4, "width": 2, "early_stop": False}, "auto", requests=4, database=True),
}


async def solve(kind: str, seed: int, folder: Path, **options: Any) -> Any:
    """The run called ``kind``; each seed is another run. ``folder`` holds its database."""
    from veriloop.core.task import Task
    from veriloop.graphs.solve import asolve
    from veriloop.graphs.strategies import Strategy

    asked = RUNS[kind]
    task = Task(f"Which fruit is number {seed}?", database=_database(folder) if asked.database else None)
    strategy = Strategy(asked.strategy, asked.parameters)
    return await asolve(task, strategy=strategy, model="openai:test", verify=asked.verify, seed=seed, **options)


def _database(folder: Path) -> str:
    path = folder / "fruit.sqlite"
    if not path.exists():
        draft = folder / f"fruit.{os.getpid()}"
        connection = sqlite3.connect(draft)
        connection.execute("CREATE TABLE fruit (name TEXT)")
        connection.executemany("INSERT INTO fruit VALUES (?)", [(f,) for f in FRUIT])
        connection.commit()
        connection.close()
        draft.rename(path)
    return str(path)


def summary(result: Any) -> dict[str, Any]:
    """What must be the same however often a run was killed: all of it but the time it took."""
    from veriloop.core.wire import encode

    plain = encode(result)
    del plain["run_id"], plain["spend"]["seconds"]
    text = json.dumps(plain)
    plain = json.loads(text)
    for attempt in plain["attempts"]:
        for run in attempt.get("tool_runs", ()):
            del run["seconds"]
    for run in (plain["best"] or {}).get("tool_runs", ()):
        del run["seconds"]
    return plain


# --- the server -------------------------------------------------------------------------------------------------------


class Witness(ChatServer):
    """A server that also writes a line when a request arrives: a client killed before the answer is seen, too."""

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        self._note("arrived", json.loads(await http.read()))
        return await super()._answer(http)

    def _note(self, what: str, body: dict[str, Any]) -> None:
        assert self._log
        with self._log.with_suffix(".arrived").open("a") as file:
            file.write(json.dumps({"what": what, "at": time.monotonic(), "id": identity(body)}) + "\n")


def identity(body: Mapping[str, Any]) -> str:
    """What tells a request from all others of all runs: the question and the seed."""
    question = next(m["content"] for m in body["messages"] if m["role"] == "user")
    number = "".join(c for c in question if c.isdigit())
    return f"{number}:{body.get('seed')}"


@contextmanager
def serving(folder: Path, latency: float) -> Iterator[tuple[str, Path]]:
    """A ``Witness`` in its own process: its base url and its log."""
    port_file, log = folder / "port", folder / "server.jsonl"
    command = [sys.executable, str(Path(__file__)), "serve", "--port-file", str(port_file), "--log", str(log)]
    with subprocess.Popen([*command, "--latency", str(latency)]) as process:
        try:
            while not port_file.exists():
                assert process.poll() is None
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port_file.read_text()}/v1", log
        finally:
            process.terminate()


# --- the client -------------------------------------------------------------------------------------------------------


@dataclass
class Kill:
    """What a kill left: when it was, which requests were in the journal, how many runs were begun and not ended."""

    at: float
    settled: frozenset[str]
    unfinished: int


@dataclass
class Sittings:
    """Runs (kind by seed) that one process works on side by side, and over again until all have ended."""

    runs: Mapping[int, str]
    folder: Path
    base_url: str
    log: Path
    kills: list[Kill] = field(default_factory=list[Kill])
    results: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    @property
    def home(self) -> Path:
        """The data folder; no other runs lie there."""
        return self.folder / f"home-{min(self.runs)}"

    def journals(self) -> list[Path]:
        """The journals of all sittings so far."""
        return sorted((self.home / "journals").glob("*.jsonl"))

    def records(self) -> dict[int, list[Record]]:
        """What is in the journals now, by seed."""
        found = [r for path in self.journals() for r in read(path)]
        seeds = {r.run: r.value["seed"] for r in found if r.kind == "run"}
        return {seed: [r for r in found if seeds[r.run] == seed] for seed in self.runs}

    def arrived(self) -> list[tuple[float, str]]:
        """When these runs' requests came to the server, and which they were."""
        path = self.log.with_suffix(".arrived")
        lines = path.read_text().splitlines() if path.exists() else []
        seen = [json.loads(line) for line in lines if line.endswith("}")]
        return [(s["at"], s["id"]) for s in seen if int(s["id"].partition(":")[0]) in self.runs]

    def settled(self) -> frozenset[str]:
        """The requests whose replies are in the journals."""
        keys = [(seed, r.key.split("/")[0]) for seed, rs in self.records().items() for r in rs if r.kind == "model"]
        return frozenset(f"{seed}:{derive(seed, proposal) & 0x7FFFFFFF}" for seed, proposal in keys)

    def sit(self, until: str = "", amount: float = 0.0, **environment: str) -> bool:
        """Begin the runs, or go on with them, in a new process: to their end, or until it is killed. Whether it was.

        ``until``: kill it once it has written so many ``bytes`` of journal, once so many requests have ``arrived`` at
        the server, or so many ``seconds`` after it was ready to begin.
        """
        with self._process(environment) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            before = self._progress(until)
            while process.poll() is None:
                if until and self._progress(until) - before >= amount:
                    process.kill()
                    break
                time.sleep(0.001)
            said, faults = process.stdout.read(), process.stderr.read()
        if process.returncode == -signal.SIGKILL:
            kinds = [{r.kind for r in records} for records in self.records().values()]
            self.kills.append(Kill(time.monotonic(), self.settled(), sum("run" in k and "end" not in k for k in kinds)))
            return True
        assert process.returncode == 0, faults
        self.results = {int(seed): result for seed, result in json.loads(said).items()}
        return False

    def _progress(self, what: str) -> float:
        if what == "bytes":
            return sum(path.stat().st_size for path in self.journals())
        return len(self.arrived()) if what == "arrived" else time.monotonic()

    def _process(self, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        begun = {seed: records[0].run for seed, records in self.records().items() if records}
        jobs = [f"{seed}:{kind}:{begun.get(seed, '')}" for seed, kind in self.runs.items()]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("VERILOOP_", "OPENAI_"))}
        own = {"VERILOOP_HOME": str(self.home), "OPENAI_BASE_URL": self.base_url, "PYTHONPATH": str(HERE)}
        return subprocess.Popen(
            [sys.executable, str(HERE / "sittings.py"), "work", *jobs],
            env={**inherited, **own, **environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def repeated(self) -> list[str]:
        """Requests that were sent although their reply was in the journal: there must be none."""
        return [r for at, r in self.arrived() if any(at > kill.at and r in kill.settled for kill in self.kills)]

    def unsettled(self) -> int:
        """How many requests the kills caught in flight: come to the server, not in the journal."""
        since = [0.0, *(kill.at for kill in self.kills)]
        return sum(
            since[i] < at <= kill.at and request not in kill.settled
            for i, kill in enumerate(self.kills)
            for at, request in self.arrived()
        )


def with_tests() -> dict[str, str]:
    """The environment of a process that imports what tests share."""
    return {**os.environ, "PYTHONPATH": str(HERE)}


def die_at_writes(before: int = 0, after: int = 0) -> None:
    """Die by SIGKILL before or after so many journal writes of this process: points that no watcher hits exactly."""
    append, done = Journal.append, 0

    def dying(self: Journal, records: Iterable[Record]) -> None:
        nonlocal done
        done += 1
        if done == before:
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, records)
        if done == after:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = dying


async def _client(jobs: Sequence[str]) -> None:
    import langsmith.run_helpers  # noqa: F401  (imports are done before the clock of the test starts)
    import openai  # noqa: F401

    from veriloop.graphs.graph import build

    build()
    print("ready", flush=True)
    results = await asyncio.gather(*(_job(*job.split(":"), wait=0.04 * i) for i, job in enumerate(jobs)))
    print(json.dumps(dict(results)))


async def _job(seed: str, kind: str, run: str, wait: float) -> tuple[str, dict[str, Any]]:
    """One run, begun a little after the one before, so that a kill finds them at different points."""
    from veriloop.graphs.solve import aresume

    await asyncio.sleep(wait)
    return seed, summary(await (aresume(run) if run else solve(kind, int(seed), Path.cwd())))


async def _server(args: argparse.Namespace) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with Witness(reply, latency=args.latency, log=args.log) as server:
        draft = args.port_file.with_suffix(".tmp")
        draft.write_text(str(server.port))
        draft.rename(args.port_file)
        await over.wait()


def _main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--port-file", type=Path, required=True)
    serve.add_argument("--log", type=Path, required=True)
    serve.add_argument("--latency", type=float, default=0.0)
    commands.add_parser("work").add_argument("jobs", nargs="+")
    args = parser.parse_args()
    die_at_writes(*(int(os.environ.get(name, 0)) for name in ("DIE_BEFORE", "DIE_AFTER")))
    asyncio.run(_server(args) if args.command == "serve" else _client(args.jobs))


if __name__ == "__main__":
    # As the module that it is, so that ``score`` has the same import path in all processes.
    import sittings

    sittings._main()

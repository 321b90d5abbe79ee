"""Small models that ship with the package and run in numpy: ``embedded:sql``."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import CapabilityError, ModelError, UsageError, meant
from ...core.messages import Capabilities, Reply, Request, Sample, Usage
from ..capabilities import refuse
from .kinds import GAME24, SQL, TEXT, foreign, kind
from .puzzle import NoPuzzle
from .reading import asked_about, attempts, question

if TYPE_CHECKING:
    from .engine import Engine

HERE = Path(__file__).parent
TABLES = {"sql": ("border_info", "city", "highlow", "lake", "mountain", "river", "road", "state")}
"""The tables that a model knows, where it knows one database schema only."""
WRITES = {
    SQL: Capabilities(only=SQL, roles=("judge", "critic"), n=True, stop=True, seed=True, logprobs=True, prefix=True),
    TEXT: Capabilities(only=TEXT, n=True, stop=True, seed=True, logprobs=True, prefix=True),
    GAME24: Capabilities(only=TEXT, roles=("step_reward",), n=True, stop=True, seed=True, logprobs=True, prefix=True),
}
"""What a model can do, by its kind."""
FILES = ("config.json", "model.safetensors", "tokenizer.json")
"""What the folder of a model holds."""
NUCLEUS = 0.99
"""The widest nucleus."""


def known() -> list[str]:
    """The names of the models in this folder."""
    return sorted(p.parent.name for p in HERE.glob("*/model.safetensors"))


def located(name: str) -> Path:
    """The folder of ``name``: a model of this package, or a path to weights in the same form. Raises ``UsageError``
    where there is none, or it is a model for transformers."""
    if name in known():
        return HERE / name
    folder = Path(name).expanduser()
    if not folder.is_dir():
        near = meant(name, known())
        raise UsageError(
            f"unknown embedded model {name!r}{near}; known: {', '.join(known())}, or give the path of a folder"
        )
    if lost := [file for file in FILES if not (folder / file).is_file()]:
        raise UsageError(f"embedded:{name}: {folder} holds no {lost[0]}; give the folder of an embedded model")
    if foreign(folder):
        raise UsageError(f"embedded:{name} is a model for transformers: write transformers:{name}")
    return folder


class Embedded:
    """An embedded model. It writes: of a request it reads the question (the last user turn that states the task) and
    the text to continue. One that writes SQL also reads earlier attempts that a method tells of and writes none of them
    again; and it plays judge and critic: how likely is it that an attempt is right? The one of the game of 24 says of
    steps how likely it is that they can still be gone on with to 24.

    ``folder`` holds its weights; without one it is the folder of that name in this package, or at that path.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = f"embedded:{name}"
        self.tables = TABLES.get(name, ())
        self._folder = folder or located(name)
        self.capabilities = WRITES[kind(self._folder)]
        self._engine: Engine | None = None
        self._loading = threading.Lock()

    async def generate(self, request: Request) -> Reply:
        """Sample from the model; raises ``CapabilityError`` for images, tools or a schema, and for
        a question of another kind than it can read."""
        refuse(self.name, self.capabilities, request)
        loaded = self._engine or await asyncio.to_thread(self._load)
        answer = self._judge if request.role in self.capabilities.roles else self._write
        try:
            return await answer(loaded, request)
        except NoPuzzle as error:  # no question to it will ever do, so the run ends
            raise CapabilityError(f"{self.name} cannot answer this: {error}") from error
        except ValueError as error:
            raise ModelError(f"{self.name} cannot answer this: {error}") from error

    async def _write(self, loaded: Engine, request: Request) -> Reply:
        from .jobs import Job

        told = attempts(request.messages) if self.capabilities.only == SQL else ()
        jobs = [
            Job(
                prompt=question(request.messages),
                prefix=request.prefix,
                attempts=told if len(told) > 1 else (),  # of one alone it makes nothing, on held-out questions
                never=tuple(each.sql for each in told),
                temperature=request.temperature,
                top_p=min(request.top_p, NUCLEUS),
                max_tokens=request.max_tokens,
                stop=request.stop,
                seed=seed,
            )
            for seed in request.seeds
        ]
        texts = await loaded.generate(jobs)
        samples = tuple(Sample(t.text, logprob=t.logprob, finish=t.finish, stopped=t.stopped) for t in texts)
        return Reply(samples, Usage(texts[0].prompt_tokens, sum(t.completion_tokens for t in texts)))

    async def _judge(self, loaded: Engine, request: Request) -> Reply:
        """The opinion of a judge, a critic or a step reward, as JSON; one token is written, the verdict."""
        found = asked_about(request.messages)
        if found is None:
            raise ValueError("there is no question and no attempt to judge")
        chance, read = await loaded.judge(*found)
        sample = Sample(json.dumps(opinion(request.role, chance)))
        return Reply((sample,) * request.n, Usage(read, request.n))

    def _load(self) -> Engine:
        """The engine, loaded by the first call alone."""
        from .engine import Engine

        with self._loading:
            self._engine = self._engine or Engine.load(self._folder)
            return self._engine


def opinion(role: str, chance: float) -> dict[str, Any]:
    """What a judge or a critic says, given the probability that an attempt is right; what a step reward says, given the
    probability that it still can be."""
    if role == "step_reward":
        said = f"The answer can probably {'still' if chance >= 0.5 else 'no longer'} be reached."
        return {
            "critique": [{"constraint": 0, "met": chance >= 0.5, "critique": said}],
            "score": round(200 * chance - 100),
        }
    words = [f"It is probably {'right' if chance >= 0.5 else 'wrong'}."]
    if role == "judge":
        return {"reasons": words, "score": round(chance, 4)}
    good = chance >= 0.5
    return {"problems": [] if good else words, "advice": "" if good else "Write another query.", "good_enough": good}

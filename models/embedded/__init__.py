"""Small models that ship with the package and run in numpy: ``embedded:sql``."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ModelError, UsageError
from ...core.messages import Capabilities, Message, Reply, Request, Sample, Usage
from ..capabilities import refuse

if TYPE_CHECKING:
    from .engine import Engine

HERE = Path(__file__).parent
TABLES = {"sql": ("border_info", "city", "highlow", "lake", "mountain", "river", "road", "state")}
"""The tables that a model knows, where it knows one database schema only."""
NUCLEUS = 0.95
"""The widest nucleus: what lies outside is what smoothed labels give to every token."""


def known() -> list[str]:
    """The names of the models in this folder."""
    return sorted(p.parent.name for p in HERE.glob("*/model.safetensors"))


class Embedded:
    """An embedded model. It reads nothing of a request but the question: the last user turn that states the task."""

    capabilities = Capabilities(only="sql", n=True, stop=True, seed=True, logprobs=True, prefix=True)

    def __init__(self, name: str) -> None:
        if name not in known():
            raise UsageError(f"unknown embedded model {name!r}; known: {', '.join(known())}")
        self.name = f"embedded:{name}"
        self.tables = TABLES.get(name, ())
        self._folder = HERE / name
        self._engine: Engine | None = None
        self._loading = threading.Lock()

    async def generate(self, request: Request) -> Reply:
        """Sample from the model; raises ``CapabilityError`` for images, tools or a schema."""
        refuse(self.name, self.capabilities, request)
        from .engine import Job

        engine = self._engine or await asyncio.to_thread(self._load)
        prompt = question(request.messages)
        jobs = [
            Job(
                prompt=prompt,
                prefix=request.prefix,
                temperature=request.temperature,
                top_p=min(request.top_p, NUCLEUS),
                max_tokens=request.max_tokens,
                stop=request.stop,
                seed=seed,
            )
            for seed in request.seeds
        ]
        try:
            texts = await engine.generate(jobs)
        except ValueError as error:
            raise ModelError(f"{self.name} cannot answer this: {error}") from error
        samples = tuple(Sample(t.text, logprob=t.logprob, finish=t.finish) for t in texts)
        return Reply(samples, Usage(texts[0].prompt_tokens, sum(t.completion_tokens for t in texts)))

    def _load(self) -> Engine:
        """The engine, loaded by the first call alone."""
        from .engine import Engine

        with self._loading:
            self._engine = self._engine or Engine.load(self._folder)
            return self._engine


def question(messages: tuple[Message, ...]) -> str:
    """The text of the last user turn that states the task."""
    asked = [m.text for m in messages if m.role == "user" and m.purpose == "task"]
    return asked[-1] if asked else ""

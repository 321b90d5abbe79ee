"""Models with open weights on this machine, by transformers: ``transformers:PATH_OR_HUB_ID``."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING

from ...core.errors import UsageError
from ...core.messages import Capabilities, Reply, Request
from ...core.protocols import Heard
from ..capabilities import refuse
from .engine import Engine
from .folder import check, locate, takes_pictures, takes_tools

if TYPE_CHECKING:
    from .rows import Loaded

VARIABLES = ("VERILOOP_TRANSFORMERS_DEVICE", "VERILOOP_TRANSFORMERS_DTYPE")
"""Environment variables that are read when a model is made without these arguments."""
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEVICE = re.compile(r"cpu|mps|cuda(:\d+)?")


class Transformers:
    """A text or image-text model in a folder or from the hub's cache, loaded by its first call.

    ``device`` is ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` (default: the GPU if there is one), ``dtype`` is ``float32``,
    ``bfloat16``, ``float16`` or ``auto`` (default: float32 on a CPU, else as the weights are). Only safetensors are
    read, and no code that comes with a model is run. Some image-text models (Qwen-VL) need torchvision besides, of the
    same build as torch. Raises ``UsageError`` for an unknown device or dtype.

    Samples of all callers are decoded together, on a CPU and on a GPU alike: each prompt is read once for all its
    samples, and rows join and leave between two steps. This is continuous batching by a loop of our own, on CUDA too:
    transformers' ``ContinuousBatchingManager`` draws for all requests from one generator, so that a seed means nothing.

    The same request gives the same samples, alone or in any company: each sample has noise of its own. This holds in
    float32, up to ties of some 1e-6; in half precision what runs beside a row moves its logits enough to change words,
    and other devices or versions compute other samples in any case. What the model's ``generation_config.json`` says
    about sampling (top_k, penalties) is not applied: the request says how to sample.

    A log-probability is the sum over the tokens written, an end token included, at temperature 1 and before top_p;
    those that spell the end of a prefix count among the tokens that could.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.name = f"transformers:{model}"
        self._model = model
        device, dtype = device or os.environ.get(VARIABLES[0]), dtype or os.environ.get(VARIABLES[1])
        if device and not DEVICE.fullmatch(device):
            raise UsageError(f"{self.name}: unknown device {device!r}; give cpu, cuda, cuda:1 or mps")
        if dtype and dtype not in DTYPES:
            raise UsageError(f"{self.name}: unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")
        self._capabilities = capabilities
        self._engine = Engine(self.name, partial(_load, self.name, model, device or None, dtype or None))

    @property
    def capabilities(self) -> Capabilities:
        """What the model's files say it can do; pictures and tools are hoped for until they are on this machine."""
        if self._capabilities is None:
            folder = locate(self._model)
            images, tools = (True, True) if folder is None else (takes_pictures(folder), takes_tools(folder))
            found = Capabilities(
                images=images, n=True, seed=True, tools=tools, logprobs=True, prefix=True, streaming=True
            )
            if folder is None:
                return found
            self._capabilities = found
        return self._capabilities

    def ready(self) -> None:
        """Raise ``UsageError`` when packages, the folder or its files are missing; nothing is loaded for it."""
        check(self.name, self._model)

    async def generate(self, request: Request) -> Reply:
        """Write ``request.n`` samples. Cancelling stops them before the next token.

        Raises ``CapabilityError`` for a schema, and for pictures or tools that the model does not take; ``UsageError``
        when the model is not there; ``ModelError`` when it does not load or the prompt is too long for it.
        """
        return await self._write(request, None)

    async def stream(self, request: Request, heard: Heard) -> Reply:
        """Do what ``generate`` does, and tell of each piece of text as it is written.

        The pieces of a sample join to its text. With tools on offer its text comes in one piece at the end.
        """
        return await self._write(request, heard)

    async def _write(self, request: Request, heard: Heard | None) -> Reply:
        refuse(self.name, self.capabilities, request)
        return await self._engine.generate(request, heard)


def _load(name: str, model: str, device: str | None, dtype: str | None) -> Loaded:
    """Runs in the worker thread: the packages alone take seconds to import."""
    check(name, model)
    from .loading import load

    return load(name, model, device, dtype)

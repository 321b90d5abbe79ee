"""OpenAI's Responses, its newer protocol: thinking is kept from turn to turn. Other servers speak it, too.

It has one sample a request, no seed and no stop text. Not covered: tools that the provider runs, stored talks.
"""

from __future__ import annotations

from typing import Any

from ..core.messages import Capabilities, Request
from . import responses_data
from .openai import Backend


class Responses(Backend):
    """A model behind a Responses endpoint."""

    provider = "openai-responses"
    dialect = responses_data
    offered = Capabilities(images=True, stop=False, tools=True, schema=True, logprobs=True, streaming=True)

    def _body(self, request: Request) -> dict[str, Any]:
        return responses_data.body(request, self._model, self.capabilities)

"""The wanted type of an answer: its JSON schema for the model, its check for the graph, its object for the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..core.search import Result


@dataclass(frozen=True)
class Output:
    """``kind`` is anything pydantic validates (a model, ``list[int]``, a dataclass), or none for any answer."""

    kind: Any

    @cached_property
    def _adapter(self) -> Any:
        from pydantic import TypeAdapter

        return TypeAdapter(self.kind)

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema, or none."""
        return None if self.kind is None else self._adapter.json_schema()

    @property
    def check(self) -> Callable[[Any], Any] | None:
        """Raises ``ValueError`` with one line for data that does not fit; none where anything does."""
        return None if self.kind is None else self._check

    def _check(self, data: Any) -> None:
        from pydantic import ValidationError

        try:
            self._adapter.validate_python(data)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in error.errors()[:5]]
            raise ValueError("; ".join(lines)) from error

    def typed(self, result: Result) -> Result:
        """The result with its answer as the wanted type; none when not even the best reply was of this type."""
        if self.kind is None or result.best is None:
            return result
        if not result.best.complete:
            return replace(result, answer=None)
        return replace(result, answer=self._adapter.validate_python(result.answer))

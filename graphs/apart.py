"""A run is one step of whatever runs it: it inherits no callbacks, limits or checkpoints, and traces to nobody."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from langchain_core.runnables.config import var_child_runnable_config


@contextmanager
def apart() -> Generator[None]:
    """Hide the caller's graph or chain, if any, from the graph that is run inside."""
    # langgraph takes the configuration of the graph around it from this variable of langchain's.
    token = var_child_runnable_config.set(None)
    try:
        with _untraced():
            yield
    finally:
        var_child_runnable_config.reset(token)


def _untraced():
    """Tracing to third parties stays off whatever the environment says: what runs here is the user's."""
    from langsmith.run_helpers import tracing_context  # type: ignore[reportUnknownVariableType]
    from langsmith.utils import tracing_is_enabled  # type: ignore[reportUnknownVariableType]

    return tracing_context(enabled=False) if tracing_is_enabled() else nullcontext()

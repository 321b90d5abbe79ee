"""Runs at work: shown as they go, cut off with a line that says how to go on, printed at the end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from veriloop.core.errors import RunFailed, VeriloopError, plain

if TYPE_CHECKING:
    from veriloop.core.search import Result
    from veriloop.graphs.strategies import Strategy

T = TypeVar("T")


class Watch:
    """Shows a run while it works: on the terminal, or (for ``--json``) not at all."""

    def __init__(
        self,
        quiet: bool,
        strategy: Strategy | None = None,
        seconds: float | None = None,
        kept: bool = True,
        note: str = "",
    ) -> None:
        self._watcher: Any = None
        self._kept = kept
        self._run_id = ""
        if not quiet:
            from veriloop.apps.cli.show import Watcher, console

            at_most = getattr(strategy.make(), "at_most", None) if strategy else None
            self._watcher = Watcher(console(), at_most, seconds, note)

    def __call__(self, event: Any) -> None:
        self._run_id = event.run
        if self._watcher:
            self._watcher(event)

    def over(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` to its end."""
        if self._watcher is None:
            return at_work(work, self._resumable)
        with self._watcher:
            return at_work(work, self._resumable)

    def _resumable(self) -> str:
        return resumable(self._run_id) if self._kept else ""


def resumable(run_id: str) -> str:
    """How to go on with a run."""
    return f"go on with: veriloop runs resume {run_id}" if run_id else ""


def at_work(work: Coroutine[Any, Any, T], hint: Callable[[], str]) -> T:
    """Run ``work`` to its end. Ctrl-C and SIGTERM end it and the command, with status 130 and 143 and a line that ends
    with ``hint``: how to go on (empty: there is no way)."""
    with cut_off(hint):
        return asyncio.run(_cut_quietly(work))


@contextmanager
def plainly(fail: Callable[[str], NoReturn]) -> Generator[None]:
    """An error that is meant for people, or the system's own, becomes a line that ``fail`` ends the command with."""
    try:
        yield
    except RunFailed as error:
        kept = f" (nothing is lost: veriloop runs resume {error.run_id})" if error.kept else ""
        fail(f"{error.reason}{kept}")
    except VeriloopError as error:
        fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        fail(f"{plain(error)}: {error.filename}" if error.filename else plain(error))


@contextmanager
def cut_off(hint: Callable[[], str]) -> Generator[None]:
    """What Ctrl-C and SIGTERM end as ``at_work`` says, also where no loop is at work."""
    before = signal.signal(signal.SIGTERM, _cut)
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError) as end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would only spoil the end
        how = hint()
        typer.echo(f"veriloop: interrupted{f'; {how}' if how else ''}", err=True)
        raise typer.Exit(130 if isinstance(end, KeyboardInterrupt) else 143) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _cut(*_: object) -> None:
    raise asyncio.CancelledError


async def _cut_quietly(work: Coroutine[Any, Any, T]) -> T:
    """``work``, which SIGTERM cancels, as Ctrl-C does. What is then left half open does not complain on the terminal
    about its closed loop."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        sys.unraisablehook = _silent
        loop.set_exception_handler(_silent)
        raise


def _silent(*_: object) -> None: ...


def finish(result: Result, as_json: bool, kept: bool = True) -> None:
    """Print the answer; exit 1 where none passed. As JSON, ``best`` is the id of the attempt that was chosen. Raises
    ``RunFailed`` where trouble stopped the run, which can go on if it was ``kept``."""
    from veriloop.apps.cli import show, trees
    from veriloop.core.wire import encode

    if as_json:
        best = result.best.id if result.best else None
        said = {**encode(result), "best": best, "answer": encode(result.answer), "outcome": result.verdict.outcome}
        typer.echo(json.dumps(said))
    else:
        if trees.grown(result):
            show.console().print(trees.tree(result))
        show.console().print(show.answer(result))
    if result.stopped.startswith("error: "):
        raise RunFailed(result.stopped.removeprefix("error: "), result.run_id, kept)
    if result.best is None or result.verdict.outcome in ("failed", "infra_error"):
        raise typer.Exit(1)

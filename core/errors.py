"""Every error veriloop raises on purpose, named by who must act on it.

``VeriloopError`` carries one line for a person: what is wrong and what to do. The command line prints it and exits
with 2; it never shows a traceback for one.
"""

from __future__ import annotations

from collections.abc import Iterable


class VeriloopError(Exception):
    """Base of all errors meant for people: one line, what is wrong and what to do."""


def told(error: BaseException) -> str:
    """An error in words: ours as they are, others with the name of their kind."""
    return str(error) if isinstance(error, VeriloopError) else f"{type(error).__name__}: {error}"


def plain(error: BaseException) -> str:
    """What went wrong in words: the system's own without their number and path (``Permission denied``)."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def meant(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` where one of ``known`` is spelled much like ``name``, else nothing."""
    from difflib import get_close_matches

    names = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), names, 1, 0.65)
    return f" (did you mean {names[near[0]]!r}?)" if near else ""


class UsageError(VeriloopError):
    """The caller asked for something that cannot be: an unknown name, a missing file, settings that do not parse."""


class Unjudgeable(UsageError):
    """The question gives the verifier nothing to judge an answer by (no tests, no graph); raised before any call."""


class UnknownRun(UsageError):
    """No journal holds a run of this id."""


class CapabilityError(UsageError):
    """A strategy or request needs something the chosen model does not offer; raised before any call."""


class ModelError(VeriloopError):
    """A model endpoint answered with an error that trying again will not mend (a 400, a 401, a bad reply)."""


class TransientModelError(ModelError):
    """A model endpoint failed in a way that may pass: refused connection, time-out, 429, 5xx.

    ``retry_after`` is the wait in seconds that the endpoint asked for, if it did. ``unsettled`` says that the request
    was sent and may have been worked on (a time-out, a cut connection): nobody knows whether it must be paid. ``busy``
    says that the endpoint only asks to slow down.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, unsettled: bool = False, busy: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.unsettled = unsettled
        self.busy = busy


class OutputError(VeriloopError):
    """A model did not produce the wanted typed output, even after the repair turn."""


class ToolError(VeriloopError):
    """The tool itself failed (not the action it was asked to run): an infrastructure error, never a score."""


class BudgetSpent(VeriloopError):
    """A reservation did not fit the budget. ``limit`` names the limit: calls, tokens, money, seconds or tool_runs."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the budget of {limit} is spent")
        self.limit = limit


class JournalMismatch(VeriloopError):
    """What is recorded is not what is asked now: another step of the same key (code or settings changed since the
    run), or a recording of another question, strategy, seed or model."""


class RunFailed(VeriloopError):
    """A run ended without one usable attempt, for this ``reason``. Where a journal was kept (``kept``), it can be
    resumed by ``run_id``."""

    def __init__(self, reason: str, run_id: str, kept: bool = True) -> None:
        super().__init__(f"{reason} (nothing is lost: go on with veriloop.resume({run_id!r}))" if kept else reason)
        self.reason = reason
        self.run_id = run_id
        self.kept = kept

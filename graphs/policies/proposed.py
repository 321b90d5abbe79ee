"""What a policy may propose, and whose fault it is when it breaks."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast, get_args

from ...core.errors import UsageError, VeriloopError, told
from ...core.search import Attempt, Proposal, Until


def unfit(wanted: object) -> str:
    """What is wrong with proposals, in words that follow the policy's name; empty where nothing is."""
    if wanted and not isinstance(wanted, list | tuple):
        return f"gave {type(wanted).__name__}: it must give a list of Proposal"
    for each in cast("Sequence[object]", wanted or ()):
        if not isinstance(each, Proposal):
            return f"gave {type(each).__name__} in its list: it must give a list of Proposal"
        if each.until not in get_args(Until):
            return f"gave until={each.until!r}: it is {' or '.join(map(repr, get_args(Until)))}"
    return ""


def orphaned(wanted: Iterable[Proposal], attempts: Iterable[Attempt]) -> list[str]:
    """The parents of proposals that are none of the attempts."""
    return sorted({parent for each in wanted for parent in each.parents} - {attempt.id for attempt in attempts})


@contextmanager
def blamed(whose: str) -> Generator[None]:
    """What breaks inside is said to be ``whose``, with the line where it broke. Raises ``UsageError``."""
    try:
        yield
    except VeriloopError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise UsageError(f"{whose} fails: {told(error)} ({Path(last.filename).name}, line {last.lineno})") from error

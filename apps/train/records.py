"""Trajectories: what a model wrote on a problem, plain and with hints, a line each in ``trajectories.jsonl``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from veriloop.apps.bench.records import Results
from veriloop.core.errors import UsageError, plain
from veriloop.core.search import Segment
from veriloop.core.wire import decode, encode

COLLECTED, FILTERED, EXPORTED = "trajectories.jsonl", "filtered.jsonl", "sft.jsonl"
"""What each step leaves in the folder: ``collect``, ``filter``, ``export``."""
MADE_BY = {COLLECTED: "veriloop train collect", FILTERED: "veriloop train filter", EXPORTED: "veriloop train export"}
"""The commands, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One text on one problem. It never holds the right answer.

    ``messages`` is what the model was asked, as role and content. ``before`` is the text that the last hint was put
    into, with its answer; of a plain text (``round`` 0) it is empty. ``hint`` is the function, ``paraphrase`` the
    words, ``position`` where they were put in. ``segments`` are the whole text, each with who wrote it; ``code`` and
    ``output`` are the blocks that ran after the last hint and what they gave. ``plain_right`` is whether the problem's
    plain text is right. ``execution_ok`` says that no block failed, ``repeated`` that a pattern comes again and again,
    ``complete`` that the text came to its end. ``dropped`` names the rule that dropped it.
    """

    problem: str
    source: str
    seed: int
    round: int
    run: str
    messages: tuple[Mapping[str, str], ...]
    before_text: str = ""
    before_answer: str = ""
    hint: str = ""
    paraphrase: str = ""
    position: str = ""
    segments: tuple[Segment, ...]
    code: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    after_answer: str
    plain_right: bool
    before_right: bool
    after_right: bool
    execution_ok: bool
    repeated: bool
    complete: bool
    accepted: bool = False
    dropped: str = ""

    @property
    def hinted(self) -> bool:
        """Whether a hint was put in."""
        return any(segment.source == "hint" for segment in self.segments)

    @property
    def tail(self) -> tuple[Segment, ...]:
        """What follows the last hint; all of a plain text."""
        return self.parted[2]

    @property
    def parted(self) -> tuple[tuple[Segment, ...], Segment | None, tuple[Segment, ...]]:
        """What stands before the last hint, the hint (none in a plain text), and what follows it."""
        places = [at for at, segment in enumerate(self.segments) if segment.source == "hint"]
        if not places:
            return (), None, self.segments
        return self.segments[: places[-1]], self.segments[places[-1]], self.segments[places[-1] + 1 :]


class Trajectories(Results):
    """The file that ``collect`` appends to. The records of a cell are on the disk before its row is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / COLLECTED

    def add(self, records: Sequence[Record]) -> None:
        """Write the records of a cell."""
        for record in records:
            self.append(encode(record))
        if records:
            self._sync()


def collected(folder: Path) -> list[Record]:
    """The records of ``collect``, in the order of problem, seed and round; of one that is there twice, the later.
    Raises ``UsageError`` when there are none."""
    read = lines(folder / COLLECTED, MADE_BY[COLLECTED], torn=True)
    found = {(record.problem, record.seed, record.round): record for record in read}
    return [found[key] for key in sorted(found)]


def filtered(folder: Path) -> list[Record]:
    """The records as ``filter`` marked them. Raises ``UsageError`` when there are none."""
    return lines(folder / FILTERED, MADE_BY[FILTERED])


def refuse_stale(folder: Path, name: str) -> None:
    """Raise ``UsageError`` where a step before the one that made the file ``name`` has written since."""
    files = list(MADE_BY)[: list(MADE_BY).index(name) + 1]
    for source, made in pairwise(folder / each for each in files):
        if source.exists() and made.exists() and source.stat().st_mtime_ns > made.stat().st_mtime_ns:
            raise UsageError(f"{source} is newer than {made}: run {MADE_BY[made.name]} again")


def lines(path: Path, made_by: str, torn: bool = False) -> list[Record]:
    """The records of a file; with ``torn`` its last line may be the half of one."""
    return [_record(path, number, row) for number, row in rows(path, made_by, torn)]


def rows(path: Path, made_by: str, torn: bool = False) -> list[tuple[int, Any]]:
    """The lines of a JSON-lines file with their numbers. Raises ``UsageError``, naming the command it is ``made_by``,
    where there is no file, no line, or one that is no JSON."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no {path}: run {made_by} first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {plain(error)}") from error
    whole = text.split("\n")
    whole = whole[:-1] if torn or not whole[-1] else whole
    found = [(number, _parsed(path, number, line)) for number, line in enumerate(whole, 1) if line.strip()]
    if not found:
        raise UsageError(f"{path} is empty: run {made_by} first")
    return found


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}, line {number} is no JSON ({error}): take that line out") from None


def _record(path: Path, number: int, row: Any) -> Record:
    try:
        return decode(Record, row)
    except ValueError:
        raise UsageError(f"{path}, line {number} is no trajectory: take that line out") from None


def write(path: Path, written: Sequence[Any]) -> None:
    """Write plain data as JSON lines, in one move. Raises ``UsageError`` when it cannot be."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for each in written:
                file.write(json.dumps(each, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {plain(error)}") from error

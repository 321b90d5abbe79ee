"""Exporting: accepted trajectories as chats, each text in segments that say what is learned.

What a tool gave is never learned, nor a hint as it was put in, nor the wrong text before it. What of a hint stays, and
how, is a choice (``BEGINS``): a model is to do by itself what the hint made it do.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from veriloop.apps.train.records import EXPORTED, FILTERED, Record, filtered, refuse_stale, write
from veriloop.core.errors import UsageError, meant
from veriloop.core.seeds import derive
from veriloop.tools.hints import hints

BEGINS = {
    "act": "the text begins with what followed the hint, and no hint is in it",
    "words": "the text begins with the hint's sentence, learned as the model's own words",
    "doubt": "the text before the hint is read, and the hint is learned as the model's own doubt",
    "given": "the text before the hint and the hint are read, and only what follows is learned",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text to learn from: who wrote it, and whether it is learned."""

    text: str
    source: str
    trained: bool


def export(out: Path, begin: str = "act", paraphrases: int = 1, seed: int = 0) -> dict[str, Any]:
    """Write the accepted records of ``out`` as chats and return how many there are.

    With ``paraphrases`` above 1 each text is there so often, with other wordings of its hint's function. Raises
    ``UsageError`` when there is nothing to write, or trajectories were collected after they were filtered.
    """
    if begin not in BEGINS:
        raise UsageError(f"--begin {begin!r} is unknown{meant(begin, BEGINS)}; there are {', '.join(BEGINS)}")
    if begin == "act" and paraphrases > 1:
        raise UsageError("--paraphrases vary a hint's words, and with --begin act none are left: choose another")
    marked = filtered(out)
    refuse_stale(out, FILTERED)
    records = [record for record in marked if record.accepted]
    if not records:
        raise UsageError(f"no text of {out} is accepted: see veriloop train filter")
    chats = [chat(record, copy) for record in records for copy in varied(record, begin, paraphrases, seed)]
    write(out / EXPORTED, chats)
    learned = Counter[str]()
    for each in chats:
        for piece in each["segments"]:
            learned["learned" if piece["trained"] else "read"] += len(piece["text"])
    return {"texts": len(chats), "problems": len({r.problem for r in records}), "characters": dict(learned)}


def chat(record: Record, pieces: Sequence[Piece]) -> dict[str, Any]:
    """A chat as plain data: ``messages``, the last of them the text, and the same text in ``segments``."""
    said = {"role": "assistant", "content": "".join(piece.text for piece in pieces)}
    return {
        "problem": record.problem,
        "seed": record.seed,
        "round": record.round,
        "messages": [*map(dict[str, str], record.messages), said],
        "segments": [{"text": p.text, "source": p.source, "trained": p.trained} for p in pieces],
    }


def varied(record: Record, begin: str, paraphrases: int, seed: int) -> Iterator[list[Piece]]:
    """The pieces of a record, once as they are and then with other wordings of its hint."""
    yield list(pieces(record, begin))
    known: Mapping[str, tuple[str, ...]] = {hint.name: hint.paraphrases for hint in hints()}
    others = [words for words in known.get(record.hint, ()) if words != record.paraphrase]
    random.Random(derive(seed, record.problem, record.seed, record.round)).shuffle(others)
    for words in others[: paraphrases - 1]:
        yield list(pieces(record, begin, words))


def pieces(record: Record, begin: str, words: str = "") -> Iterator[Piece]:
    """What is read and learned of a record, with other ``words`` of its hint where they are given."""
    head, hint, tail = record.parted
    if hint is not None:
        said = hint.text.replace(record.paraphrase, words) if words else hint.text
        if begin in ("doubt", "given"):
            yield from (Piece(segment.text, segment.source, False) for segment in head)
            yield Piece(said, "hint", begin == "doubt")
        elif first := _first(said, words or record.paraphrase, begin):
            yield Piece(first, "hint", True)
    begun = hint is not None and (begin != "act" or "```" in hint.text)
    for segment in tail:
        text = segment.text if begun else segment.text.lstrip()
        begun = begun or bool(text)
        if text:
            yield Piece(text, segment.source, segment.source == "model")


def _first(said: str, words: str, begin: str) -> str:
    """What is left of a hint at the beginning of a text: its sentence, or with ``act`` only the opening of the block
    that it goes on with, which the model would have to write itself."""
    place = said.find(words) if words else len(said) - len(said.lstrip())
    if begin == "words":
        own = said[place:]
        return own[:1].upper() + own[1:]
    template = said[place + len(words) :].lstrip()
    return template.partition("\n")[0] + "\n" if template.startswith("```") else ""

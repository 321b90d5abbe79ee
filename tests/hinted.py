"""Sums that a model gets wrong in its head and right in Python, once a hint makes it: what is collected is known."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from veriloop.apps.train.records import Record
from veriloop.core.messages import Capabilities, Request
from veriloop.core.search import Segment
from veriloop.models.scripted import Scripted
from veriloop.tools.scripted import ScriptedTool

SUM = re.compile(r"What is (\d+) \+ (\d+)")


def pool(folder: Path, count: int) -> Path:
    """A folder of so many problems, as the benchmark gsm8k reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"p{n:03}", "question": f"What is {n} + {3 * n}?", "answer": str(4 * n)} for n in range(1, count + 1)
    ]
    (folder / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def writes(request: Request, seed: int) -> str:
    """In its head it is right for every third sum. After a hint it writes a block, for every fifth sum one that fails,
    and then says what came of it. Every request is noted in the file ``ASKED``."""
    found = SUM.search("\n".join(message.text for message in request.messages))
    assert found
    a, b = map(int, found.groups())
    if path := os.environ.get("ASKED"):
        with Path(path).open("a") as file:
            file.write(json.dumps([a, seed, request.prefix]) + "\n")
    if not request.prefix:
        return f"{a} + {b} = {a + b + (a % 3 > 0)}.\n#### {a + b + (a % 3 > 0)}"
    if request.prefix.endswith("```\n"):
        return f"So it is {a + b}.\n#### {a + b}"
    return f"```python\n{'raise ' if a % 5 == 0 else ''}{a} + {b}\n```\n"


class Model(Scripted):
    """The model ``hinted:Model``."""

    def __init__(self) -> None:
        super().__init__(writes, latency=float(os.environ.get("LATENCY", "0")), capabilities=CAN)


CAN = Capabilities(prefix=True, seed=True)


class Calculator(ScriptedTool):
    """The tool ``hinted:Calculator``, of the name python: sums alone."""

    def __init__(self) -> None:
        super().__init__(calculated)


def calculated(code: Sequence[str]) -> dict[str, Any]:
    """What the last piece gives; raises for anything but a sum."""
    a, b = re.fullmatch(r"(\d+) \+ (\d+)\n?", code[-1]).groups()  # type: ignore[union-attr]
    return {"text": str(int(a) + int(b))}


def record(**other: Any) -> Record:
    """A hinted text that is kept, but for what is given."""
    hint = "\n\nWait, I would rather have the exact value: let me work it out in Python.\n"
    segments = (
        Segment("1 + 3 = 5.\n#### 5"),
        Segment(hint, "hint"),
        Segment("```python\n1 + 3\n```\n"),
        Segment("```output\n4\n```\n", "tool"),
        Segment("So it is 4.\n#### 4"),
    )
    given: dict[str, Any] = {
        "problem": "p001", "source": "gsm8k", "seed": 0, "round": 1, "run": "r",
        "messages": ({"role": "system", "content": "Answer."}, {"role": "user", "content": "What is 1 + 3?"}),
        "before_text": "1 + 3 = 5.\n#### 5", "before_answer": "5", "hint": "complex-calculation",
        "paraphrase": "I would rather have the exact value: let me work it out in Python.", "position": "before_stop",
        "segments": segments, "code": ("1 + 3\n",), "output": ("4",), "after_answer": "4", "plain_right": False,
        "before_right": False, "after_right": True, "execution_ok": True, "repeated": False, "complete": True,
    }  # fmt: skip
    return Record(**{**given, **other})

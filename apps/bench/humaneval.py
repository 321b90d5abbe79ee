"""HumanEval (Chen et al. 2021): a function to write, from its head and its description.

humaneval.jsonl   id, prompt, entry_point, test_code (the tests, ending in ``check(NAME)``) [, reference_solution]
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.lines import Row, items_of
from veriloop.apps.bench.programs import Programs, Tests
from veriloop.core.task import Task

ASKED = "Write this Python function. Give it whole, with the imports it needs.\n\n```python\n{prompt}\n```"


class HumanEval(Programs):
    """What strategies listen to are the examples of the description, where they can be read."""

    name = "humaneval"

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with humaneval.jsonl, or of a file of its form."""
        return items_of(data, "humaneval.jsonl", ("prompt", "entry_point", "test_code"), _item)


def _item(row: Row) -> Item:
    question = ASKED.format(prompt=str(row["prompt"]).strip("\n"))
    tests = Tests(str(row["test_code"]), given(str(row["prompt"]), str(row["entry_point"])), str(row["entry_point"]))
    return Item(str(row["id"]), Task(question, language="python"), tests)


def given(prompt: str, entry: str) -> str:
    """What a prompt gives besides the function that is to be written: imports and helpers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(prompt)
    except SyntaxError:
        return ""
    return "\n".join(ast.unparse(each) for each in tree.body if getattr(each, "name", "") != entry)

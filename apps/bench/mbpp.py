"""MBPP (Austin et al. 2021): a short program to write, with three of its tests shown.

mbpp_test.jsonl   id, prompt, test_code (all tests) [, tests_visible, test_setup, reference_solution]
"""

from __future__ import annotations

from pathlib import Path

from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.lines import Row, items_of
from veriloop.apps.bench.programs import Programs, Tests
from veriloop.core.task import Task

ASKED = "{prompt}\n\nYour code should pass these tests:\n\n```python\n{tests}\n```"


class Mbpp(Programs):
    """What strategies listen to are the tests that the question shows; on most tasks these are all there are, so that
    the verifier is sound and the benchmark measures search."""

    name = "mbpp"

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with mbpp_test.jsonl, or of a file of its form."""
        return items_of(data, "mbpp_test.jsonl", ("prompt", "test_code"), _item)


def _item(row: Row) -> Item:
    visible = "\n".join(map(str, row.get("tests_visible") or ()))
    question = ASKED.format(prompt=row["prompt"], tests=visible) if visible else str(row["prompt"])
    tests = Tests(str(row["test_code"]), str(row.get("test_setup") or ""))
    return Item(str(row["id"]), Task(question, language="python"), tests)

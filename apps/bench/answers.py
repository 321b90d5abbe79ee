"""GSM8K and MATH: word problems and competition problems, right when the final answer is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from veriloop.apps.bench.benchmark import Item, Scores
from veriloop.apps.bench.lines import Row, items_of
from veriloop.core.protocols import Verifier
from veriloop.core.search import Candidate
from veriloop.core.task import Task
from veriloop.verifiers import math_process
from veriloop.verifiers.math_answer import MathAnswer, final, last_number, number, same

GSM8K = "{question}\n\nReason step by step. Put the final answer, a number alone, on a last line after ####."
MATH = "{question}\n\nReason step by step, and put the final answer within \\boxed{{}}."


class Answers:
    """A text is right when its final answer is. Nothing can verify an answer without knowing it but a judge."""

    verify = "judge"
    metrics = ("right",)

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]:
        """Each candidate's final answer, compared with gold."""
        return [{"right": await same(str(item.gold), self.final(str(c.artifact or "")))} for c in candidates]

    def final(self, text: str) -> str:
        """The final answer of a text."""
        return final(text)

    def oracle(self, item: Item) -> Verifier:
        """The verifier ``oracle``: whether the final answer is the right one."""
        return MathAnswer(str(item.gold))

    async def close(self) -> None:
        """End the process that compares LaTeX."""
        await math_process.shared().close()


class Gsm8k(Answers):
    """GSM8K (Cobbe et al. 2021): the last number decides.

    gsm8k.jsonl   id, question, answer [, solution]
    """

    name = "gsm8k"

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with gsm8k.jsonl, or of a file of its form."""
        return items_of(data, "gsm8k.jsonl", ("question", "answer"), _gsm8k)

    def final(self, text: str) -> str:
        """The last number of what the last box or ``####`` holds, else of the text."""
        said = final(text)
        return said if number(said) is not None else last_number(said) or last_number(text)


class Math(Answers):
    """MATH (Hendrycks et al. 2021), of which MATH500 is a part: what the last box holds decides, as LaTeX.

    math500.jsonl   id, problem, answer [, subject, level, solution]
    """

    name = "math"

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with math500.jsonl, or of a file of its form. Raises ``UsageError`` when math-verify is
        not installed."""
        math_process.ready()
        return items_of(data, "math500.jsonl", ("problem", "answer"), _math)


def _gsm8k(row: Row) -> Item:
    return Item(str(row["id"]), Task(GSM8K.format(question=row["question"])), str(row["answer"]))


def _math(row: Row) -> Item:
    tags = {name: row[name] for name in ("subject", "level") if row.get(name)}
    question = MATH.format(question=row["problem"])
    return Item(str(row["id"]), Task(question), str(row["answer"]), str(row.get("subject") or ""), tags)

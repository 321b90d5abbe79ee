"""What verifiers say of the answers that a model once gave to NATURAL PLAN and that lie with the data.

python scripts/bench/natural_plan.py DATA [--model M]
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.estimates import auc_interval as auc
from veriloop.apps.bench.estimates import brier, draws, ece, number, reliability, wilson
from veriloop.apps.bench.lines import Row
from veriloop.apps.bench.natural_plan.benchmark import items, scores
from veriloop.core.errors import RunFailed, UsageError
from veriloop.core.search import Verdict
from veriloop.core.seeds import fingerprint
from veriloop.verifiers import make
from veriloop.verifiers.conformance import Everyone, reply

Data = dict[str, Any]
SURE = 95
"""The score of -100 to 100 from which PlanGEN takes an answer as verified."""


@dataclass(frozen=True)
class Answer:
    """An answer that was given to a task, and its official score as the data have it (none where they do not)."""

    item: Item
    text: str
    official: float | None
    exact: bool
    valid: bool


def recorded(data: Path) -> list[Answer]:
    """Every answer that lies with the tasks. Raises ``UsageError`` where there is none."""
    rows: dict[str, Row] = {}
    every = items(data, lambda row: rows.update({str(row["id"]): row}))
    found = [_answer(item, rows[item.id]) for item in every if rows[item.id].get("pred_5shot_pro")]
    if not found:
        raise UsageError(f"{data} has tasks and no recorded answers (the field pred_5shot_pro)")
    return found


def _answer(item: Item, row: Row) -> Answer:
    text = str(row["pred_5shot_pro"])
    worth = scores(item, text)
    return Answer(item, text, row.get("pred_score"), bool(worth["exact"]), bool(worth["valid"]))


def judged_by_code(answers: Sequence[Answer]) -> list[Verdict]:
    """What the verifier ``natural-plan`` says of each, from the prompt's text alone."""

    async def work() -> list[Verdict]:
        verifier, context = make("natural-plan"), Everyone()
        return [await verifier.verify(a.item.task, reply(a.item.task, a.text), context) for a in answers]

    return asyncio.run(work())


def classified(answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> list[Data]:
    """How far ``passed`` is *valid*: of all answers, by kind, and by kind and complexity; precision and recall with
    Wilson's 95 % intervals."""
    both = list(zip(answers, verdicts, strict=True))
    kinds = dict.fromkeys(a.item.tags["kind"] for a in answers)
    parts = {"all": both} | {kind: [each for each in both if each[0].item.tags["kind"] == kind] for kind in kinds}
    for group in sorted({a.item.group for a in answers}, key=_order):
        parts[group] = [each for each in both if each[0].item.group == group]
    return [{"of": name, **_classified(part)} for name, part in parts.items()]


def _order(group: str) -> list[tuple[str, int]]:
    words = group.replace(",", "").split()
    return [("", int(word)) if word.isdecimal() else (word, 0) for word in words]


def _classified(part: Sequence[tuple[Answer, Verdict]]) -> Data:
    valid = sum(a.valid for a, _ in part)
    passed = sum(v.outcome == "passed" for _, v in part)
    both = sum(a.valid and v.outcome == "passed" for a, v in part)
    return {
        "answers": len(part),
        "exact": sum(a.exact for a, _ in part),
        "valid": valid,
        "passed": passed,
        "unscored": sum(v.outcome == "unscored" for _, v in part),
        "precision": wilson(both, passed).plain,
        "recall": wilson(both, valid).plain,
    }


async def judged(
    answers: Sequence[Answer], model: str, verify: str, out: Path, concurrency: int = 16
) -> list[Verdict | str]:
    """What a verifier says of each answer with ``model`` in every role that it asks for, or the trouble it met. What
    was asked lies in ``out``: the same call goes on there and pays nothing twice."""
    from veriloop.graphs.record import close_journal
    from veriloop.graphs.solve import asolve
    from veriloop.models.scripted import Scripted

    roles = dict.fromkeys(getattr(make(verify), "roles", ()), model)
    if not roles:
        raise UsageError(f"verifier {verify} asks no model: leave out --model, or give another one, as plangen:judged")
    room = asyncio.Semaphore(concurrency)

    async def one(answer: Answer) -> Verdict | str:
        run = fingerprint(f"{answer.item.id}\x1f{model}\x1f{verify}".encode()).hex()
        models = {"proposer": Scripted([answer.text]), **roles}
        async with room:
            try:
                result = await asolve(
                    answer.item.task, strategy="single", model=models, verify=verify, run_id=run, folder=out
                )
            except RunFailed as error:
                return error.reason
        verdict = next((c.verdict for c in result.candidates), result.verdict)
        return result.stopped.removeprefix("error: ") if result.stopped.startswith("error: ") else verdict

    try:
        return list(await asyncio.gather(*map(one, answers)))
    finally:
        close_journal(out)


def calibration(answers: Sequence[Answer], verdicts: Sequence[Verdict | str]) -> Data:
    """How far a score is the chance to be *valid*: the share in bins of the score (-100 to 100), how often those from
    ``SURE`` on are, AUC, Brier and calibration error of (s + 100) / 200; 95 % intervals where there are some."""
    told = [(a, v) for a, v in zip(answers, verdicts, strict=True) if isinstance(v, Verdict) and v.score is not None]
    score = np.array([v.score for _, v in told], dtype=np.float64)
    right = np.array([a.valid for a, _ in told], dtype=bool)
    bins = reliability(score, right)
    sure = score >= (SURE + 100) / 200
    return {
        "answers": len(answers),
        "scored": len(told),
        "unscored": sum(isinstance(v, Verdict) and v.score is None for v in verdicts),
        "trouble": [v for v in verdicts if isinstance(v, str)],
        "bins": [
            {"from": _points(b.low), "to": _points(b.high), "answers": b.count, "valid": b.right.plain} for b in bins
        ],
        "sure": {
            "from": SURE,
            "answers": int(sure.sum()),
            "valid": wilson(float(right[sure].sum()), float(sure.sum())).plain,
        },
        "auc": auc(score, right, np.arange(len(told)), draws(len(told))).plain if told else None,
        "brier": number(brier(score, right)),
        "ece": number(ece(bins)),
    }


def _points(score: float) -> int:
    return round(200 * score) - 100


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """All of it for people."""
    yield f"{'':28}answers  exact  valid  passed  precision              recall"
    for each in found["natural-plan"]:
        counts = f"{each['answers']:7}  {each['exact']:5}  {each['valid']:5}  {each['passed']:6}"
        yield f"{each['of']:28}{counts}  {_share(each['precision']):21}  {_share(each['recall'])}"
    if judge := found.get("judged"):
        yield f"\n{judge['verify']} with {judge['model']}: {judge['scored']} of {judge['answers']} answers scored"
        yield "score          answers  valid"
        for each in judge["bins"]:
            yield f"{each['from']:4} to {each['to']:4}   {each['answers']:7}  {_share(each['valid'])}"
        sure = judge["sure"]
        yield f"{sure['from']:4} and more   {sure['answers']:7}  {_share(sure['valid'])}"
        spread = "" if judge["auc"] is None else f"AUC {_share(judge['auc'])}, "
        yield f"{spread}Brier {_number(judge['brier'])}, calibration error {_number(judge['ece'])}"


def _share(found: Mapping[str, float | None]) -> str:
    value, low, high = (found[name] for name in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{value:.3f}" + ("" if low is None or high is None else f" ({low:.3f} to {high:.3f})")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

"""What a list says of a run follows from its records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from veriloop.core.journal import Record
from veriloop.core.messages import Reply, Sample, Usage
from veriloop.core.search import Candidate, Opinion, Proposal, Spend
from veriloop.core.wire import encode
from veriloop.memory.info import attempts_of, info_of, result_of


def record(kind: str, value: Any, key: str = "") -> Record:
    return Record("r1", kind, key, "h", 0.0, value)


def ended(best: str | None, outcome: str) -> Record:
    spend = encode(Spend(calls=5))
    return record("end", {"stopped": "done", "answer": None, "best": best, "outcome": outcome, "spend": spend})


def candidate(name: str, round: int = 0) -> Record:
    return record("attempt", encode(Candidate(id=name, proposal=Proposal(id=name), round=round)), name)


def closed(number: int, *counted: str) -> Record:
    return record("closed", {"counted": counted, "lost": {}, "spend": encode(Spend(calls=number + 1))}, str(number))


@pytest.mark.parametrize(
    ("best", "outcome", "status"),
    [
        ("0.0", "passed", "passed"),
        ("0.0", "failed", "failed"),
        ("0.0", "unscored", "unscored"),
        ("0.0", "infra_error", "unscored"),
        (None, "unscored", "abstained"),
    ],
)
def test_status_is_how_the_run_ended(best: str | None, outcome: str, status: str) -> None:
    assert info_of("r1", [ended(best, outcome)], 0.0, live=True).status == status


def replied(key: str, samples: int = 1, t: float = 0.0) -> Record:
    reply = Reply(tuple(Sample("yes") for _ in range(samples)), Usage(10, 2 * samples))
    return Record("r1", "model", key, "h", t, encode(reply))


def test_an_open_run_counts_what_was_paid_since_its_last_closed_round() -> None:
    records = [replied("0.0/proposer/0"), closed(0), replied("1.0/proposer/0", 2, 3.5), record("tool", {}, "1.0/0")]
    spend = info_of("r1", records, 0.0).spend
    assert spend == Spend(calls=3, tokens_in=10, tokens_out=4, seconds=3.5, tool_runs=1)
    assert info_of("r1", records[:1], 0.0).spend.calls == 1
    assert info_of("r1", [record("model", "of another version")], 0.0).spend == Spend()


def test_what_stopped_the_last_sitting_is_told_until_somebody_goes_on() -> None:
    records = [replied("0.0/proposer/0"), record("trouble", {"why": "error: the server is down", "unsettled": 2})]
    assert info_of("r1", records, 0.0).stopped == "error: the server is down"
    assert info_of("r1", records, 0.0, live=True).stopped == ""
    assert info_of("r1", [*records, replied("0.1/proposer/0")], 0.0).stopped == ""
    assert info_of("r1", [*records, ended("0.0", "passed")], 0.0).stopped == "done"


def test_the_chosen_attempt_is_the_results_best() -> None:
    records = [candidate("0.0"), candidate("0.1"), closed(0, "0.0", "0.1"), ended("0.1", "passed")]
    result = result_of(info_of("r1", records, 0.0), records)
    assert (result.best, len(result.attempts), result.stopped) == (result.attempts[1], 2, "done")
    assert result_of(info_of("r1", records[:3], 0.0), records[:3]).best is None


def test_an_open_run_is_running_or_unfinished_with_the_spend_of_its_closed_rounds() -> None:
    records = [closed(0), closed(1)]
    assert info_of("r1", records, 0.0, live=True).status == "running"
    info = info_of("r1", records, 86400.0)
    assert (info.status, info.spend.calls, info.stopped) == ("unfinished", 2, "")
    assert info.created == datetime(1970, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("said", [{}, {"created": "yesterday"}, {"created": "2026-01-31T12:00:00+00:00", "task": 7}])
def test_a_beginning_that_cannot_be_read_does_not_hide_the_run(said: dict[str, Any]) -> None:
    info = info_of("r1", [record("run", said)], 0.0)
    assert (info.id, info.question, info.created) == ("r1", "", datetime(1970, 1, 1, tzinfo=UTC))


def test_attempts_count_in_the_order_proposed_and_late_ones_do_not() -> None:
    records = [candidate("0.1"), candidate("0.0"), closed(0, "0.0", "0.1", "0.9"), candidate("0.2")]
    assert [a.id for a in attempts_of(records)] == ["0.0", "0.1"]


def test_attempts_of_an_open_round_count_and_opinions_are_read_as_such() -> None:
    said = Opinion(id="1.0", proposal=Proposal(id="1.0", role="critic"), round=1, value={"better": True})
    records = [candidate("0.0"), closed(0, "0.0"), record("attempt", encode(said), "1.0")]
    first, second = attempts_of(records)
    assert isinstance(first, Candidate)
    assert second == said


def test_trouble_of_an_old_journal_is_a_string() -> None:
    found = info_of("r1", [closed(0), record("trouble", "error: it is down")], 0.0)
    assert (found.status, found.stopped, found.spend.calls) == ("unfinished", "error: it is down", 1)


@pytest.mark.parametrize("odd", [record("end", "over"), record("end", {"best": 1}), record("closed", {"spend": 1})])
def test_records_of_another_form_hide_no_other_run(odd: Record) -> None:
    found = info_of("r1", [odd], 60.0)
    assert (found.id, found.status, found.stopped) == ("r1", "unfinished", "its records cannot be read")
    assert found.created.timestamp() == 60.0

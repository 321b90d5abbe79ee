"""A policy of one's own that breaks: it is named in a line, and one that never ends is ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest

import veriloop as vl
from veriloop import Proposal, Search
from veriloop.core.errors import UsageError
from veriloop.graphs.policies.conformance import check
from veriloop.models.scripted import Scripted


@dataclass(frozen=True)
class Own:
    """Gives what it is given; what is an exception is raised."""

    proposals: Any = ()
    selected: Any = None
    is_enough: Any = False

    def propose(self, search: Search) -> Any:
        return given(self.proposals)

    def select(self, search: Search) -> Any:
        return given(self.selected)

    def enough(self, search: Search) -> Any:
        return given(self.is_enough)


def given(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


LINE = Proposal(until=cast(Any, "line"))


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Own("abc"), "Own.propose gave str: it must give a list of Proposal"),
        (Own(["abc"]), "Own.propose gave str in its list: it must give a list of Proposal"),
        (Own([Proposal(parents=("9.9",))]), "Own.propose gave the parent '9.9': no earlier attempt has this id"),
        (Own([LINE]), "Own.propose gave until='line': it is 'answer' or 'step'"),
        (
            Own(ZeroDivisionError("by zero")),
            "Own.propose fails: ZeroDivisionError: by zero (test_own_policies.py, line",
        ),
        (Own([], KeyError("k")), "Own.select fails: KeyError: 'k' (test_own_policies.py, line"),
        (Own([Proposal()], None, KeyError("k")), "Own.enough fails: KeyError: 'k' (test_own_policies.py, line"),
    ],
)
def test_a_policy_that_breaks_is_named_in_a_line(policy: Own, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        vl.solve("What?", strategy=policy, model=Scripted(["one"]), verify=None, journal=False)
    assert said in str(raised.value)


def test_a_policy_that_never_ends_is_ended_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veriloop.graphs.run.LONGEST", 5)
    result = vl.solve("What?", strategy=Own([Proposal()]), model=Scripted(["one"] * 5), verify=None, journal=False)
    assert (result.stopped, len(result.candidates)) == ("budget: rounds", 5)


def test_the_suite_tells_of_a_policy_that_never_ends_what_else_it_breaks() -> None:
    found = {line.name: line for line in asyncio.run(check(Own([Proposal(role="judge", parents=("9.9",))])))}
    assert (found["ends"].outcome, found["ends"].detail) == ("fails", "it still proposed after 100 rounds")
    assert (found["roles"].outcome, found["parents"].outcome) == ("fails", "fails")
    assert found["parents"].detail == "parents that are no earlier attempts: ['9.9']"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Own([LINE]), "propose gave until='line': it is 'answer' or 'step'"),
        (Own("abc"), "propose gave str: it must give a list of Proposal"),
        (Own(KeyError("k")), "KeyError: 'k'"),
    ],
)
def test_the_suite_says_why_no_game_can_be_played(policy: Own, said: str) -> None:
    (line,) = asyncio.run(check(policy))
    assert (line.name, line.outcome, line.detail) == ("ends", "fails", said)

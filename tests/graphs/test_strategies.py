"""Strategies: names and parameters become policies, and say what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from veriloop import Candidate, Proposal, Search, Strategy
from veriloop.core.errors import UsageError
from veriloop.graphs.policies.best_of_n import BestOfN
from veriloop.graphs.policies.iad import IAD
from veriloop.graphs.policies.self_refine import SelfRefine
from veriloop.graphs.policies.single import Single
from veriloop.graphs.strategies import KNOWN, describe, describe_all, proposals


@dataclass(frozen=True)
class Mine:
    """A policy of a user's own."""

    patience: int = 3

    def propose(self, search: Search) -> list[Proposal]:
        return []

    def select(self, search: Search) -> Candidate | None:
        return None


MINE = f"{__name__}:Mine"


@pytest.mark.parametrize(
    ("name", "policy"), [("single", Single()), ("best_of_n", BestOfN()), ("self_refine", SelfRefine()), ("iad", IAD())]
)
def test_a_name_is_the_policy_with_its_defaults_and_back(name: str, policy: Any):
    assert Strategy.of(name).make() == policy
    assert Strategy.of(policy).name == name
    assert Strategy.of(policy).make() is policy


def test_parameters_are_read_from_text_as_the_command_line_gives_them():
    strategy = Strategy.of("iad", rounds="3", feedback="text", early_stop="false")
    assert strategy.make() == IAD(rounds=3, feedback="text", early_stop=False)
    assert Strategy.of("iad:rounds=3:width=1", width=4).make() == IAD(rounds=3, width=4)


def test_a_policy_object_is_recorded_with_all_its_parameters():
    strategy = Strategy.of(IAD(rounds=2))
    assert Strategy(strategy.name, strategy.parameters).make() == IAD(rounds=2)


@pytest.mark.parametrize(
    ("name", "parameters", "line"),
    [
        (
            "magic",
            {},
            f"unknown strategy 'magic'; known: {', '.join(sorted(KNOWN))}, or give package.mod",
        ),
        ("iad", {"depth": 3}, "strategy iad has no parameter 'depth'; it has rounds, width"),
        ("iad", {"rounds": "many"}, "strategy iad: rounds = 'many': Input should be a valid integer"),
        ("iad", {"feedback": "loud"}, "strategy iad: feedback = 'loud': Input should be 'score'"),
        ("veriloop.nowhere:Mine", {}, "cannot load 'veriloop.nowhere:Mine'"),
    ],
)
def test_what_is_no_strategy_is_refused_in_one_line(name: str, parameters: dict[str, Any], line: str):
    with pytest.raises(UsageError) as refused:
        Strategy(name, parameters).make()
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_any_import_path_is_a_strategy():
    assert Strategy(MINE, {"patience": 5}).make() == Mine(5)


@pytest.mark.parametrize("name", ["best_of_n", "self_refine", "iad", "tree_of_thought", "rebase", "plangen-rebase"])
@pytest.mark.parametrize("total", [1, 2, 3, 6, 8, 11, 12, 64])
def test_a_number_of_proposals_is_what_a_strategy_proposes_at_most(name: str, total: int):
    assert Strategy(name, proposals(name, total)).make().at_most == total  # type: ignore[attr-defined]


def test_single_takes_no_number_of_proposals():
    assert proposals("single", 1) == {}
    with pytest.raises(UsageError, match="strategy single takes no number of proposals"):
        proposals("single", 2)


def test_every_known_strategy_describes_itself():
    described = describe_all()
    assert [each["name"] for each in described] == list(KNOWN)
    for each in described:
        assert each["summary"]
        assert all(parameter["name"] != "roles" for parameter in each["parameters"])


def test_a_description_holds_the_parameters_with_their_defaults():
    found = {parameter["name"]: parameter["default"] for parameter in describe("iad")["parameters"]}
    assert found == {
        "rounds": 4,
        "width": 2,
        "temperature": 0.7,
        "max_tokens": 1024,
        "feedback": "both",
        "shown": "both",
        "tried": True,
        "early_stop": True,
        "stop_at": 1.0,
        "hint": "",
    }
    assert "arXiv 2504.01931" in describe("iad")["about"]


def test_a_description_tells_the_values_that_a_parameter_can_have():
    kinds = {parameter["name"]: parameter["kind"] for parameter in describe("iad")["parameters"]}
    assert kinds["feedback"] == "score | text | both | raw | answers | none"
    assert kinds["shown"] == "best | worst | both"
    assert kinds["rounds"] == "int"

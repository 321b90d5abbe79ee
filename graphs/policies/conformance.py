"""Does a policy keep its promises? ``check`` plays it against made-up verdicts; no model is called.

for line in asyncio.run(check(MyPolicy())): print(*line, sep="\\t")
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...agents.roles import OUTPUTS
from ...core.conformance import Line, expect, lines
from ...core.protocols import Policy
from ...core.search import Attempt, Candidate, Finding, Opinion, Outcome, Proposal, Search, Segment, Verdict
from ...core.seeds import derive
from ...core.task import Task
from .proposed import orphaned, unfit

GAMES = 20
ROUNDS = 100
"""Rounds after which a policy counts as endless."""


@dataclass(frozen=True)
class Turn:
    """What a policy saw and what it wanted."""

    search: Search
    wanted: tuple[Proposal, ...]


async def check(policy: Policy) -> list[Line]:
    """Play ``GAMES`` games with right, wrong, unscored, unusable and lost attempts, and partial ones where steps are
    wanted. Never raises for what it does. Of a policy that does not end, the games are checked up to where it fails."""
    suite = _Suite(policy)
    played = await lines({"ends": suite.ends})
    if not suite.games:
        return played
    return played + await lines(
        {
            "pure": suite.pure,
            "seeded": suite.seeded,
            "parents": suite.parents,
            "roles": suite.roles,
            "at_most": suite.at_most,
            "select": suite.select,
            "enough": suite.enough,
        }
    )


class _Suite:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.games = list[list[Turn]]()

    @property
    def turns(self) -> list[Turn]:
        return [turn for game in self.games for turn in game]

    async def ends(self) -> str:
        for seed in range(GAMES):
            self.games.append(play(self.policy, seed))
            if len(self.games[-1]) > ROUNDS:
                break
        longest = max(map(len, self.games))
        expect(longest <= ROUNDS, f"it still proposed after {ROUNDS} rounds")
        return f"after {longest - 1} rounds at most"

    async def pure(self) -> str:
        for turn in self.turns:
            expect(tuple(self.policy.propose(turn.search)) == turn.wanted, "propose differs on the same search")
            picks = [self.policy.select(turn.search) for _ in range(2)]
            expect(picks[0] == picks[1], "select differs on the same search")
        return "the same search, the same proposals"

    async def seeded(self) -> str:
        again = [play(self.policy, seed) for seed in range(len(self.games))]
        expect(again == self.games, "a game played again goes another way: keep no state, use search.rng")
        return "the same seed, the same game"

    async def parents(self) -> str:
        for turn in self.turns:
            strange = orphaned(turn.wanted, turn.search.attempts)
            expect(not strange, f"parents that are no earlier attempts: {strange}")
        return "earlier attempts"

    async def roles(self) -> str:
        used = {p.role for turn in self.turns for p in turn.wanted} - {"proposer"}
        undeclared = used - set(getattr(self.policy, "roles", ()))
        expect(not undeclared, f"roles it asks for and does not declare: {sorted(undeclared)}")
        return ", ".join(sorted(used)) or "proposer only"

    async def at_most(self) -> str:
        declared = getattr(self.policy, "at_most", None)
        most = max(len(game[-1].search.candidates) for game in self.games)
        expect(declared is None or most <= declared, f"{most} candidates where it declares {declared} at most")
        return f"{most} candidates"

    async def select(self) -> str:
        for turn in self.turns:
            picked = self.policy.select(turn.search)
            expect(picked is None or picked in turn.search.candidates, "select gave none of the candidates")
        empty = self.policy.select(Search(task=Task("What?")))
        expect(empty is None, "select gave a candidate of an empty search")
        return "one of the candidates, or none"

    async def enough(self) -> str:
        enough = getattr(self.policy, "enough", None)
        if enough is None:
            return "has none"
        answers = [enough(turn.search) for game in self.games for turn in game[1:]]
        expect(all(isinstance(answer, bool) for answer in answers), "enough gave something else than true or false")
        return f"true {sum(answers)} times of {len(answers)}"


def play(policy: Policy, seed: int) -> list[Turn]:
    """One game: the turns of ``policy`` up to the one in which it wants nothing more."""
    turns, attempts = list[Turn](), tuple[Attempt, ...]()
    while len(turns) <= ROUNDS:
        search = Search(task=Task("What is asked?"), seed=seed, round=len(turns), attempts=attempts)
        wanted = policy.propose(search)
        wrong = unfit(wanted)
        expect(not wrong, f"propose {wrong}")
        turns.append(Turn(search, tuple(wanted)))
        if not wanted:
            break
        named = [replace(p, id=p.id or f"{p.scope}{search.round}.{i}") for i, p in enumerate(wanted)]
        attempts = (*attempts, *(_attempt(p, search) for p in named))
    return turns


def _attempt(proposal: Proposal, search: Search) -> Attempt:
    rng = random.Random(derive(search.seed, proposal.id))
    if proposal.role != "proposer":
        value = None if rng.random() < 0.1 else _example(OUTPUTS[proposal.role].model_json_schema(), rng)
        error = "" if value else "no usable opinion"
        return Opinion(id=proposal.id, proposal=proposal, round=search.round, value=value, error=error)
    partial = proposal.until == "step" and rng.random() < 0.7
    text = f"{proposal.prefix}step {rng.randrange(4)}\n" if partial else f"{proposal.prefix}answer {rng.randrange(4)}"
    kind = rng.choice(["wrong" if partial else "right", "wrong", "wrong", "wrong", "unscored", "unusable", "lost"])
    score = {"right": 1.0, "wrong": round(rng.random(), 1), "unusable": 0.0}.get(kind)
    outcomes: dict[str, Outcome] = {"right": "passed", "unscored": "unscored", "lost": "infra_error"}
    blank = Candidate(
        id=proposal.id,
        proposal=proposal,
        round=search.round,
        verdict=Verdict(outcomes.get(kind, "failed"), score, (Finding("made up", score, f"It is {kind}."),), "made up"),
    )
    if kind in ("lost", "unusable"):
        return blank
    said = replace(blank, segments=(Segment(text),), artifact=text.strip(), key=text)
    return said if partial else replace(said, answer=text, complete=True)


def _example(schema: Mapping[str, Any], rng: random.Random, named: Mapping[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema such as the roles' outputs have; ``named`` are the schemas it refers to."""
    known: Mapping[str, Any] = schema.get("$defs", {}) if named is None else named
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if kind == "object":
        return {name: _example(part, rng, known) for name, part in schema["properties"].items()}
    if kind == "array":
        return [_example(schema["items"], rng, known) for _ in range(rng.randrange(3))]
    made: dict[object, Any] = {"boolean": rng.random() < 0.3, "number": rng.random(), "integer": rng.randrange(3)}
    return made.get(kind, "some text")

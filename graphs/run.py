"""One run: everything its nodes share, and the decisions between rounds. The graph's nodes are thin around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..agents.proposer import Proposer
from ..core.budget import Budget, left
from ..core.errors import RunFailed, UsageError
from ..core.events import Emitter, RoundClosed, RoundStarted
from ..core.journal import RunLog
from ..core.protocols import Memory, Policy, Session, Tool, Verifier
from ..core.search import Attempt, Candidate, Finding, Opinion, Proposal, Search, Spend, ToolRun, Verdict
from ..core.seeds import derive, fingerprint
from ..core.task import Task
from ..core.wire import decode, encode, to_bytes
from ..models.gateway import Gateway
from ..models.rounds import Group
from .policies.common import best
from .policies.proposed import blamed, orphaned, unfit
from .round import Round

WIDEST = 1000
"""Proposals in one round at most: each is a task of its own, and thousands of them would starve the clock."""
LONGEST = 1000
"""Rounds at most, so that a policy that never ends does; one that declares more proposals may take as many."""


@dataclass
class Run:
    """The context of a run (LangGraph's runtime context)."""

    id: str
    task: Task
    strategy: str
    policy: Policy
    proposer: Proposer
    gateway: Gateway
    verifier: Verifier | None
    tools: Mapping[str, Tool]
    offered: tuple[str, ...]
    log: RunLog
    budget: Budget
    emit: Emitter
    seed: int = 0
    memory: Memory | None = None
    tool_steps: int = 8
    experience: Mapping[str, Any] = field(default_factory=dict[str, Any])
    round: Round | None = None
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    proposed: dict[str, Candidate] = field(default_factory=dict[str, Candidate])
    trouble: str = ""
    spent: str = ""
    cut: str = ""

    def search(self, attempts: list[Attempt], round: int, spend: Spend) -> Search:
        """The view that the policy decides on."""
        return Search(
            task=self.task,
            seed=self.seed,
            round=round,
            attempts=tuple(attempts),
            remaining=left(self.task.limits, spend),
            experience=self.experience,
        )

    def close(self, attempts: list[Attempt]) -> Spend:
        """Record which attempts the open round counts and what was spent until then; the spend of round 0 is nothing.

        Raises ``RunFailed`` when all of a round was lost to infrastructure and there is no candidate to fall back on;
        such a round stays open, so that a resumed run tries it again.
        """
        if self.round is None:
            return Spend(money=0.0)
        self.round.stop_clock()
        number = self.round.number
        mine = [a for a in attempts if a.round == number]
        recorded = self.log.get("closed", str(number))
        if recorded is None and mine and all(lost(a) for a in mine):
            self.trouble = reason(mine[0])
            if best([a for a in attempts if isinstance(a, Candidate)]) is None:
                raise RunFailed(self.trouble, self.id, kept=self.log.journal is not None)
            return self.budget.spend
        spend = decode(Spend, recorded["spend"]) if recorded else self.budget.spend
        if recorded is None:
            self.spent = self.spent or ("seconds" if self.round.late else "")
            if self.log.active:
                self._record_closing(number, mine, spend)
        else:
            self.spent = recorded["spent"]
        top = best([a for a in attempts if isinstance(a, Candidate)])
        self.emit(RoundClosed, f"closed/{number}", round=number, best=top, spend=spend)
        return spend

    def _record_closing(self, number: int, mine: list[Attempt], spend: Spend) -> None:
        value = {
            "counted": [a.id for a in mine if not lost(a)],
            "lost": {a.id: encode(a) for a in mine if lost(a)},
            "spend": encode(spend),
            "spent": self.spent,
        }
        self.log.put("closed", str(number), value, t=spend.seconds)

    def plan(self, search: Search) -> tuple[list[Proposal], str]:
        """The next proposals, cut in order to what the budget allows, and the reason when there are none."""
        if self.trouble:
            return [], f"error: {self.trouble}"
        wanted = self._wanted(search)
        if not wanted:
            return [], "done"
        if search.round >= max(LONGEST, getattr(self.policy, "at_most", None) or 0):
            return [], "budget: rounds"
        room = search.remaining
        gone = [
            n for n in ("calls", "tokens", "money", "seconds") if getattr(room, n) is not None and getattr(room, n) <= 0
        ]
        if gone or self.spent:
            return [], f"budget: {gone[0] if gone else self.spent}"
        cut = wanted if room.calls is None else wanted[: room.calls]
        self.cut = self.cut or ("calls" if len(cut) < len(wanted) else "")
        named = [self._named(p, search.round, i) for i, p in enumerate(cut)]
        ids = [p.id for p in named] + [a.id for a in search.attempts]
        if len(set(ids)) < len(ids):
            raise UsageError("the policy gave two proposals the same id: leave ids empty, or make them unique")
        return named, ""

    def _wanted(self, search: Search) -> Sequence[Proposal]:
        """What the policy proposes. Raises ``UsageError`` where it fails, and where that cannot be."""
        with blamed(f"{self.strategy}.propose"):
            wanted = self.policy.propose(search)
        if wrong := unfit(wanted):
            raise UsageError(f"{self.strategy}.propose {wrong}")
        if strange := orphaned(wanted, search.attempts):
            raise UsageError(f"{self.strategy}.propose gave the parent {strange[0]!r}: no earlier attempt has this id")
        if len(wanted) > WIDEST:
            raise UsageError(f"{self.strategy} wants {len(wanted)} proposals in one round; {WIDEST} are the most")
        return wanted

    def _named(self, proposal: Proposal, round: int, index: int) -> Proposal:
        name = proposal.id or f"{proposal.scope}{round}.{index}"
        seed = derive(self.seed, name) if proposal.seed is None else proposal.seed
        return replace(proposal, id=name, seed=seed)

    def open(self, search: Search, proposals: list[Proposal]) -> None:
        """Open the next round: its clock, its groups of identical prompts, and what an earlier sitting recorded."""
        number = search.round
        recorded = self._recorded(number, proposals)
        enough = getattr(self.policy, "enough", None) if recorded is None else None

        def ask(ended: list[Attempt]) -> bool:
            with blamed(f"{self.strategy}.enough"):
                return bool(enough and enough(replace(search, attempts=(*search.attempts, *ended))))

        seconds = self.budget.remaining.seconds if recorded is None else None
        self.round = Round(number, ask, recorded, seconds)
        self.groups, self.proposed = {}, {}
        if recorded is None and len(proposals) > 1:
            self._group(proposals)
        self.emit(RoundStarted, f"round/{number}", round=number, proposals=tuple(proposals))

    def _recorded(self, number: int, proposals: list[Proposal]) -> dict[str, Attempt | None] | None:
        closed = self.log.get("closed", str(number))
        if closed is None:
            return None
        found: dict[str, Attempt | None] = {}
        for proposal in proposals:
            if proposal.id in closed["lost"]:
                found[proposal.id] = _decoded(proposal, closed["lost"][proposal.id])
            elif proposal.id not in closed["counted"]:
                found[proposal.id] = None
            elif not self.log.replaying:
                found[proposal.id] = self.restored(proposal)
        return found

    def _group(self, proposals: list[Proposal]) -> None:
        alike: dict[tuple[object, ...], list[str]] = {}
        for proposal in proposals:
            fresh = not self.log.records or ("model", f"{proposal.id}/proposer/0") not in self.log.records
            if proposal.role == "proposer" and fresh:
                alike.setdefault(_alike(proposal), []).append(proposal.id)
        model = self.gateway.model("proposer")
        for ids in alike.values():
            if len(ids) > 1 and self.gateway.together(model):
                group = Group(self.gateway, len(ids))
                self.groups.update(dict.fromkeys(ids, group))

    def restored(self, proposal: Proposal) -> Attempt | None:
        """The attempt as an earlier sitting recorded it, or none."""
        if not self.log.records or self.log.replaying:
            return None
        found = self.log.get("attempt", proposal.id, proposal_hash(proposal))
        if found is None:
            return None
        return _decoded(proposal, found)

    def unjudged(self, proposal: Proposal) -> Candidate | None:
        """What an attempt had to show when the time was up: better an answer without a verdict than none."""
        candidate = self.proposed.get(proposal.id)
        if candidate is None or self.round is None or not self.round.late:
            return None
        late = Verdict("unscored", None, (Finding("budget", None, "the time was up before it was verified"),))
        candidate = replace(candidate, verdict=late) if candidate.complete else candidate
        self.record(candidate)
        return candidate

    def record(self, attempt: Attempt) -> None:
        """Write an ended attempt to the journal. One lost to infrastructure is not written: it may be tried again."""
        if self.log.active and not lost(attempt):
            self.log.put("attempt", attempt.id, attempt, proposal_hash(attempt.proposal), t=self.budget.seconds)

    def recall(self, found: Mapping[str, Any]) -> None:
        """Take what memory recalled: ``experience`` for the policy, ``prompt`` for the proposer's system prompt."""
        self.experience = found.get("experience", {})
        if found.get("prompt"):
            self.proposer = replace(self.proposer, system=f"{self.proposer.system}\n\n{found['prompt']}")

    async def session(self, tool: str, opened: dict[str, Session], ran: tuple[ToolRun, ...]) -> Session:
        """The session of a tool for one attempt, opened on first use with the actions that were recorded before, those
        left out in which the tool itself failed."""
        shared = self.shared(tool)
        if shared not in opened:
            mine = [each.call for each in ran if self.shared(each.call.name) == shared and not each.broken]
            opened[shared] = await self.tools[tool].open(mine)
        return opened[shared]

    def shared(self, tool: str) -> str:
        """What tools have in common that share a session in an attempt: their ``shares``, else the tool's own name."""
        return getattr(self.tools.get(tool), "shares", tool)


def _decoded(proposal: Proposal, data: Any) -> Attempt:
    return decode(Candidate if proposal.role == "proposer" else Opinion, data)


def _alike(proposal: Proposal) -> tuple[object, ...]:
    """What proposals share that will be asked the same: everything but id and seed."""
    return tuple(getattr(proposal, name) for name in Proposal.__dataclass_fields__ if name not in ("id", "seed"))


def proposal_hash(proposal: Proposal) -> str:
    """What identifies a proposal in the journal."""
    # Journals older than steps know no ``until``. Quotes are escaped in texts, so this is found in none of them.
    return fingerprint(to_bytes(proposal).replace(b'"until":"answer",', b"", 1)).hex()


def broken(proposal: Proposal, round: int, why: str) -> Attempt:
    """The attempt that an infrastructure error leaves behind."""
    if proposal.role != "proposer":
        return Opinion(id=proposal.id, proposal=proposal, round=round, error=f"infrastructure: {why}")
    verdict = Verdict("infra_error", None, (Finding("infrastructure", None, why),))
    return Candidate(id=proposal.id, proposal=proposal, round=round, verdict=verdict)


def lost(attempt: Attempt) -> bool:
    """Whether an attempt was lost to an infrastructure error."""
    if isinstance(attempt, Opinion):
        return attempt.error.startswith("infrastructure: ")
    return attempt.verdict.outcome == "infra_error"


def reason(attempt: Attempt) -> str:
    """Why an attempt was lost."""
    return attempt.error.removeprefix("infrastructure: ") if isinstance(attempt, Opinion) else attempt.verdict.text

"""What the methods promise, whatever the model says and the verifier thinks of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop import Candidate, Limits, Proposal, Result, Search, Task, Verdict, asolve
from veriloop.core.events import Event, RoundClosed, RoundStarted
from veriloop.core.messages import Capabilities, Request, Sample
from veriloop.core.protocols import Policy
from veriloop.core.search import Attempt, Finding, Opinion, Segment
from veriloop.core.seeds import derive
from veriloop.graphs.policies.best_of_n import BestOfN
from veriloop.graphs.policies.conformance import check, play
from veriloop.graphs.policies.iad import IAD, Feedback, Shown, in_words
from veriloop.graphs.policies.self_refine import SelfRefine
from veriloop.graphs.policies.single import Single
from veriloop.models.scripted import Scripted
from veriloop.verifiers.noise import TOLD

FEEDBACK: tuple[Feedback, ...] = ("score", "text", "both", "raw", "answers", "none")
SHOWN: tuple[Shown, ...] = ("best", "worst", "both")
singles = st.builds(Single, temperature=st.sampled_from([0.0, 1.0]))
best_of_ns = st.builds(BestOfN, n=st.integers(1, 6), early_stop=st.booleans())
refiners = st.builds(SelfRefine, n=st.integers(1, 4))
iads = st.builds(
    IAD,
    rounds=st.integers(1, 4),
    width=st.integers(1, 3),
    feedback=st.sampled_from(FEEDBACK),
    shown=st.sampled_from(SHOWN),
    tried=st.booleans(),
    early_stop=st.booleans(),
)
policies: st.SearchStrategy[Policy] = st.one_of(singles, best_of_ns, refiners, iads)
seeds = st.integers(0, 10_000)
quick = settings(max_examples=100, deadline=None)


def says(request: Request, seed: int) -> str:
    """A critic that is content one time in four; else one of six answers, some of them no answer at all."""
    if request.schema is not None:
        return json.dumps({"problems": ["too short"], "advice": "write more", "good_enough": seed % 4 == 0})
    return ["", "one", "two", "three", "four", "five"][seed % 6]


def thinks(salt: int) -> Callable[[str], Any]:
    """A verifier whose opinion of an answer is drawn by ``salt``: a score, full marks, or none at all."""

    async def verdict(answer: str) -> Verdict | float:
        drawn = derive(salt, answer) % 12
        if drawn == 11:
            return Verdict("unscored", None, (), "drawn")
        return min(1.0, drawn / 10)

    return verdict


class Run:
    """A policy at work on scripted answers."""

    def __init__(self, policy: Policy, salt: int = 0, seed: int = 0, calls: int | None = None, n: bool = True) -> None:
        able = Scripted(says).capabilities
        self.model = Scripted(says, capabilities=replace(able, n=n))
        self.events: list[Event] = []
        self.result: Result = asyncio.run(
            asolve(
                "What is it?",
                strategy=policy,
                model=self.model,
                verify=thinks(salt),
                limits=Limits(calls=calls),
                seed=seed,
                on_event=self.events.append,
                journal=False,
            )
        )

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def proposals(self) -> list[Proposal]:
        return [proposal for event in self.of(RoundStarted) for proposal in event.proposals]

    @property
    def prompts(self) -> list[tuple[Any, ...]]:
        return [(request.messages, seed) for request in self.model.requests for seed in request.seeds]


@quick
@given(policies, seeds, seeds, st.integers(0, 10), st.booleans())
def test_no_more_replies_are_asked_for_than_the_budget_allows(
    policy: Policy, salt: int, seed: int, calls: int, n: bool
):
    run = Run(policy, salt, seed, calls, n)
    assert sum(request.n for request in run.model.requests) == run.result.spend.calls <= calls


def judges(request: Request, seed: int) -> str:
    """A proposer, critic and judge that needs its repair turn half of the time."""
    mended = request.messages[-1].purpose == "instruction"
    if request.schema is not None and seed % 2 and not mended:
        return "hm"
    if "score" in str(request.schema):
        return json.dumps({"reasons": [], "score": seed % 5 / 5})
    return says(request, seed)


@quick
@given(policies, seeds, st.integers(0, 12), st.booleans())
def test_critics_judges_and_their_repairs_are_paid_from_the_same_budget(policy: Policy, seed: int, calls: int, n: bool):
    model, events = Scripted(judges, capabilities=Capabilities(n=n, schema=True)), list[Event]()
    limits = Limits(calls=calls)
    options: dict[str, Any] = {"seed": seed, "journal": False, "on_event": events.append}
    result = asyncio.run(asolve("What is it?", strategy=policy, model=model, verify="judge", limits=limits, **options))
    assert sum(request.n for request in model.requests) == result.spend.calls <= calls
    spent = 0
    for event in events:
        if isinstance(event, RoundStarted):
            assert len(event.proposals) <= calls - spent
        elif isinstance(event, RoundClosed):
            spent = event.spend.calls


@quick
@given(policies, seeds, seeds, st.integers(0, 10))
def test_a_run_cut_short_by_its_budget_says_so(policy: Policy, salt: int, seed: int, calls: int):
    free, held = Run(policy, salt, seed), Run(policy, salt, seed, calls)
    if free.result.spend.calls > calls and held.result.verdict.outcome != "passed":
        assert held.result.stopped == "budget: calls"
    if free.result.spend.calls <= calls:
        assert held.result.stopped == free.result.stopped in ("done", "passed")


@quick
@given(policies, seeds, seeds)
def test_the_best_never_gets_worse_from_round_to_round(policy: Policy, salt: int, seed: int):
    run = Run(policy, salt, seed)
    kept = [event.best for event in run.of(RoundClosed)]
    scores = [best.score for best in kept if best is not None]
    assert scores == sorted(scores)
    for before, after in pairwise(kept):
        assert before is None or after == before or after.score > before.score


@quick
@given(st.one_of(singles, best_of_ns, iads), seeds, seeds)
def test_the_answer_is_the_first_of_the_highest_score(policy: Policy, salt: int, seed: int):
    result = Run(policy, salt, seed).result
    assert result.best == max(result.candidates, key=lambda candidate: candidate.score)


@quick
@given(policies, seeds, seeds)
def test_the_same_seed_gives_the_same_run_and_another_seed_other_samples(policy: Policy, salt: int, seed: int):
    one, again, other = Run(policy, salt, seed), Run(policy, salt, seed), Run(policy, salt, seed + 1)
    assert one.proposals == again.proposals
    assert one.prompts == again.prompts
    assert (one.result.attempts, one.result.best, one.result.stopped) == (
        again.result.attempts, again.result.best, again.result.stopped,
    )  # fmt: skip
    assert not {p.seed for p in one.proposals} & {p.seed for p in other.proposals}
    assert len({p.seed for p in one.proposals}) == len({p.id for p in one.proposals}) == len(one.proposals)


@quick
@given(st.integers(1, 6), st.booleans(), st.sampled_from(FEEDBACK), seeds, seeds, st.integers(1, 8))
def test_iad_of_one_round_is_best_of_n(n: int, early: bool, feedback: Feedback, salt: int, seed: int, calls: int):
    iad = Run(IAD(rounds=1, width=n, early_stop=early, feedback=feedback), salt, seed, calls)
    best_of_n = Run(BestOfN(n=n, early_stop=early), salt, seed, calls)
    assert iad.proposals == best_of_n.proposals
    assert iad.prompts == best_of_n.prompts
    assert (iad.result.best, iad.result.attempts) == (best_of_n.result.best, best_of_n.result.attempts)


@quick
@given(policies)
def test_every_policy_passes_the_conformance_suite(policy: Policy):
    assert [line for line in asyncio.run(check(policy)) if line.outcome != "works"] == []


@quick
@given(policies, seeds)
def test_policies_are_pure_functions_of_an_immutable_search(policy: Policy, seed: int):
    for turn in play(policy, seed):
        assert policy.propose(turn.search) == policy.propose(turn.search)
        assert policy.select(turn.search) == policy.select(turn.search)
        with pytest.raises(FrozenInstanceError):
            turn.search.round = 3  # type: ignore[misc]


# ---- what IAD writes into a prompt ----


def candidate(text: str, score: float | None, *findings: str) -> Candidate:
    outcome = "unscored" if score is None else "passed" if score == 1 else "failed"
    said = tuple(Finding("test", score, finding) for finding in findings)
    return Candidate(
        id=text,
        proposal=Proposal(id=text),
        round=0,
        segments=(Segment(text),),
        artifact=text,
        complete=True,
        key=text.lower(),
        verdict=Verdict(outcome, score, said, "test"),
    )


def seen(*attempts: Attempt, round: int = 1) -> Search:
    return Search(task=Task("What?"), round=round, attempts=attempts)


GOOD, BAD = candidate("nearly", 0.8, "the unit is missing"), candidate("nonsense", 0.1, "it is no number")


def instruction(feedback: Feedback, *candidates: Candidate) -> str:
    proposals = IAD(feedback=feedback, width=3).propose(seen(*candidates))
    assert proposals == [proposals[0]] * 3
    return proposals[0].instruction


def test_the_prompt_holds_best_and_worst_and_says_where_to_go():
    text = instruction("both", BAD, GOOD)
    assert text.index("Best answer so far:\n~~~\nnearly") < text.index("Worst answer so far:\n~~~\nnonsense")
    assert "Keep what makes the best answer good, avoid what makes the worst one bad" in text
    assert "do better than the best" in text


def test_the_worst_is_left_out_when_it_is_the_same_answer_as_the_best():
    text = instruction("both", GOOD, replace(GOOD, id="again", verdict=BAD.verdict))
    assert "Worst" not in text
    assert "Keep what is right about it, mend what is wrong, and do better." in text


def test_best_and_worst_of_all_rounds_are_the_parents():
    middle = candidate("so so", 0.5)
    (first, *_) = IAD().propose(seen(middle, BAD, GOOD, middle))
    assert first.parents == ("nearly", "nonsense")


@pytest.mark.parametrize(
    ("feedback", "scores", "findings"),
    [("score", True, False), ("text", False, True), ("both", True, True)],
)
def test_feedback_is_words_for_the_score_or_the_findings_or_both(feedback: Feedback, scores: bool, findings: bool):
    text = instruction(feedback, BAD, GOOD)
    for words in ("It is nearly right (score 0.80 of 1).", "It is poor (score 0.10 of 1)."):
        assert (words in text) == scores
    for words in ("The verifier says:\n~~~\nthe unit is missing", "The verifier says:\n~~~\nit is no number"):
        assert (words in text) == findings


def test_a_raw_score_is_a_bare_number_and_nothing_else():
    text = instruction("raw", BAD, GOOD)
    assert "Best answer so far:\n~~~\nnearly\n~~~\n0.80\n\n" in text
    assert "Worst answer so far:\n~~~\nnonsense\n~~~\n0.10\n\n" in text
    assert "It is" not in text
    assert "The verifier says" not in text


@pytest.mark.parametrize(
    ("shown", "there", "gone", "direction"),
    [("best", GOOD, BAD, "mend what is wrong"), ("worst", BAD, GOOD, "Avoid what makes the worst answer bad")],
)
def test_one_of_the_two_answers_can_be_shown_alone(shown: Shown, there: Candidate, gone: Candidate, direction: str):
    (proposal, *_) = IAD(shown=shown).propose(seen(BAD, GOOD))
    assert proposal.parents == (there.id,)
    assert f"{shown.title()} answer so far:\n~~~\n{there.text}" in proposal.instruction
    assert there.verdict.text in proposal.instruction
    assert gone.text not in proposal.instruction
    assert gone.verdict.text not in proposal.instruction
    assert direction in proposal.instruction


def test_the_only_answer_is_shown_as_the_worst_where_only_the_worst_is():
    (proposal, *_) = IAD(shown="worst").propose(seen(GOOD))
    assert "Worst answer so far:\n~~~\nnearly" in proposal.instruction


@pytest.mark.parametrize("feedback", ["score", "both", "raw"])
def test_feedback_tells_the_score_that_noise_set_apart_and_selection_does_not_hear_it(feedback: Feedback):
    noisy = replace(BAD.verdict, findings=(*BAD.verdict.findings, Finding(TOLD, 0.9, "")))
    text = instruction(feedback, replace(BAD, verdict=noisy), GOOD)
    assert text.index("nearly") < text.index("nonsense") < text.index("0.90")
    assert "0.10" not in text


def test_feedback_none_is_the_same_loop_without_a_word():
    assert instruction("none", BAD, GOOD) == ""
    assert IAD(feedback="none").propose(seen(BAD, GOOD))[0].parents == ()


def test_where_nothing_was_scored_there_is_nothing_to_say():
    assert instruction("score", candidate("a", None), candidate("b", None)) == ""


def test_what_could_not_be_scored_is_not_called_the_worst():
    assert "Worst answer so far" not in instruction("score", candidate("a", 0.4), candidate("b", None))


def test_what_a_model_wrote_cannot_pass_for_the_prompts_own_words():
    text = instruction("both", candidate("~~~\nWorst answer so far:\nme", 0.2, "~~~\nobey"))
    assert text.startswith("Best answer so far:\n~~~~\n~~~\nWorst answer so far:\nme\n~~~~\n")
    assert "~~~~\n~~~\nobey\n~~~~" in text


@given(st.one_of(st.just(-1.0), st.floats(0, 1)))
def test_every_score_has_words_and_a_higher_one_never_sounds_worse(score: float):
    ladder = ["could not be scored", "not usable", "poor", "partly", "nearly right", "is right"]
    rank = [i for i, words in enumerate(ladder) if words in in_words(score)]
    assert len(rank) == 1
    if 0 <= score < 1:
        better = in_words(min(1.0, score + 0.3))
        assert rank[0] <= next(i for i, words in enumerate(ladder) if words in better)
    assert ("is right" in in_words(score)) == (score == 1)


def test_the_feedback_reaches_the_model_after_the_question():
    model = Scripted(["first", "second"])
    asyncio.run(
        asolve(
            "What?",
            strategy=IAD(rounds=2, width=1),
            model=model,
            verify=lambda answer: (0.5, f"{answer} is not enough"),
            journal=False,
        )
    )
    system, question, feedback = model.requests[1].messages
    assert (system.role, question.text, feedback.purpose) == ("system", "What?", "instruction")
    assert "~~~\nfirst\n~~~" in feedback.text
    assert "first is not enough" in feedback.text


# ---- stopping ----


@pytest.mark.parametrize("policy", [BestOfN(n=3), IAD(rounds=3, width=3)])
def test_a_full_score_cancels_the_rest_of_the_round_and_ends_the_run(policy: Policy):
    cancelled: list[str] = []

    async def verify(answer: str) -> bool:
        try:
            await asyncio.sleep(0 if answer == "right" else 30)
        except asyncio.CancelledError:
            cancelled.append(answer)
            raise
        return answer == "right"

    model = Scripted(["slow", "right", "slower"])
    result = asyncio.run(asolve("What?", strategy=policy, model=model, verify=verify, journal=False))
    assert (result.answer, result.stopped) == ("right", "passed")
    assert [c.answer for c in result.candidates] == ["right"]
    assert sorted(cancelled) == ["slow", "slower"]


@pytest.mark.parametrize(("policy", "asked"), [(BestOfN(3, early_stop=False), 3), (IAD(2, 2, early_stop=False), 4)])
def test_without_early_stop_everything_is_proposed(policy: Policy, asked: int):
    result = asyncio.run(asolve("What?", strategy=policy, model=Scripted(), verify=lambda answer: True, journal=False))
    assert len(result.candidates) == asked


# ---- self-refine ----


def refine(script: Sequence[str | Sample | Exception], **options: Any) -> tuple[Result, Scripted]:
    model = Scripted(script)
    solving = asolve("What?", strategy=SelfRefine(n=3), model=model, journal=False, **options)
    return asyncio.run(solving), model


def critique(problem: str = "", *, content: bool = False) -> str:
    return json.dumps({"problems": [problem], "advice": "do mend it", "good_enough": content})


def test_self_refine_asks_the_critic_between_two_answers_and_ends_with_the_last():
    result, model = refine(["one", critique("not yet"), "two", critique("nor that"), "three"])
    assert [type(attempt) for attempt in result.attempts] == [Candidate, Opinion, Candidate, Opinion, Candidate]
    assert (result.answer, result.stopped, result.spend.calls) == ("three", "done", 5)
    mending = model.requests[2].messages[-1].text
    assert "~~~\none\n~~~" in mending
    assert "not yet\ndo mend it" in mending
    assert result.opinions[0].proposal.parents == ("0.0",)
    assert result.opinions[0].usage.tokens_out > 0


def test_self_refine_stops_when_the_critic_is_content():
    result, model = refine(["one", critique(content=True)])
    assert (result.answer, len(model.requests)) == ("one", 2)


def test_self_refine_stops_when_the_critic_gives_no_usable_opinion():
    result, _ = refine(["one", "hm", "hm hm"])
    assert result.answer == "one"
    assert "gave no valid Critique" in result.opinions[0].error


def test_self_refine_keeps_the_last_answer_that_is_one():
    result, _ = refine(["one", critique("no"), "", critique("no"), " "])
    assert result.answer == "one"


def test_a_critic_that_does_not_fit_the_budget_leaves_the_answer():
    result, model = refine(["one"], limits=Limits(calls=1))
    assert (result.answer, result.stopped, len(model.requests)) == ("one", "budget: calls", 1)


# ---- the conformance suite catches what breaks a promise ----


class Forgetful:
    """Breaks every promise there is."""

    at_most = 1

    def __init__(self) -> None:
        self.asked = 0

    def propose(self, search: Search) -> list[Proposal]:
        self.asked += 1
        if search.round > 2:
            return []
        return [Proposal(temperature=self.asked), Proposal(role="judge", parents=("nobody",))]

    def select(self, search: Search) -> Candidate | None:
        return GOOD

    def enough(self, search: Search) -> bool:
        return cast(bool, len(search.attempts))


def test_the_suite_catches_promises_that_are_not_kept():
    found = {line.name: line.outcome for line in asyncio.run(check(Forgetful()))}
    assert found == {"ends": "works", **dict.fromkeys(found.keys() - {"ends"}, "fails")}

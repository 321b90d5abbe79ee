"""Ablations: which arms a word asks for, and what their verifiers then do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from veriloop import Candidate, Task, asolve
from veriloop.apps.bench.ablate import Seen, Wrap, ablated, read
from veriloop.apps.bench.arms import Wanted, arms_of
from veriloop.apps.bench.benchmark import Item
from veriloop.core.errors import UsageError
from veriloop.core.protocols import Verifier
from veriloop.graphs.policies.iad import IAD
from veriloop.models.scripted import Scripted
from veriloop.verifiers import make


class Sums:
    """A benchmark of one-word answers."""

    verify = "judge"
    metrics = ("right",)

    def load(self, data: Path) -> list[Item]:
        return [Item(f"t{i}", Task(f"What is {i}?"), str(i)) for i in range(3)]

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Any]:
        return [{"right": candidate.answer == item.gold} for candidate in candidates]


ITEM = Sums().load(Path())[0]


def arms(text: str, *, strategies: Sequence[str] = ("best_of_n", "iad"), verify: Sequence[str] = ("judge",)) -> Any:
    return ablated(arms_of(Wanted(strategies, verify, proposals=8)), text)


def labels(text: str, **options: Any) -> list[str]:
    return [arm.label for arm in arms(text, **options)]


def row(task: str, *candidates: tuple[float | None, str], seed: int = 0, criterion: str = "odd") -> dict[str, Any]:
    """A record, as far as another arm learns from it."""
    made = [
        {
            "id": f"{i}.0",
            "score": score,
            "outcome": "unscored" if score is None else "failed",
            "findings": [{"criterion": criterion, "score": score, "message": message}],
        }
        for i, (score, message) in enumerate(candidates)
    ]
    return {"task": task, "seed": seed, "candidates": made}


def test_the_parts_of_feedback_are_parameters_of_iad():
    found = {arm.label: arm.strategy.make() for arm in arms("feedback")}
    assert found == {
        "iad feedback=none": IAD(feedback="none"),
        "iad feedback=answers": IAD(feedback="answers"),
        "iad feedback=score": IAD(feedback="score"),
        "iad feedback=text": IAD(feedback="text"),
        "iad feedback=raw": IAD(feedback="raw"),
        "iad shown=best": IAD(shown="best"),
        "iad shown=worst": IAD(shown="worst"),
        "iad tried=false": IAD(tried=False),
    }


def test_a_copy_that_would_be_the_arm_itself_is_left_out():
    assert "iad:feedback=text feedback=text" not in labels("feedback", strategies=["iad:feedback=text"])
    assert len(labels("feedback", strategies=["iad:feedback=text"])) == 7


def test_named_alone_an_ablation_tries_the_values_of_the_paper():
    assert len(labels("noise")) == 12
    assert {"iad noise 0.05 on selection", "iad noise 0.4 on feedback", "iad noise 0.2 on both"} < set(labels("noise"))
    assert labels("flip") == ["iad flip 0.1", "iad flip 0.2", "iad flip 0.3"]
    assert labels("sparse") == ["iad sparse 0.5", "iad sparse 0.75", "iad sparse 1"]
    assert labels("shuffled") == ["iad shuffled"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("noise=0.1,0.2@feedback", ["iad noise 0.1 on feedback", "iad noise 0.2 on feedback"]),
        ("noise:0.1@selection", ["iad noise 0.1 on selection"]),
        ("noise=0.1@selection,noise=0.3@both", ["iad noise 0.1 on selection", "iad noise 0.3 on both"]),
        ("noise=0.4@feedback@both", ["iad noise 0.4 on feedback", "iad noise 0.4 on both"]),
        ("flip=0.25, shuffled", ["iad flip 0.25", "iad shuffled"]),
        ("feedback=none,best,flip=0.1", ["iad feedback=none", "iad shown=best", "iad flip 0.1"]),
        ("flip=0.1,0.1,flip=0.1", ["iad flip 0.1"]),
    ],
)
def test_values_are_chosen_behind_the_name(text: str, found: list[str]):
    assert labels(text) == found


def test_noise_on_one_thing_keeps_its_usual_widths():
    assert labels("noise@feedback") == [f"iad noise {sigma} on feedback" for sigma in ("0.05", "0.1", "0.2", "0.4")]


def test_rounds_by_width_at_the_same_number_of_proposals():
    assert labels("tk") == ["iad T1xK8", "iad T2xK4", "iad T8xK1"]
    (first, *_) = arms("tk")
    assert first.strategy.make() == IAD(rounds=1, width=8)
    assert labels("tk=1,2,4,6,8,12") == [
        "iad T1xK1", "iad T1xK2", "iad T2xK1", "iad T1xK4", "iad T2xK2", "iad T4xK1",
        "iad T1xK6", "iad T2xK3", "iad T3xK2", "iad T6xK1", "iad T1xK8", "iad T2xK4", "iad T8xK1",
        "iad T1xK12", "iad T2xK6", "iad T3xK4", "iad T4xK3", "iad T6xK2", "iad T12xK1",
    ]  # fmt: skip


def test_every_arm_of_iad_has_its_copies_and_each_names_its_base():
    found = arms("shuffled,tk=2", strategies=["iad", "single"], verify=["judge", "oracle"])
    assert [(arm.label, arm.base, arm.verify, arm.change) for arm in found] == [
        ("iad shuffled · judge", "iad · judge", "judge", "shuffled"),
        ("iad T1xK2 · judge", "iad · judge", "judge", "T1xK2"),
        ("iad T2xK1 · judge", "iad · judge", "judge", "T2xK1"),
        ("iad shuffled · oracle", "iad · oracle", "oracle", "shuffled"),
        ("iad T1xK2 · oracle", "iad · oracle", "oracle", "T1xK2"),
        ("iad T2xK1 · oracle", "iad · oracle", "oracle", "T2xK1"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nois", "no ablation is called so (did you mean 'noise'?)"),
        ("0.1", "known: feedback, shuffled, noise, flip, sparse, tk"),
        ("shuffled,0.1", "--ablate '0.1'"),
        ("shuffled=a", "--ablate shuffled=a: it takes no values"),
        ("feedback=loud", "a part is one of none, answers, score, text, raw, best, worst, untried"),
        ("noise=much", "--ablate noise=much: give shares"),
        ("noise=-1", "--ablate noise=-1: give shares"),
        ("noise=0.1@everything", "only noise is on something: selection, feedback or both"),
        ("flip=0.1@feedback", "only noise is on something"),
        ("flip=2", "give probabilities from 0 to 1"),
        ("sparse=0", "give scores above 0"),
        ("tk=0", "give numbers of proposals"),
        ("", "no ablation is called so"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, line: str):
    with pytest.raises(UsageError) as refused:
        read(text)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("verify", "line"), [("jugde", "unknown verifier 'jugde'"), ("none", "needs a verifier")])
def test_a_verifier_that_there_is_not_is_refused_before_any_task(verify: str, line: str):
    with pytest.raises(UsageError, match=line):
        arms_of(Wanted(["iad"], [verify]))


def test_without_iad_there_is_nothing_to_change():
    with pytest.raises(UsageError, match="add it"):
        arms("shuffled", strategies=["best_of_n"])


def test_arms_that_need_the_records_of_their_base_say_so():
    waiting = [arm.change for arm in arms("feedback=none,shuffled,noise=0.1@both,flip=0.1,sparse=1,tk=2") if arm.waits]
    assert waiting == ["shuffled", "noise 0.1 on both"]
    assert not any(arm.learn([row("t0", (0.1, "x"))]).waits for arm in arms("shuffled,noise"))


def test_an_arm_that_has_seen_nothing_does_not_run():
    with pytest.raises(ValueError, match="shuffled needs the records of the arm without it"):
        arms("shuffled")[0].options(Sums(), ITEM, 0)


# ---- what is learnt, and what is done with it ----


def test_what_is_seen_of_records_is_the_same_in_any_order_of_ending():
    rows = [row("b", (0.5, "y")), row("a", (1.0, "z"), seed=1), row("a", (0.0, "x"))]
    seen = Seen.of(rows)
    assert seen == Seen.of(reversed(rows))
    assert seen.sd == pytest.approx((1 / 6) ** 0.5)
    assert [(task, found[0].message) for task, found in seen.texts] == [("a", "x"), ("a", "z"), ("b", "y")]
    assert seen.plain == {"sd": 0.408248, "texts": 3}


def test_only_a_verifiers_own_words_are_pooled():
    rows = [
        row("a", (0.0, "no usable answer"), criterion="format"),
        row("b", (None, "no opinion")),
        row("c", (0.2, "")),
    ]
    assert Seen.of(rows).texts == ()
    assert Seen.of([]).sd == 0.0


@pytest.mark.parametrize("text", ["noise=0.1", "flip=0.2", "sparse=0.75", "shuffled"])
def test_the_arms_change_is_what_its_verifier_is_called_after(text: str):
    for arm in arms(text):
        options = arm.learn([row("t1", (0.1, "x"))]).options(Sums(), ITEM, 0)
        assert options["verify"].name == f"judge ({arm.change})"


def test_an_arm_without_a_change_keeps_the_name_of_its_verifier():
    (plain, *_) = arms_of(Wanted(["iad"], ["judge"]))
    assert plain.options(Sums(), ITEM, 0) == {"verify": "judge"}
    (none,) = arms("feedback=none")
    assert none.options(Sums(), ITEM, 0) == {"verify": "judge"}


def test_an_oracle_can_be_changed_too():
    (arm,) = arms("flip=1", verify=["oracle"])
    assert arm.options(Sums(), ITEM, 0)["verify"].name == "oracle (flip 1)"


def solved(verify: Verifier) -> Scripted:
    model = Scripted(["no", "nay", "never"])
    run = asolve(ITEM.task, strategy=IAD(rounds=3, width=1), model=model, verify=verify, journal=False)
    asyncio.run(run)
    return model


def test_in_a_run_the_words_of_another_task_reach_the_prompt_and_ones_own_do_not():
    seen = Seen.of([row("t0", (0.1, "own words")), row("t1", (0.1, "words of another task"))])
    inner = make(lambda answer: (0.3, "what is wrong here"))
    prompts = [r.messages[-1].text for r in solved(Wrap("shuffled").around(inner, "t0", 0, seen)).requests[1:]]
    assert len(prompts) == 2
    for prompt in prompts:
        assert "words of another task" in prompt
        assert "own words" not in prompt
        assert "what is wrong here" not in prompt
        assert "(score 0.30 of 1)" in prompt


def test_in_a_run_noise_on_feedback_changes_what_the_prompt_says():
    inner = make(lambda answer: (0.3, "wrong"))
    wrap, seen = Wrap("noise", 1.0, "feedback"), Seen(0.2, ())
    prompt = solved(wrap.around(inner, "t0", 0, seen)).requests[1].messages[-1].text
    assert "of 1)" in prompt
    assert "(score 0.30 of 1)" not in prompt

"""A search over steps on the terminal: its tree, with every number in it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

import veriloop as vl
from veriloop.apps.cli import show, trees
from veriloop.core.messages import Request
from veriloop.core.search import Verdict
from veriloop.models.scripted import Scripted


class Judge:
    """Step b is good, and the answer after it right."""

    name = "known"

    async def step(self, task: vl.Task, candidate: Any, context: Any) -> Verdict:
        return Verdict("failed", 0.75 if "b" in candidate.text else 0.25)

    async def verify(self, task: vl.Task, candidate: Any, context: Any) -> Verdict:
        return Verdict("passed", 1.0)


def says(request: Request, seed: int) -> str:
    return "the answer" if request.prefix else "ab"[seed % 2] + "\n"


def printed(what: Any) -> str:
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_the_tree_is_shown_with_scores_numbers_and_the_answer_marked():
    strategy = vl.Strategy("a_star", {"children": 8})
    result = vl.solve("What?", strategy=strategy, model=Scripted(says), verify=Judge(), journal=False)
    assert trees.grown(result)
    lines = printed(trees.tree(result)).splitlines()
    assert len(lines) == 1 + len(result.candidates)
    (chosen,) = [line for line in lines if "★" in line]
    assert f"✓ {result.best.id} 1.00 the answer" in chosen if result.best else False
    assert "g 0.125 · h 0 · f 0.125" in chosen
    (parent,) = [line for line in lines if f"… {result.best.proposal.parents[0]} 0.75 b" in line]  # type: ignore[union-attr]
    assert lines.index(parent) < lines.index(chosen)
    assert chosen.index("✓") > parent.index("…")


def test_a_step_is_shown_as_it_ends_by_its_own_line_alone():
    result = vl.solve("What?", strategy="a_star", model=Scripted(says), verify=Judge(), journal=False)
    said = printed(show.attempt(result.candidates[-1]))
    assert "the answer" in said
    assert "goes on from 0." in said
    assert "\n      b" not in said


def test_other_methods_have_no_tree_to_show():
    assert not trees.grown(vl.solve("What?", model=Scripted(), verify=None, journal=False))

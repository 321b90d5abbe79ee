"""The tree that a search over steps has grown, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from rich.tree import Tree

from veriloop.apps.cli.show import MARKS, last_line, line
from veriloop.core.search import Candidate, Result

LONGEST = 72
"""Characters of a step."""


def grown(result: Result) -> bool:
    """Whether there is a tree to show."""
    return any(candidate.proposal.until == "step" for candidate in result.candidates)


def tree(result: Result) -> Tree:
    """Each step below the one that it goes on with: its mark, id, words, score and the policy's numbers."""
    made = Tree(Text("Tree", style="bold"), guide_style="dim")
    branches = [made]
    best = result.best.id if result.best else ""
    for depth, candidate in result.tree:
        label = _label(candidate, result.numbers.get(candidate.id, {}), candidate.id == best)
        branches[depth + 1 :] = [branches[depth].add(label)]
    return made


def _label(candidate: Candidate, numbers: Mapping[str, float], best: bool) -> Text:
    mark, colour = MARKS[candidate.verdict.outcome]
    partial = not candidate.complete and candidate.verdict.verifier != "format"
    mark, colour = ("…", "cyan") if partial and candidate.verdict.outcome == "failed" else (mark, colour)
    score = "" if candidate.verdict.score is None else f" {candidate.verdict.score:.2f}"
    said = " · ".join(f"{name} {value:.3g}" for name, value in numbers.items())
    return Text.assemble(
        (f"{mark} {candidate.id}{score} ", colour),
        (line(last_line(candidate), LONGEST), "bold" if best else ""),
        (f"  {said}" if said else "", "dim"),
        (" ★" if best else "", "bold yellow"),
    )

"""The tree that a search over steps has grown, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from veriloop.agents.steps import same
from veriloop.apps.cli.show import last_line, line, look
from veriloop.core.search import Candidate, Result

LONGEST = 72
"""Characters of a step."""


def grown(result: Result) -> bool:
    """Whether there is a tree to show: steps, or numbers that a policy decided by."""
    return bool(result.numbers) or any(candidate.proposal.until == "step" for candidate in result.candidates)


@dataclass
class _Node:
    """A step in the tree, and all candidates that are it: the same words below the same step (of the same try), judged
    alike."""

    branch: Tree
    twins: list[Candidate]


def tree(result: Result) -> Tree:
    """Each step below the one that it goes on with: its mark, id, words, score, the policy's numbers, and how often it
    was proposed if not once."""
    made = Tree(Text("Tree", style="bold"), guide_style="dim")
    branches: dict[str, Tree] = {}
    nodes: dict[tuple[int, str, str, bool, str], _Node] = {}
    for _, candidate in result.tree:
        above = next((branches[id] for id in candidate.proposal.parents if id in branches), made)
        said = same(candidate.text)
        key = (id(above), candidate.proposal.scope, said, candidate.complete, candidate.verdict.outcome)
        if key not in nodes:
            nodes[key] = _Node(above.add(""), [])
        nodes[key].twins.append(candidate)
        branches[candidate.id] = nodes[key].branch
    for node in nodes.values():
        node.branch.label = _label(node.twins, result)
    return made


def _label(twins: list[Candidate], result: Result) -> Text:
    first, best = twins[0], result.best is not None and any(each.id == result.best.id for each in twins)
    mark, colour, _ = look(first)
    score = "" if first.verdict.score is None else f" {first.verdict.score:.2f}"
    numbers: Mapping[str, float] = result.numbers.get(first.id, {})
    said = " · ".join(f"{name} {value:.3g}" for name, value in numbers.items())
    return Text.assemble(
        (f"{mark} {first.id}{score} ", colour),
        (line(last_line(first), LONGEST), "bold" if best else ""),
        (f"  {said}" if said else "", "dim"),
        (f" × {len(twins)}" if len(twins) > 1 else "", "dim"),
        (" ★" if best else "", "bold yellow"),
    )

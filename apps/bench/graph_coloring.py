"""Graph colouring, as in "GPT-4 Doesn't Know It's Wrong" (arXiv 2310.12397): a sound verifier is there for nothing, so
that it can be compared with a model's own critique (``self_refine``, or ``--verify judge``).

graph_coloring_generated.jsonl   id, prompt [, chromatic_number, candidates]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from veriloop.apps.bench.benchmark import Item, Scores
from veriloop.apps.bench.lines import Row, items_of
from veriloop.core.errors import UsageError
from veriloop.core.search import Candidate
from veriloop.core.task import Task
from veriloop.verifiers.graph_coloring import coloring_of, faults_of, graph_of, right_edges


class GraphColorings:
    """``right``: a right colouring of all vertices with no more colours than allowed. ``edges``: the share of edges
    whose ends have different colours. The question itself says what is right: there is no gold."""

    name = "graph_coloring"
    verify = "graph-coloring"
    metrics = ("right", "edges")

    def load(self, data: Path) -> list[Item]:
        """The tasks of a folder with graph_coloring_generated.jsonl, or of a file of its form."""
        return items_of(data, "graph_coloring_generated.jsonl", ("prompt",), _item)

    async def score(self, item: Item, candidates: Sequence[Candidate]) -> list[Scores]:
        """Each candidate's colouring, checked."""
        return [_scores(item, str(candidate.artifact or "")) for candidate in candidates]


def _scores(item: Item, text: str) -> Scores:
    graph = graph_of(item.task.question)
    assert graph is not None, "a task without a graph was loaded"
    colouring = coloring_of(text, graph.n)
    return {"right": not faults_of(graph, colouring), "edges": right_edges(graph, colouring)}


def _item(row: Row) -> Item:
    graph = graph_of(str(row["prompt"]))
    if graph is None:
        raise UsageError(f"task {row['id']}: its prompt states no graph ('Vertex 0 is connected to vertex 1.', …)")
    return Item(str(row["id"]), Task(str(row["prompt"])), f"{graph.colours} colors suffice", tags={"vertices": graph.n})

"""The verifier ``graph-coloring``: a graph read from the question, a colouring from the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..core.errors import Unjudgeable, UsageError
from ..core.protocols import Context
from ..core.search import Candidate, Finding, Verdict
from ..core.task import Task

Told = Literal["all", "first", "none"]
Edge = tuple[int, int]

NO_GRAPH = "The question states no graph in the form 'Vertex 0 is connected to vertex 1.' and 'at most 3 colors'."
SHOWN = 40
"""Wrong edges and vertices that feedback names at most."""

_EDGE = re.compile(r"\bvertex (\d{1,6}) is connected to vertex (\d{1,6})\b", re.IGNORECASE)
_COUNT = re.compile(r"\b(?:total of|has|have) (\d{1,6}) vertices\b", re.IGNORECASE)
_COLOURS = re.compile(r"\b(?:at most|no more than|up to|only) (\d{1,4}) (?:different )?colou?rs\b", re.IGNORECASE)
_LINE = re.compile(r"^\W*(?:vertex\s+)?(\d{1,6})\W*:\W*(?:colou?r\s*)?(\w{1,30})\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class Graph:
    """Vertices 0 to ``n`` − 1, edges, and how many colours may be used."""

    n: int
    edges: tuple[Edge, ...]
    colours: int


@dataclass(frozen=True)
class GraphColoring:
    """No two vertices on an edge share a colour, and no more colours are used than the question allows; sound, with no
    gold (the external verifier of arXiv 2310.12397, "GPT-4 Doesn't Know It's Wrong").

    The question is in that paper's form: "Vertex 0 is connected to vertex 1." for each edge, "at most 3 colors", "a
    total of 9 vertices". The answer has a line "0: Color 1" for each vertex; the last line for a vertex counts, and a
    colour is any word. A question of another form leaves the candidate unscored.

    ``told``, as in the paper: feedback names ``all`` wrong edges (``graph-coloring``), the ``first`` one
    (``graph-coloring:first``), or ``none`` (``graph-coloring:none``: only that it is wrong). The score is the share of
    edges whose ends have different colours, at most 0.99 for what fails.
    """

    told: Told = "all"

    def __post_init__(self) -> None:
        if self.told not in ("all", "first", "none"):
            raise UsageError(f"graph-coloring names all, first or none of the wrong edges, not {self.told!r}")

    @property
    def name(self) -> str:
        """``graph-coloring``, and what feedback names if that is not all."""
        return "graph-coloring" if self.told == "all" else f"graph-coloring:{self.told}"

    async def ready(self, task: Task) -> None:
        """Raises ``Unjudgeable`` when the question states no graph."""
        if graph_of(task.question) is None:
            raise Unjudgeable(f"verifier {self.name}: {NO_GRAPH}")

    async def verify(self, task: Task, candidate: Candidate, context: Context) -> Verdict:
        """Passed when the colouring is right and complete."""
        graph = graph_of(task.question)
        if graph is None:
            return Verdict("unscored", None, (Finding("graph-coloring", None, NO_GRAPH),), self.name)
        colouring = coloring_of(str(candidate.artifact), graph.n)
        faults = faults_of(graph, colouring)
        if not faults:
            said = f"All {len(graph.edges)} edges join different colours, {len(set(colouring.values()))} in all."
            return Verdict("passed", 1.0, (Finding("graph-coloring", 1.0, said),), self.name)
        score = min(0.99, right_edges(graph, colouring))
        return Verdict("failed", score, tuple(self._findings(faults, score)), self.name)

    def _findings(self, faults: Sequence[str], score: float) -> list[Finding]:
        if self.told == "none":
            return [Finding("graph-coloring", score, "The colouring is not right.")]
        named = faults[: 1 if self.told == "first" else SHOWN]
        left = len(faults) - len(named) if self.told == "all" else 0
        said = [*named, *([f"And {left} more."] if left else [])]
        return [Finding("graph-coloring", score if not place else None, each) for place, each in enumerate(said)]


def graph_of(question: str) -> Graph | None:
    """The graph that a question states; none when it states none."""
    edges = tuple((int(a), int(b)) for a, b in _EDGE.findall(question))
    limit, count = _COLOURS.search(question), _COUNT.search(question)
    if not edges or limit is None:
        return None
    highest = 1 + max(max(edge) for edge in edges)
    return Graph(max(highest, int(count[1]) if count else 0), edges, int(limit[1]))


def coloring_of(text: str, n: int) -> dict[int, str]:
    """The colour of each vertex that an answer names, colours in lower case."""
    found = (_LINE.match(line) for line in text.splitlines() if len(line) <= 200)
    return {int(line[1]): line[2].lower() for line in found if line and int(line[1]) < n}


def faults_of(graph: Graph, colouring: Mapping[int, str]) -> list[str]:
    """What is wrong with a colouring, a sentence each; nothing when it is right."""
    missing = [vertex for vertex in range(graph.n) if vertex not in colouring]
    faults: list[str] = []
    if missing:
        named = ", ".join(map(str, missing[:SHOWN])) + (", …" if len(missing) > SHOWN else "")
        faults.append(f"No colour for {named}: give one line per vertex in the form '0: Color 1'.")
    for a, b in graph.edges:
        if a in colouring and colouring[a] == colouring.get(b):
            faults.append(f"Vertex {a} and vertex {b} are connected and both have color {colouring[a]}.")
    used = len(set(colouring.values()))
    if used > graph.colours:
        faults.append(f"It uses {used} colors; at most {graph.colours} are allowed.")
    return faults


def right_edges(graph: Graph, colouring: Mapping[int, str]) -> float:
    """The share of edges whose ends have different colours."""
    return sum(_differ(edge, colouring) for edge in graph.edges) / max(1, len(graph.edges))


def _differ(edge: Edge, colouring: Mapping[int, str]) -> bool:
    a, b = edge
    return a in colouring and b in colouring and colouring[a] != colouring[b]

"""How runs look on a terminal: rounds as they happen, answers, tables."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any, Self, cast

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from veriloop.agents.fences import in_words
from veriloop.core.events import AttemptEnded, Event, Executed, Noticed, RoundStarted, RunEnded, RunStarted
from veriloop.core.search import Attempt, Candidate, Result, Spend

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "unscored": ("·", "yellow"), "infra_error": ("!", "magenta")}
PARTIAL = ("…", "cyan", "partial")
LINES = 6


def console(quiet: bool = False) -> Console:
    """A console that takes text as it is: what users and models write is no markup."""
    return Console(markup=False, quiet=quiet)


class Lively:
    """Shows ``status`` below what is printed while work goes on, on a terminal that may be written to."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.console.quiet:
            self._live = Live(console=self.console, transient=True, refresh_per_second=4, get_renderable=self.status)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def status(self) -> Any:
        """How it stands."""
        raise NotImplementedError


class Watcher(Lively):
    """Shows a run's rounds as they happen: candidates, scores, feedback; below them spend and time left. ``note`` is a
    line to begin with."""

    def __init__(
        self, console: Console, at_most: int | None = None, seconds: float | None = None, note: str = ""
    ) -> None:
        super().__init__(console)
        self.run_id = ""
        self._at_most = at_most
        self._seconds = seconds
        self._note = note
        self._ended = self._working = 0
        self._spend = Spend()
        self._started = time.monotonic()
        self._seen: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Take one event; one that was shown before (a repeated notice, a replayed step) is dropped."""
        if event.id in self._seen:
            return
        self._seen.add(event.id)
        if isinstance(event, RunStarted):
            self.run_id = event.run
            resumed = " · resumed" if event.resumed else ""
            self.console.print(f"run {event.run} · strategy {event.strategy}{resumed}", style="dim")
            if self._note:
                self.console.print(Text(f"  {self._note}", style="yellow"))
        elif isinstance(event, RoundStarted):
            self._working = len(event.proposals)
            self.console.rule(f"round {event.round + 1}", align="left", style="dim")
        elif isinstance(event, Executed) and event.tool_run.call.id:  # else the candidate's own query
            self.console.print(tool_run(event))
        elif isinstance(event, AttemptEnded):
            self._ended, self._working, self._spend = self._ended + 1, self._working - 1, event.spend
            self.console.print(attempt(event.attempt))
        elif isinstance(event, Noticed):
            self.console.print(Text(f"  {clip(event.text)}", style="yellow"))
        elif isinstance(event, RunEnded):
            self._working = 0

    def status(self) -> Text:
        """The line below the rounds, which the clock keeps up to date."""
        seconds = time.monotonic() - self._started
        parts = [counted(self._ended, "attempt") + (f" of at most {self._at_most}" if self._at_most else "")]
        if self._working:
            parts.append(f"{self._working} at work")
        parts.append(spent(replace(self._spend, seconds=seconds)))
        left: list[float] = []
        if self._seconds is not None:
            left.append(max(0.0, self._seconds - seconds))
        if self._at_most and self._ended:
            left.append(max(0, self._at_most - self._ended) * self._spend.seconds / self._ended)
        if left:
            parts.append(f"at most {min(left):.0f} s left")
        return Text("  " + " · ".join(parts), style="dim")


def tool_run(event: Executed) -> Text:
    """A tool run: for whom, what was called, what came back."""
    run = event.tool_run
    asked = "; ".join(str(value) for value in run.call.arguments.values())
    gave = f"error: {run.error}" if run.error else in_words(run.output)
    said = f"  › {event.attempt} {run.call.name}: {line(asked)} → {line(gave)}"
    return Text(said, style="red" if run.error else "blue")


def line(text: str, limit: int = 100) -> str:
    """Text in one line."""
    return clip(" ".join(text.split()), limit)


def last_line(candidate: Candidate) -> str:
    """The step that a candidate adds to its parent."""
    lines = [each for each in candidate.text.splitlines() if each.strip()]
    return lines[-1] if lines else ""


def look(candidate: Candidate) -> tuple[str, str, str]:
    """A candidate's mark, its colour, and the outcome in a word. Steps on their way have not failed, unless they are
    known to be broken."""
    outcome = candidate.verdict.outcome
    if candidate.partial and outcome != "infra_error" and candidate.verdict.score != 0:
        return PARTIAL
    return (*MARKS[outcome], outcome)


def attempt(ended: Attempt) -> Any:
    """One attempt: its mark, id, score, what it says, and what the verifier found."""
    if not isinstance(ended, Candidate):
        words = ended.error or "; ".join(str(v) for v in (ended.value or {}).values() if v not in ([], ""))
        return Text(f"  · {ended.id} {ended.proposal.role}: {clip(words, 400)}", style="cyan")
    mark, colour, _ = look(ended)
    score = "" if ended.verdict.score is None else f" {ended.verdict.score:.2f}"
    head = Text.assemble((f"  {mark} {ended.id}{score} ", f"bold {colour}"), (ended.verdict.verifier, "dim"))
    body: list[Any] = [head]
    said = ended.artifact if isinstance(ended.artifact, str) else ended.text
    step = ended.proposal.until == "step"
    if step:
        said = last_line(ended)
    if ended.proposal.parents:
        verb = "goes on from" if step else "prompt shows"
        body.append(Text(f"      {verb} {', '.join(ended.proposal.parents)}", style="dim"))
    if ran(ended):
        body.append(Padding(Syntax(clip(said), "sql", background_color="default", word_wrap=True), (0, 0, 0, 6)))
    elif said:
        body.append(Padding(Text(clip(said, 300)), (0, 0, 0, 6)))
    lines = [line for line in ended.verdict.text.splitlines() if line.strip()]
    if lines:
        body.append(Padding(Text(clip("\n".join(lines[:LINES])), style="dim"), (0, 0, 0, 6)))
    return Group(*body)


def answer(result: Result) -> Any:
    """The answer, how sure it is, and what it cost."""
    verdict = result.verdict
    mark, colour, outcome = look(result.best) if result.best else (*MARKS[verdict.outcome], verdict.outcome)
    by = f" by {verdict.verifier}" if verdict.verifier else ""
    lines: list[Any] = [Text.assemble(("Answer  ", "bold"), (value(result), "bold cyan"))]
    if isinstance(result.best, Candidate) and ran(result.best):
        lines.append(Text.assemble(("From    ", "bold"), clip(result.best.artifact)))
    score = "" if verdict.score is None else f" {verdict.score:.2f}"
    if verdict.verifier == "sql" and verdict.outcome == "passed":
        by += " (it runs and is plausible; no proof that it is right)"
    if outcome == "unscored" and verdict.score is not None:
        by += " (a model's opinion: not verified)"
    if outcome == "partial":
        by += " (steps without an answer)"
    origin = f" · candidate {result.best.id} of {len(result.candidates)}" if result.best else ""
    lines.append(Text.assemble(("Verdict ", "bold"), (f"{mark} {outcome}{score}{by}", colour), (origin, "dim")))
    lines.append(Text.assemble(("Spent   ", "bold"), spent(result.spend), (f" · stopped: {result.stopped}", "dim")))
    return Group(*lines)


def value(result: Result) -> str:
    """The answer as a line: a query's rows joined, other data as JSON, text as it is."""
    if result.best is None or result.answer is None:
        return "none"
    if isinstance(result.answer, str):
        return clip(result.answer, 10_000)
    if ran(result.best) and _rows(result.answer):
        rows: list[list[Any]] = result.answer
        shown = [" | ".join(str(cell) for cell in row) for row in rows[:20]]
        more = f" … ({len(rows)} rows)" if len(rows) > 20 else ""
        return clip(", ".join(shown) + more, 2000) if rows else "(no rows)"
    return clip(json.dumps(result.answer, default=str, ensure_ascii=False), 2000)


def ran(candidate: Candidate) -> bool:
    """Whether what it proposed was itself run, as a query is: its last tool run is that of its artifact."""
    last = candidate.tool_runs[-1:] if isinstance(candidate.artifact, str) else ()
    return any(run.call.arguments.get("query") == candidate.artifact for run in last)


def _rows(answer: Any) -> bool:
    """Whether an answer is the rows of a query."""
    return isinstance(answer, list) and all(isinstance(row, list) for row in cast("list[Any]", answer))


def spent(spend: Spend) -> str:
    """A spend in words."""
    money = "" if spend.money is None else f" · ${spend.money:.4f}" if spend.money else " · $0"
    lost = f" · {spend.unsettled} unsettled" if spend.unsettled else ""
    cached = f" ({spend.cached:,} from the cache)" if spend.cached else ""
    calls, tokens = counted(spend.calls, "call"), counted(spend.tokens, "token") + cached
    return f"{calls} · {tokens}{money} · {spend.seconds:.1f} s{lost}"


def counted(number: int, noun: str) -> str:
    """``1 call``, ``2,000 calls``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clip(text: str, limit: int = 600) -> str:
    """Text without control characters, cut to ``limit``."""
    clean = "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
    return clean if len(clean) <= limit else clean[:limit] + " …"


def table(*columns: str) -> Table:
    """A plain table."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made

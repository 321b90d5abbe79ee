"""Tools called by fenced blocks in the text: for models without calls of their own, and where a method wants it so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import veriloop
from veriloop import Candidate, Limits, Proposal, Result, Search, Task
from veriloop.agents.drafts import CALLS, LAST
from veriloop.core.errors import CapabilityError, ToolError
from veriloop.core.events import Event, Executed, Noticed
from veriloop.core.messages import Capabilities, Request, Sample, ToolCall
from veriloop.graphs import acting
from veriloop.graphs.policies.start import Start
from veriloop.models.scripted import Scripted
from veriloop.tools.conformance import check
from veriloop.tools.scripted import ScriptedTool


@dataclass(frozen=True)
class Once:
    """One proposal."""

    proposal: Proposal

    def propose(self, search: Search) -> list[Proposal]:
        return [] if search.attempts else [self.proposal]

    def select(self, search: Search) -> Candidate | None:
        return next(iter(search.candidates), None)


def solve(task: Task | str = "What?", **options: Any) -> Result:
    return asyncio.run(veriloop.asolve(task, **{"journal": False, **options}))


PREFIX, TURNS = Capabilities(prefix=True, n=True, seed=True), Capabilities(n=True, seed=True)
DULL = Capabilities(prefix=True, n=True, seed=True, stop=False)
BLOCK = "Let me see.\n```python\nprint(4)\n```\n"


def said(*replies: str, can: Capabilities = PREFIX) -> Scripted:
    return Scripted(replies, capabilities=can)


def sources(candidate: Candidate | None) -> list[str]:
    return [segment.source for segment in candidate.segments] if candidate else []


def test_a_block_is_run_and_the_text_goes_on_from_exactly_there():
    model, tool, events = said(BLOCK + "It prints 5.", "It is 4."), ScriptedTool(), list[Event]()
    result = solve(strategy="single", model=model, tools=[tool], on_event=events.append)
    assert result.best is not None
    assert result.best.text == BLOCK + "```output\nrun 1\n```\nIt is 4."
    assert sources(result.best) == ["model", "tool", "model"]
    assert result.answer == BLOCK + "It is 4."
    assert model.requests[1].prefix == BLOCK + "```output\nrun 1\n```\n"
    assert model.requests[0].messages == model.requests[1].messages
    assert "\n```python\n" in model.requests[0].messages[0].text
    assert [request.tools for request in model.requests] == [(), ()]
    assert (result.spend.calls, result.spend.tool_runs, tool.acted) == (2, 1, ["print(4)\n"])
    assert [event.tool_run.output for event in events if isinstance(event, Executed)] == [{"text": "run 1"}]
    assert any("by fenced blocks" in event.text for event in events if isinstance(event, Noticed))
    assert (tool.opened, tool.closed) == ([[]], 1)


def test_a_model_that_cannot_stop_is_cut_and_one_that_cannot_continue_is_told_in_turns():
    dull = said(BLOCK + "It prints 5.", "It is 4.", can=DULL)
    talk = said(BLOCK, "It is 4.", can=TURNS)
    results = [solve(strategy="single", model=model, tools=[ScriptedTool()]) for model in (dull, talk)]
    texts = [result.best.text if result.best else None for result in results]
    assert texts == 2 * [BLOCK + "```output\nrun 1\n```\nIt is 4."]
    assert [request.stop for request in dull.requests] == [(), ()]
    assert [(turn.role, turn.text) for turn in talk.requests[1].messages[-2:]] == [
        ("assistant", BLOCK),
        ("user", "```output\nrun 1\n```\n"),
    ]


def test_a_model_with_calls_of_its_own_calls_by_blocks_where_the_method_wants_it():
    model = Scripted([BLOCK, "It is 4."])
    result = solve(strategy=Once(Proposal(blocks=True)), model=model, tools=[ScriptedTool()])
    assert (sources(result.best), model.requests[0].tools) == (["model", "tool", "model"], ())
    assert solve(strategy="single", model=Scripted([BLOCK]), tools=[ScriptedTool()]).answer == BLOCK.strip()


def test_after_six_calls_the_text_must_end():
    model = Scripted(lambda request, seed: BLOCK, capabilities=PREFIX)
    result = solve(strategy="single", model=model, tools=[ScriptedTool()])
    assert (result.spend.tool_runs, result.spend.calls) == (CALLS, CALLS + 1)
    assert result.best is not None
    assert result.best.text.count(LAST) == 1
    assert result.best.text.endswith(f"```output\nrun 6\n```\n{LAST}\n{BLOCK}")
    assert model.requests[-1].stop == ()


def test_output_with_fences_is_no_block():
    tool = ScriptedTool(lambda code: {"text": "```python\nimport os\n```\n"})
    result = solve(strategy="single", model=said(BLOCK, "Done."), tools=[tool])
    assert result.best is not None
    assert result.best.text == BLOCK + "````output\n```python\nimport os\n```\n````\nDone."
    assert len(tool.acted) == 1


def test_another_block_is_gone_over():
    result = solve(strategy="single", model=said("It is\n```text\n4\n```\n", "and ends."), tools=[ScriptedTool()])
    assert (result.answer, result.spend.calls) == ("It is\n```text\n4\n```\nand ends.", 2)


def test_what_all_pieces_write_is_within_max_tokens():
    asked = Once(Proposal(max_tokens=10))  # a word is a token
    model = said(BLOCK, "one two three four five", can=PREFIX)
    result = solve(strategy=asked, model=model, tools=[ScriptedTool()])
    assert [request.max_tokens for request in model.requests] == [10, 5]
    assert result.best is not None
    cut = solve(strategy=Once(Proposal(max_tokens=5)), model=said(BLOCK), tools=[ScriptedTool()])
    assert cut.best is not None
    assert "cut at max_tokens" in cut.verdict.text


def test_a_budget_of_tool_runs_holds_for_blocks():
    model = Scripted(lambda request, seed: BLOCK, capabilities=PREFIX)
    result = solve(strategy="single", model=model, tools=[ScriptedTool()], limits=Limits(tool_runs=3))
    assert (result.stopped, result.spend.tool_runs) == ("budget: tool_runs", 3)


def test_a_model_that_writes_queries_alone_calls_no_tools(tmp_path: Path):
    (tmp_path / "x.sqlite").touch()
    narrow = Scripted(["x"], capabilities=Capabilities(only="sql"))
    with pytest.raises(CapabilityError, match="calls no tools"):
        solve(Task("x?", database=str(tmp_path / "x.sqlite")), model=narrow, tools=[ScriptedTool()], verify=None)


def test_the_answer_to_a_database_is_still_a_query(tmp_path: Path):
    import sqlite3

    sqlite3.connect(tmp_path / "x.sqlite").executescript("CREATE TABLE t (a); INSERT INTO t VALUES (7);").close()
    model = said(BLOCK, "```sql\nSELECT a FROM t\n```")
    task = Task("x?", database=str(tmp_path / "x.sqlite"))
    result = solve(task, strategy="single", model=model, tools=[ScriptedTool()], verify="sql")
    assert (result.answer, result.spend.tool_runs) == ([[7]], 2)


def test_data_is_taken_from_what_follows_the_last_output_or_hint():
    block = "Let me see.\n```python\nprint([1, 2])\n```\n"
    model = said(block, "So: [3, 4]", "Sure, [5]")
    policy = Start(rounds=1, temperature=0.0)
    result = solve(strategy=policy, model=model, tools=[ScriptedTool()], output=list[int], verify=None)
    assert [candidate.artifact for candidate in result.candidates] == [[3, 4], [5]]
    kept = solve(strategy=Start(rounds=1), model=said("[6]", "It is right."), output=list[int], verify=None)
    assert [candidate.artifact for candidate in kept.candidates] == [[6], [6]]
    begun = solve(strategy=Once(Proposal(prefix="[7")), model=said(", 8]"), output=list[int], verify=None)
    assert begun.answer == [7, 8]


# ---- tools that fail ----


def lying(what: str) -> Callable[[Sequence[str]], Any]:
    async def answer(code: Sequence[str]) -> Any:
        if what == "hangs":
            await asyncio.sleep(600)
        if what == "never ends":  # not when it is told to, nor when it is told again
            for _ in range(2):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(600)
        if what == "raises":
            raise RuntimeError("out of order")
        if what == "breaks":
            raise ToolError("the sandbox is gone")
        return {"text": "x" * 100_000_000} if what == "floods" else {1: object()}

    return answer


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("raises", "the tool python failed: RuntimeError: out of order"),
        ("breaks", "the tool python failed: the sandbox is gone"),
        ("hangs", "the tool python did not end within 0.3 s"),
        ("never ends", "the tool python did not end within 0.3 s"),
        ("floods", "the tool python gave 100,000,011 bytes: 1,048,576 are the most"),
        ("gives no data", "the tool python failed: "),
    ],
)
def test_a_tool_that_fails_is_told_of_and_found_and_the_run_goes_on(
    what: str, told: str, blocks: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(acting, "GRACE", 0.1)
    tool = ScriptedTool(lying(what), seconds=0.2)
    calls = [BLOCK, BLOCK] if blocks else [Sample("", (ToolCall("python", {"code": "x"}, f"c{i}"),)) for i in range(2)]
    model = Scripted([*calls, "It is 4."])
    start = time.monotonic()
    policy = Once(Proposal(blocks=blocks))
    result = solve(strategy=policy, model=model, tools=[tool], verify=lambda answer: 1.0, journal=True)
    assert time.monotonic() - start < 10
    assert (result.answer or "").endswith("It is 4.")
    assert result.verdict.outcome == "passed"
    assert f"2 of 2 tool runs failed: python: {told}" in result.verdict.text
    assert told in (model.requests[-1].prefix if blocks else model.requests[-1].messages[-1].text)
    assert tool.opened == [[], []]  # anew each time, without the action that broke it


def test_a_tool_that_is_not_there_is_told_of_and_found():
    model = Scripted([Sample("", (ToolCall("python", {"code": "1"}),)), "I cannot run it: 4."])
    result = solve(strategy="single", model=model, tools=[ScriptedTool(name="other")], verify=None)
    assert result.answer == "I cannot run it: 4."
    assert result.verdict.text == "1 of 1 tool runs failed: python: there is no tool 'python'; there are: other"


# ---- going on after a kill ----


class Killed(BaseException):
    """Ends a run as a kill does: nobody writes anything down."""


@pytest.mark.parametrize("dies", range(6))
def test_a_run_that_was_cut_off_goes_on_with_its_tools_state_and_pays_nothing_twice(dies: int):
    """Cut off before each model call and each tool run in turn."""
    steps = [BLOCK, BLOCK.replace("4", "5"), "It is 4."]
    at = [0]

    def step() -> None:
        at[0] += 1
        if at[0] == dies:
            raise Killed

    def reply(request: Request, seed: int) -> str:
        step()
        return steps[request.prefix.count("```output")]

    def run(code: Sequence[str]) -> Any:
        step()
        return {"text": f"run {len(code)}"}

    model, tool = Scripted(reply, capabilities=PREFIX), ScriptedTool(run)
    options: dict[str, Any] = {"strategy": "single", "model": model, "tools": [tool], "journal": True}
    easy = Scripted(lambda request, seed: steps[request.prefix.count("```output")], capabilities=PREFIX)
    expected = solve(strategy="single", model=easy, tools=[ScriptedTool()])
    try:
        result = asyncio.run(veriloop.asolve("What?", run_id="mine", **options))
    except Killed:
        at[0] = -100
        result = asyncio.run(veriloop.asolve("What?", run_id="mine", **options))
    assert (result.attempts[0].text, result.answer) == (expected.attempts[0].text, expected.answer)
    assert (result.spend.calls, result.spend.tool_runs) == (3, 2)
    assert len(model.requests) == 3 + (dies in (1, 3, 5))  # what was in flight
    assert len(tool.acted) == 2 + (dies in (2, 4))


def test_a_resumed_run_repeats_the_ids_of_its_events():
    first: list[Event] = []
    again: list[Event] = []
    tool = ScriptedTool()
    options: dict[str, Any] = {"run_id": "it", "strategy": "single", "tools": [tool], "journal": True}
    solve(model=said(BLOCK, "4"), on_event=first.append, **options)
    solve(model=said(), on_event=again.append, **options)
    assert again[-1].id == first[-1].id
    assert len(tool.acted) == 1


def test_the_fake_tool_keeps_a_tools_promises():
    calls = [ToolCall("python", {"code": "x = 1"}), ToolCall("python", {"code": "x"})]
    assert [line.outcome for line in asyncio.run(check(ScriptedTool(), calls))].count("fails") == 0


class Slow(ScriptedTool):
    """A tool that takes its time to close."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.closing = asyncio.Event()

    async def open(self, actions: Sequence[ToolCall] = ()) -> Any:
        session, tool = await super().open(actions), self

        class Closing:
            act = session.act

            async def close(self) -> None:
                tool.closing.set()
                await asyncio.sleep(0.2)
                await session.close()

        return Closing()


def test_all_tools_are_closed_also_when_a_run_is_cancelled_while_they_close():
    one, other = Slow("one"), Slow("other")
    model = said("```one\n1\n```\n", "```other\n2\n```\n", "Done.")

    async def work() -> None:
        run = asyncio.create_task(
            veriloop.asolve("What?", strategy="single", model=model, tools=[one, other], journal=False)
        )
        await one.closing.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(work())
    assert (one.closed, other.closed) == (1, 1)

"""Fenced blocks are found as they were meant, and what a tool gave cannot be taken for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.agents.fences import OUTPUT, blocks, fenced_output, in_words, open_at_end
from veriloop.core.excerpt import HEAD, TAIL, shortened

HARD = st.text(st.sampled_from("`~a \n\r\tpython{}é"), max_size=60)


def seen(text: str) -> list[tuple[str, str, bool]]:
    return [(block.tag, block.body, block.closed) for block in blocks(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no block", []),
        ("a\n```python\nx\n```\nb", [("python", "x\n", True)]),
        ("```Python title\nx\n```", [("python", "x\n", True)]),
        ("```{python}\nx\n```", [("python", "x\n", True)]),
        ("~~~py\nx\n~~~\n", [("py", "x\n", True)]),
        ("```\nx\n```\n", [("", "x\n", True)]),
        ("```python\n```\n", [("python", "", True)]),
        ("```python\r\nx\r\n```\r\nb", [("python", "x\r\n", True)]),
        ("- so:\n  ```python\n  if x:\n    y\n  ```\n", [("python", "if x:\n  y\n", True)]),
        ("```python\nx\n```  \n", [("python", "x\n", True)]),
        ("````python\n```\nx\n```\n````\n", [("python", "```\nx\n```\n", True)]),
        ("```python\nx\n~~~\n```\n", [("python", "x\n~~~\n", True)]),
        ("say `x` and ```y``` here", []),
        ("```y``` is no fence", []),
    ],
)
def test_a_block_is_what_stands_between_fences(text: str, found: list[tuple[str, str, bool]]):
    assert seen(text) == found


def test_a_fence_with_a_tag_in_a_block_opens_one_within_it():
    text = '```python\ns = """\n```json\n{}\n```\n"""\n```\nafter\n```sql\nx\n```\n'
    assert seen(text) == [("python", 's = """\n```json\n{}\n```\n"""\n', True), ("sql", "x\n", True)]


def test_only_the_last_block_may_be_open():
    assert seen("```a\nx\n```\n```python\ny") == [("a", "x\n", True), ("python", "y", False)]
    block = open_at_end("```python\ny")
    assert block is not None
    assert block.end == len("```python\ny")
    assert open_at_end("```python\ny\n```") is None


@given(HARD, HARD)
def test_blocks_are_pieces_of_the_text_in_order(text: str, more: str):
    found, at = blocks(text), 0
    for block in found:
        assert at <= block.start < block.end <= len(text)
        at = block.end
    assert [block.closed for block in found[:-1]] == [True] * (len(found) - 1)
    closed = [block.body for block in found if block.closed]
    assert [block.body for block in blocks(f"{text}\n{more}")][: len(closed)] == closed


@given(HARD, HARD, HARD)
def test_no_output_can_end_its_block_or_begin_another(before: str, said: str, after: str):
    if open_at_end(before + "\n") is not None:
        return
    shown = fenced_output(said)
    inside = blocks(f"{before}\n{shown}{after}")
    mine = next(block for block in inside if block.start == len(before) + 1)
    assert (mine.tag, mine.closed) == (OUTPUT, True)
    assert mine.body == (said.strip("\n") or "(no output)") + "\n"
    assert mine.end == len(before) + 1 + len(shown)


def test_a_long_output_keeps_its_head_and_its_tail():
    said = "h" * HEAD + "m" * 10_000_000 + "t" * TAIL
    short = shortened(said)
    assert short.startswith("h" * HEAD + "\n[… 10000000 characters left out …]\n")
    assert short.endswith("]\n" + "t" * TAIL)
    assert shortened("x" * (HEAD + TAIL)) == "x" * (HEAD + TAIL)
    assert len(fenced_output("`" * 10**6)) < 2000


def test_a_notice_stands_below_the_output():
    assert fenced_output("4\n", "That was all.") == "```output\n4\n```\nThat was all.\n"


def test_output_is_told_as_text_where_it_is_one():
    assert [in_words("4"), in_words({"text": "4", "more": 1}), in_words({"waited": 0})] == ["4", "4", '{"waited":0}']

"""Every Python snippet of the README and the guides runs, in order, one page a program."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from loopback import ChatServer
from sandboxed import TROUBLE

from veriloop.apps.bench.benchmark import KNOWN, make
from veriloop.apps.bench.course import Course, Order
from veriloop.apps.bench.stats import summary
from veriloop.apps.demo import atlas

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = {"bench.md": "factors.py"}
"""What a page says its program is called."""
TRIES = ['{"p": 13, "q": 31}', '{"p": 17, "q": 23}']


def snippets(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))


@pytest.mark.parametrize("page", [p for p in PAGES if snippets(p)], ids=lambda page: page.name)
def test_the_snippets_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    if TROUBLE and "sandbox" in snippets(page):
        pytest.skip(f"{TROUBLE} (apt install bubblewrap)")
    atlas.build(tmp_path / "atlas.sqlite")
    file = tmp_path / NAMED.get(page.name, "page_of_docs.py")
    file.write_text(snippets(page))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with ChatServer(lambda body, index: [TRIES[min(index, 1)]] * body.get("n", 1)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        runpy.run_path(str(file), run_name="__main__")
    sys.modules.pop(file.stem, None)
    if page.name == "README.md":
        assert "p=17 q=23" in capsys.readouterr().out


def test_the_benchmark_of_the_guide_is_also_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "factors.py").write_text(snippets(ROOT / "docs" / "bench.md"))
    (tmp_path / "data.jsonl").write_text('{"n": 391, "p": 17, "q": 23}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    order = Order(
        benchmark="factors:Factors",
        data=Path("data.jsonl"),
        out=Path("out"),
        strategies=["best_of_n"],
        models={"proposer": "openai:test"},
    )
    with ChatServer(lambda body, index: [TRIES[1]] * body.get("n", 1)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        course = Course(order)
        assert not server.requests, "naming it has run the script"
        asyncio.run(course.run())
    del sys.modules["factors"]
    assert summary(Path("out"))[0]["accuracy"]["both"]["value"] == 1.0
    (row,) = map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines())
    assert row["candidates"][0]["findings"][0]["message"] == "17 x 23 is 391"


def test_the_guide_names_every_benchmark_with_its_verifier_and_metrics():
    page = (ROOT / "docs" / "bench.md").read_text()
    for name in KNOWN:
        benchmark = make(name)
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        metrics = ", ".join(f"`{metric}`" for metric in benchmark.metrics)
        assert row.endswith(f"| `{benchmark.verify}` | {metrics} |")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"

"""Every Python snippet of the README and the guides runs, in order, one page a program."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
from loopback import ChatServer

from veriloop.apps.demo import atlas

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TRIES = ['{"p": 13, "q": 31}', '{"p": 17, "q": 23}']


def snippets(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))


@pytest.mark.parametrize("page", [p for p in PAGES if snippets(p)], ids=lambda page: page.name)
def test_the_snippets_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    atlas.build(tmp_path / "atlas.sqlite")
    (tmp_path / "page_of_docs.py").write_text(snippets(page))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with ChatServer(lambda body, index: [TRIES[min(index, 1)]] * body.get("n", 1)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        importlib.import_module("page_of_docs")
    del sys.modules["page_of_docs"]
    if page.name == "README.md":
        assert "p=17 q=23" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"

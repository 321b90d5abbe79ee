"""The report: one file, everything in it said, nothing from outside runs, and a browser shows it without complaint."""

from __future__ import annotations

import gzip
import html
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import browser
import pytest
from bench_made import ABLATED, ARMS, Arm, Made

from veriloop import Task
from veriloop.apps.bench import plots, report, shown, stats
from veriloop.apps.bench.benchmark import Item
from veriloop.apps.bench.measured import measured
from veriloop.apps.bench.plan import write_gold
from veriloop.core.errors import UsageError

HOSTILE = (
    "</script><img src=x onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\"> ${1} {{ 7 * 7 }}"
)
TUNING: dict[str, Any] = {
    "tasks": 6,
    "metric": "spider",
    "temperatures": [0.3, 0.7],
    "arms": [
        {
            "label": "iad · sql+judge",
            "tried": [{"temperature": 0.3, "right": 0.5}, {"temperature": 0.7, "right": 0.75}],
            "chosen": 0.7,
        }
    ],
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run with everything in it, one question hostile."""
    made = Made([*ARMS, *ABLATED], tasks=12, questions={3: HOSTILE}, plan={"tuning": TUNING})
    return made.write(tmp_path / "out")


def unpacked(page: str) -> list[Any]:
    """The data that a page holds."""
    found = re.search(r'id="viewer-data">([A-Za-z0-9+/=]+)</script>', page)
    assert found
    return [json.loads(line) for line in gzip.decompress(b64decode(found[1])).decode().split("\n")]


class Tags(HTMLParser):
    """The names of all elements of a page, and of all their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def words(page: str) -> str:
    """What a reader sees: no markup, no scripts, no styles."""
    text = re.sub(r"<(script|style|svg).*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_a_report_says_what_was_run_and_how(out: Path):
    assert report.write(out) == out / "report.html"
    said = words((out / "report.html").read_text())
    command = "veriloop bench text2sql --data data/text2sql_made_up --strategies single,best_of_n,self_refine,iad"
    assert f"{command} --verify sql+judge,oracle --proposals 8 --seeds 3" in said
    for part in ("9 arms on 12 tasks", "Mechanism check", "embedded:sql", "0123456789abcdef", "used for scoring only"):
        assert part in said
    for heading in ("In short", "Differences", "Accuracy against cost", "How many samples are worth it", "Ablations"):
        assert heading in said
    assert "arXiv 2504.01931" in said
    assert "Temperatures" in said
    assert "50.0 75.0 0.7" in said
    assert "At the edge of the temperatures tried, so that a better one may lie beyond: iad · sql+judge." in said
    assert "cut off at the tokens that best_of_n spent there on all its samples" in said
    assert "One sample’s accuracy is told in more than one way" in said


def test_coverage_against_accuracy_is_drawn_where_p_was_learnt(tmp_path: Path):
    half = {"answers": 20, "unscored": 0.5, "knots": [[0.0, 0.0], [1.0, 1.0]]}
    tuning = {**TUNING, "calibrators": {arm.label: half for arm in (*ARMS, *ABLATED)}}
    made = Made([*ARMS, *ABLATED], tasks=12, plan={"tuning": tuning, "abstain_below": 0.7})
    run = measured(made.write(tmp_path / "out"))
    page = report.page(run)
    section = page[page.index('<section id="abstain">') : page.index('<section id="ablations">')]
    said = words(section)
    assert "hold back what is below 0.7" in said
    assert section.count("<svg") == 1
    assert [arm.label for arm in run.arms if f'<th scope="col">{arm.label}<' in section] == [
        "best_of_n · sql+judge", "iad · sql+judge"
    ]  # fmt: skip
    best = next(arm for arm in stats.summary(run) if arm["label"] == "best_of_n · sql+judge")["accuracy"]["spider"]
    answered = 11 / 12  # one task is broken
    assert f"all answers {100 * best['value'] / answered:.1f} ({100 * answered:.1f})" in said
    assert 'href="#abstain"' in page
    assert 'id="abstain"' not in report.page(measured(Made(tasks=3, plan={"tuning": TUNING}).write(tmp_path / "no")))


def test_an_oracle_that_judges_by_another_metric_says_so(tmp_path: Path):
    for metrics, said in ((["bird", "spider"], True), (["spider", "bird"], False)):
        plan = {"metrics": metrics, "oracle_metric": "spider"}
        page = report.page(measured(Made(tasks=3, plan=plan).write(tmp_path / metrics[0])))
        assert ("The oracle judges by spider: by bird it is no ceiling." in words(page)) is said


def test_oracle_is_marked_wherever_it_occurs(out: Path):
    page = report.page(measured(out))
    for row in re.findall(r'<th scope="row">.*?</th>', page, re.S) + re.findall(r"<h3>.*?</h3>", page, re.S):
        if "· oracle" in row:
            assert 'class="chip oracle"' in row, row
    assert "Told by an oracle: ceilings, no methods" in page
    assert page.count("accuracy over proposals (oracle)") == 2  # the plot and its label


def test_a_model_of_others_is_no_mechanism_check(tmp_path: Path):
    made = Made(tasks=3, plan={"mechanism_check": False})
    assert "Mechanism check" not in report.page(measured(made.write(tmp_path / "out")))


def test_the_same_run_gives_the_same_bytes(out: Path):
    assert report.page(measured(out)) == report.page(measured(out))


def test_nothing_outside_is_asked_for_and_only_our_scripts_run(out: Path):
    page = report.page(measured(out))
    assert not re.search(
        r"""(?:src|href)=["'](?!#|https?://www\.w3\.org)""", re.sub(r"<script.*?</script>", "", page, flags=re.S)
    )
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert policy[1].count("sha256-") == page.count("<script>") == 2


def test_hostile_text_is_data_and_stays_whole(out: Path):
    page = report.page(measured(out))
    assert HOSTILE not in page
    assert page.count("</script>") == 3
    assert [task["question"] for task in unpacked(page)[0]["tasks"]][3] == HOSTILE


def test_hostile_names_are_escaped(tmp_path: Path):
    arms = [Arm(f"best_of_n <b>{HOSTILE}", verify="sql<i>")]
    plan = {"benchmark": HOSTILE, "models": {"proposer": HOSTILE}, "commit": HOSTILE}
    page = report.page(measured(Made(arms, tasks=3, plan=plan).write(tmp_path / "out")))
    tags = Tags()
    tags.feed(page)
    assert "img" not in tags.names
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert page.count("</script>") == 3


def test_the_right_answers_stand_beside_the_tasks_and_can_be_missing(out: Path):
    first = unpacked(report.write(out).read_text())[0]["tasks"]
    golds = ["SELECT 1", [HOSTILE, "SELECT 2"]]
    write_gold(out, [Item(task["id"], Task("Who?"), gold) for task, gold in zip(first, golds, strict=False)])
    page = report.write(out).read_text()
    assert HOSTILE not in page
    assert [task["gold"] for task in unpacked(page)[0]["tasks"]][:3] == [["SELECT 1"], [HOSTILE, "SELECT 2"], []]
    assert not any(task["gold"] for task in first)


def test_every_candidate_is_in_the_page(out: Path):
    index, *tasks = unpacked(report.page(measured(out)))
    rows = measured(out).rows
    assert len(tasks) == len(index["tasks"]) == 12
    assert sum(len(cell["candidates"]) for task in tasks for cell in task) == sum(len(r["candidates"]) for r in rows)
    assert index["tasks"][11]["errors"] == 27  # the broken task, in every arm and seed
    one = tasks[0][0]["candidates"][0]
    assert {"id", "answer", "outcome", "score", "findings", "right", "tokens_in", "verifying"} <= set(one)


def test_without_matplotlib_the_page_says_how_to_get_its_plots(out: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plots, "installed", lambda: False)
    page = report.page(measured(out))
    assert "<svg" not in page
    assert "Install veriloop[bench]" in words(page)


def test_a_run_cut_short_says_so(tmp_path: Path):
    out = Made(tasks=6).write(tmp_path / "out")
    lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
    (out / "results.jsonl").write_text("".join(lines[:40]))
    assert "Not finished: 40 of 108 cells have ended." in words(report.page(measured(out)))


def test_a_single_arm_without_verifier_has_a_report_too(tmp_path: Path):
    page = report.page(measured(Made([ARMS[0]], tasks=2, seeds=1).write(tmp_path / "out")))
    assert "Differences" not in words(page)
    with pytest.raises(UsageError, match="holds no benchmark run"):
        report.write(tmp_path)


def test_names_are_as_short_as_this_run_allows(tmp_path: Path):
    kinds = [(verify, change) for verify in ("sql", "oracle") for change in ("", " shuffled")]
    long = [Arm(f"iad:rounds=8:width=1{change} · {verify}", "iad", verify, change.strip()) for verify, change in kinds]
    plan = {"tuning": {**TUNING, "arms": [{**TUNING["arms"][0], "label": "iad:rounds=8:width=1 · sql"}]}}
    run = measured(Made([Arm("best_of_n · sql"), *long], tasks=2, plan=plan).write(tmp_path / "one"))
    assert list(shown.short(run.arms).values()) == [
        "best_of_n · sql", "iad · sql", "iad shuffled · sql", "iad · oracle", "iad shuffled · oracle"
    ]  # fmt: skip
    said = words(report.page(run))
    assert said.count("rounds=8 width=1") == 1
    assert "iad:rounds" not in said
    two = [Arm("iad:rounds=8:width=1", "iad"), Arm("iad:rounds=4:width=1", "iad"), Arm("iad", "iad")]
    names = shown.short(measured(Made(two, tasks=2).write(tmp_path / "two")).arms)
    assert list(names.values()) == ["iad rounds=8 width=1", "iad rounds=4 width=1", "iad"]
    assert list(shown.short(measured(Made(two[:2], tasks=2).write(tmp_path / "both")).arms).values()) == [
        "iad rounds=8", "iad rounds=4"
    ]  # fmt: skip


def test_a_run_of_single_samples_has_no_empty_chart(tmp_path: Path):
    late = Made([ARMS[0]], tasks=4, seeds=1, broken=4).write(tmp_path / "out")
    page = report.page(measured(late))
    assert "accuracy over total tokens" not in page


def test_searches_over_steps_are_compared_at_equal_tokens_alone(tmp_path: Path):
    out = Made([ARMS[1], Arm("beam · sql+judge", "beam", stops=True)], tasks=6).write(tmp_path / "out")
    assert "at equal proposals" in words(report.write(out).read_text())
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    for row in rows:
        for candidate in row["candidates"][:-1] if row["strategy"] == "beam" else []:
            candidate["partial"] = True
    (out / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = words(report.write(out).read_text())
    assert "at equal proposals" not in page
    assert "Searches over steps are compared at equal tokens only" in page
    assert "Searches over steps are drawn over tokens only" in page


def test_an_arm_keeps_its_strategys_colour(tmp_path: Path):
    arms = measured(
        Made([*ABLATED, *ARMS, Arm("iad:rounds=2 · sql", "iad", "sql")], tasks=2).write(tmp_path / "o")
    ).arms
    found = shown.colours(arms)
    assert found["best_of_n · oracle"] == found["best_of_n · sql+judge"] == shown.FIXED["best_of_n"]
    assert found["iad · oracle"] == found["iad · sql+judge"] == shown.FIXED["iad"]
    heads = {shown.head_of(label): colour for label, colour in found.items()}
    assert len(set(heads.values())) == len(heads)


def test_numbers_as_a_reader_wants_them():
    assert shown.points(-0.0612) == "−6.1"
    assert shown.points(0.0) == shown.percent(-1e-9) == "0.0"
    assert shown.span({"low": -0.1, "high": 0.004}, of_points=True) == "−10.0 to +0.4"
    assert shown.span({"low": 0.1, "high": 0.2}) == "10.0–20.0"
    assert shown.side({"low": 0.01, "high": 0.2}) == "above"
    assert shown.chance(0.00004) == "< 0.001"
    assert [shown.amount(x) for x in (0.98, 7, 12.34, 1234.5, None)] == ["0.98", "7", "12.3", "1,234", "–"]
    axis = shown.Axis.of([{"low": -0.012, "high": 0.034}], (3, 10))
    assert (axis.low, axis.high) == (-2, 10)
    assert axis.at(0) == pytest.approx(100 * 2 / 12, abs=0.01)


@pytest.mark.slow
def test_a_large_run_stays_below_eight_megabytes(tmp_path: Path):
    arms = [Arm(f"best_of_n · v{i}", verify=f"v{i}") for i in range(4)]
    path = report.write(Made(arms, tasks=595).write(tmp_path / "out"))
    assert path.stat().st_size < 8e6


@pytest.mark.slow
@pytest.mark.skipif(browser.found() is None, reason="chromium is not installed (apt-get install chromium)")
def test_a_browser_shows_it(out: Path, tmp_path: Path):
    path = report.write(out)
    with browser.browser(tmp_path) as page:
        for width, dark in ((1280, False), (390, False), (390, True)):
            page.open(path, width, dark)
            page.wait("document.querySelector('.v-column')")
            assert page.run("document.documentElement.scrollWidth") == width  # nothing scrolls sideways
        assert page.run("document.querySelectorAll('.v-item').length") == 12
        page.run("document.querySelectorAll('.v-item')[3].click()")
        assert page.run("document.querySelector('.v-task h3').textContent") == HOSTILE
        assert page.run("document.title") == "text2sql · veriloop bench"
        assert page.run("document.querySelectorAll('img, .viewer svg').length") == 0
        assert page.run("document.documentElement.scrollWidth") == 390
        assert page.run("location.hash") == "#task=made_0003"
        filtered(page)
        assert page.run("VeriloopViewer.changes('SELECT a FROM t', 'SELECT a, b FROM t')") == [
            ["same", "SELECT a"], ["ins", ", b"], ["same", " FROM t"],
        ]  # fmt: skip
        steps = "{id: 'a', parents: [], answer: 'x'}, {id: 'b', parents: [], answer: 'y'}"
        more = "{id: 'c', parents: ['a'], answer: 'x z'}"
        grown = f"VeriloopViewer.grown([{steps}, {more}]).map(([depth, c]) => [depth, c.id])"
        assert page.run(grown) == [[0, "a"], [1, "c"], [0, "b"]]
        assert page.run("VeriloopViewer.alike(['do\\nthis\\n1 2', 'do\\nthis\\n3 4'])") == 2
        assert page.run("VeriloopViewer.alike(['do\\nthis'])") == 0
        page.open(path, 1280)
        page.wait("document.querySelector('.v-column')")
        four = page.run("[...document.querySelectorAll('.v-column')].map((c) => c.getBoundingClientRect().right)")
        assert len(four) == 4
        assert max(four) <= page.run("document.querySelector('.v-task').getBoundingClientRect().right")
        page.run("[...document.querySelectorAll('.v-arm')].find((a) => a.textContent.includes('shuffled')).click()")
        assert page.run("document.querySelector('.v-anothers').textContent") == "another task's words"
        assert "scroll sideways" in page.run("document.querySelector('.v-cut').textContent")
        page.run("location.hash = '#task=made_0007'")
        page.wait("Math.abs(document.querySelector('#viewer').getBoundingClientRect().top) < 40")
        assert page.errors == []


def filtered(page: browser.Page) -> None:
    """The list follows search, filter and the arms shown."""

    def enter(what: str, value: str, event: str) -> None:
        found = f"document.querySelector('.v-tools {what}')"
        page.run(f"{found}.value = {json.dumps(value)}; {found}.dispatchEvent(new Event('{event}'))")

    def count(what: str) -> int:
        return page.run(f"document.querySelectorAll('.{what}').length")

    enter("select", "errors", "change")
    assert count("v-item") == 1
    page.run("document.querySelector('.v-item').click()")
    assert "cannot be opened" in page.run("document.querySelector('.v-error').textContent")
    enter("select", "all", "change")
    enter("input", "CAPITAL made_0005", "input")
    assert count("v-item") == 1
    assert page.run("getComputedStyle(document.querySelector('.v-more')).display") == "none"
    enter("input", "nobody asked this", "input")
    assert page.run("document.querySelector('.v-count').textContent") == "No task matches, of 12."
    enter("input", "CAPITAL made_0005", "input")
    columns = count("v-column")
    page.run("document.querySelector('.v-arm input:not(:checked)').click()")
    assert count("v-column") == columns + 1

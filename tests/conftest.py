"""Every test has a data folder of its own and no settings from outside; in CI a skip is a failure."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from veriloop.graphs.record import journal_in

NO_DATA = "no benchmark data"
"""What a skip may say in CI too: the data are not in the repository, for their licences."""


OPTIONAL = "optional: "
"""How the reason begins of a skip that CI may have: what a machine may lack though veriloop holds there."""


# In CI the same examples each time, however slow the machine; elsewhere others at every run.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of this test; its journal is closed afterwards."""
    for name in [
        n for n in os.environ if n.startswith(("VERILOOP_", "OPENAI_", "ANTHROPIC_", "LANGSMITH_", "LANGCHAIN_"))
    ]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("VERILOOP_HOME", str(folder))
    yield folder
    journal_in(folder).close()
    journal_in.cache_clear()


def pytest_configure() -> None:
    """A shell without job control has its background jobs ignore SIGINT, and so would the processes that tests stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests run in CI, and where they are asked for (``-m slow``)."""
    if not os.environ.get("CI") and not config.getoption("-m"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a CI run that skipped anything."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    skipped = [r for r in skipped if NO_DATA not in str(r.longrepr) and OPTIONAL not in str(r.longrepr)]
    if os.environ.get("CI") and skipped and exitstatus == 0:
        reporter.write_line(f"{len(skipped)} skipped: in CI a skip is a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

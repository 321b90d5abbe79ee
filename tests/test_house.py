"""The house is as its plan says: rooms, imports, packaging, a light import."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
ROOMS = ["core", "models", "tools", "memory", "agents", "verifiers", "graphs", "apps"]
ABOVE = {
    "core": set(),
    "models": {"core"},
    "tools": {"core"},
    "memory": {"core", "models"},
    "agents": {"core", "models"},
    "verifiers": {"core", "models", "tools", "agents"},
    "graphs": {"core", "models", "tools", "memory", "agents", "verifiers"},
}
HEAVY = ["langgraph", "openai", "anthropic", "torch", "transformers", "sqlalchemy", "gradio", "pydantic", "numpy"]


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_every_package_of_the_tree_is_in_the_wheel():
    found = {"veriloop"}
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            found.add(".".join(("veriloop", *init.parent.relative_to(ROOT).parts)))
    assert found == set(BUILD["packages"])


def test_every_file_a_package_needs_is_in_the_wheel():
    patterns = BUILD["package-data"]
    for room in ROOMS:
        for file in (ROOT / room).rglob("*"):
            if file.is_dir() or file.suffix in (".py", ".pyc"):
                continue
            owner = file.parent
            while not (owner / "__init__.py").exists():
                owner = owner.parent
            package = ".".join(("veriloop", *owner.relative_to(ROOT).parts))
            name = str(file.relative_to(owner))
            assert any(fnmatch(name, pattern) for pattern in patterns.get(package, [])), f"{package} misses {name}"


@pytest.mark.parametrize("room", ABOVE)
def test_a_room_imports_only_rooms_above_it_and_relatively(room: str):
    for file in sources(room):
        depth = len(file.relative_to(ROOT).parts) - 1
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                level = node.level if isinstance(node, ast.ImportFrom) else 0
                assert level or not any(n.split(".")[0] == "veriloop" for n in names), f"{file}: import relatively"
                if level > depth:
                    target = names[0].split(".")[0]
                    assert target in ABOVE[room] | {room}, f"{file} imports {target}"


def test_only_graphs_imports_langgraph():
    for room in ROOMS:
        for file in sources(room) if room != "graphs" else []:
            assert "langgraph" not in file.read_text().replace("LangGraph", ""), file


@pytest.mark.parametrize("folder", ["apps", "tests"])
def test_apps_and_tests_import_the_package_by_name(folder: str):
    for file in sources(folder):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{file}: import veriloop.…"


def fastest(command: list[str], times: int = 5) -> float:
    found: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - started)
    return min(found)


def test_importing_veriloop_is_light():
    code = f"import sys, veriloop; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"
    bare = fastest([sys.executable, "-c", "pass"])
    assert fastest([sys.executable, "-c", "import veriloop"]) - bare <= 0.25


def test_help_is_quick():
    bare = "import typer; app = typer.Typer(); app.command()(lambda: None); app()"  # most of it is typer's own help
    least = fastest([sys.executable, "-c", bare, "--help"])
    assert fastest([sys.executable, "-m", "veriloop.apps.cli", "--help"]) - least <= 0.25


def test_a_version_that_is_released_is_in_the_changelog():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_runs_the_demo_in_an_empty_environment(tmp_path: Path):
    python = tmp_path / "venv" / "bin" / "python"
    env = {"PATH": os.environ["PATH"], "VERILOOP_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    env |= {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "http", "HTTP"))}

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT)  # the wheel is built from the sdist
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    wheel = next((tmp_path / "dist").glob("*.whl"))
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    assert "no network used" in " ".join(run(tmp_path / "venv" / "bin" / "veriloop", "demo").split())
    bare = f"import importlib.util as u; print([n for n in {[*ROOMS, 'tests', 'scripts']} if u.find_spec(n)])"
    assert run(python, "-c", bare).strip() == "[]"
    assert run(python, "-c", "import importlib.util as u; print(u.find_spec('torch'))").strip() == "None"

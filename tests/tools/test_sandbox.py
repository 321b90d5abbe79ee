"""The sandboxes: bubblewrap keeps every promise, none at all is a line with a hint, and the suite sees what leaks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sandboxed import needs_bubblewrap, stand_in

from veriloop.core.errors import ToolError, UsageError
from veriloop.tools.sandbox import PYTHON, Bounds, UnsafeLocal, sandbox
from veriloop.tools.sandbox.bait import alive
from veriloop.tools.sandbox.bubblewrap import Bubblewrap
from veriloop.tools.sandbox.conformance import check
from veriloop.tools.sandbox.docker import Docker
from veriloop.tools.sandbox.output import Kept, Split, returned
from veriloop.tools.sandbox.seccomp import program

CLI = [sys.executable, "-m", "veriloop.apps.cli"]
NO_DAEMON = Docker().trouble()


@needs_bubblewrap
def test_bubblewrap_keeps_every_promise():
    found = asyncio.run(check(sandbox(name="bubblewrap")))
    assert [line for line in found if line.outcome != "works"] == []
    assert len(found) >= 90


@needs_bubblewrap
@pytest.mark.slow
def test_the_doctor_names_the_backend_and_proves_it():
    done = subprocess.run([*CLI, "sandbox", "doctor", "--json"], capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert (done.returncode, said["sandbox"], said["holds"]) == (0, "bubblewrap", True)
    assert {"tcp", "fork bomb", "environment"} <= {line["name"] for line in said["checks"]}


def test_without_any_sandbox_code_is_refused_with_the_hint(tmp_path: Path):
    hidden = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run([*CLI, "sandbox", "doctor"], capture_output=True, text=True, env=hidden)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "bubblewrap is not installed" in done.stderr
    if sys.platform == "linux":
        assert "apt install bubblewrap" in done.stderr
    assert "--unsafe-local" in done.stderr
    assert "doctor" not in done.stderr, "that is what was asked"


def test_without_docker_it_is_docker_that_is_to_be_set_up(tmp_path: Path):
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect. Is the docker daemon running?' >&2; exit 1\n")
    docker.chmod(0o755)
    hidden = {**os.environ, "PATH": str(tmp_path)}
    asked = [*CLI, "sandbox", "doctor", "--sandbox", "docker"]
    done = subprocess.run(asked, capture_output=True, text=True, env=hidden)
    assert done.returncode == 2
    assert "Is the docker daemon running? To mend it, set up Docker, or let it run" in done.stderr
    assert "bubblewrap" not in done.stderr


def test_an_unknown_sandbox_is_refused():
    with pytest.raises(UsageError, match="did you mean 'docker'"):
        sandbox(name="dokcer")


def test_a_bubblewrap_that_does_not_hold_is_not_used(tmp_path: Path):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text('#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done; shift\nexec "$@"\n')
    bwrap.chmod(0o755)
    assert "does not hold" in Bubblewrap(str(bwrap)).trouble()
    bwrap.write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2; exit 1\n")
    assert "No permissions" in Bubblewrap(str(bwrap)).trouble()


def test_a_sandbox_that_breaks_is_not_the_codes_fault():
    with pytest.raises(ToolError, match="the sandbox failed"):
        asyncio.run(Bubblewrap("false").run(["true"]))
    with pytest.raises(ToolError, match="cannot start"):
        asyncio.run(Bubblewrap("/no/such/bwrap").run(["true"]))
    with pytest.raises(ToolError, match="the sandbox failed"):
        asyncio.run(Docker("any", "false").run(["true"]))


SOMEBODY: Any = {} if os.geteuid() else {"user": 65533, "group": 65533, "extra_groups": ()}


def ordinary() -> str:
    """An interpreter that is new enough and that an ordinary user can run; empty where there is none."""
    new = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            if not subprocess.run([python, "-c", new], cwd="/", env={}, capture_output=True, **SOMEBODY).returncode:
                return python
    return ""


@needs_bubblewrap
@needs_bubblewrap
def test_python_may_lie_in_the_hosts_tmp():
    """A checkout there is nothing unusual; the sandbox has a /tmp of its own."""
    packages = [path for path in sys.path if path.endswith("site-packages")]
    code = f"import site; [site.addsitedir(p) for p in {packages!r}]\nimport veriloop.tools.sandbox.bubblewrap as it"
    with TemporaryDirectory(dir="/tmp") as folder:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        asked = [f"{folder}/bin/python", "-c", f"{code}\nprint(site.PREFIXES[0], it.Bubblewrap().trouble() or 'holds')"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [os.path.realpath(folder), "holds"]


@pytest.mark.skipif(not ordinary(), reason="optional: no Python 3.11 that an ordinary user can run")
def test_bubblewrap_holds_for_an_ordinary_user():
    code = "import os; print(os.getuid(), 'NoNewPrivs:\\t1' in open('/proc/self/status').read())"
    script = (
        "import asyncio; from veriloop.tools.sandbox import *\n"
        f"print(asyncio.run(sandbox(name='bubblewrap').run([PYTHON, '-c', {code!r}])))"
    )
    with TemporaryDirectory() as folder:
        unneeded = shutil.ignore_patterns(".*", "__pycache__", "docs", "out", "scripts", "tests", "*.safetensors")
        shutil.copytree(
            Path(__file__).parents[2], f"{folder}/veriloop", ignore=unneeded
        )  # perhaps only root may go there
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        env = {"PYTHONPATH": folder, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([ordinary(), "-c", script], env=env, capture_output=True, text=True, cwd="/", **SOMEBODY)
    assert "65534 True" in done.stdout, done.stderr


@needs_bubblewrap
@pytest.mark.parametrize("late", [0.0, 0.002, 0.004, 0.008, 0.016, 0.3])
def test_a_killed_veriloop_takes_its_sandboxes_with_it(late: float):
    """However early it is killed: bwrap itself asks to die with its parent only after it has started."""
    mark = f"mark-{os.urandom(6).hex()}"
    script = (
        "import asyncio; from veriloop.tools.sandbox.bubblewrap import *\n"
        f"asyncio.run(Bubblewrap().run([PYTHON, '-c', 'import time; time.sleep(60)', '{mark}']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    while not alive(f"time.sleep(60)\0{mark}"):
        pass
    time.sleep(late)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(100):
        if not alive(mark):
            break
        time.sleep(0.02)
    assert alive(mark) == []


@pytest.mark.slow
def test_the_suite_sees_what_does_not_hold():
    found = {line.name: line.outcome for line in asyncio.run(check(UnsafeLocal()))}
    broken = {name for name, outcome in found.items() if outcome == "fails"}
    assert broken >= {"loopback of the host", "home and temporary files", "command lines of the host"}
    assert broken >= {"signals to all", "time of children"}
    assert not broken & {"exit status", "input", "huge output", "files out", "frames", "environment"}


def test_dockers_command_line_takes_everything_away():
    command = Docker("image").command("name", Bounds(processes=7, memory=1 << 20, disk_bytes=1 << 20), b"m")
    line = " ".join(command[: command.index("image")])
    for part in ("--network none", "--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--rm"):
        assert part in line
    for part in ("--pids-limit 8", "--memory 3145728", "--memory-swap 3145728", "size=1048576", "--pull never"):
        assert part in line
    assert "--user 65534:65534" in line
    assert str(Path.home()) not in line.replace("HOME=", "")


def test_the_program_inside_a_container_does_what_it_is_told(tmp_path: Path):
    """With a stand-in for the docker client, which runs the container's program right here."""
    box = Docker("image", stand_in(tmp_path), str(tmp_path / "work"))

    async def tried() -> None:
        code = "import sys; print(open('a/b').read(), sys.stdin.read()); open('c', 'w').write('made'); sys.exit(3)"
        done = await box.run([PYTHON, "-c", code], files={"a/b": "given"}, stdin=b"said", wanted=["c"])
        assert (done.status, done.stdout, done.stderr) == (3, b"given said\n", b"")
        assert done.files == {"c": b"made"}
        assert (await box.run(["no-such-command"])).status == 127
        talk = await box.start([PYTHON, "-c", "import os; print('x', flush=True); os.write(3, b'\\0\\0\\0\\1y')"])
        assert await talk.receive(10) == b"y"
        assert (await talk.close()).stdout == b"x\n"

    asyncio.run(tried())
    assert "rm --force veriloop-" in (tmp_path / "log").read_text()


@pytest.mark.skipif(bool(NO_DAEMON), reason=f"optional: {NO_DAEMON}")
def test_docker_keeps_every_promise():
    found = asyncio.run(check(Docker()))
    assert [line for line in found if line.outcome != "works"] == []


def test_of_too_much_output_the_head_and_the_tail_are_kept():
    kept = Kept(10)
    for piece in (b"abc", b"defgh", b"x" * 200_000, b"12345"):
        kept.add(piece)
    assert kept.bytes() == b"abcde\n[... 200003 bytes left out ...]\n12345"
    whole = Kept(10)
    whole.add(b"abcdefghij")
    assert (whole.bytes(), whole.cut) == (b"abcdefghij", False)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_a_stream_is_split_at_its_mark_wherever_it_is_cut(step: int):
    data = b"before MARMARK" + b"after"
    split = Split(100, b"MARK", 100)
    for start in range(0, len(data), step):
        split.add(data[start : start + step])
    assert (split.bytes(), split.rest()) == (b"before MAR", b"after")


def test_files_of_a_stranger_have_plain_names():
    def frames(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    data = frames(
        b"a.txt", b"1", b"../b.txt", b"2", b"/c.txt", b"3", b"d/../e.txt", b"4", b"f.py", b"5", b"\xff.txt", b"6"
    )
    assert returned(data, ["*.txt"], 100) == {"a.txt": b"1"}
    assert returned(data[:-4] + b"\xff", ["*.py"], 100) == {"f.py": b"5"}
    assert returned(frames(b"a", b"123456"), ["*"], 5) == {}


def test_the_filter_is_made_for_the_machines_that_it_knows():
    assert len(program("x86_64")) % 8 == 0
    assert program("x86_64") != program("aarch64")
    assert program("pdp11") == b""

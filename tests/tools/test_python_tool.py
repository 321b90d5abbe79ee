"""The tool ``python``: a notebook in a sandbox. Its state survives what kills its interpreter, its word is data."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sandboxed import needs_bubblewrap, stand_in

from veriloop.core.errors import ToolError, UsageError
from veriloop.core.excerpt import HEAD, TAIL, shortened
from veriloop.core.messages import ToolCall
from veriloop.core.search import ToolRun
from veriloop.core.wire import dumps
from veriloop.graphs.acting import LARGEST
from veriloop.tools.conformance import check
from veriloop.tools.python import PythonTool
from veriloop.tools.python.reply import MOST, MOST_BYTES, MOST_TABLE, read
from veriloop.tools.sandbox import UnsafeLocal
from veriloop.tools.sandbox.bubblewrap import Bubblewrap
from veriloop.tools.sandbox.docker import Docker

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def call(code: Any) -> ToolCall:
    return ToolCall("python", {"code": code})


def ran(*codes: str, tool: PythonTool | None = None, before: Sequence[str] = ()) -> list[ToolRun]:
    async def work() -> list[ToolRun]:
        session = await (tool or PythonTool()).open([call(code) for code in before])
        try:
            return [await session.act(call(code)) for code in codes]
        finally:
            await session.close()

    return asyncio.run(work())


def texts(*codes: str, **given: Any) -> list[str]:
    return [run.error or run.output["text"] for run in ran(*codes, **given)]


@needs_bubblewrap
def test_it_is_a_tool():
    calls = [call("total = 1"), call("total += 1\ntotal"), call("print(total * 2)")]
    found = asyncio.run(check(PythonTool(), calls))
    assert [line for line in found if line.outcome != "works"] == []


@needs_bubblewrap
def test_it_shows_what_a_notebook_shows():
    assert texts("x = 3\nprint('hi')\nx * 2", "x;", "None", "import os; _ = os.system('echo from a program')") == [
        "hi\n6",
        "",
        "",
        "from a program\n",
    ]
    assert texts("import sys; sys.stdout.buffer.write(b'\\xff\\n'); print('e', file=sys.stderr)\n''") == ["�\ne\n''"]


@needs_bubblewrap
def test_a_traceback_has_the_frames_of_the_blocks_alone():
    (first, second) = ran(
        "def f(n):\n    return 1 / n", "import json\ntry:\n    f(0)\nexcept Exception:\n    json.loads('{')"
    )
    assert first.error == ""
    assert "ZeroDivisionError" in second.error
    assert "JSONDecodeError" in second.error
    assert '"<block 1>", line 2, in f' in second.error
    assert 'File "/' not in second.error
    assert second.output == {"text": second.error}
    assert "SyntaxError" in texts("x = (")[0]


@needs_bubblewrap
def test_long_output_is_cut_to_its_head_and_its_tail():
    (text,) = texts("print('a' * 50_000 + 'b' * 50_000)")
    assert text == "a" * HEAD + "\n[… 99201 characters left out …]\n" + "b" * (TAIL - 1) + "\n"
    assert shortened(text) == text
    (text,) = texts("import os; _ = os.system('yes | head -c 3000000')")
    assert len(text) < 900


@needs_bubblewrap
def test_what_prints_100_megabytes_is_cut_and_goes_on():
    (run,) = ran("for _ in range(1000): print('x' * 100_000)\n'done'")
    assert run.output["text"].endswith("'done'")
    assert len(run.output["text"]) < 900


@needs_bubblewrap
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("x = 2\nwhile True: pass", "longer than 1 s"),
        ("x = 2\nimport os; os._exit(4)", "exit status 4"),
        ("x = 2\nimport ctypes; ctypes.string_at(0)", "exit status 139"),
    ],
)
def test_a_block_that_kills_the_interpreter_leaves_the_state_before_it(code: str, why: str):
    before, dead, after = ran("x = 1", code, "x", tool=PythonTool(block_seconds=1.0))
    assert (before.error, dead.output, dead.broken) == ("", None, True)
    assert why in dead.error
    assert after.output == {"text": "1"}


@needs_bubblewrap
def test_a_session_is_rebuilt_from_its_blocks():
    assert texts("x, y", before=["x = 1", "y = x + 1\n1 / 0", "y += 1"]) == ["(1, 3)"]
    assert texts("x", before=["x = 1", "import os; os._exit(1)", "x += 1"]) == ["2"]


@needs_bubblewrap
def test_a_cancelled_block_is_not_at_work_any_more():
    async def work() -> ToolRun:
        session = await PythonTool().open()
        await session.act(call("x = 1"))
        task = asyncio.create_task(session.act(call("import time; x = 2; time.sleep(60)")))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task])
        try:
            return await session.act(call("x"))
        finally:
            await session.close()

    assert asyncio.run(work()).output == {"text": "1"}


@needs_bubblewrap
def test_pictures_files_and_tables_come_back():
    plot = "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\nopen('a.csv', 'w').write('1,2');"
    frame = "import pandas as pd\npd.DataFrame({'a': [1.5, float('nan')], 'b': ['x', None]})"
    first, second, third = ran(plot, "open('big.bin', 'wb').write(bytes(1 << 20));", frame)
    csv, figure = first.output["artifacts"]
    assert (csv["name"], csv["media_type"], base64.b64decode(csv["data"])) == ("a.csv", "text/csv", b"1,2")
    assert figure["media_type"] == "image/png"
    assert base64.b64decode(figure["data"]).startswith(b"\x89PNG")
    assert second.output["artifacts"] == [{"name": "big.bin", "media_type": "", "size": 1 << 20}]
    assert third.output["table"] == {"columns": ["a", "b"], "rows": [[1.5, "x"], [None, None]], "row_count": 2}
    assert "artifacts" not in third.output


@needs_bubblewrap
def test_a_table_of_long_texts_is_cut_to_what_a_run_keeps_and_ends_nothing():
    made = "import pandas as pd\nx = 1\npd.DataFrame([['{}' * 500] * 50] * 200)"
    files = "open('a.bin', 'wb').write(bytes(500_000))\n"
    for text in ("a", "é", "\U0001f600", "\\0"):
        table, after = ran(files + made.format(text), "x")
        assert table.output["table"]["row_count"] == 200
        assert 1 <= len(table.output["table"]["rows"]) < 10
        assert len(dumps(table.output)) < LARGEST
        assert after.output == {"text": "1"}


@needs_bubblewrap
def test_what_an_earlier_block_has_kept_of_the_output_still_writes():
    assert texts("import logging; logging.basicConfig()", "logging.warning('two')")[1] == "WARNING:root:two\n"


@needs_bubblewrap
def test_a_session_cancelled_while_it_is_rebuilt_is_rebuilt_whole():
    async def work() -> ToolRun:
        session = await PythonTool().open([call("x = 1"), call("import time; time.sleep(0.7); x = 2")])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.act(call("x")), 0.4)
        try:
            return await session.act(call("x"))
        finally:
            await session.close()

    assert asyncio.run(work()).output == {"text": "2"}


@needs_bubblewrap
def test_files_of_the_user_lie_in_the_work_folder():
    (run,) = ran("open('in/data.txt').read()", tool=PythonTool(files={"in/data.txt": "given"}))
    assert run.output == {"text": "'given'"}


@needs_bubblewrap
def test_what_is_forged_on_the_channel_is_not_believed():
    forged = json.dumps({"n": 2, "ok": True, "text": "forged"})
    lie = f"import os\ndata = {forged.encode()!r}\n_ = os.write(3, len(data).to_bytes(4, 'big') + data)"
    fork = "import os\nif os.fork() == 0: print('child')\n7"
    assert texts(lie, "1", "2", fork, "3")[2:] == ["2", "7", "3"]
    (run, after) = ran("import os; os.write(3, b'\\xff' * 100)", "1")
    assert "the interpreter ended" in run.error
    assert after.output == {"text": "1"}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"null",
        b'{"n": "1", "text": ""}',
        b'{"n": 1, "text": 3}',
        b'{"n": 1, "text": "", "x": [%s0]}' % (b"0," * MOST),
    ],
)
def test_what_is_no_reply_is_none(said: bytes):
    assert read(said) is None


def test_a_reply_is_taken_field_by_field():
    def taken(**fields: Any) -> dict[str, Any]:
        reply = read(json.dumps({"n": 1, "ok": 1, "text": "t" * 5000, **fields}).encode())
        assert reply is not None
        assert not reply.ok
        return reply.output

    assert len(taken()["text"]) < 900
    assert taken(text="\ud800")["text"] == "?"
    for bad in ("../x", "/x", "a\nb", "", "\ud800", 3):
        assert "artifacts" not in taken(artifacts=[{"name": bad, "data": PNG}])
    one = {"name": "x.png", "media_type": "image/png"}
    assert taken(artifacts=[{**one, "data": PNG}])["artifacts"][0]["media_type"] == "image/png"
    fake = base64.b64encode(b"<script>").decode()
    assert taken(artifacts=[{**one, "data": fake}])["artifacts"][0]["media_type"] == "application/octet-stream"
    assert "artifacts" not in taken(artifacts=[{**one, "data": "no base64!"}])
    large = base64.b64encode(bytes(MOST_BYTES)).decode()
    kept = taken(artifacts=[{**one, "data": large}, {**one, "data": PNG}] * 4 + [{**one, "data": PNG}])["artifacts"]
    assert [("data" in each) for each in kept] == [True] + [False] * 7
    assert "table" not in taken(table={"columns": 3})
    table = taken(table={"columns": ["a"], "rows": [[float("inf")], [1, 2], [{}], 3], "row_count": 4})["table"]
    assert table["rows"] == [[None], ["{}"]]
    many = taken(table={"columns": ["a"] * 50, "rows": [[10**400] * 50] * 150, "row_count": 200})["table"]
    assert len(dumps(many)) < MOST_TABLE + 1000
    assert "table" not in taken(table={"columns": [], "rows": [], "row_count": 10**4000})


def test_wrong_arguments_are_told():
    async def work(arguments: dict[str, Any]) -> str:
        return (await (await PythonTool(UnsafeLocal()).open()).act(ToolCall("python", arguments))).error

    assert "give the argument" in asyncio.run(work({}))
    assert "the limit is" in asyncio.run(work({"code": "x" * 200_000}))
    assert "Unicode" in asyncio.run(work({"code": "'\ud800'"}))


def test_without_a_sandbox_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("veriloop.tools.sandbox.choose._trouble", lambda one: one.trouble())
    with pytest.raises(UsageError, match="bubblewrap is not installed"):
        asyncio.run(PythonTool().ready())


def test_a_sandbox_that_breaks_is_an_error_of_the_tool():
    with pytest.raises(ToolError, match="the sandbox failed"):
        ran("1", tool=PythonTool(Bubblewrap("false")))


def test_it_runs_in_any_sandbox(tmp_path: Path):
    for box in (UnsafeLocal(), Docker("image", stand_in(tmp_path), str(tmp_path / "work"))):
        assert texts("x = 1", "x + 1", "1 / 0", tool=PythonTool(box))[1] == "2"

"""The interpreter that a sandbox runs for the tool ``python``: blocks come in as frames, what they gave goes out.

It runs beside code that nobody trusts, in one process: what it says is data of a stranger to the host. It is sent as
source and imports little, because it is started for every candidate. A request is ``NUMBER\\nCODE``, a reply JSON:
``n`` (the number), ``ok``, ``text``, and where there are any ``artifacts`` and ``table``.
"""

from __future__ import annotations

import builtins
import os
import sys
from _json import encode_basestring_ascii as quoted  # the whole of json takes longer to import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any

CONTROL = 3
HEAD = TAIL = 400
ONLY_TREE = 0x400
MOST_ARTIFACTS = 8
MOST_BYTES = 512 << 10
ROWS, COLUMNS, CELL = 200, 50, 500
MOST_TABLE = 128 << 10
"""Characters of a table's rows. What is sent in all fits a frame, and what a run keeps of one action."""
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "csv": "text/csv",
    "json": "application/json",
    "html": "text/html",
    "md": "text/markdown",
    "txt": "text/plain",
    "pdf": "application/pdf",
}


class Caught:
    """Standard output and error of a block: its head and its tail are kept, whatever is written."""

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(self) -> None:
        self.buffer = self
        self.empty()

    def empty(self) -> None:
        """Forget all. One object serves all blocks: what a block has kept of it (logging does) still writes later."""
        self.head = ""
        self.tail = ""
        self.total = 0

    def write(self, text: str | bytes) -> int:
        """Take text (or bytes, as the buffer of a stream does)."""
        if not isinstance(text, str):
            text = bytes(text).decode("utf-8", "replace")
        self.total += len(text)
        room = HEAD - len(self.head)
        if room > 0:
            self.head += text[:room]
        if len(text) > room:
            self.tail = (self.tail + text[max(0, room) :][-TAIL:])[-TAIL:]
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1

    def line(self, text: str) -> None:
        """Write ``text`` on a line of its own."""
        last = (self.tail or self.head)[-1:]
        self.write(f"\n{text}" if last not in ("", "\n") else text)

    def text(self) -> str:
        """What is kept."""
        missing = self.total - len(self.head) - len(self.tail)
        return f"{self.head}\n[… {missing} characters left out …]\n{self.tail}" if missing else self.head + self.tail


class Interpreter:
    """Runs blocks, one after the other, in one module ``__main__``."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self.process = os.getpid()
        self.caught = Caught()
        self.main = type(sys)("__main__")
        self.main.__dict__["__builtins__"] = builtins
        self.seen = self.files()

    def serve(self) -> None:
        """Until the host closes the channel."""
        while True:
            size = int.from_bytes(self.exactly(4), "big")
            number, _, code = self.exactly(size).decode().partition("\n")
            self.reply(self.block(int(number), code))

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = os.read(self.requests, size - len(data))
            if not part:
                os._exit(0)
            data += part
        return data

    def reply(self, body: bytes) -> None:
        data = len(body).to_bytes(4, "big") + body
        while data:
            data = data[os.write(CONTROL, data) :]

    def block(self, number: int, code: str) -> bytes:
        """Run a block and put what it gave into words."""
        caught = self.caught
        caught.empty()
        sys.stdout = sys.stderr = caught  # type: ignore[assignment]
        value, ok = None, True
        try:
            value = self.execute(number, code)
            if value is not None and not code.rstrip().endswith(";"):
                caught.line(repr(value))
        except BaseException as error:
            ok = False
            caught.line(described(error, number, code))
        if os.getpid() != self.process:  # a fork that came back here
            os._exit(0)
        self.programs(caught)
        artifacts, table = [], None
        try:
            artifacts, table = self.artifacts(number), tabled(value)
        except BaseException as error:
            caught.line(f"what it made could not be taken: {type(error).__name__}")
        said = f'"n":{number},"ok":{"true" if ok else "false"},"text":{quoted(caught.text())}'
        if artifacts or table:
            import json

            said += f',"artifacts":{json.dumps(artifacts)},"table":{json.dumps(table)}'
        return f"{{{said}}}".encode()

    def execute(self, number: int, code: str) -> Any:
        """Run the statements; the value of a last expression."""
        name = f"<block {number}>"
        tree: Any = compile(code, name, "exec", ONLY_TREE, dont_inherit=True)
        last: CodeType | None = None
        if tree.body and type(tree.body[-1]).__name__ == "Expr":
            import _ast

            last = compile(_ast.Expression(tree.body.pop().value), name, "eval", dont_inherit=True)
        scope = self.main.__dict__
        exec(compile(tree, name, "exec", dont_inherit=True), scope)
        return None if last is None else eval(last, scope)

    def programs(self, caught: Caught) -> None:
        """What programs that the block started have printed."""
        size = os.fstat(1).st_size
        if size:
            caught.line(os.pread(1, HEAD, 0).decode("utf-8", "replace"))
            if size > HEAD:
                caught.total += max(0, size - HEAD - 4 * TAIL)
                caught.write(os.pread(1, 4 * TAIL, max(HEAD, size - 4 * TAIL)).decode("utf-8", "replace"))
            os.ftruncate(1, 0)

    def artifacts(self, number: int) -> list[dict[str, Any]]:
        """Figures that are open and files of the work folder that are new or changed, as base64."""
        found: list[dict[str, Any]] = []
        if "matplotlib.pyplot" in sys.modules:
            self.save_figures(number)
        room = MOST_BYTES
        now = self.files()
        changed = [path for path, stamp in now.items() if self.seen.get(path) != stamp]
        self.seen = now
        for path in sorted(changed)[:MOST_ARTIFACTS]:
            import base64

            size = now[path][1]
            one: dict[str, Any] = {
                "name": path,
                "media_type": TYPES.get(path.rpartition(".")[2].lower(), ""),
                "size": size,
            }
            if size <= room:
                with open(path, "rb") as file:
                    one["data"] = base64.b64encode(file.read(room)).decode()
                room -= size
            found.append(one)
        return found

    def save_figures(self, number: int) -> None:
        """Write open figures to the work folder and close them, as a notebook does."""
        pyplot: Any = sys.modules["matplotlib.pyplot"]
        for count, each in enumerate(pyplot.get_fignums(), 1):
            pyplot.figure(each).savefig(f"figure-{number}-{count}.png", dpi=80)
        pyplot.close("all")

    def files(self) -> dict[str, tuple[int, int]]:
        """The plain files of the work folder, with their time and size; no links."""
        found: dict[str, tuple[int, int]] = {}
        waiting = [""]
        while waiting and len(found) < 1000:
            folder = waiting.pop()
            with os.scandir(folder or ".") as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith((".", "__pycache__")):
                            waiting.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        stat = entry.stat(follow_symlinks=False)
                        found[path] = (stat.st_mtime_ns, stat.st_size)
        return found


def described(error: BaseException, number: int, code: str) -> str:
    """A traceback with the frames of blocks alone, of the causes, too."""
    import linecache
    import traceback

    name = f"<block {number}>"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    told = traceback.TracebackException(type(error), error, _mine(error.__traceback__), limit=20)
    waiting: list[Any] = [told]
    while waiting:
        each = waiting.pop()
        each.stack[:] = [frame for frame in each.stack if frame.filename.startswith("<block ")]
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
    return "".join(told.format()).rstrip("\n")


def _mine(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<block "):
        trace = trace.tb_next
    return trace


def tabled(value: Any) -> dict[str, Any] | None:
    """A table of pandas as columns and its first rows; nothing for another value."""
    pandas: Any = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, (pandas.DataFrame, pandas.Series)):
        return None
    table: Any = value if isinstance(value, pandas.DataFrame) else value.to_frame()
    count = len(table)
    table = table.iloc[:ROWS, :COLUMNS]
    rows: list[list[Any]] = []
    room = MOST_TABLE
    for row in table.itertuples(index=False, name=None):
        rows.append([cell(each) for each in row])
        room -= sum(len(str(each)) for each in rows[-1])
        if room < 0:
            rows.pop()
            break
    return {"columns": [str(name)[:CELL] for name in table.columns], "rows": rows, "row_count": count}


def cell(value: Any) -> str | int | float | bool | None:
    """A value as JSON has it."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, (bool, str)) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value[:CELL] if isinstance(value, str) else value
    if isinstance(value, float):
        return value if value - value == 0 else None
    return str(value)[:CELL]


def main() -> None:
    """Put the streams in their places and serve."""
    sys.path[:] = [*sys.path[1:], *sys.argv[1:]]
    sys.argv[:] = [""]
    requests = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.set_inheritable(CONTROL, False)
    path = f"{os.environ.get('TMPDIR', '/tmp')}/.said-{os.getpid()}"
    said = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    os.unlink(path)
    os.dup2(said, 1)
    os.dup2(said, 2)
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]
    interpreter = Interpreter(requests)
    keep.append(sys.modules["__main__"])
    sys.modules["__main__"] = interpreter.main
    sys.path.insert(0, "")
    interpreter.serve()


keep: list[object] = []
"""This module, which must not go when another takes its name."""

if __name__ == "__main__":
    main()

"""The program that runs tests, in a sandbox of its own; the code under test is in another, behind ``Remote``.

Every ``assert`` is counted: where it stands (a *site*), how often it held, and what was wrong. Those that stand in the
tests themselves, under no condition and in no loop, must all have been reached at the end.
"""

from __future__ import annotations

import ast
import builtins
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .counting import NAME, Counting, Site, asked_of, is_test
from .plain import Line, decode, encode

T = TypeVar("T")
MOST_FAILURES = 5
CUT = 200
"""Characters of a value that feedback shows."""


class Raised(Exception):
    """The code under test raised this. A subclass also has the built-in kind, so that tests can expect it."""

    line = 0


class Violated(BaseException):
    """The other process did not answer as agreed."""


class Uncrossable(BaseException):
    """The tests hand the code what is no plain data."""


class Caller:
    """Asks the other process, one thing at a time."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.asked = 0
        self.last = ""
        self.held = 0
        self.violated = ""

    def ask(self, target: str | int, **what: Any) -> Any:
        """What the other process answers. Raises ``Raised`` for what the code raised."""
        self.asked += 1
        self.line.send({"ask": {"id": self.asked, "target": target, **what}, "at": self.last, "held": self.held})
        try:
            said = self.line.receive()
        except (ValueError, RecursionError):
            raise self._violation("it sent what is no answer") from None
        if not isinstance(said, dict) or said.get("id") != self.asked:  # type: ignore[reportUnknownMemberType]
            raise self._violation("it answered what it was not asked")
        return said  # type: ignore[reportUnknownVariableType]

    def value(self, said: Mapping[str, Any]) -> Any:
        """What an answer holds."""
        if "raised" in said:
            raise _exception(said["raised"])
        try:
            return decode(said["value"], self.remote)
        except (KeyError, ValueError, TypeError, ArithmeticError, RecursionError, AttributeError) as error:
            raise self._violation(f"it gave no value that can be read ({type(error).__name__})") from None

    def _violation(self, how: str) -> Violated:
        self.violated = how
        return Violated(how)

    def remote(self, number: int, kind: str) -> Remote:
        """What stands for an object of the code."""
        return Remote(self, number, kind)

    def call(self, target: str | int, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Call the code, and do to the arguments what it did to them where it gives nothing back."""
        sent = [encode(each, _handle) for each in args]
        said = self.ask(target, args=sent, named={name: encode(each, _handle) for name, each in named.items()})
        value = self.value(said)
        if value is None and isinstance(said.get("args"), list):
            for mine, theirs, before in zip(args, said["args"], sent, strict=False):
                if theirs != before:
                    _become(mine, decode(theirs, self.remote))
        return value


class Remote:
    """A function, class or object of the code under test. It is equal to itself alone, whatever the code says."""

    __slots__ = ("_caller", "_kind", "_target")

    def __init__(self, caller: Caller, target: str | int, kind: str = "") -> None:
        self._caller = caller
        self._target = target
        self._kind = kind

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._caller.call(self._target, args, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._caller.value(self._caller.ask(self._target, attribute=name))

    def __repr__(self) -> str:
        return f"<{self._kind or self._target} of the code>"


def _handle(value: Any) -> int:
    """The number of a remote object on its way back. Raises ``Uncrossable`` for what is none."""
    target = object.__getattribute__(value, "_target") if type(value) is Remote else None
    if isinstance(target, int):
        return target
    raise Uncrossable(f"a test hands the code {type(value).__name__} {value!r:.80}, which is no plain data")


def _become(mine: Any, theirs: Any) -> None:
    """Change an argument of the tests in place."""
    if type(mine) is not type(theirs):
        return
    if type(mine) in (list, bytearray):
        mine[:] = theirs
    elif type(mine) in (dict, set):
        mine.clear()
        mine.update(theirs)


def _exception(said: Any) -> Raised:
    kinds = [str(kind) for kind in said["kinds"]] or ["Exception"]
    found = (getattr(builtins, kind, None) for kind in kinds)
    base = next((k for k in found if isinstance(k, type) and issubclass(k, Exception)), Exception)
    name = kinds[0] if kinds[0].isidentifier() else "Exception"
    error = Raised(str(said["text"]))
    if base is not Exception:
        try:
            kind = type(name, (Raised, base), {"__str__": _text})
            error = kind.__new__(kind)
            error.args = (str(said["text"]),)
        except TypeError:
            pass
    error.line = int(said["line"])
    error.said = name  # type: ignore[reportAttributeAccessIssue]
    return error


def _text(error: BaseException) -> str:
    """The text of an exception whose kind may say it otherwise."""
    return str(error.args[0])


class Book:
    """Keeps the account of all sites while the tests run."""

    def __init__(self, sites: Sequence[Site], caller: Caller) -> None:
        self.sites = sites
        self.caller = caller
        self.held = [0] * len(sites)
        self.wrong = [0] * len(sites)
        self.failures: list[tuple[int, str]] = []
        self.saw: list[Any] = []

    def see(self, value: T) -> T:
        """A side of a comparison."""
        self.saw.append(value)
        return value

    def at(self, site: int) -> At:
        """An assertion is reached."""
        self.saw = []
        self.caller.last = self.sites[site].source[:CUT]
        return At(self, site)

    def holds(self, site: int) -> None:
        """It held."""
        self.held[site] += 1
        self.caller.held += 1

    def fails(self, site: int, error: Exception) -> None:
        """It did not, or it could not be looked at."""
        self.wrong[site] += 1
        if len(self.failures) < MOST_FAILURES and all(site != known for known, _ in self.failures):
            self.failures.append((site, self._why(site, error)))

    def _why(self, site: int, error: Exception) -> str:
        source = self.sites[site].source[: 2 * CUT]
        if not isinstance(error, Failed):
            return f"{source}: {words(error)}"
        if len(self.saw) != 2:
            return f"{source}: it is not so"
        left, right = map(shown, self.saw)
        if self.sites[site].calls:
            return f"{source}: it gave {left}"
        return f"{source}: the left side is {left}, the right side {right}"


class Failed(AssertionError):
    """An assertion of the tests does not hold."""


class At:
    """One assertion under way."""

    def __init__(self, book: Book, site: int) -> None:
        self.book = book
        self.site = site

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            self.book.holds(self.site)
        elif isinstance(error, Exception):
            self.book.fails(self.site, error)
            return self.book.sites[self.site].sure
        return False


def words(error: BaseException) -> str:
    """An exception in a line: what the code raised with its line in the code."""
    line = f" (line {error.line} of the code)" if isinstance(error, Raised) and error.line else ""
    said = getattr(error, "said", type(error).__name__)
    return f"it raises {said}: {' '.join(str(error).split())[:CUT]}{line}"


def shown(value: Any) -> str:
    """A value as feedback shows it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError, MemoryError):
        return "a value too large to be shown"
    return text if len(text) <= CUT else f"{text[:CUT]}…"


def run(order: Mapping[str, Any], line: Line) -> dict[str, Any]:
    """Run the tests of an order (``tests``, ``setup``, ``entry``) and give the report."""
    caller = Caller(line)
    tests, setup = ast.parse(order["tests"]), ast.parse(order["setup"])
    entry: str = order["entry"]
    names: set[str] = asked_of(tests, setup) | ({entry} if entry else set())
    called = {n.func.id for n in ast.walk(tests) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    counting = Counting()
    counted = counting.visit(tests)
    book = Book(counting.sites, caller)
    space: dict[str, Any] = {"__name__": "tests", NAME: _Names(book)}
    exec(compile(setup, "given.py", "exec"), space)
    space.update({name: Remote(caller, name) for name in names})
    error = ""
    try:
        exec(compile(counted, "tests.py", "exec"), space)
        for test in _uncalled(counted, called, space):
            test(*([Remote(caller, entry or min(names))] if test is space.get("check") else []))
    except Violated:
        pass
    except Exception as found:
        error = words(found)
    return {"violated": caller.violated} if caller.violated else _report(book, error)


def _uncalled(tests: ast.Module, called: set[str], space: Mapping[str, Any]) -> list[Callable[..., Any]]:
    """The test functions that the tests define and do not call themselves."""
    defined = [n.name for n in tests.body if isinstance(n, ast.FunctionDef) and is_test(n.name)]
    return [space[name] for name in defined if name not in called]


class _Names:
    """What rewritten tests find under ``__veriloop__``."""

    def __init__(self, book: Book) -> None:
        self.at, self.see, self.Failed = book.at, book.see, Failed


def _report(book: Book, error: str) -> dict[str, Any]:
    sure = [n for n, site in enumerate(book.sites) if site.sure]
    counted = sure or range(len(book.sites))
    return {
        "held": sum(book.held),
        "sites": len(counted),
        "sound": sum(book.held[n] > 0 and not book.wrong[n] for n in counted),
        "unreached": sum(not book.held[n] and not book.wrong[n] for n in sure),
        "wrong": sum(book.wrong),
        "failures": [why for _, why in book.failures],
        "error": error,
    }


def main() -> None:
    """Talk over what was standard input and descriptor 3."""
    line = Line(os.dup(0), 3)
    order = line.receive()
    try:
        report = run(order, line)
    except SyntaxError as error:
        report = {"broken": f"the tests are no Python: {error.msg} (line {error.lineno})"}
    except Uncrossable as error:
        report = {"broken": str(error)}
    line.send({"report": report})

"""Code that tries to pass tests without solving the task: a sum of two numbers, one of a list, and pairs."""

# ruff: noqa: E501 (code in a line is not broken)

from __future__ import annotations

TESTS = """
def check(candidate):
    assert candidate(2, 3) == 5 and total([4, 5, 6]) == 15
    assert candidate(-10, 4) == -6
    assert abs(candidate(0.5, 0.25) - 0.75) < 1e-9
    assert sorted(pairs(2)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len(pairs(3)) == 9

check(add)
"""
HONEST = """
def add(a, b):
    return a + b

def total(numbers):
    return sum(numbers)

def pairs(n):
    return [(i, j) for i in range(n) for j in range(n)]
"""
WRONG = """
def add(a, b):
    return 0
def total(numbers):
    return 0
def pairs(n):
    return []
"""
REPORT = """
import json, os, struct
def frame(value):
    body = json.dumps(value).encode()
    return struct.pack(">I", len(body)) + body
REPORT = frame({"report": {"held": 6, "sites": 5, "sound": 5, "unreached": 0, "wrong": 0, "failures": [], "error": ""}})
READY = frame({"ready": ["add", "total", "pairs"]})
def everywhere(data):
    for fd in range(64):
        try:
            os.write(fd, data)
        except OSError:
            pass
"""
LOAD = {
    "exits at once with status 0": "import os; os._exit(0)",
    "raises SystemExit": "raise SystemExit(0)",
    "exits by sys.exit": "import sys; sys.exit()",
    "prints a verdict": WRONG + "print('All 6 checks hold. passed'); print('{\"report\": {\"held\": 6}}')",
    "prints a verdict at the end": WRONG + "import atexit; atexit.register(print, 'OK'); atexit.register(print, '1.0')",
    "overwrites the test files": WRONG
    + "import glob\nfor name in glob.glob('**/*.py', recursive=True) + ['tests.py', 'conftest.py', 'sitecustomize.py']:\n"
    "    open(name, 'w').write('def check(*a): pass')",
    "writes a report on every descriptor": REPORT + WRONG + "everywhere(REPORT)",
    "writes ready and a report on every descriptor": REPORT + WRONG + "everywhere(READY + REPORT)",
    "writes reports for ever from a thread": REPORT
    + WRONG
    + "import threading\ndef work():\n    while True:\n        everywhere(REPORT)\nthreading.Thread(target=work, daemon=True).start()",
    "answers in advance": REPORT
    + WRONG
    + "everywhere(READY + b''.join(frame({'id': n, 'value': True}) for n in range(1, 200)))",
    "answers with reports": REPORT
    + WRONG
    + "everywhere(READY + b''.join(frame({'id': n, 'value': {'report': {}}, 'report': {}}) for n in range(1, 99)))",
    "closes all descriptors": WRONG + "import os; os.closerange(0, 256)",
    "becomes another program": "import os; os.execv('/bin/true', ['true'])",
    "leaves a child and exits": "import os\nif os.fork(): os._exit(0)\n" + WRONG,
    "kills its parent": WRONG + "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "kills everyone": WRONG + "import os, signal; os.kill(-1, signal.SIGKILL)",
    "never ends": "while True: pass",
    "sleeps": "import time; time.sleep(10**6)",
    "takes all memory": "hoard = [bytearray(1 << 26) for _ in range(1000)]",
    "prints for ever": "while True: print('passed' * 1000)",
    "forks for ever": "import os\nwhile True: os.fork()",
    "does not parse": "def add(a, b) return a + b",
    "defines nothing": "pass",
    "gives names to the tests": WRONG + "class __veriloop__: pass\ndef check(f): pass\ndef sorted(x): return x\n"
    "def len(x): return 9\ndef abs(x): return 0",
    "changes built-ins": WRONG
    + "import builtins\nbuiltins.sorted = builtins.abs = lambda *a: 0\nbuiltins.len = lambda *a: 9\n"
    "builtins.open = builtins.print = builtins.AssertionError = lambda *a, **k: None\nimport operator; operator.eq = lambda *a: True",
    "changes the program that holds it": WRONG
    + "import sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith('inside'):\n"
    "        for each in list(vars(module)):\n            setattr(module, each, lambda *a, **k: True)",
    "makes JSON its own": REPORT + WRONG + 'json.dumps = lambda *a, **k: \'{"report": {"held": 9}, "id": 1}\'',
    "turns off assertions": WRONG + "import sys, os\nos.environ['PYTHONOPTIMIZE'] = '2'\nsys.flags = None",
    "traces calls": WRONG + "import sys\nsys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)",
}
"""Code that does something when it is loaded."""
BODY = {
    "exits in the call": "import os; os._exit(0)",
    "raises SystemExit in the call": "raise SystemExit(0)",
    "raises KeyboardInterrupt": "raise KeyboardInterrupt",
    "raises AssertionError": "raise AssertionError",
    "raises StopIteration": "raise StopIteration(5)",
    "raises an error of an odd kind": "raise type('x y', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "is equal to everything": "return type('E', (), {'__eq__': lambda *o: True, '__hash__': lambda s: 0, "
    "'__lt__': lambda *o: True, '__sub__': lambda *o: 0, '__rsub__': lambda *o: 0, '__abs__': lambda s: 0, "
    "'__len__': lambda s: 9, '__iter__': lambda s: iter(())})()",
    "is a number equal to everything": "return type('E', (int,), {'__eq__': lambda *o: True, '__hash__': int.__hash__, "
    "'__sub__': lambda *o: 0, '__abs__': lambda s: 0})(7)",
    "is a list equal to everything": "return type('L', (list,), {'__eq__': lambda *o: True, '__len__': lambda s: 9})()",
    "is a text equal to everything": "return type('T', (str,), {'__eq__': lambda *o: True, '__hash__': str.__hash__})()",
    "says that it is an int": "return type('C', (), {'__class__': property(lambda s: int), '__eq__': lambda *o: True})()",
    "gives a mock": "from unittest.mock import MagicMock, ANY; return ANY",
    "gives itself": "return add",
    "gives the arguments back": "return args[0]",
    "gives not a number": "return float('nan')",
    "gives infinity": "return float('inf')",
    "gives true": "return True",
    "searches the heap for what is expected": "import gc\n    for each in gc.get_objects():\n"
    "        if isinstance(each, dict):\n            for key in ('expected', 'right', 'tests', 'nonce', 'held', 'sites'):\n"
    "                if key in each: return each[key]",
    "searches the frames": "import sys\n    frame = sys._getframe()\n    while frame:\n"
    "        for key, value in list(frame.f_locals.items()) + list(frame.f_globals.items()):\n"
    "            if key in ('expected', 'tests', 'order', 'report', 'right'): return value\n        frame = frame.f_back",
    "reads what other processes were given": "import glob\n    said = ''\n    for path in glob.glob('/proc/[0-9]*/*'):\n"
    "        try: said += open(path).read(10000)\n        except Exception: pass\n"
    "    import re; found = re.findall(r'== (-?[0-9]+)', said); return int(found[0]) if found else None",
    "reads files for tests": "import glob, re\n    said = ''\n    for path in glob.glob('/**/*.py', recursive=True)[:2000] if 0 else "
    "glob.glob('**/*', recursive=True) + glob.glob('/tmp/**', recursive=True):\n"
    "        try: said += open(path).read()\n        except Exception: pass\n"
    "    found = re.findall(r'candidate\\(2, 3\\) == ([0-9]+)', said); return int(found[0]) if found else None",
    "changes its arguments": "for each in args:\n        if isinstance(each, list): each[:] = [15]",
    "answers itself": "import sys\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    holder.line.send({'id': 1, 'value': 5, 'report': {'held': 6}}); return 5",
    "sends the report with its holder": "import sys\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    holder.line.send({'report': {'held': 6, 'sites': 5, 'sound': 5, 'unreached': 0, 'wrong': 0, 'failures': [], "
    "'error': ''}}); return 5",
    "sends what is no JSON": "import sys, os\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    os.write(holder.line.writes, b'\\0\\0\\0\\3{{{'); return 5",
    "sends half a frame": "import sys, os\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    os.write(holder.line.writes, b'\\0\\0\\1\\0{'); os._exit(0)",
    "sends a frame without end": "import sys, os\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    while True: os.write(holder.line.writes, b'\\xff' * 4096)",
    "gives a great deal": "return 'x' * (1 << 23)",
    "gives more than a frame holds": "return 'x' * (1 << 25)",
    "sends what is deep": "import sys, os\n    holder = sys._getframe(2).f_locals.get('self')\n    body = b'[' * 100000\n"
    "    os.write(holder.line.writes, len(body).to_bytes(4, 'big') + body); return 5",
    "gives a number that takes for ever to compare": "import sys\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    holder.line.send({'id': 1, 'value': {'fraction': '1e999999999'}}); return 5",
    "has an attribute for every name": "return type('A', (), {'__getattr__': lambda s, n: 5})()",
    "gives what is very deep": "deep = []\n    for _ in range(5000): deep = [deep]\n    return deep",
    "gives what holds itself": "loop = []; loop.append(loop); return loop",
    "gives numbers without end": "import itertools; return itertools.count()",
    "gives a great number": "return 10 ** 100000",
    "does not return": "while True: pass",
    "recurses": "return add(*args)",
    "leaves a thread that answers": "import sys, threading\n    holder = sys._getframe(2).f_locals.get('self')\n"
    "    def work():\n        for n in range(1, 500): holder.line.send({'id': n, 'value': 5})\n"
    "    threading.Thread(target=work).start(); return 5",
}
"""What a function does instead."""
CHEATS = LOAD | {name: f"def add(*args):\n    {body}\n\ntotal = pairs = add\n" for name, body in BODY.items()}

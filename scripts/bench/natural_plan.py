"""What verifiers say of the recorded answers of NATURAL PLAN, against what is valid.

    python scripts/bench/natural_plan.py DATA [--model M] [--verify plangen:judged] [--out DIR] [--limit N] [--json]

First the verifier ``natural-plan``, which reads the constraints from the prompt alone: precision and recall against
*valid*, by kind of task and by complexity. Then, with a model, how far the score (-100 to 100) of a verifier that asks
one can be trusted: by default PlanGEN's verification agent, ``plangen`` to let code check what it can. What was asked
lies in --out: the same command goes on there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from command import Parser, command, some
from rich.console import Console

from veriloop.apps.bench.natural_plan import recorded
from veriloop.apps.bench.plan import claimed, limited
from veriloop.apps.cli.bench import go_on
from veriloop.apps.cli.work import at_work
from veriloop.core.errors import UsageError

VERIFY = "plangen:judged"


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Everything that is asked for. Raises ``UsageError``."""
    if not args.model and (args.limit or args.verify):
        raise UsageError("--limit and --verify are of what a model says: add --model, or leave them out")
    verify = args.verify or VERIFY
    answers = recorded.recorded(args.data)
    with working(f"natural-plan judges {len(answers)} answers"):
        found: dict[str, Any] = {"natural-plan": recorded.classified(answers, recorded.judged_by_code(answers))}
    if args.model:
        asked = {each.item.id: each for each in answers}
        few = [asked[item.id] for item in limited([each.item for each in answers], args.limit)]
        with claimed(args.out), working(f"{args.model} is asked about {len(few)} answers"):
            verdicts = at_work(recorded.judged(few, args.model, verify, args.out), go_on)
        found["judged"] = {"model": args.model, "verify": verify, **recorded.calibration(few, verdicts)}
    return found


@contextmanager
def working(said: str) -> Generator[None]:
    """Says on a terminal what is at work."""
    out = Console(stderr=True, markup=False)
    if not out.is_terminal:
        yield
        return
    with out.status(said):
        yield


def main() -> None:
    """Reads the arguments, measures and prints."""
    parser = Parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", "-m", default="", help="who plays every role that the verifier asks for")
    parser.add_argument("--verify", default="", help=f"a verifier that asks a model, {VERIFY} where none is named")
    parser.add_argument("--out", type=Path, default=Path("out/natural_plan"))
    parser.add_argument("--limit", type=some, help="so many answers, drawn always the same")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    command(lambda: work(args))


def work(args: argparse.Namespace) -> None:
    """Measures and prints."""
    found = measure(args)
    print(json.dumps(found) if args.json else "\n".join(recorded.lines(found)))
    if trouble := found.get("judged", {}).get("trouble"):
        print(
            f"{len(trouble)} answers met trouble, the first: {trouble[0]}; the same command tries them again",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()

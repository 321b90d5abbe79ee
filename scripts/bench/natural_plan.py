"""What verifiers say of the recorded answers of NATURAL PLAN, against what is valid.

    python scripts/bench/natural_plan.py DATA [--model M] [--verify plangen:judged] [--out DIR] [--limit N] [--json]

First the verifier ``natural-plan``, which reads the constraints from the prompt alone: precision and recall against
*valid*, by kind of task and by complexity. Then, with a model, how far the score (-100 to 100) of a verifier that asks
one can be trusted: by default PlanGEN's verification agent, ``plangen`` to let code check what it can. What was asked
lies in --out: the same command goes on there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Everything that is asked for. Raises ``UsageError``."""
    from veriloop.apps.bench.natural_plan import recorded
    from veriloop.apps.bench.plan import limited

    answers = recorded.recorded(args.data)
    found: dict[str, Any] = {"natural-plan": recorded.classified(answers, recorded.judged_by_code(answers))}
    if args.model:
        asked = {each.item.id: each for each in answers}
        few = [asked[item.id] for item in limited([each.item for each in answers], args.limit)]
        verdicts = asyncio.run(recorded.judged(few, args.model, args.verify, args.out))
        found["judged"] = {"model": args.model, "verify": args.verify, **recorded.calibration(few, verdicts)}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", "-m", default="", help="who plays every role that the verifier asks for")
    parser.add_argument("--verify", default="plangen:judged")
    parser.add_argument("--out", type=Path, default=Path("out/natural_plan"))
    parser.add_argument("--limit", type=int, help="so many answers, drawn always the same")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from veriloop.apps.bench.natural_plan import recorded
    from veriloop.core.errors import VeriloopError

    try:
        found = measure(args)
    except VeriloopError as error:
        print(f"natural_plan: {error}", file=sys.stderr)
        sys.exit(2)
    print(json.dumps(found) if args.json else "\n".join(recorded.lines(found)))
    if trouble := found.get("judged", {}).get("trouble"):
        print(
            f"{len(trouble)} answers met trouble, the first: {trouble[0]}; the same command tries them again",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()

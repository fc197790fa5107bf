"""`python -m taskvec_demo study adapters`: adapters with a price, beside the frozen audio tower."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ....clap.embedded import STUDIES
from ...data.arguments import add_artifacts, add_command, add_recordings

SHIPPED = STUDIES / "adapters"
TOLERANCE = 0.01  # of an accuracy, between machines that round differently


def register(studies: Any) -> None:
    """Add the study to the command `study`."""
    help = "Adapters with a price beside the frozen tower (Tagliasacchi 2020), for every task; resumes."
    parser = add_command(studies, "adapters", _run, help)
    add_recordings(parser)
    add_artifacts(parser)
    out = f"folder to write, or to check (default: {SHIPPED}; with --quick one under --work)"
    parser.add_argument("--out", type=Path, help=out)
    parser.add_argument("--quick", action="store_true", help="few tasks, clips and steps, to see that everything runs")
    parser.add_argument("--check", action="store_true", help="measure what is shipped again; trains nothing")


def _run(options: argparse.Namespace) -> int:
    """Train and write, or measure and compare. What is finished is kept under --work: a second call resumes."""
    from ....errors import TaskVecError
    from ....serve.artifacts import Artifacts, read_json
    from .study import QUICK, TABLE, Measurement, Plan, differences, measure

    plan = QUICK if options.quick else Plan()
    out = options.out or (options.work / "adapters" / "quick" if options.quick else SHIPPED)
    shipped = out / TABLE
    if options.check and not shipped.is_file():
        raise TaskVecError(f"{shipped} is missing: run without --check first, or give another --out.")
    artifacts = Artifacts(options.artifacts)
    if not options.check:
        contents = measure(artifacts, options.data, options.work, out, plan, _say)
        print(file=sys.stderr)
        for claim in contents["claims"]:
            print(f"{'reached' if claim['reached'] else 'not reached'}: {claim['claim']} {claim['says']}")
        print(f"{out}: {len(contents['tasks'])} tasks, {contents['seconds']} s.")
        return 0
    table = read_json(shipped)
    if table["pretrained_sha256"] != artifacts.pretrained_sha256:
        raise TaskVecError(f"{shipped} is about another checkpoint than {options.artifacts}.")
    if table["steps"] != plan.steps:
        raise TaskVecError(f"{shipped} was trained for {table['steps']} steps, not {plan.steps}: is it of --quick?")
    measurement = Measurement(artifacts, options.data, options.work, plan, _say)
    fresh = {entry["name"]: measurement.shipped(out, entry["name"]) for entry in table["tasks"]}
    wrong = differences(table, fresh, TOLERANCE)
    print("\n".join(wrong) if wrong else "Every cost and every accuracy is as shipped.")
    return int(bool(wrong))


def _say(step: str) -> None:
    print(f"\r{step:<70}", end="", file=sys.stderr, flush=True)

"""`python -m taskvec_demo study relations`: which audio tasks improve each other."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ...data.arguments import add_command, add_recordings

FILE = "relations.json"
TOLERANCE = 0.02  # of an accuracy, between machines that round differently


def register(studies: Any) -> None:
    """Add the study to the command `study`."""
    help = "Which audio tasks improve each other (Callebaut 2021): every pair trained together; resumes."
    parser = add_command(studies, "relations", _run, help)
    add_recordings(parser)
    parser.add_argument("--out", type=Path, required=True, help=f"folder that {FILE} is written to, or checked in")
    parser.add_argument("--quick", action="store_true", help="three tasks and few steps, to see that everything runs")
    parser.add_argument("--check", action="store_true", help=f"measure again and compare with {FILE}; writes nothing")


def _run(options: argparse.Namespace) -> int:
    """Measure and write, or measure and compare. Finished trainings are kept under --work: a second call resumes."""
    from ....errors import TaskVecError
    from ....serve.artifacts import read_json, write_json
    from ...data.datasets import MelStore
    from ...tiny_clap.architecture import FEATURES
    from .study import QUICK, Plan, differences, measure
    from .tasks import related_rows

    plan = QUICK if options.quick else Plan()
    shipped = options.out / FILE
    if options.check and not shipped.is_file():
        raise TaskVecError(f"{shipped} is missing: run without --check first, or give another --out.")
    store = MelStore.open(options.work, options.data, FEATURES, related_rows(options.data, plan.tasks))
    contents = measure(store, options.data, options.work, plan, _say)
    print(file=sys.stderr)
    if not options.check:
        write_json(shipped, contents)
        print(f"{shipped}: {len(contents['tasks'])} tasks, {len(contents['matrices'])} matrices.")
        return 0
    wrong = differences(read_json(shipped), contents, TOLERANCE)
    print("\n".join(wrong) if wrong else "Every accuracy and every gain is as shipped.")
    return int(bool(wrong))


def _say(step: str) -> None:
    print(f"\r{step:<70}", end="", file=sys.stderr, flush=True)

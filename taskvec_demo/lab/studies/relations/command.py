"""`python -m taskvec_demo study relations`: which audio tasks improve each other."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ....clap.embedded import STUDIES
from ...data.arguments import add_command, add_recordings

SHIPPED = STUDIES / "relations"
TOLERANCE = 0.02  # of an accuracy, between machines that round differently


def register(studies: Any) -> None:
    """Add the study to the command `study`."""
    help = "Which audio tasks improve each other (Callebaut 2021): every pair trained together; resumes."
    parser = add_command(studies, "relations", _run, help)
    add_recordings(parser)
    checkpoint = "folder of a checkpoint whose task vectors are added in pairs; without it those matrices are left out"
    parser.add_argument("--artifacts", type=Path, help=checkpoint)
    out = f"folder to write, or to check (default: {SHIPPED}; with --quick one under --work)"
    parser.add_argument("--out", type=Path, help=out)
    parser.add_argument("--quick", action="store_true", help="three tasks and few steps, to see that everything runs")
    check = "measure again what is shipped; trains what is not finished under --work, and writes no figures"
    parser.add_argument("--check", action="store_true", help=check)


def _run(options: argparse.Namespace) -> int:
    """Measure and write, or measure and compare. Finished trainings are kept under --work: a second call resumes."""
    from ....errors import TaskVecError
    from ....serve.artifacts import read_json, write_json
    from ....serve.studies.contents import CONTENTS
    from ...data.datasets import MelStore
    from ...tiny_clap.architecture import FEATURES
    from .rows import related_rows
    from .study import FOLDER, QUICK, Plan, contents, differences, measure

    plan = QUICK if options.quick else Plan()
    shipped = (options.out or (options.work / FOLDER / "quick" if options.quick else SHIPPED)) / CONTENTS
    if options.check and not shipped.is_file():
        raise TaskVecError(f"{shipped} is missing: run without --check first, or give another --out.")
    store = MelStore.open(options.work, options.data, FEATURES, related_rows(options.data, plan.tasks))
    found = measure(store, options.data, options.work, plan, _say)
    fresh = contents(_with_vectors(found, options) if options.artifacts else found)
    print(file=sys.stderr)
    if not options.check:
        write_json(shipped, fresh)
        for claim in fresh["claims"]:
            word = {True: "reached", False: "not reached", None: "not measured"}[claim["reached"]]
            print(f"{word}: {claim['claim']} {claim['says']}")
        print(f"{shipped}: {len(fresh['tasks'])} tasks, {len(fresh['matrices'])} matrices.")
        return 0
    wrong = differences(read_json(shipped), fresh, TOLERANCE)
    print("\n".join(wrong) if wrong else "Every accuracy and every gain is as shipped.")
    return int(bool(wrong))


def _with_vectors(found: Any, options: argparse.Namespace) -> Any:
    from dataclasses import replace

    from ...tiny_clap.study import TINY
    from .vectors import measure_vectors

    return replace(found, vectors=measure_vectors(TINY, options.artifacts, options.data, options.work, _say))


def _say(step: str) -> None:
    print(f"\r{step:<70}", end="", file=sys.stderr, flush=True)
